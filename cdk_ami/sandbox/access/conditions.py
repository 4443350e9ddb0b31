"""The conditions of a policy's statement.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from ipaddress import ip_address, ip_network
from typing import Any, Final

Values = Sequence[str]
Context = Callable[[str], Values | None]
"""Gives the values of a condition key, None when the request has none; raises for a key that is not known."""


class UndecidedError(Exception):
    """A policy that the sandbox cannot judge."""


@cache
def pattern(text: str, *, ignore_case: bool = False) -> re.Pattern[str]:
    """Return what ``text`` with its ``*`` and ``?`` matches."""
    parts = ({"*": ".*", "?": "."}.get(part, re.escape(part)) for part in re.split(r"([*?])", text))
    return re.compile("".join(parts), re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def _like(value: str, wanted: str) -> bool:
    return pattern(wanted).fullmatch(value) is not None


def _arn_like(value: str, wanted: str) -> bool:
    # Part by part: a wildcard does not reach over a colon, but in the last part.
    ours, theirs = value.split(":", 5), wanted.split(":", 5)
    return len(ours) == len(theirs) and all(map(_like, ours, theirs))


def _number(compare: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    return lambda value, wanted: compare(float(value), float(wanted))


def _date(compare: Callable[[datetime, datetime], bool]) -> Callable[[str, str], bool]:
    return lambda value, wanted: compare(_moment(value), _moment(wanted))


def _moment(text: str) -> datetime:
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return datetime.fromtimestamp(float(text), UTC)
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


OPERATORS: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "stringequals": lambda value, wanted: value == wanted,
    "stringequalsignorecase": lambda value, wanted: value.lower() == wanted.lower(),
    "stringlike": _like,
    "arnequals": _arn_like,
    "arnlike": _arn_like,
    "bool": lambda value, wanted: value.lower() == wanted.lower(),
    "numericequals": _number(lambda one, other: one == other),
    "numericlessthan": _number(lambda one, other: one < other),
    "numericlessthanequals": _number(lambda one, other: one <= other),
    "numericgreaterthan": _number(lambda one, other: one > other),
    "numericgreaterthanequals": _number(lambda one, other: one >= other),
    "dateequals": _date(lambda one, other: one == other),
    "datelessthan": _date(lambda one, other: one < other),
    "datelessthanequals": _date(lambda one, other: one <= other),
    "dategreaterthan": _date(lambda one, other: one > other),
    "dategreaterthanequals": _date(lambda one, other: one >= other),
    "ipaddress": lambda value, wanted: ip_address(value) in ip_network(wanted, strict=False),
}
"""What each operator asks of one value of the request and one of the policy."""

NEGATED: Final[Mapping[str, str]] = {
    "stringnotequals": "stringequals",
    "stringnotequalsignorecase": "stringequalsignorecase",
    "stringnotlike": "stringlike",
    "arnnotequals": "arnequals",
    "arnnotlike": "arnlike",
    "numericnotequals": "numericequals",
    "datenotequals": "dateequals",
    "notipaddress": "ipaddress",
}
"""Operators that are met when another one is not; a key that the request lacks meets them."""


def met(conditions: Mapping[str, Mapping[str, Any]], context: Context) -> bool:
    """Return whether a request meets all conditions of a statement.

    Raises:
        UndecidedError: When an operator or a key is not known here.
    """
    # Every key is looked at, so that a policy with an unknown one is refused whatever the others say.
    outcomes = [
        _is_met(operator, context(key), tuple(map(_text, _many(wanted))))
        for operator, keys in conditions.items()
        for key, wanted in keys.items()
    ]
    return all(outcomes)


def _many(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else [value]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _is_met(operator: str, values: Values | None, wanted: Values) -> bool:
    prefix, _, rest = operator.lower().rpartition(":")
    if rest == "null":
        return (values is None) == (wanted[0] == "true")
    name = rest.removesuffix("ifexists")
    positive = NEGATED.get(name, name)
    if positive not in OPERATORS or prefix not in {"", "foranyvalue", "forallvalues"}:
        raise UndecidedError(f"the condition operator {operator}")
    if not values:
        return name in NEGATED or rest.endswith("ifexists") or prefix == "forallvalues"
    compare, negated = OPERATORS[positive], name in NEGATED
    outcomes = [any(compare(value, one) for one in wanted) != negated for value in values]
    return all(outcomes) if prefix == "forallvalues" else any(outcomes)
