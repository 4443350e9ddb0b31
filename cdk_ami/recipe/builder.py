"""Component documents built from typed parts, the same documents that YAML files hold.

Example:
    ::

        address = Parameter("Address", default="https://example.com/app.tar.gz")
        fetch = Step("Fetch", actions.WebDownload(source=address.ref, destination="/tmp/app.tar.gz"))
        unpack = Step("Unpack", actions.bash(f"tar --extract --file {fetch.input('destination')} --directory /opt"))
        document = ComponentDocument(name="app", parameters=[address], phases=[Phase("build", [fetch, unpack])])
        component = Component.from_document(document)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from typing import Any

from cdk_ami.checks import documents as rules
from cdk_ami.errors import Faults
from cdk_ami.recipe.actions import Action
from cdk_ami.recipe.conditions import Condition, If
from cdk_ami.recipe.document import write_document


class OnFailure(StrEnum):
    """What becomes of the document when a step has failed for the last time.

    https://docs.aws.amazon.com/imagebuilder/latest/userguide/toe-use-documents.html#document-schema
    """

    ABORT = "Abort"
    """The step and the document fail at once."""

    CONTINUE = "Continue"
    """The next step runs; the document has failed all the same."""

    IGNORE = "Ignore"
    """The next step runs, and the document can succeed."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """Something that a recipe sets.

    Attributes:
        name: 3 to 128 letters, digits, hyphens and underscores.
        default: Its value where a recipe sets none.  None: a recipe must set it.
        description: What it is for.
    """

    name: str
    default: str | None = field(default=None, kw_only=True)
    description: str = field(default="", kw_only=True)

    @property
    def ref(self) -> str:
        """The expression that stands for the value."""
        return "{{ " + self.name + " }}"

    def data(self) -> dict[str, Any]:
        """Return the declaration."""
        given = {"default": self.default, "description": self.description or None}
        return {self.name: {"type": "string"} | {key: value for key, value in given.items() if value is not None}}


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that has a name.

    Attributes:
        name: 3 to 128 letters, digits, hyphens and underscores.
        value: The value.
    """

    name: str
    value: str

    @property
    def ref(self) -> str:
        """The expression that stands for the value."""
        return "{{ " + self.name + " }}"

    def data(self) -> dict[str, Any]:
        """Return the declaration."""
        return {self.name: {"type": "string", "value": self.value}}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loop:
    name: str = ""

    @property
    def value(self) -> str:
        """The expression that stands for the value of this turn, inside the step's inputs."""
        return "{{ " + (self.name or "loop") + ".value }}"

    @property
    def index(self) -> str:
        """The expression that stands for the number of this turn, from 0, inside the step's inputs."""
        return "{{ " + (self.name or "loop") + ".index }}"

    def data(self) -> dict[str, Any]:
        """Return the construct as the document holds it."""
        return ({"name": self.name} if self.name else {}) | self._turns()

    def _turns(self) -> dict[str, Any]:
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class For(_Loop):
    """Runs a step for each of a range of whole numbers.

    Attributes:
        name: Name of the loop, its own in its phase.  Default: none.
        start: The first number.
        end: The last number, included.
        update_by: What is added for the next one.
    """

    start: int
    end: int
    update_by: int = 1

    def _turns(self) -> dict[str, Any]:
        return {"for": {"start": self.start, "end": self.end, "updateBy": self.update_by}}


