"""What the data of a metric make of an alarm; pure.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html, read 2026-11-28
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

EXTRA_PERIODS: Final = 2
"""How many periods beyond those evaluated CloudWatch looks back for data.  It does not tell the exact number."""

OK: Final = "OK"
ALARM: Final = "ALARM"
INSUFFICIENT: Final = "INSUFFICIENT_DATA"

COMPARISONS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
"""The operators of plain thresholds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What was put into a metric at a time, in seconds since 1970."""

    at: float
    total: float
    least: float
    most: float
    count: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What an alarm looks for."""

    statistic: str
    period: int
    periods: int
    needed: int
    comparison: str
    threshold: float
    missing: str


def statistic(name: str, samples: Sequence[Sample]) -> float:
    """Return a statistic of the samples of one period."""
    if name.startswith("p"):
        values = sorted(sample.total / sample.count for sample in samples)
        return values[max(0, math.ceil(float(name[1:]) / 100 * len(values)) - 1)]
    count = sum(sample.count for sample in samples)
    total = sum(sample.total for sample in samples)
    return {
        "SampleCount": count,
        "Sum": total,
        "Average": total / count,
        "Minimum": min(sample.least for sample in samples),
        "Maximum": max(sample.most for sample in samples),
    }[name]


def recent(condition: Condition, samples: Sequence[Sample], now: float) -> list[float]:
    """Return the newest data points that count, newest first: one for each period that has samples."""
    current = math.floor(now / condition.period)
    oldest = current - condition.periods - EXTRA_PERIODS + 1
    parts: dict[int, list[Sample]] = {}
    for sample in samples:
        number = math.floor(sample.at / condition.period)
        if oldest <= number <= current:
            parts.setdefault(number, []).append(sample)
    points = [statistic(condition.statistic, parts[number]) for number in sorted(parts, reverse=True)]
    return points[: condition.periods]


def state(condition: Condition, points: Sequence[float], before: str) -> str:
    """Return the state of an alarm that was ``before``, for the newest data points."""
    breaching = sum(COMPARISONS[condition.comparison](point, condition.threshold) for point in points)
    good, absent = len(points) - breaching, condition.periods - len(points)
    if condition.missing == "breaching":
        return ALARM if breaching + absent >= condition.needed else OK
    if condition.missing == "notBreaching":
        return ALARM if breaching >= condition.needed else OK
    if condition.missing == "ignore":
        if breaching >= condition.needed:
            return ALARM
        return OK if good > condition.periods - condition.needed else before
    if not points:
        return INSUFFICIENT
    return ALARM if breaching >= min(condition.needed, len(points)) else OK
