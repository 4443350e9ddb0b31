"""Says in plain words where data leaves its JSON Schema: a component document, or the settings."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from jsonschema_rs import ValidationError, ValidationErrorKind, Validator, validator_for

from cdk_ami.checks.rule import Problem

Place = tuple[str | int, ...]
"""Where something stands in data: keys of mappings, positions in lists."""

_SHOWN_MAX: Final = 120

_TYPES: Final = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "nothing",
}


class Shape(NamedTuple):
    """A JSON Schema with the validator made from it.

    Attributes:
        schema: The schema.  ``x-fix`` in it says what to do about whatever leaves the place where it stands.
        validator: Its validator.
    """

    schema: Mapping[str, Any]
    validator: Validator

    @classmethod
    def read(cls, path: Path) -> Shape:
        """Return the shape that the file ``path`` describes."""
        schema = json.loads(path.read_text(encoding="utf-8"))
        return cls(schema, validator_for(schema))

    def problems(self, data: Any) -> Iterator[tuple[Place, Problem]]:
        """Yield what is wrong with ``data``, in its order, each with the path of what is wrong or missing."""
        for error in sorted(self.validator.iter_errors(data), key=_order):
            yield from self._problems(error)

    def _problems(self, error: ValidationError) -> Iterator[tuple[Place, Problem]]:
        path, kind = tuple(error.instance_path), error.kind
        got: Any = error.instance
        fix = self._fix(error.schema_path)
        match kind:
            case ValidationErrorKind.Required():
                missing = (*path, kind.property)
                fix = fix or f"add {kind.property}"
                yield missing, Problem(problem="is missing", got=None, fix=fix, at=written(missing))
                return
            case ValidationErrorKind.AdditionalProperties():
                for name in kind.unexpected:
                    stranger, fix = (*path, name), "remove it, or mend its spelling"
                    yield stranger, Problem(problem="is not a known key", got=got[name], fix=fix, at=written(stranger))
                return
            case ValidationErrorKind.MinItems():
                problem, fix = "is empty", fix or "list at least one"
            case ValidationErrorKind.Type():
                wanted = ["string"] if "string" in kind.types else sorted(kind.types, key=list(_TYPES).index)
                names = " or ".join(_TYPES[name] for name in wanted)
                problem = f"is {_kind_of(got)}, not {names}"
                colon = isinstance(got, dict) and len(got) == 1
                fix = fix or ("put the whole text in quotes: it holds a colon" if colon else f"give {names}")
            case ValidationErrorKind.Enum():
                problem, fix = "is not one of the choices", fix or f"use one of {kind.options}"
            case _:
                problem, fix = "does not fit", fix or f"mend it: {error.message}"
        yield path, Problem(problem=problem, got=short(got), fix=fix, at=written(path))

    def _fix(self, steps: list[str | int]) -> str:
        node: Any = self.schema
        for step in steps[:-1]:
            node = node[step]
        return str(node.get("x-fix", "")) if isinstance(node, dict) else ""


def written(path: Place) -> str:
    """Return a path as users write it: ``fleet[1].zones[0]``."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def short(value: Any) -> Any:
    """Return the value, cut to what an error can show."""
    shown = repr(value)
    return value if len(shown) <= _SHOWN_MAX else f"{shown[:_SHOWN_MAX]}..."


def _order(error: ValidationError) -> list[tuple[int, str]]:
    return [(step, "") if isinstance(step, int) else (-1, step) for step in error.instance_path]


def _kind_of(value: Any) -> str:
    if value is None:
        return "empty"
    for kind, word in (
        (bool, "true or false"),
        (str, "text"),
        (int, "a number"),
        (float, "a number"),
        (list, "a list"),
    ):
        if isinstance(value, kind):
            return word
    return "a mapping"
