"""Event patterns: which are valid, and which events they match; pure.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html, read 2026-11-28
"""

from __future__ import annotations

import ipaddress
import json
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, Final

NUMERIC_BOUND: Final = 5e9
"""The largest number, either side of zero, that a numeric filter takes."""

_COMPARISONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_NEGATABLE: Final = frozenset({"prefix", "suffix", "equals-ignore-case", "wildcard"})
_MIN_ALTERNATIVES: Final = 2
_ABSENT: Final = object()


class PatternError(ValueError):
    """An event pattern that EventBridge would not take; the message is the reason."""


def parse(text: str) -> Mapping[str, Any]:
    """Return a pattern from its JSON text.

    Raises:
        PatternError: When it is no valid pattern.
    """
    try:
        pattern = json.loads(text)
    except json.JSONDecodeError as error:
        raise PatternError("Event pattern is not valid JSON") from error
    if not isinstance(pattern, dict):
        raise PatternError("Filter is not an object")
    if not pattern:
        raise PatternError("Empty event pattern is not allowed")
    _check(pattern)
    return pattern


def matches(pattern: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    """Tell whether ``event`` matches a valid ``pattern``."""
    return all(
        any(matches(alternative, event) for alternative in wanted)
        if name == "$or" and _alternatives(wanted)
        else _field(wanted, event.get(name, _ABSENT))
        for name, wanted in pattern.items()
    )


def _alternatives(wanted: Any) -> bool:
    """Tell an ``$or`` of patterns from a field that happens to have this name."""
    return isinstance(wanted, list) and len(wanted) >= _MIN_ALTERNATIVES and all(_is_pattern(one) for one in wanted)


def _is_pattern(one: Any) -> bool:
    return isinstance(one, dict) and all(name == "$or" or name not in _FILTERS for name in one)


def _field(wanted: Any, value: Any) -> bool:
    if isinstance(wanted, Mapping):
        if isinstance(value, list):
            return any(matches(wanted, item) for item in value if isinstance(item, Mapping))
        return matches(wanted, value if isinstance(value, Mapping) else {})
    leaves = list(_leaves(value))
    if not leaves:
        return any(isinstance(one, Mapping) and one.get("exists") is False for one in wanted)
    return any(_accepts(one, leaf) for one in wanted for leaf in leaves)


def _leaves(value: Any) -> Iterator[Any]:
    """Yield the values that filters look at: an object is none, an array stands for each of its own."""
    if isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    elif value is not _ABSENT and not isinstance(value, Mapping):
        yield value


def _accepts(one: Any, leaf: Any) -> bool:
    if isinstance(one, Mapping):
        name, argument = next(iter(one.items()))
        return _FILTERS[name][1](argument, leaf)
    return _same(one, leaf)


def _same(one: Any, other: Any) -> bool:
    """Compare as EventBridge does: 300 and 300.0 are not equal, nor are 1 and true."""
    return json.dumps(one) == json.dumps(other)


def _prefix(argument: Any, leaf: Any) -> bool:
    return _text(argument, leaf, str.startswith)


def _suffix(argument: Any, leaf: Any) -> bool:
    return _text(argument, leaf, str.endswith)


def _text(argument: Any, leaf: Any, test: Callable[[str, str], bool]) -> bool:
    if not isinstance(leaf, str):
        return False
    if isinstance(argument, Mapping):
        return test(leaf.casefold(), argument["equals-ignore-case"].casefold())
    return test(leaf, argument)


def _equals_ignore_case(argument: Any, leaf: Any) -> bool:
    return isinstance(leaf, str) and leaf.casefold() == argument.casefold()


def _wildcard(argument: Any, leaf: Any) -> bool:
    return isinstance(leaf, str) and _wild(argument).fullmatch(leaf) is not None


@cache
def _wild(text: str) -> re.Pattern[str]:
    parts = re.findall(r"\\[*\\]|\*|[^*\\]+", text)
    made = (".*" if part == "*" else re.escape(part[-1] if part[0] == "\\" else part) for part in parts)
    return re.compile("".join(made), re.DOTALL)


def _anything_but(argument: Any, leaf: Any) -> bool:
    if isinstance(argument, Mapping):
        name, values = next(iter(argument.items()))
        return not any(_FILTERS[name][1](value, leaf) for value in _listed(values))
    return not any(_same(value, leaf) for value in _listed(argument))


def _numeric(argument: Any, leaf: Any) -> bool:
    if isinstance(leaf, bool) or not isinstance(leaf, int | float):
        return False
    pairs = zip(argument[::2], argument[1::2], strict=True)
    return all(_COMPARISONS[sign](leaf, bound) for sign, bound in pairs)


def _cidr(argument: Any, leaf: Any) -> bool:
    try:
        return ipaddress.ip_address(leaf) in ipaddress.ip_network(argument, strict=False)
    except ValueError:
        return False


def _exists(argument: Any, leaf: Any) -> bool:  # noqa: ARG001 - one signature for all; here is a value
    return bool(argument)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _check(pattern: Mapping[str, Any]) -> None:
    for name, wanted in pattern.items():
        if name == "$or" and _alternatives(wanted):
            for alternative in wanted:
                _check(alternative)
        elif isinstance(wanted, Mapping):
            if not wanted:
                raise PatternError("Empty objects are not allowed")
            _check(wanted)
        elif isinstance(wanted, list):
            if not wanted:
                raise PatternError("Empty arrays are not allowed")
            for one in wanted:
                _check_filter(one)
        else:
            raise PatternError(f'"{name}" must be an object or an array')


def _check_filter(one: Any) -> None:
    if isinstance(one, list):
        raise PatternError("Match value must be String, number, true, false, or null")
    if not isinstance(one, Mapping):
        return
    if len(one) != 1:
        raise PatternError("Only one key allowed in match expression")
    name, argument = next(iter(one.items()))
    if name not in _FILTERS:
        raise PatternError(f"Unrecognized match type {name}")
    fault = _FILTERS[name][0](argument)
    if fault:
        raise PatternError(fault)


def _text_fault(name: str, *, nests: bool = False) -> Callable[[Any], str | None]:
    def fault(argument: Any) -> str | None:
        if nests and isinstance(argument, Mapping) and list(argument) == ["equals-ignore-case"]:
            argument = argument["equals-ignore-case"]
        if not isinstance(argument, str):
            return f"{name} match pattern must be a string"
        return f"Null {name} not allowed" if not argument and nests else None

    return fault


def _wildcard_fault(argument: Any) -> str | None:
    if not isinstance(argument, str):
        return "wildcard match pattern must be a string"
    if "**" in re.sub(r"\\.", "", argument):
        return "Consecutive wildcard characters at pos are not allowed"
    return "Invalid escape character" if re.search(r"\\", re.sub(r"\\[*\\]", "", argument)) else None


def _anything_but_fault(argument: Any) -> str | None:
    if isinstance(argument, Mapping):
        if len(argument) != 1 or next(iter(argument)) not in _NEGATABLE:
            return f"Unsupported anything-but pattern: {', '.join(argument) or 'empty'}"
        name, values = next(iter(argument.items()))
        return next((fault for value in _listed(values) if (fault := _FILTERS[name][0](value))), None)
    values = _listed(argument)
    if not values or any(isinstance(value, bool) or not isinstance(value, str | int | float) for value in values):
        return "Value of anything-but must be an array or single string/number value"
    return None


def _numeric_fault(argument: Any) -> str | None:
    if not isinstance(argument, list) or len(argument) not in {2, 4}:
        return "Value of numeric must be an array of one or two comparisons"
    for sign, bound in zip(argument[::2], argument[1::2], strict=True):
        if sign not in _COMPARISONS:
            return f"Unrecognized numeric range operator: {sign}"
        if isinstance(bound, bool) or not isinstance(bound, int | float):
            return f"Value of {sign} must be numeric"
        if abs(bound) > NUMERIC_BOUND:
            return f"Value of {sign} must be between -5.0e9 and +5.0e9, inclusive"
    if len(argument) > 2 and (argument[0][0] != ">" or argument[2][0] != "<"):  # noqa: PLR2004 - a range has two ends
        return "A numeric range goes from a lower bound to an upper bound"
    return None


def _cidr_fault(argument: Any) -> str | None:
    try:
        ipaddress.ip_network(argument, strict=False)
    except ValueError:
        return f"Malformed CIDR: {argument}"
    return None


def _exists_fault(argument: Any) -> str | None:
    return None if isinstance(argument, bool) else "exists match pattern must be either true or false."


_FILTERS: Final[dict[str, tuple[Callable[[Any], str | None], Callable[[Any, Any], bool]]]] = {
    "prefix": (_text_fault("prefix", nests=True), _prefix),
    "suffix": (_text_fault("suffix", nests=True), _suffix),
    "equals-ignore-case": (_text_fault("equals-ignore-case"), _equals_ignore_case),
    "wildcard": (_wildcard_fault, _wildcard),
    "anything-but": (_anything_but_fault, _anything_but),
    "numeric": (_numeric_fault, _numeric),
    "cidr": (_cidr_fault, _cidr),
    "exists": (_exists_fault, _exists),
}
"""Each filter's fault and test, by name."""
