"""Conditions of steps, made by functions and joined by ``&``, ``|`` and ``~``.

https://docs.aws.amazon.com/imagebuilder/latest/userguide/toe-comparison-operators.html
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Scalar = str | int | float
"""What a comparison compares; a text may be an expression."""


class Operator(StrEnum):
    """How two values compare, in the service's words.  Texts compare whatever their case."""

    STRING_EQUALS = "stringEquals"
    STRING_LESS_THAN = "stringLessThan"
    STRING_LESS_THAN_EQUALS = "stringLessThanEquals"
    STRING_GREATER_THAN = "stringGreaterThan"
    STRING_GREATER_THAN_EQUALS = "stringGreaterThanEquals"
    PATTERN_MATCHES = "patternMatches"
    NUMBER_EQUALS = "numberEquals"
    NUMBER_LESS_THAN = "numberLessThan"
    NUMBER_LESS_THAN_EQUALS = "numberLessThanEquals"
    NUMBER_GREATER_THAN = "numberGreaterThan"
    NUMBER_GREATER_THAN_EQUALS = "numberGreaterThanEquals"


class Outcome(StrEnum):
    """What a step does once its condition is known."""

    ABORT = "Abort"
    EXECUTE = "Execute"
    SKIP = "Skip"


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that holds on the instance, or does not.  Make one with a function of this module.

    Attributes:
        operator: Name of the operator, as the service writes it.
        operand: What stands at the operator: a value, or conditions.
        beside: Key and value that stand beside it, if any.
    """

    operator: str
    operand: Scalar | tuple[Condition, ...]
    beside: tuple[str, Scalar] | None = None

    def data(self) -> dict[str, Any]:
        """Return the condition as the document holds it."""
        if not isinstance(self.operand, tuple):
            return {self.operator: self.operand} | (dict([self.beside]) if self.beside else {})
        inner = [one.data() for one in self.operand]
        return {self.operator: inner[0] if self.operator == "not" else inner}

    def __and__(self, other: Condition) -> Condition:
        """Return the condition that holds where both hold."""
        return all_of(self, other)

    def __or__(self, other: Condition) -> Condition:
        """Return the condition that holds where one of them holds."""
        return any_of(self, other)

    def __invert__(self) -> Condition:
        """Return the condition that holds where this one does not."""
        return Condition("not", (self,))


@dataclass(frozen=True, slots=True, kw_only=True)
class If:
    """What a step does when its condition holds, and when not.

    Attributes:
        condition: The condition.
        then: What the step does when it holds.  Default: it runs.
        otherwise: What the step does when it does not hold.  Default: it is skipped.
    """

    condition: Condition
    then: Outcome | None = None
    otherwise: Outcome | None = None

    def data(self) -> dict[str, Any]:
        """Return the construct as the document holds it."""
        outcomes = {"then": self.then, "else": self.otherwise}
        return self.condition.data() | {key: str(outcome) for key, outcome in outcomes.items() if outcome}


def all_of(*conditions: Condition) -> Condition:
    """Return the condition that holds where all of ``conditions`` hold."""
    return Condition("and", conditions)


def any_of(*conditions: Condition) -> Condition:
    """Return the condition that holds where one of ``conditions`` holds."""
    return Condition("or", conditions)


def compare(value: Scalar, operator: Operator, baseline: Scalar) -> Condition:
    """Return the condition that reads ``value`` ``operator`` ``baseline``: ``compare(count, NUMBER_LESS_THAN, 3)``."""
    return Condition(str(operator), baseline, ("value", value))


def is_empty(text: str) -> Condition:
    """Return the condition that ``text`` has no character."""
    return Condition("stringIsEmpty", text)


def is_blank(text: str) -> Condition:
    """Return the condition that ``text`` is nothing but blanks."""
    return Condition("stringIsWhitespace", text)


def binary_exists(program: str) -> Condition:
    """Return the condition that ``program`` is on the path."""
    return Condition("binaryExists", program)


def file_exists(path: str) -> Condition:
    """Return the condition that ``path`` is a file."""
    return Condition("fileExists", path)


def folder_exists(path: str) -> Condition:
    """Return the condition that ``path`` is a folder."""
    return Condition("folderExists", path)


def file_hash_is(path: str, digest: str, *, algorithm: str = "SHA256") -> Condition:
    """Return the condition that a file has a hash.

    Args:
        path: The file.
        digest: The hash, in hexadecimal digits.
        algorithm: ``MD5``, ``SHA1``, ``SHA256`` or ``SHA512``.
    """
    return Condition(f"file{algorithm}Equals", digest, ("path", path))
