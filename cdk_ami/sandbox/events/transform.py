"""What a target gets of an event: all of it, a part, a constant, or a text made from it; pure.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html, read 2026-11-28
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from cdk_ami.sandbox.jsonpath import PathError, parse, read

MAX_VARIABLES: Final = 100
"""How many variables an input transformer may have."""

_VARIABLE: Final = re.compile(r"<([A-Za-z0-9_.\-]+)>")
_RESERVED: Final = "aws."


def input_fault(target: Mapping[str, Any]) -> str | None:
    """Return what is wrong with the inputs that a target states, or None."""
    stated = [name for name in ("Input", "InputPath", "InputTransformer") if target.get(name)]
    if len(stated) > 1:
        return f"Only one of Input, InputPath, or InputTransformer must be provided for target {target['Id']}."
    if stated == ["Input"] and not _is_json(target["Input"]):
        return f"JSON syntax error in input for target {target['Id']}."
    if stated == ["InputPath"] and not _is_path(target["InputPath"]):
        return f"Invalid InputPath for target {target['Id']}."
    if stated == ["InputTransformer"]:
        return next(_transformer_faults(target["Id"], target["InputTransformer"]), None)
    return None


def _transformer_faults(target: str, transformer: Mapping[str, Any]) -> Iterator[str]:
    paths = transformer.get("InputPathsMap") or {}
    if len(paths) > MAX_VARIABLES:
        yield f"InputTransformer for target {target} contains more than {MAX_VARIABLES} variables."
    for name, path in paths.items():
        if name.lower().startswith(_RESERVED):
            yield f"InputTransformer for target {target} contains a reserved variable: {name}."
        if not _is_path(path):
            yield f"InputTransformer for target {target} contains an invalid path: {path}."
    for name in _VARIABLE.findall(transformer["InputTemplate"]):
        if name not in paths and not name.startswith(_RESERVED):
            yield f"Invalid InputTemplate for target {target} : [Variable {name} is not defined]."


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except json.JSONDecodeError:
        return False
    return True


def _is_path(path: str) -> bool:
    try:
        parse(path)
    except PathError:
        return False
    return True


def payload(target: Mapping[str, Any], event: Mapping[str, Any], *, rule: Mapping[str, str]) -> str:
    """Return the text that a target gets.

    Args:
        target: The target, as PutTargets takes it.
        event: The whole event.
        rule: ``name`` and ``arn`` of the rule, and ``ingested``, when the event came.
    """
    if target.get("Input"):
        return str(target["Input"])
    if target.get("InputPath"):
        return json.dumps(_value(target["InputPath"], event))
    if target.get("InputTransformer"):
        return _transformed(target["InputTransformer"], event, rule)
    return json.dumps(event)


def _value(path: str, event: Mapping[str, Any]) -> Any:
    try:
        return read(path, event)
    except PathError:
        return None


def _transformed(transformer: Mapping[str, Any], event: Mapping[str, Any], rule: Mapping[str, str]) -> str:
    template = transformer["InputTemplate"]
    values = {name: _value(path, event) for name, path in (transformer.get("InputPathsMap") or {}).items()}
    values |= {
        "aws.events.rule-arn": rule["arn"],
        "aws.events.rule-name": rule["name"],
        "aws.events.event.ingestion-time": rule["ingested"],
        "aws.events.event": {name: value for name, value in event.items() if name != "detail"},
        "aws.events.event.json": event,
    }
    quoted = _inside_strings(template)

    def put(match: re.Match[str]) -> str:
        return _shown(values.get(match[1]), inside=match.start() in quoted)

    # A template that is no JSON is a text with gaps, which goes out as a JSON string.
    if template.lstrip()[:1] not in {"{", "[", '"'} and not _VARIABLE.fullmatch(template.strip()):
        return json.dumps(_VARIABLE.sub(lambda match: _plain(values.get(match[1])), template))
    return _VARIABLE.sub(put, template)


def _inside_strings(template: str) -> frozenset[int]:
    """Return the positions between quotes."""
    inside, found, escaped = False, set(), False
    for position, letter in enumerate(template):
        if letter == '"' and not escaped:
            inside = not inside
        elif inside:
            found.add(position)
        escaped = letter == "\\" and not escaped
    return frozenset(found)


def _shown(value: Any, *, inside: bool) -> str:
    """Return a value as it stands in a template: a JSON value, or a part of a string; what is missing is empty."""
    if inside:
        return json.dumps(_plain(value))[1:-1]
    return '""' if value is None else json.dumps(value)


def _plain(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)
