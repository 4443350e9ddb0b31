"""What a run will do: the phases it walks and the values it gives, checked before anything happens; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final, NamedTuple

from cdk_ami.checks import documents as rules
from cdk_ami.checks.components import parameters_declared
from cdk_ami.errors import Faults
from cdk_ami.recipe.document import Document
from cdk_ami.source.platform import Platform

DEFAULT_PHASES: Final = ("build", "validate", "test")
"""Phases of a run that names none."""


class Phase(NamedTuple):
    """A phase that runs.

    Attributes:
        name: Its name.
        steps: Its steps as the document has them.
    """

    name: str
    steps: tuple[Mapping[str, Any], ...]


class Plan(NamedTuple):
    """A run, settled.

    Attributes:
        phases: The phases that run, in the order of the document, whatever the order they were asked for in.
        all_phases: Names of all phases of the document: a chain may name any.
        variables: Values of parameters and constants.
        inputs: Inputs of all steps of the document as they are written, by phase and name.
    """

    phases: tuple[Phase, ...]
    all_phases: tuple[str, ...]
    variables: Mapping[str, str]
    inputs: Mapping[tuple[str, str], Any]


def plan(
    document: Document, *, where: str, phases: Sequence[str] = (), parameters: Mapping[str, str] | None = None
) -> Plan:
    """Return what a run of ``document`` on Linux does.

    Args:
        document: The document.
        where: What an error names, such as the file.
        phases: Phases to run; empty runs build, validate and test, as far as the document has them.
        parameters: Values of parameters; one that is not given has its default.

    Raises:
        ConfigError: When the run cannot be: an unknown phase or parameter, a missing value, an action of Windows.
    """
    faults, given = Faults(where), parameters or {}
    faults.check("parameters", parameters_declared(given, document.parameters))
    for name in phases:
        if name not in document.phases:
            near = get_close_matches(name, document.phases, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(document.phases)}"
            faults.add("phase", "is not in the document", got=name, fix=hint)
    wanted = tuple(phases) or tuple(name for name in document.phases if name in DEFAULT_PHASES)
    if not wanted:
        faults.add("phase", "is not given", got=None, fix=f"name one of {', '.join(document.phases)}")
    faults.check("", _windows_only(document, wanted))
    faults.raise_if_any()
    constants = {name: rules.as_text(spec["value"]) for name, spec in rules.declared(dict(document.data), "constants")}
    values = {name: given.get(name, default) for name, default in document.parameters.items()}
    return Plan(
        phases=tuple(
            Phase(phase["name"], tuple(phase["steps"])) for phase in document.data["phases"] if phase["name"] in wanted
        ),
        all_phases=document.phases,
        variables=constants | {name: value for name, value in values.items() if value is not None},
        inputs={
            (phase["name"], rules.as_text(step["name"])): step.get("inputs")
            for phase in document.data["phases"]
            for step in phase["steps"]
        },
    )


def _windows_only(document: Document, wanted: Sequence[str]) -> Iterator[Any]:
    ran = [f"phases[{index}]." for index, name in enumerate(document.phases) if name in wanted]
    for found in rules.action_platforms(rules.Sealed(document.data), Platform.LINUX):
        if found.at.startswith(tuple(ran)):
            yield found._replace(fix="this runner runs on Linux: choose other phases, or guard the step with if")
