"""Which instance goes first when a group has too many.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-termination-policies.html, read 2026-11-28
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from cdk_ami.sandbox.autoscaling.members import Member, counted

HOUR: Final = 3600


def chosen(group: Any, members: list[Member]) -> Member:
    """Return the one of ``members`` to terminate: of the zone that has the most, what the group's policies pick."""
    counts: dict[str, int] = {}
    for member in counted(group):
        counts[member.availability_zone] = counts.get(member.availability_zone, 0) + 1
    most = max(counts.get(member.availability_zone, 0) for member in members)
    left = [member for member in members if counts.get(member.availability_zone, 0) == most]
    for policy in group.termination_policies or ["Default"]:
        left = _POLICIES[policy](left)
    return min(left, key=lambda member: member.launched)


def _lowest(key: Callable[[Member], Any]) -> Callable[[list[Member]], list[Member]]:
    def pick(members: list[Member]) -> list[Member]:
        best = min(key(member) for member in members)
        return [member for member in members if key(member) == best]

    return pick


def _template_age(member: Member) -> tuple[int, int]:
    version = getattr(member.instance, "sandbox_version", None)
    return (0, 0) if version is None else (1, version.number)


def _to_next_hour(member: Member) -> float:
    return -(member.launched.minute * 60.0 + member.launched.second)


def _default(members: list[Member]) -> list[Member]:
    return _lowest(_to_next_hour)(_lowest(_template_age)(members))


_POLICIES: Final[dict[str, Callable[[list[Member]], list[Member]]]] = {
    "Default": _default,
    "AllocationStrategy": lambda members: members,  # one order of types: no mix to go back to
    "OldestInstance": _lowest(lambda member: member.launched),
    "NewestInstance": _lowest(lambda member: -member.launched.timestamp()),
    "OldestLaunchTemplate": _lowest(_template_age),
    "OldestLaunchConfiguration": _lowest(_template_age),
    "ClosestToNextInstanceHour": _lowest(_to_next_hour),
}
"""What each policy leaves of the instances it is given."""

POLICIES: Final = frozenset(_POLICIES)
"""The policies by name; functions of one's own are refused."""
