"""Rules over the schedule of a pipeline."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from cdk_ami.checks.rule import Problem, rule
from cdk_ami.limits import FAILURES_BEFORE_DISABLE, TIME_ZONE

_CRON: Final = "https://docs.aws.amazon.com/imagebuilder/latest/userguide/cron-expressions.html"
_IB: Final = "https://docs.aws.amazon.com/imagebuilder/latest/APIReference/"
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_RATE: Final = r"rate\([1-9][0-9]* (?:minute|hour|day)s?\)"
_EXAMPLE: Final = "cron(0 4 ? * sun *)"


class _Field(NamedTuple):
    title: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    special: str = ""

    def number(self, text: str) -> int | None:
        """Return the number that ``text`` stands for, None when it stands for none of this field."""
        if text.lower() in self.names:
            return self.names.index(text.lower()) + 1
        return int(text) if text.isdecimal() and self.low <= int(text) <= self.high else None

    def accepts(self, text: str) -> bool:
        """Tell whether ``text``, the whole field, is of the service's grammar."""
        if text == "?":
            return "?" in self.special
        return all(self._accepts_item(item) for item in text.split(","))

    def _accepts_item(self, item: str) -> bool:
        base, slash, step = item.partition("/")
        if slash and not (step.isdecimal() and 0 < int(step) <= self.high):
            return False
        if base == "*" or ("L" in self.special and base == "L"):
            return True
        if "W" in self.special and base.endswith("W"):
            return base == "LW" or self.number(base[:-1]) is not None
        if "#" in self.special and "#" in base:
            day, _, week = base.partition("#")
            return self.number(day) is not None and week in {"1", "2", "3", "4", "5"}
        if "#" in self.special and base.endswith("L"):
            return self.number(base[:-1]) is not None
        ends = [self.number(end) for end in base.split("-", 1)]
        return None not in ends


_FIELDS: Final = (
    _Field(title="minute", low=0, high=59),
    _Field(title="hour", low=0, high=23),
    _Field(title="day of the month", low=1, high=31, special="?LW"),
    _Field(title="month", low=1, high=12, names=_MONTHS),
    _Field(title="day of the week", low=1, high=7, names=_DAYS, special="?L#"),
    _Field(title="year", low=1970, high=2199),
)
_DAY_OF_MONTH, _DAY_OF_WEEK = 2, 4


@rule("ScheduleExpression", source=_CRON)
def schedule_expression(expression: str) -> Iterator[Problem]:
    """A schedule is rate(...), or cron(...) with six fields of which one of the two days is a question mark."""
    if re.fullmatch(_RATE, expression):
        return
    inside = re.fullmatch(r"cron\((?P<fields>[^()]*)\)", expression)
    if inside is None:
        yield Problem(problem="is no schedule", got=expression, fix=f"write it as {_EXAMPLE!r} or 'rate(1 day)'")
        return
    fields = inside["fields"].split(" ")
    if len(fields) != len(_FIELDS):
        yield Problem(
            problem=f"has {len(fields)} fields",
            got=expression,
            fix=f"give minute, hour, day, month, day of the week and year, such as {_EXAMPLE!r}",
        )
        return
    for field, text in zip(_FIELDS, fields, strict=True):
        if not field.accepts(text):
            names = f" or {field.names[0]}-{field.names[-1]}" if field.names else ""
            yield Problem(
                problem=f"has no {field.title} that the service knows",
                got=text,
                fix=f"use {field.low}-{field.high}{names} with the wildcards , - * /",
            )
    if [fields[_DAY_OF_MONTH], fields[_DAY_OF_WEEK]].count("?") != 1:
        yield Problem(
            problem="does not leave exactly one of the two days open",
            got=expression,
            fix="write ? for the day of the month or for the day of the week",
        )


@rule("TimeZone", source=f"{_IB}API_Schedule.html")
def time_zone(name: str) -> Iterator[Problem]:
    """A time zone has an IANA name, such as Etc/UTC or Europe/Berlin."""
    fix = "use an IANA name such as 'Etc/UTC' or 'Europe/Berlin'"
    if not re.fullmatch(TIME_ZONE, name):
        yield Problem(problem="is no name of a time zone", got=name, fix=fix)
        return
    from zoneinfo import TZPATH  # noqa: PLC0415 - slow to import, and few images have a schedule

    # Spelling is checked only where this machine has the IANA database; without it the service has the last word.
    databases = [Path(root) for root in TZPATH if Path(root, "Etc", "UTC").is_file()]
    if databases and not any(Path(root, name).is_file() for root in databases):
        yield Problem(problem="is not in the IANA time zone database", got=name, fix=fix)


@rule("FailuresBeforeDisable", source=f"{_IB}API_AutoDisablePolicy.html")
def failures_before_disable(count: int) -> Iterator[Problem]:
    """A pipeline is disabled after 1 to 10 failed scheduled builds in a row."""
    low, high = FAILURES_BEFORE_DISABLE
    if not low <= count <= high:
        yield Problem(problem=f"is not between {low} and {high}", got=count, fix=f"choose {low} to {high}")
