"""Puts values where a document has expressions: parameters, loop variables, what earlier steps took and left; pure.

https://docs.aws.amazon.com/imagebuilder/latest/userguide/toe-use-documents.html#document-chaining,
https://docs.aws.amazon.com/imagebuilder/latest/userguide/toe-user-defined-variables.html, read 2026-11-28
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from cdk_ami.checks.documents import as_text

_EXPRESSION: Final = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
_CHAIN: Final = re.compile(r"([\w-]+)\.([^.\[\]]+)\.(inputs|outputs)((?:\[[0-9]+\]|\.[\w-]+)+)")
_PART: Final = re.compile(r"\[([0-9]+)\]|\.([\w-]+)")
_LOOP: Final = re.compile(r"([^.]+)\.(index|value)")


class ExpressionError(ValueError):
    """An expression that names something that is not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Iteration:
    """One round of a step's loop.

    Attributes:
        name: Name of the loop, empty when it has none.
        index: Number of the round, from 0.
        value: What the round is about.
    """

    name: str
    index: int
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What a step took and left.

    Attributes:
        inputs: Its inputs, expressions replaced.
        outputs: What its action left, one mapping for each entry of its inputs.
    """

    inputs: Any
    outputs: tuple[Mapping[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What the expressions of one step can name.

    Attributes:
        variables: Values of parameters and constants by name.
        phases: Names of the document's phases.
        steps: What earlier steps took and left, by phase and name.
        inputs: Inputs of all the document's steps as they are written: a chain may name those of a step that has not
            run here, such as one of the build from a test.
        iteration: The round of the step's loop, None outside of one.
    """

    variables: Mapping[str, str] = field(default_factory=dict)
    phases: Collection[str] = ()
    steps: Mapping[tuple[str, str], Exchange] = field(default_factory=dict)
    inputs: Mapping[tuple[str, str], Any] = field(default_factory=dict)
    iteration: Iteration | None = None

    def resolve(self, value: Any) -> Any:
        """Return ``value`` with every expression in its texts replaced; what is no expression stays as it stands.

        Loop variables stay as well in a step without a loop: so does the service.

        Raises:
            ExpressionError: When an expression names a step that left nothing of that name.
        """
        if isinstance(value, str):
            return _EXPRESSION.sub(self._one, value)
        if isinstance(value, list):
            return [self.resolve(item) for item in value]
        if isinstance(value, dict):
            return {key: self.resolve(item) for key, item in value.items()}
        return value

    def _one(self, found: re.Match[str]) -> str:
        name = found[1]
        if name in self.variables:
            return self.variables[name]
        if (loop := _LOOP.fullmatch(name)) and self.iteration and loop[1] in ("loop", self.iteration.name):
            return str(self.iteration.index) if loop[2] == "index" else self.iteration.value
        chain = _CHAIN.fullmatch(name)
        return self._chained(chain) if chain and chain[1] in self.phases else found[0]

    def _chained(self, chain: re.Match[str]) -> str:
        phase, step, side, path = chain.groups()
        exchange = self.steps.get((phase, step))
        found: Any
        if exchange is not None:
            found = exchange.inputs if side == "inputs" else list(exchange.outputs)
        elif side == "inputs" and (phase, step) in self.inputs:
            found = replace(self, iteration=None).resolve(self.inputs[phase, step])
        else:
            raise ExpressionError(f"{{{{ {chain[0]} }}}} names the step {step} of phase {phase}, which has not run")
        for part in _PART.finditer(path):
            found = _at(found, int(part[1])) if part[1] is not None else _of(found, part[2])
        if found is None:
            raise ExpressionError(f"{{{{ {chain[0]} }}}} names nothing that the step {step} has")
        return _as_text(found)


def _at(found: Any, index: int) -> Any:
    if isinstance(found, list):
        return found[index] if index < len(found) else None
    return found if index == 0 else None


def _of(found: Any, key: str) -> Any:
    """Return the member ``key``; of a list those of all its entries, which the service joins by line breaks."""
    if isinstance(found, list):
        members = [item[key] for item in found if isinstance(item, Mapping) and key in item]
        return None if not members else members[0] if len(members) == 1 else members
    return found.get(key) if isinstance(found, Mapping) else None


def _as_text(value: Any) -> str:
    if isinstance(value, list) and not any(isinstance(item, dict | list) for item in value):
        return "\n".join(as_text(item) for item in value)
    return json.dumps(value) if isinstance(value, dict | list) else as_text(value)
