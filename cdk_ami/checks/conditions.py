"""Conditions in component documents: what a step's ``if`` and the inputs of ``Assert`` compare.

https://docs.aws.amazon.com/imagebuilder/latest/userguide/toe-conditional-constructs.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from cdk_ami.checks.rule import Problem
from cdk_ami.checks.shape import short

OUTCOMES: Final = ("Abort", "Execute", "Skip")
"""What a step does once its condition is known, under ``then`` and ``else``."""

_LISTS: Final = ("and", "or")
_BESIDE: Final = frozenset({"value", "path", "then", "else"})
_EXAMPLE: Final = "name one operator, such as fileExists: /etc/hosts"


def condition_problems(condition: Any, operators: Mapping[str, Any], at: str) -> Iterator[Problem]:
    """Yield what is wrong with a condition.

    Args:
        condition: The condition, as data; a list of one is that one, as the page's syntax has it.
        operators: The operators by name, each with ``x-other`` where a key beside it holds the other side.
        at: Where the condition stands.
    """
    if isinstance(condition, list) and len(condition) == 1:
        condition, at = condition[0], f"{at}[0]"
    if isinstance(condition, dict):
        for key in ("then", "else"):
            if key in condition and condition[key] not in OUTCOMES:
                yield Problem(
                    problem="is nothing that a step can do",
                    got=short(condition[key]),
                    fix=f"use one of {', '.join(OUTCOMES)}",
                    at=f"{at}.{key}",
                )
    yield from _comparison(condition, operators, at)


def condition_strangers(condition: Any, operators: Mapping[str, Any], at: str) -> Iterator[tuple[str, str]]:
    """Yield each key of a condition that is not known here, and where it stands."""
    if isinstance(condition, list):
        for index, item in enumerate(condition):
            yield from condition_strangers(item, operators, f"{at}[{index}]")
    elif isinstance(condition, dict):
        for key, value in condition.items():
            if key not in operators and key not in _BESIDE:
                yield key, at
            elif key in {*_LISTS, "not"}:
                yield from condition_strangers(value, operators, f"{at}.{key}")


def _comparison(condition: Any, operators: Mapping[str, Any], at: str) -> Iterator[Problem]:
    if not isinstance(condition, dict):
        yield Problem(problem="is no comparison", got=short(condition), fix=_EXAMPLE, at=at)
        return
    known = [key for key in condition if key in operators]
    strange = [key for key in condition if key not in operators and key not in _BESIDE]
    if len(known) > 1:
        yield Problem(
            problem=f"holds {len(known)} operators", got=known, fix="list them under one and, or one or", at=at
        )
    elif known:
        yield from _operands(known[0], condition, operators, at)
    elif not strange:
        yield Problem(problem="compares nothing", got=short(condition), fix=_EXAMPLE, at=at)


def _operands(operator: str, condition: dict[str, Any], operators: Mapping[str, Any], at: str) -> Iterator[Problem]:
    operand, place = condition[operator], f"{at}.{operator}"
    other = operators[operator].get("x-other")
    if operator in _LISTS:
        if not isinstance(operand, list) or not operand:
            yield Problem(problem="lists no comparison", got=short(operand), fix="list at least one", at=place)
            return
        for index, item in enumerate(operand):
            yield from _comparison(item, operators, f"{place}[{index}]")
    elif operator == "not":
        one = operand[0] if isinstance(operand, list) and len(operand) == 1 else operand
        yield from _comparison(one, operators, place if one is operand else f"{place}[0]")
    elif isinstance(operand, dict | list):
        yield Problem(
            problem="is no value to compare with", got=short(operand), fix="give one text or number", at=place
        )
    elif other is not None and other not in condition:
        yield Problem(problem="is missing", got=None, fix=f"add {other}", at=f"{at}.{other}")
