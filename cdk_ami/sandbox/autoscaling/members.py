"""The instances of a group: what each is to it, and what it counts for.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-lifecycle.html, read 2026-11-28
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from moto.autoscaling.models import InstanceState

COUNTED: Final = frozenset(
    {
        "Pending",
        "Pending:Wait",
        "Pending:Proceed",
        "InService",
        "ReplacingRootVolume",
        "ReplacingRootVolume:Wait",
        "ReplacingRootVolume:Proceed",
        "RootVolumeReplaced",
    }
)
"""States that count towards the desired capacity; those who stand by or leave do not."""

WARM: Final = frozenset({"Warmed:Stopped", "Warmed:Running", "Warmed:Hibernated"})
"""States in which an instance of a warm pool can be taken."""


class Member(InstanceState):  # type: ignore[misc]
    """An instance of a group or of its warm pool.

    Attributes:
        weight: What it counts for.
        weighted_capacity: The same as the group's policy wrote it; None where no weight was written.
        launched: When it was launched.
        began: When it last came into service; None before.
        failing: The health checks that it fails, each with what the group's activities say of it.
        waiting: The hooks that it waits for, by name.
        leaving: Whether another is to take its place, so that it does not count any more.
        instead_of: The one whose place it takes, which goes as soon as it is in service, and why.
        activity: The scaling activity that it is part of.
        image_id: The AMI of its root volume, once that has been replaced; None before.
    """

    def __init__(self, group: Any, instance: Any, *, now: datetime, weighted_capacity: str | None = None) -> None:
        instance.autoscaling_group = group
        super().__init__(instance, "Pending", protected_from_scale_in=False, autoscaling_group=group)
        self.weighted_capacity = weighted_capacity
        self.weight = int(weighted_capacity or 1)
        self.launched = now
        self.began: datetime | None = None
        self.failing: dict[str, str] = {}
        self.waiting: dict[str, Any] = {}
        self.leaving = False
        self.instead_of: tuple[Member, str] | None = None
        self.activity: dict[str, Any] | None = None
        self.image_id: str | None = None

    @property
    def availability_zone_id(self) -> str | None:
        """The id of the zone, which all accounts share."""
        zones = self.auto_scaling_group.ec2_backend.describe_availability_zones()
        return next((zone.zone_id for zone in zones if zone.name == self.availability_zone), None)

    @property
    def counted(self) -> bool:
        """Tell whether it counts towards the desired capacity."""
        return self.lifecycle_state in COUNTED and not self.leaving

    @property
    def serving(self) -> bool:
        """Tell whether it is in service."""
        return bool(self.lifecycle_state == "InService")


def counted(group: Any) -> list[Member]:
    """Return the instances that count towards the desired capacity."""
    return [member for member in group.instance_states if member.counted]


def capacity(group: Any) -> int:
    """Return what the group has, in the unit of its desired capacity."""
    return sum(member.weight for member in counted(group))


def serving_capacity(group: Any) -> int:
    """Return what the group has in service."""
    return sum(member.weight for member in group.instance_states if member.serving)


def warm_pool(group: Any) -> list[Member]:
    """Return the instances of the group's warm pool, those that enter and leave it included."""
    pool: list[Member] = group.__dict__.setdefault("sandbox_warm", [])
    return pool


def find_member(group: Any, instance_id: str) -> Member | None:
    """Return the instance of this id in the group or in its warm pool."""
    for member in (*group.instance_states, *warm_pool(group)):
        if member.instance.id == instance_id:
            found: Member = member
            return found
    return None


def is_suspended(group: Any, *processes: str) -> bool:
    """Tell whether one of these processes of the group is suspended."""
    return any(process["ProcessName"] in processes for process in group.suspended_processes)
