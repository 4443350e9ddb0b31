"""Groups as a whole: made, changed, taken away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from cdk_ami.sandbox.autoscaling import launching
from cdk_ami.sandbox.autoscaling.launching import refuse
from cdk_ami.sandbox.serial import LOCK

NEW: Final = frozenset({"sandbox_notify_stopped"})
"""Methods that the emulator's class must not have yet."""

ORIGINAL: Final[dict[str, Callable[..., Any]]] = {}
"""The emulator's own methods, by name."""


class BackendMethods:
    """Methods for the emulator's ``AutoScalingBackend``."""

    autoscaling_groups: dict[str, Any]
    ec2_backend: Any
    update_attached_elbs: Any

    def set_desired_capacity(self, group_name: str, desired_capacity: int | None) -> None:
        """Set the size of a group, within its bounds."""
        group = find_group(self, group_name)
        check_bounds(group.min_size, group.max_size, desired_capacity)
        group.set_desired_capacity(desired_capacity)

    def delete_auto_scaling_group(self, group_name: str) -> None:
        """Take a group and all its instances away."""
        group = find_group(self, group_name)
        with LOCK:
            del self.autoscaling_groups[group_name]
            for state in list(group.instance_states):
                launching.terminate(group, state)

    def set_instance_health(self, instance_id: str, health_status: str) -> None:
        """Replace an instance that is said to be unhealthy."""
        for group in list(self.autoscaling_groups.values()):
            with LOCK:
                for state in list(group.instance_states):
                    if state.instance.id != instance_id:
                        continue
                    state.health_status = health_status
                    if health_status == "Unhealthy":
                        launching.terminate(group, state)
                        launching.fill(group, 1)
                    return
        raise refuse(f"Instance Id not found - No managed instance found for instance ID: {instance_id}")

    def notify_terminate_instances(self, instance_ids: list[str]) -> None:
        """Replace instances that somebody terminated behind their group's back."""
        for group in list(self.autoscaling_groups.values()):
            with LOCK:
                gone = [state for state in group.instance_states if state.instance.id in instance_ids]
                if not gone:
                    continue
                group.instance_states = [state for state in group.instance_states if state not in gone]
                missing = group.desired_capacity - len(group.active_instances())
                launching.fill(group, max(0, missing))
                self.update_attached_elbs(group.name)

    def sandbox_notify_stopped(self, instance_ids: list[str]) -> None:
        """Replace instances that somebody stopped: they fail their health check.  Standby and suspension keep them."""
        for group in list(self.autoscaling_groups.values()):
            suspended = {process["ProcessName"] for process in group.suspended_processes}
            if suspended & {"HealthCheck", "ReplaceUnhealthy", "Terminate"}:
                continue
            for state in list(group.active_instances()):
                if state.instance.id in instance_ids:
                    launching.terminate(group, state)
                    launching.fill(group, 1)

    def resume_processes(self, group_name: str, scaling_processes: list[str]) -> None:
        """Let processes of a group go on, and launch what was missed."""
        ORIGINAL["resume_processes"](self, group_name, scaling_processes)
        group = find_group(self, group_name)
        group.set_desired_capacity(group.desired_capacity)


def find_group(backend: Any, name: str) -> Any:
    """Return the group of this name."""
    group = backend.autoscaling_groups.get(name)
    if group is None:
        raise refuse(f"AutoScalingGroup name not found - AutoScalingGroup '{name}' not found")
    return group


def check_bounds(minimum: int, maximum: int, desired: int | None) -> None:
    """Refuse bounds that contradict each other or the size."""
    if minimum > maximum:
        raise refuse(f"Max bound, {maximum}, must be greater than or equal to min bound, {minimum}")
    if desired is not None and not minimum <= desired <= maximum:
        raise refuse(
            f"Desired capacity:{desired} must be between the specified min size:{minimum} and max size:{maximum}"
        )
