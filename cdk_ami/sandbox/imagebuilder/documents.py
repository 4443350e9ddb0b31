"""Component documents as the service reads them; pure.

https://docs.aws.amazon.com/imagebuilder/latest/userguide/toe-action-modules.html, read 2026-11-22
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import yaml

COMPONENT_PHASES: Final = ("build", "validate", "test")
"""Phases that a build runs; documents may hold others, which only the document's own calls reach."""

_WINDOWS_ACTIONS: Final = frozenset({"ExecutePowerShell", "InstallMSI", "UninstallMSI", "SetRegistry"})
_POSIX_ACTIONS: Final = frozenset({"SetFileOwner", "SetFolderOwner", "SetFilePermissions", "SetFolderPermissions"})
COMPONENT_ACTIONS: Final = (
    frozenset(
        {
            "AppendFile",
            "Assert",
            "CopyFile",
            "CopyFolder",
            "CreateFile",
            "CreateFolder",
            "CreateSymlink",
            "DeleteFile",
            "DeleteFolder",
            "ExecuteBash",
            "ExecuteBinary",
            "ExecuteDocument",
            "ListFiles",
            "MoveFile",
            "MoveFolder",
            "ReadFile",
            "Reboot",
            "S3Download",
            "S3Upload",
            "SetFileEncoding",
            "UpdateOS",
            "WebDownload",
        }
    )
    | _WINDOWS_ACTIONS
    | _POSIX_ACTIONS
)
"""Actions of component documents, by their exact names."""

_NEEDS_INPUTS: Final = COMPONENT_ACTIONS - {"Reboot", "UpdateOS"}
_PARAMETER_TYPES: Final = ("string", "integer", "boolean", "stringList")
_ON_FAILURE: Final = ("Abort", "Continue", "Ignore")


class DocumentError(ValueError):
    """A document that the service refuses; the message says what is wrong and where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter that a document declares.

    Attributes:
        name: Its name.
        kind: ``string``, ``integer``, ``boolean`` or ``stringList``.
        default: Default as the API shows it, a list of strings; None when a value must be given.
        description: Free text, or empty.
        allowed: Values that are allowed; empty allows all.
    """

    name: str
    kind: str
    default: tuple[str, ...] | None = None
    description: str = ""
    allowed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a document."""

    name: str
    action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document that the service accepts.

    Attributes:
        phases: Steps by the name of their phase, in the document's order.
        parameters: Declared parameters.
    """

    phases: dict[str, tuple[Step, ...]]
    parameters: tuple[Parameter, ...] = ()

    @property
    def component_type(self) -> str:
        """``TEST`` for a single phase named ``test``, else ``BUILD``."""
        return "TEST" if list(self.phases) == ["test"] else "BUILD"


def read_component(text: str, *, platform: str) -> Document:
    """Return the component document in ``text`` for a platform such as ``Linux``.

    Raises:
        DocumentError: When the service would refuse it.
    """
    top = _top(text, keys={"name", "description", "schemaVersion", "parameters", "constants", "phases"})
    phases: dict[str, tuple[Step, ...]] = {}
    for index, phase in enumerate(_list_at(top, "phases", "the document")):
        where = f"phases[{index}]"
        entry = _mapping(phase, where)
        name = _text_at(entry, "name", where)
        if name in phases:
            raise DocumentError(f"{where}.name: two phases are called '{name}'")
        steps = _list_at(entry, "steps", where)
        phases[name] = tuple(_component_steps(steps, f"{where}.steps", platform))
    return Document(phases=phases, parameters=tuple(_parameters(top)))


def of_script(script: str, *, name: str, phase: str, platform: str) -> str:
    """Return the document that runs a script as its only step."""
    action = "ExecutePowerShell" if platform == "Windows" else "ExecuteBash"
    step = {"name": "RunScript", "action": action, "inputs": {"commands": [script]}}
    document = {"name": name, "schemaVersion": 1.0, "phases": [{"name": phase, "steps": [step]}]}
    return yaml.safe_dump(document, sort_keys=False)


def parameter_fault(document: Document, given: dict[str, list[str]]) -> str | None:
    """Return what is wrong with the parameters that a recipe gives a component, or None."""
    declared = {parameter.name: parameter for parameter in document.parameters}
    for name, value in given.items():
        if name not in declared:
            return f"The component declares no parameter '{name}'."
        if declared[name].allowed and not set(value) <= set(declared[name].allowed):
            return f"The parameter '{name}' must be one of {', '.join(declared[name].allowed)}."
        if declared[name].kind == "integer" and not all(item.lstrip("-").isdigit() for item in value):
            return f"The parameter '{name}' must be an integer."
    missing = [name for name, parameter in declared.items() if parameter.default is None and name not in given]
    return f"The parameter '{missing[0]}' has no default and needs a value." if missing else None


