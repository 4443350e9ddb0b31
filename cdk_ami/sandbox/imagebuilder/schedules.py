"""Schedule expressions as the service reads them; pure.

https://docs.aws.amazon.com/imagebuilder/latest/userguide/cron-expressions.html, read 2026-11-22
"""

from __future__ import annotations

import re
from typing import Final
from zoneinfo import available_timezones

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")

_FIELDS: Final[tuple[tuple[str, int, int, str, tuple[str, ...]], ...]] = (
    ("minute", 0, 59, ",-*/", ()),
    ("hour", 0, 23, ",-*/", ()),
    ("day of the month", 1, 31, ",-*?/LW", ()),
    ("month", 1, 12, ",-*/", _MONTHS),
    ("day of the week", 1, 7, ",-*?L#", _DAYS),
    ("year", 1970, 2199, ",-*/", ()),
)
"""Name, smallest and largest number, wildcards and words of each field of a cron expression."""

_RATE: Final = re.compile(r"rate\((?P<number>[1-9][0-9]*) (?P<unit>minutes?|hours?|days?)\)")


def schedule_fault(expression: str) -> str | None:
    """Return what is wrong with a schedule expression, or None."""
    if expression.startswith("rate("):
        return _rate_fault(expression)
    if expression.startswith("cron(") and expression.endswith(")"):
        return _cron_fault(expression[5:-1].split(" "))
    return "it must be cron(...) or rate(...)"


def _rate_fault(expression: str) -> str | None:
    match = _RATE.fullmatch(expression)
    if match is None:
        return "a rate is rate(<number> <unit>), such as rate(1 day)"
    plural = match["unit"].endswith("s")
    return None if plural == (match["number"] != "1") else "the unit of a rate is singular for 1, else plural"


def _cron_fault(fields: list[str]) -> str | None:
    if len(fields) != len(_FIELDS):
        return f"a cron expression has six fields with one space between, this one has {len(fields)}"
    for text, (name, low, high, wildcards, words) in zip(fields, _FIELDS, strict=True):
        if not _field_is_right(text, low, high, wildcards, words):
            return f"'{text}' is no {name}"
    if (fields[2] == "?") == (fields[4] == "?"):
        return "exactly one of day of the month and day of the week must be ?"
    return None


def timezone_fault(zone: str) -> str | None:
    """Return what is wrong with the name of a time zone, or None."""
    return None if zone in available_timezones() else f"'{zone}' is no time zone of the IANA database"


def _field_is_right(text: str, low: int, high: int, wildcards: str, words: tuple[str, ...]) -> bool:
    return bool(text) and all(_part_is_right(part, low, high, wildcards, words) for part in text.split(","))


def _part_is_right(part: str, low: int, high: int, wildcards: str, words: tuple[str, ...]) -> bool:
    base, slash, step = part.partition("/")
    if slash and ("/" not in wildcards or not step.isdigit() or int(step) == 0):
        return False
    if base in ("*", "?"):
        return base in wildcards
    if base in ("L", "LW"):
        return all(letter in wildcards for letter in base)
    if base[-1:] in ("L", "W") and base[-1:] in wildcards:
        base = base[:-1]
    number, hash_, week = base.partition("#")
    if hash_ and ("#" not in wildcards or week not in ("1", "2", "3", "4", "5")):
        return False
    ends = number.split("-")
    return len(ends) <= 2 and all(_value_is_right(end, low, high, words) for end in ends)  # noqa: PLR2004 - a range


def _value_is_right(text: str, low: int, high: int, words: tuple[str, ...]) -> bool:
    return text.lower() in words or (text.isdigit() and low <= int(text) <= high)
