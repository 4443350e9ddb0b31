"""Checks requests against what the service's model states: patterns, lengths, ranges, closed sets; pure.

botocore itself checks only required members, types and minimal lengths, so the rest reaches the service.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

from cdk_ami.sandbox.service_models import service_model


def operation(name: str) -> OperationModel:
    """Return the model of one operation, such as ``CreateImage``."""
    return service_model("imagebuilder").operation_model(name)


def faults(name: str, request: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the parameter and the fault of everything in a request to ``name`` that its model does not allow."""
    shape = operation(name).input_shape
    if shape is not None:
        yield from _faults(shape, request, "")


def _faults(shape: Shape, value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(shape, StructureShape):
        yield from _structure_faults(shape, value, path)
    elif isinstance(shape, ListShape):
        yield from _size_faults(shape, len(value), path, "items")
        for index, item in enumerate(value):
            yield from _faults(shape.member, item, f"{path}[{index}]")
    elif isinstance(shape, MapShape):
        yield from _size_faults(shape, len(value), path, "entries")
        for key, item in value.items():
            yield from _faults(shape.key, key, path)
            yield from _faults(shape.value, item, f"{path}.{key}")
    elif shape.type_name == "string":
        yield from _string_faults(shape, value, path)
    elif shape.type_name in ("integer", "long"):
        yield from _size_faults(shape, value, path, "")


def _structure_faults(shape: StructureShape, value: Any, path: str) -> Iterator[tuple[str, str]]:
    if not isinstance(value, dict):
        yield path, "An object is expected."
        return
    for member in shape.required_members:
        if value.get(member) is None:
            yield _join(path, member), f"{member} is required."
    for member, found in shape.members.items():
        given = value.get(member)
        if given is not None:
            yield from _faults(found, given, _join(path, member))


def _string_faults(shape: Shape, value: str, path: str) -> Iterator[tuple[str, str]]:
    name = path.rpartition(".")[2]
    allowed = getattr(shape, "enum", None)
    if allowed and value not in allowed:
        yield path, f"{name} must be one of {', '.join(allowed)}."
        return
    yield from _size_faults(shape, len(value), path, "characters")
    pattern = shape.metadata.get("pattern")
    if pattern and not _compiled(pattern).search(value):
        yield path, f"{name} must match pattern {pattern}"


def _size_faults(shape: Shape, size: int, path: str, unit: str) -> Iterator[tuple[str, str]]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and size < low:
        yield path, f"It must be at least {low} {unit}".rstrip() + f", and is {size}."
    if high is not None and size > high:
        yield path, f"It must be at most {high} {unit}".rstrip() + f", and is {size}."


def _join(path: str, member: str) -> str:
    return f"{path}.{member}" if path else member


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)
