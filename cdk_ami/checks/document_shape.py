"""Where a component document leaves the schema of schema version 1.0, in plain words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import jsonschema_rs

from cdk_ami.checks.rule import Problem
from cdk_ami.checks.shape import path_of

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


@cache
def schema() -> dict[str, Any]:
    """Return the JSON Schema of component documents, read once."""
    found: dict[str, Any] = json.loads((Path(__file__).parents[1] / "recipe/component.schema.json").read_text("utf-8"))
    return found


@cache
def _validator() -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(schema())


def shape_of(data: Any) -> Iterator[tuple[bool, Problem]]:
    """Yield what is wrong with a document's shape, in its order, each with whether it stands in a step's inputs."""
    for error in sorted(_validator().iter_errors(data), key=_document_order):
        path = list(error.instance_path)
        yield "inputs" in path or _lacks_inputs(error), _shape_problem(error, path)


def _document_order(error: jsonschema_rs.ValidationError) -> list[tuple[int, str]]:
    return [(step, "") if isinstance(step, int) else (-1, step) for step in error.instance_path]


def _lacks_inputs(error: jsonschema_rs.ValidationError) -> bool:
    return isinstance(error.kind, jsonschema_rs.ValidationErrorKind.Required) and error.kind.property == "inputs"


def _shape_problem(error: jsonschema_rs.ValidationError, path: list[str | int]) -> Problem:
    kind, at, got, fix = error.kind, path_of(path), error.instance, _fix_in_schema(list(error.schema_path))
    match kind:
        case jsonschema_rs.ValidationErrorKind.Required():
            key = kind.property
            return Problem(problem="is missing", got=None, fix=fix or f"add {key}", at=f"{at}.{key}" if at else key)
        case jsonschema_rs.ValidationErrorKind.MinItems():
            problem, fix = "is empty", fix or "list at least one"
        case jsonschema_rs.ValidationErrorKind.Type():
            wanted = ["string"] if "string" in kind.types else sorted(kind.types, key=list(_TYPES).index)
            names = " or ".join(_TYPES[name] for name in wanted)
            problem = f"is {_kind_of(got)}, not {names}"
            colon = isinstance(got, dict) and len(got) == 1
            fix = fix or ("put the whole text in quotes: it holds a colon" if colon else f"give {names}")
        case jsonschema_rs.ValidationErrorKind.Enum():
            problem, fix = "is not one of the choices", fix or f"use one of {kind.options}"
        case _:
            problem, fix = "is out of range", fix or f"mend it: {error.message}"
    return Problem(problem=problem, got=short(got), fix=fix, at=at)


def _fix_in_schema(steps: list[str | int]) -> str:
    node: Any = schema()
    for step in steps[:-1]:
        node = node[step]
    return str(node.get("x-fix", "")) if isinstance(node, dict) else ""


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


def short(value: Any) -> Any:
    """Return the value, cut to what an error can show."""
    shown = repr(value)
    return value if len(shown) <= _SHOWN_MAX else f"{shown[:_SHOWN_MAX]}..."
