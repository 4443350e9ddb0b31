"""Rules over component documents: what the service refuses when a component is made, or an image is built.

The shape comes from ``recipe/component.schema.json``; what a schema cannot say stands here.  Every path is written as
in the document: ``phases[0].steps[2].inputs.commands``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, Final

from cdk_ami.checks.conditions import condition_problems, condition_strangers
from cdk_ami.checks.expressions import chain_problems, name_problems, texts_of
from cdk_ami.checks.names import IB
from cdk_ami.checks.rule import Problem, rule
from cdk_ami.checks.secrets import SENSITIVE_NAME, looks_like_value, looks_secret
from cdk_ami.checks.shape import Shape, short
from cdk_ami.limits import DOCUMENT_MAX_CHARS, VARIABLE_NAME

_DOCS: Final = "https://docs.aws.amazon.com/imagebuilder/latest/userguide/"
_DOCUMENTS: Final = f"{_DOCS}toe-use-documents.html"
_ACTIONS: Final = f"{_DOCS}toe-action-modules.html"
_CONDITIONS: Final = f"{_DOCS}toe-conditional-constructs.html"
_LOOPS: Final = f"{_DOCS}toe-looping-constructs.html"
_VARIABLES: Final = f"{_DOCS}toe-user-defined-variables.html"

PHASES: Final = ("build", "validate", "test", "container-host-test")
"""Phases that Image Builder runs.  https://docs.aws.amazon.com/imagebuilder/latest/userguide/toe-use-documents.html"""


