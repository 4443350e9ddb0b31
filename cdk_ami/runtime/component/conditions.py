"""Conditions of ``if`` and ``Assert``: what they compare, decided from facts that somebody else looks up; pure.

https://docs.aws.amazon.com/imagebuilder/latest/userguide/toe-conditional-constructs.html,
https://docs.aws.amazon.com/imagebuilder/latest/userguide/toe-comparison-operators.html,
https://docs.aws.amazon.com/imagebuilder/latest/userguide/toe-logical-operators.html, read 2026-11-28
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum
from fractions import Fraction
from typing import Any, Final, Protocol

import jsonschema_rs

from cdk_ami.checks.documents import as_text

_NUMBER: Final = re.compile(r"[-+]?(?:[0-9]+[.])?[0-9]+")
_CLASSES: Final = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "blank": r"\t ",
    "digit": "0-9",
    "lower": "a-z",
    "space": r"\t\n\v\f\r ",
    "upper": "A-Z",
    "word": r"0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
"""Named classes of RE2 that the engine here takes only as ranges."""


class ConditionError(ValueError):
    """A condition that cannot be read."""


class Facts(Protocol):
    """What a condition may ask about the place that a step runs in."""

    def kind(self, path: str) -> str:
        """Return ``file``, ``folder`` or nothing."""
        ...

    def digest(self, path: str, algorithm: str) -> str | None:
        """Return the hash of a file in lower case, None when there is no such file."""
        ...

    def has_binary(self, name: str) -> bool:
        """Tell whether the shell finds a command of that name."""
        ...


class Verdict(StrEnum):
    """What becomes of a step with a condition."""

    EXECUTE = "Execute"
    SKIP = "Skip"
    ABORT = "Abort"


def verdict(condition: Any, facts: Facts) -> Verdict:
    """Return what ``if`` says about its step.

    Raises:
        ConditionError: When the condition cannot be read.
    """
    expression = _single(condition)
    holds = evaluate(expression, facts)
    chosen = expression.get("then", "Execute") if holds else expression.get("else", "Skip")
    try:
        return Verdict(chosen)
    except ValueError as error:
        raise ConditionError(f"{'then' if holds else 'else'} is {chosen!r}; use Abort, Execute or Skip") from error


def evaluate(condition: Any, facts: Facts) -> bool:
    """Tell whether a condition holds.

    Raises:
        ConditionError: When the condition cannot be read.
    """
    expression = _single(condition)
    names = [name for name in expression if name not in _OPERANDS]
    if len(names) != 1:
        raise ConditionError(f"a condition has one operator, got {names}")
    name, baseline = names[0], expression[names[0]]
    operator = _OPERATORS.get(name.lower())
    if operator is not None:
        return operator(baseline, expression, facts)
    raise ConditionError(f"{name!r} is no operator known here")


def describe(condition: Any) -> str:
    """Return a condition in one line, for messages."""
    if isinstance(condition, dict):
        return ", ".join(f"{key}: {describe(value)}" for key, value in condition.items())
    if isinstance(condition, list):
        return f"[{'; '.join(describe(item) for item in condition)}]"
    return repr(condition)


_OPERANDS: Final = frozenset({"value", "path", "then", "else"})


def _single(condition: Any) -> dict[str, Any]:
    """Return the one expression that a condition is, which may stand in a list."""
    if isinstance(condition, list) and len(condition) == 1:
        condition = condition[0]
    if not isinstance(condition, dict):
        raise ConditionError(f"a condition is one operator with its values, got {condition!r}")
    return condition


def _all(conditions: Any, _: dict[str, Any], facts: Facts) -> bool:
    return all(evaluate(condition, facts) for condition in _several(conditions))


def _any(conditions: Any, _: dict[str, Any], facts: Facts) -> bool:
    return any(evaluate(condition, facts) for condition in _several(conditions))


def _not(condition: Any, _: dict[str, Any], facts: Facts) -> bool:
    return not evaluate(condition, facts)


def _several(conditions: Any) -> list[Any]:
    if not isinstance(conditions, list) or not conditions:
        raise ConditionError(f"and, or take a list of conditions, got {conditions!r}")
    return conditions


_Operator = Callable[[Any, dict[str, Any], Facts], bool]


def _texts(holds: Callable[[str, str], bool]) -> _Operator:
    """Compare texts without regard to case, and blanks as they are; ``holds`` takes value and baseline."""

    def compare(baseline: Any, expression: dict[str, Any], _: Facts) -> bool:
        return holds(as_text(expression.get("value")).casefold(), as_text(baseline).casefold())

    return compare


def _numbers(holds: Callable[[Fraction, Fraction], bool]) -> _Operator:
    """Compare numbers exactly; what is none compares as false.  ``holds`` takes value and baseline."""

    def compare(baseline: Any, expression: dict[str, Any], _: Facts) -> bool:
        value, other = _number(expression.get("value")), _number(baseline)
        return value is not None and other is not None and holds(value, other)

    return compare


def _number(value: Any) -> Fraction | None:
    text = as_text(value)
    if isinstance(value, float) or _NUMBER.fullmatch(text):
        return Fraction(text)
    return None


def _digest(algorithm: str) -> _Operator:
    def compare(baseline: Any, expression: dict[str, Any], facts: Facts) -> bool:
        return facts.digest(as_text(expression.get("path")), algorithm) == as_text(baseline).lower()

    return compare


def _matches(pattern: Any, expression: dict[str, Any], _: Facts) -> bool:
    text = re.sub(r"\[:(\w+):\]", lambda found: _CLASSES.get(found[1], found[0]), as_text(pattern))
    try:
        # The engine is that of Rust, which takes the syntax of RE2 as the service does: no look-around.
        check = jsonschema_rs.validator_for({"pattern": f"(?i){text}"}, pattern_options=jsonschema_rs.RegexOptions())
    except (jsonschema_rs.ValidationError, ValueError) as error:
        raise ConditionError(f"{text!r} is no regular expression of RE2") from error
    return check.is_valid(as_text(expression.get("value")))


_OPERATORS: Final[dict[str, _Operator]] = {
    "and": _all,
    "or": _any,
    "not": _not,
    "stringisempty": lambda text, _, __: as_text(text) == "",
    "stringiswhitespace": lambda text, _, __: as_text(text) != "" and as_text(text).strip(" ") == "",
    "stringequals": _texts(lambda value, other: value == other),
    "stringlessthan": _texts(lambda value, other: value < other),
    "stringlessthanequals": _texts(lambda value, other: value <= other),
    "stringgreaterthan": _texts(lambda value, other: value > other),
    "stringgreaterthanequals": _texts(lambda value, other: value >= other),
    "patternmatches": _matches,
    "numberequals": _numbers(lambda value, other: value == other),
    "numberlessthan": _numbers(lambda value, other: value < other),
    "numberlessthanequals": _numbers(lambda value, other: value <= other),
    "numbergreaterthan": _numbers(lambda value, other: value > other),
    "numbergreaterthanequals": _numbers(lambda value, other: value >= other),
    "binaryexists": lambda name, _, facts: facts.has_binary(as_text(name)),
    "fileexists": lambda path, _, facts: facts.kind(as_text(path)) == "file",
    "folderexists": lambda path, _, facts: facts.kind(as_text(path)) == "folder",
    "filemd5equals": _digest("md5"),
    "filesha1equals": _digest("sha1"),
    "filesha256equals": _digest("sha256"),
    "filesha512equals": _digest("sha512"),
}
"""The operators by name in lower case: the documentation itself writes some of them in two ways."""
