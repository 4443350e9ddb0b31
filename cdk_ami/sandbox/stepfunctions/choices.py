"""The rules of a Choice state; pure.

https://docs.aws.amazon.com/step-functions/latest/dg/state-choice.html, read 2026-11-28
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from cdk_ami.sandbox.jsonpath import PathError
from cdk_ami.sandbox.stepfunctions.errors import StateError
from cdk_ami.sandbox.stepfunctions.payload import Scope

_TIMESTAMP: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
_COMPARISONS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "Equals": operator.eq,
    "LessThan": operator.lt,
    "LessThanEquals": operator.le,
    "GreaterThan": operator.gt,
    "GreaterThanEquals": operator.ge,
}


def timestamp(value: Any) -> datetime | None:
    """Return the time that a text of RFC 3339 names, None when it is none."""
    if not isinstance(value, str) or not _TIMESTAMP.fullmatch(value):
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


def _number(value: Any) -> int | float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _string(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _boolean(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


_KINDS: Final[Mapping[str, tuple[Callable[[Any], Any], tuple[str, ...]]]] = {
    "String": (_string, tuple(_COMPARISONS)),
    "Numeric": (_number, tuple(_COMPARISONS)),
    "Boolean": (_boolean, ("Equals",)),
    "Timestamp": (timestamp, tuple(_COMPARISONS)),
}
_TESTS: Final[Mapping[str, Callable[[Any], bool]]] = {
    "IsNull": lambda value: value is None,
    "IsString": lambda value: _string(value) is not None,
    "IsNumeric": lambda value: _number(value) is not None,
    "IsBoolean": lambda value: _boolean(value) is not None,
    "IsTimestamp": lambda value: timestamp(value) is not None,
}

OPERATORS: Final = frozenset(
    {
        *(f"{kind}{name}{path}" for kind, (_, names) in _KINDS.items() for name in names for path in ("", "Path")),
        *_TESTS,
        "IsPresent",
        "StringMatches",
    }
)
"""Everything that compares."""


def holds(rule: Mapping[str, Any], scope: Scope) -> bool:
    """Tell whether a rule holds for the input.

    Raises:
        StateError: When the rule looks at a value that is not there.
    """
    if "And" in rule:
        return all(holds(one, scope) for one in rule["And"])
    if "Or" in rule:
        return any(holds(one, scope) for one in rule["Or"])
    if "Not" in rule:
        return not holds(rule["Not"], scope)
    name = next(name for name in rule if name in OPERATORS)
    if name == "IsPresent":
        return _present(rule["Variable"], scope) is rule[name]
    return _matches(name, _read(rule["Variable"], scope), rule[name], scope)


def _matches(name: str, value: Any, wanted: Any, scope: Scope) -> bool:
    if name in _TESTS:
        return _TESTS[name](value) is wanted
    if name == "StringMatches":
        return isinstance(value, str) and _wild(wanted).fullmatch(value) is not None
    if name.endswith("Path"):
        return _compare(name.removesuffix("Path"), value, _read(wanted, scope))
    return _compare(name, value, wanted)


def _present(path: str, scope: Scope) -> bool:
    try:
        scope.read(path)
    except PathError:
        return False
    return True


def _read(path: str, scope: Scope) -> Any:
    try:
        return scope.read(path)
    except PathError as error:
        raise StateError(
            "States.Runtime",
            f"Invalid path '{path}': The choice state's condition path references an invalid value.",
        ) from error


def _compare(name: str, value: Any, wanted: Any) -> bool:
    kind = next(kind for kind in _KINDS if name.startswith(kind))
    read = _KINDS[kind][0]
    one, other = read(value), read(wanted)
    return one is not None and other is not None and _COMPARISONS[name.removeprefix(kind)](one, other)


def _wild(text: str) -> re.Pattern[str]:
    parts = re.findall(r"\\[*\\]|\*|[^*\\]+|\\", text)
    made = (".*" if part == "*" else re.escape(part[-1] if part[0] == "\\" else part) for part in parts)
    return re.compile("".join(made), re.DOTALL)
