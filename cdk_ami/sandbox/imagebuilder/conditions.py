"""Conditions under which a step of a workflow runs; pure.

https://docs.aws.amazon.com/imagebuilder/latest/userguide/wfdoc-conditional-statements.html, read 2026-11-28
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cdk_ami.sandbox.imagebuilder import variables
from cdk_ami.sandbox.imagebuilder.documents import DocumentError

DEPTH_MAX: Final = 4
CHILDREN_MAX: Final = 10

_NUMBERS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "numberEquals": operator.eq,
    "numberGreaterThan": operator.gt,
    "numberGreaterThanEquals": operator.ge,
    "numberLessThan": operator.lt,
    "numberLessThanEquals": operator.le,
}
_COMPARISONS: Final = frozenset({"booleanEquals", "stringEquals", *_NUMBERS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One statement.

    Attributes:
        kind: ``and``, ``or``, ``not``, or the name of a comparison.
        parts: The statements that a branch or a ``not`` holds.
        wanted: What a comparison compares with.
        value: What is compared: itself, or a path.
    """

    kind: str
    parts: tuple[Condition, ...] = ()
    wanted: Any = None
    value: Any = None

    def holds(self, known: Mapping[str, Any]) -> bool:
        """Tell whether the condition is met by what is known.

        Raises:
            VariableError: When a path leads nowhere, or a value is no number or boolean where one is compared.
        """
        if self.kind == "and":
            return all(part.holds(known) for part in self.parts)
        if self.kind == "or":
            return any(part.holds(known) for part in self.parts)
        if self.kind == "not":
            return not self.parts[0].holds(known)
        wanted, value = variables.read(self.wanted, known), variables.read(self.value, known)
        if self.kind == "stringEquals":
            return str(wanted) == str(value)
        if self.kind == "booleanEquals":
            return _boolean(wanted) is _boolean(value)
        return _NUMBERS[self.kind](_number(value), _number(wanted))


def read(written: Any, at: str, depth: int = 1) -> Condition:
    """Return the condition that a document writes.

    Raises:
        DocumentError: When the service would refuse it.
    """
    if depth > DEPTH_MAX:
        raise DocumentError(f"{at}: conditions are nested in at most {DEPTH_MAX} levels")
    if not isinstance(written, dict) or not written:
        raise DocumentError(f"{at}: must be a mapping")
    kinds = [key for key in written if key != "value"]
    if len(kinds) != 1:
        raise DocumentError(f"{at}: must hold exactly one statement, and holds {kinds}")
    kind = kinds[0]
    if kind in ("and", "or", "not"):
        return _branch(kind, written, at, depth)
    if kind not in _COMPARISONS:
        raise DocumentError(f"{at}: unknown statement '{kind}'")
    if "value" not in written:
        raise DocumentError(f"{at}: {kind} needs a value to compare with")
    return Condition(kind=kind, wanted=written[kind], value=written["value"])


def _branch(kind: str, written: Mapping[str, Any], at: str, depth: int) -> Condition:
    if "value" in written:
        raise DocumentError(f"{at}: {kind} takes no value")
    held = written[kind]
    items = held if isinstance(held, list) else [held]
    most = 1 if kind == "not" else CHILDREN_MAX
    if not 1 <= len(items) <= most or (kind != "not" and not isinstance(held, list)):
        raise DocumentError(f"{at}: {kind} holds a list of 1 to {most} statements")
    parts = tuple(read(item, f"{at}.{kind}[{index}]", depth + 1) for index, item in enumerate(items))
    return Condition(kind=kind, parts=parts)


def _boolean(value: Any) -> bool:
    text = str(value).lower()
    if text not in ("true", "false"):
        raise variables.VariableError(f"{value!r} is neither true nor false")
    return text == "true"


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise variables.VariableError(f"{value!r} is no number") from error
