"""Groups as a whole: made, changed, taken away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from cdk_ami.sandbox.autoscaling import health, launching
from cdk_ami.sandbox.autoscaling.activities import at
from cdk_ami.sandbox.autoscaling.errors import refuse
from cdk_ami.sandbox.autoscaling.members import Member, find_member, warm_pool
from cdk_ami.sandbox.serial import LOCK

NEW: Final = frozenset({"sandbox_notify_stopped"})
"""Methods that the emulator's class must not have yet."""

ORIGINAL: Final[dict[str, Callable[..., Any]]] = {}
"""The emulator's own methods, by name."""

PROCESSES: Final = (
    "Launch",
    "Terminate",
    "AddToLoadBalancer",
    "AlarmNotification",
    "AZRebalance",
    "HealthCheck",
    "InstanceRefresh",
    "ReplaceUnhealthy",
    "ScheduledActions",
)
"""What can be suspended.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-suspend-resume-processes.html
"""


class BackendMethods:
    """Methods for the emulator's ``AutoScalingBackend``."""

    autoscaling_groups: dict[str, Any]

    def set_desired_capacity(self, group_name: str, desired_capacity: int | None) -> None:
        """Set the size of a group, within its bounds."""
        group = find_group(self, group_name)
        check_bounds(group.min_size, group.max_size, desired_capacity)
        before = group.desired_capacity
        group.sandbox_cause = at(
            "a user request explicitly set group desired capacity changing the desired capacity from "
            f"{before} to {desired_capacity}."
        )
        group.set_desired_capacity(desired_capacity)

    def change_capacity(self, group_name: str, scaling_adjustment: int | None) -> None:
        """Grow or shrink a group by a scaling policy, as far as its bounds allow."""
        _scale(find_group(self, group_name), int(scaling_adjustment or 0))

    def change_capacity_percent(self, group_name: str, scaling_adjustment: int | None) -> None:
        """Grow or shrink a group by per cent of its size, by one at least.

        https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-scaling-simple-step.html
        """
        group = find_group(self, group_name)
        change = group.desired_capacity * int(scaling_adjustment or 0) / 100
        _scale(group, int(change) if abs(change) >= 1 else (change > 0) - (change < 0))

    def delete_auto_scaling_group(self, group_name: str) -> None:
        """Take a group and all its instances away; hooks do not hold them."""
        group = find_group(self, group_name)
        with LOCK:
            del self.autoscaling_groups[group_name]
            for call in ("sandbox_retry", "sandbox_age"):
                if waiting := group.__dict__.get(call):
                    waiting.cancel()
            for member in (*group.instance_states, *warm_pool(group)):
                cause = "an instance was taken out of service in response to a user request to delete the group."
                launching.terminate(group, member, cause, at_once=True)
            launching.wake(group)

    def set_instance_health(self, instance_id: str, health_status: str) -> None:
        """Believe what somebody says about an instance, after its grace period."""
        set_health(self, instance_id, health_status, respect_grace=True)

    def notify_terminate_instances(self, instance_ids: list[str]) -> None:
        """Replace instances that somebody terminated behind their group's back."""
        with LOCK:
            for group in list(self.autoscaling_groups.values()):
                if any(find_member(group, instance_id) for instance_id in instance_ids):
                    health.lost(group, instance_ids)

    def sandbox_notify_stopped(self, instance_ids: list[str]) -> None:
        """Replace instances that somebody stopped: they fail their health check.  Standby and suspension keep them."""
        with LOCK:
            for group in list(self.autoscaling_groups.values()):
                if any(find_member(group, instance_id) for instance_id in instance_ids):
                    health.lost(group, instance_ids)

    def suspend_processes(self, group_name: str, scaling_processes: list[str]) -> None:
        """Suspend processes of a group, all of them where none is named."""
        group = find_group(self, group_name)
        _check_processes(scaling_processes)
        held = {process["ProcessName"] for process in group.suspended_processes}
        group.suspended_processes = sorted(held | set(scaling_processes or PROCESSES))

    def resume_processes(self, group_name: str, scaling_processes: list[str]) -> None:
        """Let processes of a group go on, and do what was missed."""
        group = find_group(self, group_name)
        _check_processes(scaling_processes)
        held = {process["ProcessName"] for process in group.suspended_processes}
        group.suspended_processes = sorted(held - set(scaling_processes or PROCESSES))
        health.review(group)
        launching.converge(group)
        launching.rebalance(group)

    def describe_auto_scaling_instances(self, instance_ids: list[str]) -> list[Member]:
        """Return instances of groups and of their warm pools."""
        return [
            member
            for group in list(self.autoscaling_groups.values())
            for member in (*group.instance_states, *warm_pool(group))
            if not instance_ids or member.instance.id in instance_ids
        ]


def _scale(group: Any, change: int) -> None:
    before = group.desired_capacity
    after = min(max(before + change, group.min_size), group.max_size)
    if after != before:
        group.sandbox_cause = at(
            f"a user request executed a scaling policy changing the desired capacity from {before} to {after}."
        )
        group.set_desired_capacity(after)


def find_group(backend: Any, name: str) -> Any:
    """Return the group of this name."""
    group = backend.autoscaling_groups.get(name)
    if group is None:
        raise refuse(f"AutoScalingGroup name not found - AutoScalingGroup '{name}' not found")
    return group


def members_of(group: Any, instance_ids: list[str]) -> list[Member]:
    """Return the instances of these ids, all of which must be the group's."""
    found = {member.instance.id: member for member in group.instance_states}
    for instance_id in instance_ids:
        if instance_id not in found:
            raise refuse(f"The instance {instance_id} is not part of Auto Scaling group {group.name}.")
    return [found[instance_id] for instance_id in instance_ids]


def find_instance(backend: Any, instance_id: str) -> tuple[Any, Member]:
    """Return an instance of a group or of its pool, with the group."""
    for group in list(backend.autoscaling_groups.values()):
        member = find_member(group, instance_id)
        if member is not None:
            return group, member
    raise refuse(f"Instance Id not found - No managed instance found for instance ID: {instance_id}")


def set_health(backend: Any, instance_id: str, status: str, *, respect_grace: bool) -> None:
    """Believe what somebody says about an instance."""
    group, member = find_instance(backend, instance_id)
    if status not in {"Healthy", "Unhealthy"}:
        raise refuse("Valid instance health states are: [Healthy, Unhealthy].")
    with LOCK:
        if status == "Healthy":
            health.recover(member, "user")
            member.health_status = "Healthy"
        else:
            health.fail(group, member, "user", respect_grace=respect_grace)


def _check_processes(names: list[str]) -> None:
    unknown = sorted(set(names or ()) - set(PROCESSES))
    if unknown:
        raise refuse(f"Invalid process name(s): {unknown}; valid are {', '.join(PROCESSES)}")


def check_bounds(minimum: int, maximum: int, desired: int | None) -> None:
    """Refuse bounds that contradict each other or the size."""
    if minimum > maximum:
        raise refuse(f"Max bound, {maximum}, must be greater than or equal to min bound, {minimum}")
    if desired is not None and not minimum <= desired <= maximum:
        raise refuse(
            f"Desired capacity:{desired} must be between the specified min size:{minimum} and max size:{maximum}"
        )
