"""Says in plain words where data leaves its JSON Schema."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jsonschema_rs import ValidationError, ValidationErrorKind, Validator

from cdk_ami.checks.rule import Problem

_EXPECTED = {
    "string": "text in quotes",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a table of keys and values",
    "null": "nothing",
}


def shape_problems(validator: Validator, data: Any) -> Iterator[Problem]:
    """Yield what is wrong with the shape of ``data``, one problem per fault, in the order of the document."""
    for error in sorted(validator.iter_errors(data), key=lambda error: [str(step) for step in error.instance_path]):
        yield from _problems(error)


def path_of(steps: list[str | int]) -> str:
    """Return a path as users write it: ``fleet[1].zones[0]``."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    return text.removeprefix(".")


def _problems(error: ValidationError) -> Iterator[Problem]:
    at, kind = path_of(error.instance_path), error.kind
    got: Any = error.instance
    match kind:
        case ValidationErrorKind.Required():
            yield Problem(at=_join(at, kind.property), problem="is missing", got=None, fix=f"add {kind.property}")
        case ValidationErrorKind.AdditionalProperties():
            for name in kind.unexpected:
                yield Problem(
                    at=_join(at, name),
                    problem="is not a known key",
                    got=got[name],
                    fix="remove it, or mend its spelling",
                )
        case ValidationErrorKind.Enum():
            yield Problem(at=at, problem="is not one of the choices", got=got, fix=f"use one of {kind.options}")
        case ValidationErrorKind.Type():
            names = " or ".join(_EXPECTED.get(name, name) for name in kind.types)
            yield Problem(at=at, problem="has the wrong type", got=got, fix=f"give {names}")
        case _:
            yield Problem(at=at, problem="does not fit", got=got, fix=f"mend it: {error.message}")


def _join(at: str, name: str) -> str:
    return f"{at}.{name}" if at else name
