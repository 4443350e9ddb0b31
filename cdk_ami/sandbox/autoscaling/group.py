"""What a group does when its size, its zones or its template change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from moto.autoscaling.models import InstanceState

from cdk_ami.sandbox.autoscaling import health, launching
from cdk_ami.sandbox.autoscaling.activities import at
from cdk_ami.sandbox.autoscaling.errors import LaunchError
from cdk_ami.sandbox.autoscaling.members import counted
from cdk_ami.sandbox.serial import LOCK

MOVED: Final = "the group was moved to other zones or subnets in response to a user request."
"""Why instances are replaced when a group leaves a subnet."""

ORIGINAL: Final[dict[str, Callable[..., Any]]] = {}
"""The emulator's own methods, by name."""


class GroupMethods:
    """Methods for the emulator's ``FakeAutoScalingGroup``."""

    name: str
    min_size: int
    max_size: int
    desired_capacity: int
    availability_zones: list[str]
    vpc_zone_identifier: str | None
    mixed_instances_policy: dict[str, Any] | None
    instance_states: list[InstanceState]
    autoscaling_backend: Any
    ec2_launch_template: Any
    launch_config: Any
    launch_configuration_name: str | None
    health_check_grace_period: int | None
    health_check_type: str
    new_instances_protected_from_scale_in: bool
    sandbox_cause: str
    _set_launch_configuration: Any

    def _set_azs_and_vpcs(
        self,
        availability_zones: list[str],
        vpc_zone_identifier: str | None,
        update: bool = False,  # noqa: FBT001, FBT002 - moto's signature
    ) -> None:
        """Set zones and subnets, each zone named once."""
        ORIGINAL["_set_azs_and_vpcs"](self, availability_zones, vpc_zone_identifier, update)
        self.availability_zones = sorted(set(self.availability_zones))

    def set_desired_capacity(self, new_capacity: int | None) -> None:
        """Launch or terminate until the group has as many instances as it shall."""
        with LOCK:
            self.desired_capacity = self.min_size if new_capacity is None else new_capacity
            cause = self.__dict__.pop("sandbox_cause", "")
            launching.converge(self, *filter(None, [cause]))

    def replace_autoscaling_group_instances(self, count_needed: int, propagated_tags: dict[str, str]) -> None:
        """Launch instances in the place of those that are gone."""
        del count_needed, propagated_tags
        with LOCK:
            launching.converge(self)

    def update(  # noqa: PLR0917 - moto's signature
        self,
        availability_zones: list[str],
        desired_capacity: int | None,
        max_size: int | None,
        min_size: int | None,
        launch_config_name: str,
        launch_template: dict[str, Any],
        vpc_zone_identifier: str,
        health_check_period: int,
        health_check_type: str,
        new_instances_protected_from_scale_in: bool | None = None,  # noqa: FBT001 - moto's signature
        mixed_instances_policy: dict[str, Any] | None = None,
    ) -> None:
        """Change what the request names and nothing else."""
        with LOCK:
            self._set_azs_and_vpcs(availability_zones, vpc_zone_identifier, update=True)
            self.min_size = self.min_size if min_size is None else min_size
            self.max_size = self.max_size if max_size is None else max_size
            if launch_config_name or launch_template or mixed_instances_policy:
                self.mixed_instances_policy = mixed_instances_policy
                if launch_config_name:
                    self.ec2_launch_template = None
                else:
                    self.launch_config, self.launch_configuration_name = None, None
                self._set_launch_configuration(
                    launch_config_name, launch_template, mixed_instances_policy=mixed_instances_policy
                )
            if health_check_period is not None:
                self.health_check_grace_period = health_check_period
            self.health_check_type = health_check_type or self.health_check_type
            if new_instances_protected_from_scale_in is not None:
                self.new_instances_protected_from_scale_in = new_instances_protected_from_scale_in
            before = self.desired_capacity
            if desired_capacity is None:
                desired_capacity = min(max(self.desired_capacity, self.min_size), self.max_size)
            _leave_old_places(self)
            self.sandbox_cause = at(
                f"a user request update of AutoScalingGroup constraints to min: {self.min_size}, max: {self.max_size}, "
                f"desired: {desired_capacity} changing the desired capacity from {before} to {desired_capacity}."
            )
            GroupMethods.set_desired_capacity(self, desired_capacity)
            health.review(self)
            launching.rebalance(self)


def suspended(group: Any) -> list[dict[str, str]]:
    """Return the suspended processes of ``group`` in the answer's shape."""
    names = sorted(set(group._suspended_processes))  # noqa: SLF001 - where moto keeps them
    return [{"ProcessName": name, "SuspensionReason": "User suspended"} for name in names]


def _leave_old_places(group: Any) -> None:
    """Replace the instances that stand where the group no longer is: first the new one, then the old one goes."""
    subnets = {subnet.id for subnet in launching.subnets_of(group)}
    for member in counted(group):
        zones = group.availability_zones
        stays = member.instance.subnet_id in subnets if subnets else member.availability_zone in zones
        if stays:
            continue
        try:
            launching.supersede(group, member, MOVED, MOVED)
        except LaunchError:
            return