def _top(text: str, *, keys: set[str]) -> dict[str, Any]:
    try:
        loaded = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise DocumentError(f"the document is not YAML: {' '.join(str(error).split())}") from error
    top = _mapping(loaded, "the document")
    unknown = sorted(set(top) - keys)
    if unknown:
        raise DocumentError(f"the document: unknown key '{unknown[0]}'")
    version = top.get("schemaVersion")
    if str(version) not in ("1.0", "1"):
        raise DocumentError(f"schemaVersion: must be 1.0, and is {version!r}")
    return top


def _component_steps(steps: list[Any], where: str, platform: str) -> Iterator[Step]:
    seen: set[str] = set()
    for index, item in enumerate(steps):
        at = f"{where}[{index}]"
        entry = _mapping(item, at)
        step = _step(entry, at, COMPONENT_ACTIONS, seen=seen)
        seen.add(step.name)
        if step.action in _WINDOWS_ACTIONS and platform != "Windows":
            raise DocumentError(f"{at}.action: {step.action} runs on Windows only")
        if step.action in _POSIX_ACTIONS | {"ExecuteBash"} and platform == "Windows":
            raise DocumentError(f"{at}.action: {step.action} does not run on Windows")
        if step.action in _NEEDS_INPUTS and not entry.get("inputs"):
            raise DocumentError(f"{at}.inputs: {step.action} needs inputs")
        if entry.get("onFailure", "Abort") not in _ON_FAILURE:
            raise DocumentError(f"{at}.onFailure: must be one of {', '.join(_ON_FAILURE)}")
        _check_inputs(step.action, entry.get("inputs"), at)
        yield step


def _check_inputs(action: str, inputs: Any, at: str) -> None:
    if action in ("ExecuteBash", "ExecutePowerShell"):
        given = _mapping(inputs, f"{at}.inputs")
        commands = given.get("commands")
        if commands is None and "file" in given:
            return
        if not isinstance(commands, list) or not commands:
            raise DocumentError(f"{at}.inputs.commands: must be a list of at least one command")
    if action in ("S3Download", "WebDownload", "S3Upload", "CopyFile", "CopyFolder"):
        for index, item in enumerate(inputs if isinstance(inputs, list) else []):
            given = _mapping(item, f"{at}.inputs[{index}]")
            for key in ("source", "destination"):
                if not given.get(key):
                    raise DocumentError(f"{at}.inputs[{index}].{key}: is missing")
        if not isinstance(inputs, list):
            raise DocumentError(f"{at}.inputs: must be a list")


def _step(entry: dict[str, Any], where: str, actions: frozenset[str], *, seen: set[str]) -> Step:
    name = _text_at(entry, "name", where)
    if name in seen:
        raise DocumentError(f"{where}.name: two steps are called '{name}'")
    action = _text_at(entry, "action", where)
    if action not in actions:
        raise DocumentError(f"{where}.action: unknown action '{action}'")
    return Step(name=name, action=action)


def _parameters(top: dict[str, Any]) -> Iterator[Parameter]:
    found = top.get("parameters") or []
    if not isinstance(found, list):
        raise DocumentError("parameters: must be a list")
    for index, item in enumerate(found):
        where = f"parameters[{index}]"
        entry = _mapping(item, where)
        # A component writes {Name: {type: ...}} or {name: Name, type: ...}.
        name, details = (entry["name"], entry) if "name" in entry else next(iter(entry.items()))
        about = _mapping(details, f"{where}.{name}")
        kind = about.get("type")
        if kind not in _PARAMETER_TYPES:
            raise DocumentError(f"{where}.{name}.type: must be one of {', '.join(_PARAMETER_TYPES)}")
        yield Parameter(
            name=str(name),
            kind=str(kind),
            default=_strings(about["default"]) if "default" in about else None,
            description=str(about.get("description", "")),
            allowed=_strings(about.get("allowedValues", [])),
        )


def _strings(value: Any) -> tuple[str, ...]:
    items = value if isinstance(value, list) else [value]
    return tuple(str(item).lower() if isinstance(item, bool) else str(item) for item in items)


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict) or not value:
        raise DocumentError(f"{where}: must be a mapping")
    return value


def _list_at(entry: dict[str, Any], key: str, where: str) -> list[Any]:
    value = entry.get(key)
    if not isinstance(value, list) or not value:
        raise DocumentError(f"{where}: {key} must be a list of at least one item")
    return value


def _text_at(entry: dict[str, Any], key: str, where: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str) or not value.strip():
        raise DocumentError(f"{where}: {key} must be a text")
    return value
