"""Properties against a provider schema: scalars coerced as CloudFormation does, faults found with their paths."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from cdk_ami.sandbox.cloudformation.intrinsics import UNKNOWN, as_text

TRUTH: Final = {"true": True, "false": False, "True": True, "False": False}

_PYTHON_TYPES: Final[dict[str, type]] = {"string": str, "object": dict, "array": list, "null": type(None)}

_UNICODE_CLASSES: Final = (
    (r"\p{L}", "a-zA-Z\u00c0-\uffff"),
    (r"\p{Z}", r"\s"),
    (r"\p{N}", r"\d"),
    (r"\p{P}", r"\W"),
    (r"\p{S}", r"\W"),
    (r"\p{M}", r"\w"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One fault: the property's path, such as ``Tags/0/Key``, and what is wrong with it."""

    path: str
    message: str


class Validator:
    """Checks values against parts of one schema document.

    Args:
        document: The document that ``$ref`` points into.
        findings: Where faults go.
    """

    def __init__(self, document: Mapping[str, Any], findings: list[Finding]) -> None:
        self._document, self._findings = document, findings

    def check(self, value: Any, schema: Any, path: str) -> Any:
        """Return ``value`` coerced to ``schema``, and record its faults."""
        schema = self._follow(schema)
        if value is UNKNOWN or schema is True:
            return value
        if schema is False:
            self._add(path, "is not supported")
            return value
        value = self._typed(value, schema, path)
        if isinstance(value, dict):
            value = self._object(value, schema, path)
        elif isinstance(value, list):
            value = self._array(value, schema, path)
        elif isinstance(value, str):
            self._string(value, schema, path)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            self._number(value, schema, path)
        self._choices(value, schema, path)
        return self._combined(value, schema, path)

    def _follow(self, schema: Any) -> Any:
        while isinstance(schema, dict) and "$ref" in schema:
            target: Any = self._document
            for part in schema["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            schema = target
        return schema

    def _add(self, path: str, message: str) -> None:
        self._findings.append(Finding(path=path, message=message))

    def _typed(self, value: Any, schema: Mapping[str, Any], path: str) -> Any:
        kinds = schema.get("type")
        if kinds is None:
            return value
        kinds = [kinds] if isinstance(kinds, str) else kinds
        for kind in kinds:
            if _is(value, kind):
                return value
        for kind in kinds:
            if (coerced := _coerce(value, kind)) is not None:
                return coerced
        self._add(path, f"expected type: {' or '.join(kinds)}, found: {type(value).__name__}")
        return value

    def _object(self, value: dict[str, Any], schema: Mapping[str, Any], path: str) -> dict[str, Any]:
        properties = schema.get("properties", {})
        patterns = schema.get("patternProperties", {})
        made: dict[str, Any] = {}
        for name, item in value.items():
            inner = f"{path}/{name}" if path else name
            if name in properties:
                made[name] = self.check(item, properties[name], inner)
                continue
            matching = [rule for pattern, rule in patterns.items() if _matches(pattern, name)]
            if matching:
                made[name] = self.check(item, matching[0], inner)
                continue
            extra = schema.get("additionalProperties", True)
            if extra is False:
                self._add(inner, "extraneous key is not permitted")
            made[name] = self.check(item, extra, inner) if isinstance(extra, dict) else item
        self._names(value, schema, path)
        return made

    def _names(self, value: Mapping[str, Any], schema: Mapping[str, Any], path: str) -> None:
        for name in schema.get("required", ()):
            if name not in value:
                self._add(path, f"required key [{name}] not found")
        self._one_of(value, schema, path)
        for name, excluded in schema.get("dependentExcluded", {}).items():
            for other in excluded if name in value else ():
                if other in value:
                    self._add(f"{path}/{other}" if path else other, f"cannot be set beside {name}")
        for name, needed in schema.get("dependentRequired", {}).items():
            for other in needed if name in value else ():
                if other not in value:
                    self._add(path, f"required key [{other}] not found, which {name} needs")

    def _one_of(self, value: Mapping[str, Any], schema: Mapping[str, Any], path: str) -> None:
        exactly, at_least = schema.get("requiredXor", ()), schema.get("requiredOr", ())
        if exactly and sum(name in value for name in exactly) != 1:
            self._add(path, f"exactly one of {exactly} is required")
        if at_least and not any(name in value for name in at_least):
            self._add(path, f"at least one of {at_least} is required")

    def _array(self, value: list[Any], schema: Mapping[str, Any], path: str) -> list[Any]:
        items = schema.get("items", True)
        made = [self.check(item, items, f"{path}/{index}") for index, item in enumerate(value)]
        if len(made) < schema.get("minItems", 0):
            self._add(path, f"expected minimum item count: {schema['minItems']}, found: {len(made)}")
        if len(made) > schema.get("maxItems", len(made)):
            self._add(path, f"expected maximum item count: {schema['maxItems']}, found: {len(made)}")
        if schema.get("uniqueItems"):
            known = [json.dumps(item, sort_keys=True, default=str) for item in made if item is not UNKNOWN]
            if len(known) != len(set(known)):
                self._add(path, "array items are not unique")
        return made

    def _string(self, value: str, schema: Mapping[str, Any], path: str) -> None:
        if len(value) < schema.get("minLength", 0):
            self._add(path, f"expected minLength: {schema['minLength']}, actual: {len(value)}")
        if len(value) > schema.get("maxLength", len(value)):
            self._add(path, f"expected maxLength: {schema['maxLength']}, actual: {len(value)}")
        pattern = schema.get("pattern")
        if pattern and "{{resolve:" not in value and not _matches(pattern, value):
            self._add(path, f"failed validation constraint for keyword [pattern]: {value!r} does not match {pattern}")

    def _number(self, value: float, schema: Mapping[str, Any], path: str) -> None:
        if value < schema.get("minimum", value):
            self._add(path, f"{value} is not greater or equal to {schema['minimum']}")
        if value > schema.get("maximum", value):
            self._add(path, f"{value} is not less or equal to {schema['maximum']}")

    def _choices(self, value: Any, schema: Mapping[str, Any], path: str) -> None:
        if isinstance(value, str) and "{{resolve:" in value:
            return
        choices = [schema["const"]] if "const" in schema else schema.get("enum")
        if choices is not None and value not in choices and as_text(value) not in [as_text(one) for one in choices]:
            self._add(path, f"{value!r} is not a valid enum value, allowed: {choices}")

    def _combined(self, value: Any, schema: Mapping[str, Any], path: str) -> Any:
        for part in schema.get("allOf", ()):
            value = self.check(value, part, path)
        for rule in ("anyOf", "oneOf"):
            parts = schema.get(rule)
            if not parts:
                continue
            tried = []
            for part in parts:
                inner: list[Finding] = []
                coerced = Validator(self._document, inner).check(value, part, path)
                tried.append((inner, coerced))
            fitting = [coerced for inner, coerced in tried if not inner]
            if fitting:
                value = fitting[0]
            else:
                nearest = min((inner for inner, _ in tried), key=len)
                reasons = " or ".join(dict.fromkeys(finding.message for inner, _ in tried for finding in inner))
                self._add(nearest[0].path, reasons)
        return value


def _is(value: Any, kind: str) -> bool:
    if kind == "boolean":
        return isinstance(value, bool)
    if isinstance(value, bool):
        return False
    if kind == "integer":
        return isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if kind == "number":
        return isinstance(value, int | float)
    return isinstance(value, _PYTHON_TYPES[kind])


def _coerce(value: Any, kind: str) -> Any:  # noqa: PLR0911 - one case per type
    if kind == "string" and isinstance(value, bool | int | float):
        return as_text(value)
    if kind == "boolean" and isinstance(value, str):
        return TRUTH.get(value)
    if kind == "object" and isinstance(value, str):
        # Policies may be given as JSON text.
        try:
            made = json.loads(value)
        except json.JSONDecodeError:
            return None
        return made if isinstance(made, dict) else None
    if kind in {"integer", "number"} and isinstance(value, str):
        try:
            return float(value) if kind == "number" and "." in value else int(value)
        except ValueError:
            return None
    return None


def _matches(pattern: str, value: str) -> bool:
    compiled = _compiled(pattern)
    return compiled is None or compiled.search(value) is not None


@cache
def _compiled(pattern: str) -> re.Pattern[str] | None:
    for name, meaning in _UNICODE_CLASSES:
        pattern = pattern.replace(name, meaning)
    try:
        return re.compile(pattern)
    except re.error:
        # A dialect that Python does not read; the service itself still judges the value.
        return None
