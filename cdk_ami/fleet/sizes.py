"""How many instances a group has: plain data, no CDK."""

from __future__ import annotations

from typing import NamedTuple

from cdk_ami.checks.rule import is_token


class GroupSizes(NamedTuple):
    """Smallest, desired and largest number of instances; any may be a token.

    Attributes:
        smallest: Fewest instances.
        desired: Instances to begin with.
        largest: Most instances.
        states_desired: Whether the template must say the desired size: by itself, a group begins with its smallest.
    """

    smallest: int
    desired: int
    largest: int
    states_desired: bool


def plan_sizes(min_size: int | None, desired_size: int | None, max_size: int | None, *, zones: int) -> GroupSizes:
    """Fill in what was not given: one instance in each zone, as near as the given sizes allow.

    Args:
        min_size: Fewest instances, or None.
        desired_size: Instances to begin with, or None.
        max_size: Most instances, or None.
        zones: How many zones there are, at least one.
    """
    desired = _desired(min_size, max_size, zones=zones) if desired_size is None else desired_size
    smallest = _no_more_than(max_size, desired) if min_size is None else min_size
    largest = _largest(smallest, desired) if max_size is None else max_size
    stated = desired_size is not None or desired != smallest
    return GroupSizes(smallest=smallest, desired=desired, largest=largest, states_desired=stated)


def _desired(min_size: int | None, max_size: int | None, *, zones: int) -> int:
    if min_size is not None and is_token(min_size):
        return min_size
    return _no_more_than(max_size, max(zones, min_size or 0))


def _no_more_than(most: int | None, size: int) -> int:
    return size if most is None or is_token(most) or is_token(size) else min(most, size)


def _largest(smallest: int, desired: int) -> int:
    # A token has no size to compare: the desired one stands for both.
    return desired if is_token(smallest) or is_token(desired) else max(smallest, desired)