@dataclass(frozen=True, slots=True, kw_only=True)
class ForEach(_Loop):
    """Runs a step for each of a list of values.

    Attributes:
        name: Name of the loop, its own in its phase.  Default: none.
        values: The values; each may be an expression.
    """

    values: Sequence[str]

    def _turns(self) -> dict[str, Any]:
        return {"forEach": list(self.values)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ForEachPart(_Loop):
    """Runs a step for each part of a text, such as the output of a step before.

    Attributes:
        name: Name of the loop, its own in its phase.  Default: none.
        text: The text; it may be an expression.
        delimiter: The one character between the parts.
    """

    text: str
    delimiter: str = ","

    def _turns(self) -> dict[str, Any]:
        return {"forEach": {"list": self.text, "delimiter": self.delimiter}}


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a phase.

    Attributes:
        name: Its name, once in its phase.
        action: What it does.  Several of one class, where the service takes a list of inputs.
        when: When it runs.  Default: always.
        loop: What it is repeated for.  Default: it runs once.
        timeout_seconds: Seconds that it may take, from 1 up; -1 for no limit.  Default: the service's, 7,200.
        on_failure: What becomes of the document when it fails.  Default: it fails at once.
        max_attempts: How often it is tried, from 1 up.  Default: once.
    """

    name: str
    action: Action | Sequence[Action]
    when: Condition | If | None = field(default=None, kw_only=True)
    loop: For | ForEach | ForEachPart | None = field(default=None, kw_only=True)
    timeout_seconds: int | None = field(default=None, kw_only=True)
    on_failure: OnFailure | None = field(default=None, kw_only=True)
    max_attempts: int | None = field(default=None, kw_only=True)

    def output(self, variable: str | None = None, *, phase: str = "build", index: int | None = None) -> str:
        """Return the expression that stands for what this step leaves, for the inputs of a later one.

        Args:
            variable: What it leaves, such as ``stdout``.  Default: the one thing that its action leaves.
            phase: Name of the step's phase.
            index: Number of the entry, from 0, of an action whose outputs are a list.  Default: none.

        Raises:
            ConfigError: When the action leaves no such thing.
        """
        known = tuple(rules.actions().get(self._action_name, {}).get("x-outputs", ()))
        wanted = variable or ("stdout" if "stdout" in known else next(iter(known), ""))
        if wanted not in known:
            faults = Faults(f"Step {self.name!r}")
            near = get_close_matches(wanted, known, n=1)
            leaves = f"{self._action_name} leaves {', '.join(known)}" if known else "chain to another step"
            faults.add(
                "output",
                f"is nothing that {self._action_name} leaves",
                got=wanted,
                fix=f"did you mean {near[0]!r}?" if near else leaves,
            )
            faults.raise_if_any()
        return _chain(phase, self.name, "outputs", wanted, index)

    def input(self, variable: str, *, phase: str = "build", index: int | None = None) -> str:
        """Return the expression that stands for an input of this step, for the inputs of a later one.

        Args:
            variable: Name of the input, as the service writes it, such as ``destination``.
            phase: Name of the step's phase.
            index: Number of the entry, from 0.  Default: the first, of an action that takes a list.
        """
        first = 0 if index is None and self._actions[0].LISTED else index
        return _chain(phase, self.name, "inputs", variable, first)

    def data(self) -> dict[str, Any]:
        """Return the step as the document holds it."""
        step: dict[str, Any] = {"name": self.name, "action": self._action_name}
        if self.when is not None:
            step["if"] = self.when.data()
        if self.loop is not None:
            step["loop"] = self.loop.data()
        options = {
            "timeoutSeconds": self.timeout_seconds,
            "onFailure": self.on_failure and str(self.on_failure),
            "maxAttempts": self.max_attempts,
        }
        step |= {key: value for key, value in options.items() if value is not None}
        inputs = [one.inputs() for one in self._actions]
        if self._actions[0].LISTED:
            step["inputs"] = inputs
        elif inputs[0]:
            step["inputs"] = inputs[0]
        return step

    @property
    def _actions(self) -> tuple[Action, ...]:
        actions = (self.action,) if isinstance(self.action, Action) else tuple(self.action)
        names = sorted({one.module for one in actions})
        if len(names) != 1 or (len(actions) > 1 and not actions[0].LISTED):
            faults = Faults(f"Step {self.name!r}")
            faults.add(
                "action",
                "is no one action",
                got=[one.module for one in actions],
                fix="give one action, or several of one class that takes a list; use a step for each other one",
            )
            faults.raise_if_any()
        return actions

    @property
    def _action_name(self) -> str:
        return self._actions[0].module


@dataclass(frozen=True, slots=True)
class Phase:
    """The steps of one phase, in order.

    Attributes:
        name: ``build`` changes the image, ``validate`` checks it before the snapshot, ``test`` checks an instance of
            the new AMI.
        steps: The steps.
    """

    name: str
    steps: Sequence[Step]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentDocument:
    """A component document.

    Attributes:
        name: Its name.
        phases: Its phases, at least one.
        description: What it does.
        parameters: What a recipe sets.
        constants: Values that have names.
    """

    name: str
    phases: Sequence[Phase]
    description: str = ""
    parameters: Sequence[Parameter] = ()
    constants: Sequence[Constant] = ()

    def data(self) -> dict[str, Any]:
        """Return the document as plain data."""
        document: dict[str, Any] = {"name": self.name}
        if self.description:
            document["description"] = self.description
        document["schemaVersion"] = "1.0"
        if self.parameters:
            document["parameters"] = [one.data() for one in self.parameters]
        if self.constants:
            document["constants"] = [one.data() for one in self.constants]
        document["phases"] = [
            {"name": phase.name, "steps": [step.data() for step in phase.steps]} for phase in self.phases
        ]
        return document

    def text(self) -> str:
        """Return the document as YAML."""
        return write_document(self.data())


def _chain(phase: str, step: str, side: str, variable: str, index: int | None) -> str:
    place = "" if index is None else f"[{index}]"
    return "{{ " + f"{phase}.{step}.{side}{place}.{variable}" + " }}"
