"""What EC2 tells EventBridge of instances: every state that one enters, also those that pass at once here.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitoring-instance-state-changes.html, read 2026-11-28
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Final

from moto.ec2.models.instances import Instance, InstanceBackend

from cdk_ami.sandbox import emulator
from cdk_ami.sandbox.events.emit import emit

STATES: Final[Mapping[str, tuple[str, str]]] = {
    "start": ("pending", "running"),
    "stop": ("stopping", "stopped"),
    "terminate": ("shutting-down", "terminated"),
}
"""States that an instance passes, by the method of the emulator's that brings it there."""


def install() -> None:
    """Let the emulator's methods tell."""
    for method in STATES:
        _telling(method)

    def run_instances(self: Any, *arguments: Any, **options: Any) -> Any:
        reservation = original(self, *arguments, **options)
        for instance in reservation.instances:
            tell(instance, "start")
        return reservation

    original = emulator.replace(InstanceBackend, "run_instances", run_instances, takes=())


def _telling(method: str) -> None:
    def change(self: Any, *arguments: Any, **options: Any) -> Any:
        before = self.state
        if before == STATES[method][1]:
            # What is asked twice is no error; the emulator would look for network interfaces that are gone.
            return copy.copy(self.instance_state)
        answer = original(self, *arguments, **options)
        tell(self, method)
        return answer

    original = emulator.replace(Instance, method, change, takes=())


def tell(instance: Any, method: str) -> None:
    """Emit the events of what a method does."""
    backend = instance.ec2_backend
    arn = f"arn:aws:ec2:{backend.region_name}:{backend.account_id}:instance/{instance.id}"
    for state in STATES[method]:
        emit(
            backend.region_name,
            backend.account_id,
            "aws.ec2",
            "EC2 Instance State-change Notification",
            {"instance-id": instance.id, "state": state},
            [arn],
        )
