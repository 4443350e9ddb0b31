"""Auto Scaling groups in the local AWS, and what they tell."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from tests.support.sandbox import wait_until

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


class Heard:
    """Messages that reach a queue, kept in their order."""

    def __init__(self, sqs: Any, queue: str) -> None:
        self.sqs, self.queue = sqs, queue
        self.bodies: list[dict[str, Any]] = []

    def _read(self) -> None:
        for message in self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages", []):
            self.bodies.append(json.loads(message["Body"]))

    def of(self, detail_type: str, count: int = 1) -> list[dict[str, Any]]:
        """Return the first ``count`` events of a type, when they have come."""

        def found() -> list[dict[str, Any]]:
            return [body for body in self.bodies if body.get("detail-type") == detail_type]

        def enough() -> bool:
            self._read()
            return len(found()) >= count

        wait_until(enough)
        return found()[:count]

    def messages(self, count: int) -> list[dict[str, Any]]:
        """Return the first ``count`` messages, when they have come."""

        def enough() -> bool:
            self._read()
            return len(self.bodies) >= count

        wait_until(enough)
        return self.bodies[:count]
