"""Schedule expressions as the service reads them; pure.

https://docs.aws.amazon.com/imagebuilder/latest/userguide/cron-expressions.html, read 2026-11-22
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

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


_YEARS_AHEAD: Final = 200
_UNITS: Final = {"minute": 60, "hour": 3600, "day": 86_400}


def next_after(expression: str, zone: str, after: datetime, *, anchor: datetime) -> datetime | None:
    """Return when a schedule that was checked falls due next, in UTC; None when it never does again.

    Args:
        expression: ``cron(...)`` or ``rate(...)``.
        zone: Time zone in which a cron expression is read.
        after: The time after which it is to be.
        anchor: When a rate began to count.
    """
    rate = _RATE.fullmatch(expression)
    if rate is not None:
        step = timedelta(seconds=int(rate["number"]) * _UNITS[rate["unit"].removesuffix("s")])
        passed = max((after - anchor) // step, 0)
        return anchor + step * (passed + 1)
    return next(_moments(expression[5:-1].split(" "), ZoneInfo(zone), after), None)


def _moments(fields: list[str], zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    minutes, hours = (_numbers(fields[index], index) for index in (0, 1))
    months, years = _numbers(fields[3], 3), _numbers(fields[5], 5)
    start = after.astimezone(zone).date()
    for year in range(start.year, start.year + _YEARS_AHEAD):
        for month in sorted(months) if year in years else ():
            if (year, month) < (start.year, start.month):
                continue
            for day in _days(fields[2], fields[4], year, month):
                if date(year, month, day) < start:
                    continue
                for hour in sorted(hours):
                    for minute in sorted(minutes):
                        local = datetime(year, month, day, hour, minute, tzinfo=zone)
                        moment = local.astimezone(UTC)
                        # An hour that the change to summer time leaves out does not come.
                        if moment > after and moment.astimezone(zone).hour == hour:
                            yield moment


def _days(of_month: str, of_week: str, year: int, month: int) -> list[int]:
    last = calendar.monthrange(year, month)[1]
    if of_week == "?":
        found = {day for part in of_month.split(",") for day in _month_days(part, year, month, last)}
    else:
        found = {day for part in of_week.split(",") for day in _week_days(part, year, month, last)}
    return sorted(day for day in found if 1 <= day <= last)


def _month_days(part: str, year: int, month: int, last: int) -> set[int]:
    if part == "L":
        return {last}
    if part.endswith("W"):
        wanted = last if part == "LW" else min(int(part[:-1]), last)
        return {_nearest_workday(wanted, year, month, last)}
    return _numbers(part, 2)


def _nearest_workday(day: int, year: int, month: int, last: int) -> int:
    weekday = calendar.weekday(year, month, day)
    if weekday == calendar.SATURDAY:
        return day - 1 if day > 1 else day + 2
    if weekday == calendar.SUNDAY:
        return day + 1 if day < last else day - 2
    return day


def _week_days(part: str, year: int, month: int, last: int) -> set[int]:
    def on(weekday: int) -> list[int]:
        # Cron counts from Sunday as 1, the calendar from Monday as 0.
        return [day for day in range(1, last + 1) if (calendar.weekday(year, month, day) + 1) % 7 + 1 == weekday]

    if "#" in part:
        name, _, week = part.partition("#")
        days = on(_number(name, 4))
        return {days[int(week) - 1]} if int(week) <= len(days) else set()
    if part == "L":
        return set(on(7))
    if part.endswith("L"):
        return {on(_number(part[:-1], 4))[-1]}
    return {day for weekday in _numbers(part, 4) for day in on(weekday)}


def _numbers(text: str, index: int) -> set[int]:
    """Return the numbers that a field names, without ``L``, ``W`` and ``#``."""
    _, low, high, _, _ = _FIELDS[index]
    found: set[int] = set()
    for part in text.split(","):
        base, slash, step = part.partition("/")
        if base in ("*", "?"):
            first, last = low, high
        else:
            ends = [_number(end, index) for end in base.split("-")]
            first, last = ends[0], ends[-1]
            if slash and len(ends) == 1:
                last = high
        if last < first:
            found.update(range(first, high + 1, int(step or 1)))
            first = low
        found.update(range(first, last + 1, int(step or 1)))
    return found


def _number(text: str, index: int) -> int:
    _, low, _, _, words = _FIELDS[index]
    return words.index(text.lower()) + low if text.lower() in words else int(text)