class Sealed:
    """A document's data, checked although its texts may hold tokens: rules look for tokens in plain data only.

    Attributes:
        data: What the text holds.
    """

    __slots__ = ("_shape", "data")

    def __init__(self, data: Any) -> None:
        self.data = data
        self._shape: tuple[tuple[bool, Problem], ...] | None = None

    @property
    def mapping(self) -> dict[str, Any]:
        """The document, or an empty one when it is no mapping."""
        return self.data if isinstance(self.data, dict) else {}

    @property
    def shape(self) -> tuple[tuple[bool, Problem], ...]:
        """What the schema finds, each with whether it stands inside a step's inputs."""
        if self._shape is None:
            self._shape = tuple(("inputs" in place, found) for place, found in _shape().problems(self.data))
        return self._shape

    def steps(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Yield phase name, path and step of whatever looks like a step."""
        for phase_index, phase in enumerate(_list(self.mapping.get("phases"))):
            if isinstance(phase, dict):
                for step_index, step in enumerate(_list(phase.get("steps"))):
                    if isinstance(step, dict):
                        yield as_text(phase.get("name")), f"phases[{phase_index}].steps[{step_index}]", step

    def conditions(self) -> Iterator[tuple[str, Any]]:
        """Yield path and content of each condition, and of whatever a step asserts."""
        for _, at, step in self.steps():
            if "if" in step:
                yield f"{at}.if", step["if"]
            if step.get("action") == "Assert" and isinstance(step.get("inputs"), dict):
                yield f"{at}.inputs", step["inputs"]


@rule("DocumentFile", source=f"{IB}API_CreateComponent.html")
def document_file(path: Path) -> Iterator[Problem]:
    """A component document is a file that is there."""
    if not path.is_file() and not path.is_dir():
        near = get_close_matches(path.name, sorted(item.name for item in _siblings(path)), n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"create it, or mend the path (looked in {path.parent})"
        yield Problem(problem="does not exist", got=str(path), fix=hint)


@rule("DocumentFolder", source=f"{IB}API_CreateComponent.html")
def document_folder(path: Path) -> Iterator[Problem]:
    """A component document is no directory."""
    if path.is_dir():
        yield Problem(problem="is a directory", got=str(path), fix="name one YAML or JSON file in it")


@rule("DocumentText", source=f"{IB}API_CreateComponent.html#imagebuilder-CreateComponent-request-data")
def document_text(text: str) -> Iterator[Problem]:
    """A component document holds something, and no NUL character."""
    if not text.strip():
        yield Problem(problem="is empty", got=text, fix="write schemaVersion and phases")
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        yield Problem(problem=f"holds a NUL character in line {line}", got="\\0", fix="remove it: no text holds one")


@rule("DocumentSize", source=f"{IB}API_CreateComponent.html#imagebuilder-CreateComponent-request-uri")
def document_size(text: str) -> Iterator[Problem]:
    """A component document has at most 64,000 characters, in the template or in S3."""
    if len(text) > DOCUMENT_MAX_CHARS:
        yield Problem(
            problem=f"has {len(text):,} characters",
            got=len(text),
            fix=f"keep it within {DOCUMENT_MAX_CHARS:,}: split it, or put long scripts into files",
        )


@rule("DocumentSyntax", source=_DOCUMENTS)
def document_syntax(found: Problem) -> Iterator[Problem]:
    """A component document is YAML without tags, or JSON."""
    yield found


@rule("DocumentTabs", source=_DOCUMENTS)
def document_tabs(found: Problem) -> Iterator[Problem]:
    """A component document is indented with blanks."""
    yield found


@rule("DocumentKeys", source=_DOCUMENTS)
def document_keys(found: Problem) -> Iterator[Problem]:
    """A mapping of a component document has each key once."""
    yield found


@rule("DocumentMapping", source=_DOCUMENTS)
def document_mapping(document: Sealed) -> Iterator[Problem]:
    """A component document is a mapping."""
    if not isinstance(document.data, dict):
        yield Problem(
            problem="is no mapping of keys and values",
            got=short(document.data),
            fix="begin with schemaVersion: 1.0 and phases:",
        )


@rule("DocumentData", source=_DOCUMENTS)
def document_data(document: Sealed) -> Iterator[Problem]:
    """A document made in Python holds texts, numbers, truths, lists and mappings."""
    for at, value in _strange(document.data, ""):
        kind = type(value).__name__
        yield Problem(problem=f"is of the type {kind}", got=short(value), fix="write it as text", at=at)


@rule("DocumentShape", source=_DOCUMENTS)
def document_shape(document: Sealed) -> Iterator[Problem]:
    """A component document has the keys and types of schema version 1.0."""
    for in_inputs, found in document.shape:
        if not in_inputs:
            yield found


@rule("ActionInputs", source=_ACTIONS)
def action_inputs(document: Sealed) -> Iterator[Problem]:
    """A step gives its action the inputs that the action needs."""
    for in_inputs, found in document.shape:
        if in_inputs:
            yield found
    for _, at, step in document.steps():
        inputs = step.get("inputs")
        if step.get("action") == "ExecutePowerShell" and isinstance(inputs, dict):
            given = [key for key in ("commands", "file") if key in inputs]
            if len(given) != 1:
                yield Problem(
                    problem="needs either commands or file",
                    got=given,
                    fix="give exactly one of them",
                    at=f"{at}.inputs",
                )


@rule("PhaseName", source=_DOCUMENTS)
def phase_names(document: Sealed) -> Iterator[Problem]:
    """A phase has one of the names that Image Builder runs, and no other phase has it."""
    seen: list[str] = []
    for index, phase in enumerate(_list(document.mapping.get("phases"))):
        name = phase.get("name") if isinstance(phase, dict) else None
        if not isinstance(name, str):
            continue
        at = f"phases[{index}].name"
        if name not in PHASES:
            near = get_close_matches(name.lower(), PHASES, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(PHASES)}"
            yield Problem(problem="is no phase that Image Builder runs", got=name, fix=hint, at=at)
        elif name in seen:
            yield Problem(problem="names a phase twice", got=name, fix="merge the two", at=at)
        seen.append(name)


@rule("StepName", source=_DOCUMENTS)
def step_names(document: Sealed) -> Iterator[Problem]:
    """A step's name stands once in its phase."""
    seen: dict[tuple[str, str], str] = {}
    for phase, at, step in document.steps():
        if "name" not in step:
            continue
        key = (phase, as_text(step["name"]))
        if key in seen:
            yield Problem(
                problem=f"is also the name of {seen[key]}", got=key[1], fix="give each step its own", at=f"{at}.name"
            )
        seen.setdefault(key, at)


@rule("VariableName", source=_VARIABLES)
def variable_names(document: Sealed) -> Iterator[Problem]:
    """A parameter or constant has a name of 3 to 128 letters, digits, hyphens and underscores, and has it alone."""
    seen: dict[str, str] = {}
    for section in ("parameters", "constants"):
        for index, entry in enumerate(_list(document.mapping.get(section))):
            for name in entry if isinstance(entry, dict) else ():
                at = f"{section}[{index}]"
                if not re.fullmatch(VARIABLE_NAME, name):
                    yield Problem(
                        problem="is no name of a parameter or constant",
                        got=name,
                        fix="use 3 to 128 letters, digits, hyphens and underscores",
                        at=at,
                    )
                elif name in seen:
                    yield Problem(problem=f"has the name of {seen[name]}", got=name, fix="rename one of them", at=at)
                seen.setdefault(name, at)


@rule("Expression", source=_VARIABLES)
def expressions(document: Sealed) -> Iterator[Problem]:
    """An expression names a declared parameter or constant."""
    names = {name for section in ("parameters", "constants") for name, _ in declared(document.mapping, section)}
    yield from name_problems(tuple(document.steps()), names)


@rule("Chain", source=f"{_DOCUMENTS}#document-chaining")
def chains(document: Sealed) -> Iterator[Problem]:
    """A step chains to what an earlier step of the same stage leaves."""
    yield from chain_problems(tuple(document.steps()))


@rule("Loop", source=_LOOPS)
def loops(document: Sealed) -> Iterator[Problem]:
    """A loop repeats something, ends, and has a name of its own in its phase."""
    seen: dict[tuple[str, str], str] = {}
    for phase, step_at, step in document.steps():
        loop, at = step.get("loop"), f"{step_at}.loop"
        if not isinstance(loop, dict):
            continue
        if ("for" in loop) == ("forEach" in loop):
            yield Problem(
                problem="needs either for or forEach", got=sorted(loop), fix="give exactly one of them", at=at
            )
        if loop.get("forEach") in ([], "", {}) or _each(loop).get("list", "-") in ("", None):
            yield Problem(
                problem="repeats nothing", got=loop["forEach"], fix="list at least one value", at=f"{at}.forEach"
            )
        yield from _for(loop.get("for"), f"{at}.for")
        name = as_text(loop.get("name"))
        if name and (phase, name) in seen:
            yield Problem(
                problem=f"is also the name of {seen[phase, name]}", got=name, fix="rename one of them", at=f"{at}.name"
            )
        seen.setdefault((phase, name), at)


def _each(loop: dict[str, Any]) -> dict[str, Any]:
    each = loop.get("forEach")
    return each if isinstance(each, dict) else {}


def _for(bounds: Any, at: str) -> Iterator[Problem]:
    keys = ("start", "end", "updateBy")
    if not isinstance(bounds, dict) or not all(_whole(bounds.get(key)) for key in keys):
        return
    start, end, step = (int(bounds[key]) for key in keys)
    if step == 0:
        yield Problem(problem="never ends", got=0, fix="give a step other than 0", at=f"{at}.updateBy")
    elif (end - start) * step < 0:
        yield Problem(
            problem="repeats nothing", got=bounds, fix=f"count {'down' if step > 0 else 'up'} with updateBy", at=at
        )


@rule("Condition", source=_CONDITIONS)
def conditions(document: Sealed) -> Iterator[Problem]:
    """A condition is one comparison, or comparisons under and, or and not."""
    for at, condition in document.conditions():
        yield from condition_problems(condition, operators(), at)


@rule("NulCharacter", source=f"{IB}API_CreateComponent.html#imagebuilder-CreateComponent-request-data")
def nul_characters(document: Sealed) -> Iterator[Problem]:
    """No text of a component document holds a NUL character, written out or escaped."""
    for at, text in texts_of(document.data):
        if "\0" in text:
            yield Problem(problem="holds a NUL character", got=short(text), fix="remove it", at=at)


@rule("ActionPlatform", source=_ACTIONS)
def action_platforms(document: Sealed, platform: str) -> Iterator[Problem]:
    """A step's action exists on the operating system, unless a condition guards the step."""
    for _, at, step in document.steps():
        action = step.get("action")
        known = actions().get(action) if isinstance(action, str) else None
        if known is None or "if" in step:
            continue
        if platform not in known["x-platforms"]:
            yield Problem(
                problem=f"does not run on {platform}",
                got=action,
                fix=f"use it for {' and '.join(known['x-platforms'])} only, or guard the step with if",
                at=f"{at}.action",
            )
        elif platform == "Windows" and action in {"CreateFile", "CreateFolder"}:
            yield from _windows_ownership(step, at)


def _windows_ownership(step: dict[str, Any], at: str) -> Iterator[Problem]:
    for index, item in enumerate(_list(step.get("inputs"))):
        for key in ("owner", "group", "permissions"):
            if isinstance(item, dict) and key in item:
                yield Problem(
                    problem="does not exist on Windows",
                    got=item[key],
                    fix="remove it",
                    at=f"{at}.inputs[{index}].{key}",
                )


@rule("UnknownAction", source=_ACTIONS)
def unknown_actions(document: Sealed) -> Iterator[Problem]:
    """A step's action is one that this library knows; the service may know more."""
    for _, at, step in document.steps():
        action = step.get("action")
        if isinstance(action, str) and action not in actions():
            near = get_close_matches(action, actions(), n=1, cutoff=0.7)
            hint = f"did you mean {near[0]!r}?" if near else "check its spelling against the list of action modules"
            yield Problem(problem="is no action module known here", got=action, fix=hint, at=f"{at}.action")


@rule("UnknownKey", source=_DOCUMENTS)
def unknown_keys(document: Sealed) -> Iterator[Problem]:
    """A key is one that this library knows; the service may know more."""
    known = _shape().schema
    steps, phases = known["$defs"]["step"]["properties"], known["$defs"]["phase"]["properties"]
    yield from _strangers(document.mapping, known["properties"], "")
    for index, phase in enumerate(_list(document.mapping.get("phases"))):
        yield from _strangers(phase, phases, f"phases[{index}]")
    for _, at, step in document.steps():
        yield from _strangers(step, steps, at)
        inputs_of = actions().get(step["action"], {}) if isinstance(step.get("action"), str) else {}
        if step.get("action") == "Assert":
            continue
        inputs = step.get("inputs")
        if "items" in inputs_of:
            for index, item in enumerate(_list(inputs)):
                yield from _strangers(item, inputs_of["items"]["properties"], f"{at}.inputs[{index}]")
        elif inputs_of:
            yield from _strangers(inputs, inputs_of["properties"], f"{at}.inputs")
    for at, condition in document.conditions():
        for key, place in condition_strangers(condition, operators(), at):
            near = get_close_matches(key, operators(), n=1)
            hint = f"did you mean {near[0]!r}?" if near else "check it against the list of operators"
            yield Problem(problem="is no operator known here", got=key, fix=hint, at=f"{place}.{key}")


@rule("SecretInDocument", source="https://docs.aws.amazon.com/secretsmanager/latest/userguide/best-practices.html")
def secrets_written(document: Sealed) -> Iterator[Problem]:
    """A document holds no secret: whoever may read the component, the template or the build's log reads it too."""
    for at, text in texts_of(document.data):
        found = looks_secret(text)
        if found:
            yield _written_secret(f"holds {found}", at)
    for section, key in (("parameters", "default"), ("constants", "value")):
        for name, spec in declared(document.mapping, section):
            if re.fullmatch(SENSITIVE_NAME, name) and looks_like_value(as_text(spec.get(key))):
                yield _written_secret("is a secret, by its name", f"{section}.{name}.{key}")


def _written_secret(problem: str, at: str) -> Problem:
    fix = "read it from Secrets Manager when the step runs: secrets={'NAME': secret}"
    # The value itself would go to the terminal and to the logs of CI.
    return Problem(problem=problem, got="***", fix=fix, at=at)


def _strange(value: Any, at: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            place = f"{at}.{key}" if at else str(key)
            yield from _strange(item, place) if isinstance(key, str) else [(place, key)]
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _strange(item, f"{at}[{index}]")
    elif not isinstance(value, str | int | float | None):
        yield at, value


def _strangers(given: Any, known: dict[str, Any], at: str) -> Iterator[Problem]:
    for key in given if isinstance(given, dict) else ():
        if key not in known:
            near = get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "remove it, or check its spelling"
            yield Problem(
                problem="is no key known here", got=short(given[key]), fix=hint, at=f"{at}.{key}" if at else key
            )


DOCUMENT_RULES: Final = (
    document_shape,
    action_inputs,
    phase_names,
    step_names,
    variable_names,
    expressions,
    chains,
    loops,
    conditions,
    nul_characters,
)
"""The rules that each document must keep, in the order of their faults."""

DOCUMENT_WARNINGS: Final = (unknown_actions, unknown_keys, secrets_written)
"""The rules whose findings are warnings: the service may know more than this library, and a secret may be none."""


def actions() -> dict[str, Any]:
    """Return the action modules by name, each as its inputs' schema with ``x-platforms`` and ``x-outputs``."""
    known: dict[str, Any] = _shape().schema["$defs"]["actions"]
    return known


def operators() -> dict[str, Any]:
    """Return the operators of conditions by name, each with ``x-other`` where a key beside it holds the other side."""
    known: dict[str, Any] = _shape().schema["$defs"]["operators"]["properties"]
    return known


def declared(data: dict[str, Any], section: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield name and specification of each parameter or constant that a document declares."""
    for entry in _list(data.get(section)):
        if isinstance(entry, dict):
            for name, spec in entry.items():
                yield name, spec if isinstance(spec, dict) else {}


def defaults(data: dict[str, Any]) -> dict[str, str | None]:
    """Return the default of each parameter that a document declares, None where a recipe must give a value."""
    return {
        name: None if "default" not in spec else as_text(spec["default"]) for name, spec in declared(data, "parameters")
    }


def as_text(value: object) -> str:
    """Return a scalar as the service reads it where a text is due."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


@cache
def _shape() -> Shape:
    return Shape.read(Path(__file__).parents[1] / "recipe/component.schema.json")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _whole(value: Any) -> bool:
    if isinstance(value, str):
        return value.lstrip("-").isdecimal() and len(value) <= len("-9223372036854775808")
    return isinstance(value, int) and not isinstance(value, bool)


def _siblings(path: Path) -> list[Path]:
    return list(path.parent.iterdir()) if path.parent.is_dir() else []
