"""Auto Scaling groups in the local AWS."""

from __future__ import annotations

from collections import Counter
from typing import Any

AL2023 = "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"


def group_of(aws: Any, name: str = "web") -> dict[str, Any]:
    """Return a group's record."""
    (group,) = aws("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
    return dict(group)


def states_of(aws: Any, name: str = "web") -> Counter[str]:
    """Return how many instances of a group are in each state."""
    return Counter(instance["LifecycleState"] for instance in group_of(aws, name)["Instances"])


def zones_of(aws: Any, name: str = "web") -> list[int]:
    """Return how many instances a group has in each zone where it has any."""
    counts = Counter(instance["AvailabilityZone"] for instance in group_of(aws, name)["Instances"])
    return sorted(counts.values())


def ids_of(aws: Any, name: str = "web") -> list[str]:
    """Return the ids of a group's instances."""
    return [instance["InstanceId"] for instance in group_of(aws, name)["Instances"]]


def activities_of(aws: Any, name: str = "web") -> list[dict[str, Any]]:
    """Return a group's scaling activities, the newest first."""
    found = aws("autoscaling").describe_scaling_activities(AutoScalingGroupName=name)["Activities"]
    return [dict(activity) for activity in found]
