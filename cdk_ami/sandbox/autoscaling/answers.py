"""What Auto Scaling answers about groups."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from botocore import xform_name
from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.exceptions import EC2ClientError

from cdk_ami.sandbox.autoscaling import launching
from cdk_ami.sandbox.autoscaling.backend import check_bounds, find_group
from cdk_ami.sandbox.autoscaling.launching import refuse
from cdk_ami.sandbox.autoscaling.refresh import active_refresh

ORIGINAL: Final[dict[str, Callable[..., Any]]] = {}
"""The emulator's own methods, by name."""

NEW: Final = frozenset(
    {
        "disable_metrics_collection",
        "put_notification_configuration",
        "describe_notification_configurations",
        "delete_notification_configuration",
    }
)
"""Operations that the emulator must not have yet."""

KEPT: Final = (
    "AvailabilityZoneDistribution",
    "AvailabilityZoneImpairmentPolicy",
    "CapacityRebalance",
    "CapacityReservationSpecification",
    "Context",
    "DefaultCooldown",
    "DefaultInstanceWarmup",
    "DeletionProtection",
    "DesiredCapacityType",
    "InstanceLifecyclePolicy",
    "InstanceMaintenancePolicy",
    "MaxInstanceLifetime",
    "PlacementGroup",
    "ServiceLinkedRoleARN",
    "TerminationPolicies",
    "TrafficSources",
)
"""Properties that a group keeps and tells, beside those that the emulator knows."""


class GroupAnswers:
    """Methods for the emulator's ``AutoScalingResponse``."""

    autoscaling_backend: Any
    params: Any
    _get_param: Any
    _get_int_param: Any

    def create_auto_scaling_group(self) -> ActionResult:
        """Answer CreateAutoScalingGroup."""
        name, backend = self._get_param("AutoScalingGroupName"), self.autoscaling_backend
        if name in backend.autoscaling_groups:
            raise refuse(
                f"AutoScalingGroup by this name already exists - A group with the name {name} already exists",
                "AlreadyExists",
            )
        check_bounds(
            self._get_int_param("MinSize"), self._get_int_param("MaxSize"), self._get_int_param("DesiredCapacity")
        )
        desired = self._get_int_param("DesiredCapacity")
        wanted = self._get_int_param("MinSize") if desired is None else desired
        self.params["DesiredCapacity"] = 0  # first the group, checked, then its instances
        try:
            ORIGINAL["create_auto_scaling_group"](self)
        except EC2ClientError as error:
            raise refuse(f"You must use a valid fully-formed launch template. {error.message}") from error
        group = backend.autoscaling_groups[name]
        group.availability_zone_distribution = {"CapacityDistributionStrategy": "balanced-best-effort"}
        _keep(group, self._get_param)
        try:
            launching.check_recipe(group, launching.recipe_of(group))
        except Exception:
            del backend.autoscaling_groups[name]
            raise
        for hook in self._get_param("LifecycleHookSpecificationList", []):
            backend.create_lifecycle_hook(
                name=hook["LifecycleHookName"],
                as_name=name,
                transition=hook["LifecycleTransition"],
                timeout=hook.get("HeartbeatTimeout"),
                result=hook.get("DefaultResult"),
            )
        group.set_desired_capacity(wanted)
        return EmptyResult()

    def update_auto_scaling_group(self) -> ActionResult:
        """Answer UpdateAutoScalingGroup."""
        group = find_group(self.autoscaling_backend, self._get_param("AutoScalingGroupName"))
        minimum, maximum = self._get_int_param("MinSize"), self._get_int_param("MaxSize")
        check_bounds(
            group.min_size if minimum is None else minimum,
            group.max_size if maximum is None else maximum,
            self._get_int_param("DesiredCapacity"),
        )
        if self._get_param("LaunchTemplate") or self._get_param("MixedInstancesPolicy"):
            launching.check_recipe(
                group,
                launching.recipe_of(
                    group,
                    {
                        "LaunchTemplate": self._get_param("LaunchTemplate"),
                        "MixedInstancesPolicy": self._get_param("MixedInstancesPolicy"),
                    },
                ),
            )
        _keep(group, self._get_param)
        ORIGINAL["update_auto_scaling_group"](self)
        return EmptyResult()

    def delete_auto_scaling_group(self) -> ActionResult:
        """Answer DeleteAutoScalingGroup: an empty group, or any by force."""
        backend = self.autoscaling_backend
        group = find_group(backend, self._get_param("AutoScalingGroupName"))
        protection = getattr(group, "deletion_protection", None) or "none"
        force = bool(self._get_param("ForceDelete"))
        if protection == "prevent-all-deletion" or (protection == "prevent-force-deletion" and force):
            raise refuse(f"The group {group.name} is protected from deletion: {protection}", "ResourceInUse")
        if group.instance_states and not force:
            raise refuse(
                "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s) "
                "still in the group.",
                "ResourceInUse",
            )
        running = active_refresh(group)
        if running is not None:
            running.cancel()
        backend.delete_auto_scaling_group(group.name)
        return EmptyResult()

    def describe_scaling_activities(self) -> ActionResult:
        """Answer DescribeScalingActivities, the newest first."""
        name, backend = self._get_param("AutoScalingGroupName"), self.autoscaling_backend
        groups = [find_group(backend, name)] if name else list(backend.autoscaling_groups.values())
        activities = [each for group in groups for each in getattr(group, "sandbox_activities", [])]
        activities.sort(key=lambda activity: activity["StartTime"], reverse=True)
        wanted = self._get_param("ActivityIds", [])
        limit = self._get_int_param("MaxRecords") or 100
        return ActionResult(
            {"Activities": [each for each in activities if not wanted or each["ActivityId"] in wanted][:limit]}
        )

    def disable_metrics_collection(self) -> ActionResult:
        """Answer DisableMetricsCollection."""
        group = find_group(self.autoscaling_backend, self._get_param("AutoScalingGroupName"))
        gone = self._get_param("Metrics", [])
        group.metrics = [metric for metric in group.metrics if gone and metric not in gone]
        return EmptyResult()

    def put_notification_configuration(self) -> ActionResult:
        """Answer PutNotificationConfiguration.  The sandbox keeps it and notifies nobody."""
        group = find_group(self.autoscaling_backend, self._get_param("AutoScalingGroupName"))
        kept = group.__dict__.setdefault("sandbox_notifications", {})
        kept[self._get_param("TopicARN")] = list(self._get_param("NotificationTypes", []))
        return EmptyResult()

    def describe_notification_configurations(self) -> ActionResult:
        """Answer DescribeNotificationConfigurations."""
        names = self._get_param("AutoScalingGroupNames", [])
        found = [
            {"AutoScalingGroupName": group.name, "TopicARN": topic, "NotificationType": kind}
            for group in list(self.autoscaling_backend.autoscaling_groups.values())
            if not names or group.name in names
            for topic, kinds in getattr(group, "sandbox_notifications", {}).items()
            for kind in kinds
        ]
        return ActionResult({"NotificationConfigurations": found})

    def delete_notification_configuration(self) -> ActionResult:
        """Answer DeleteNotificationConfiguration."""
        group = find_group(self.autoscaling_backend, self._get_param("AutoScalingGroupName"))
        getattr(group, "sandbox_notifications", {}).pop(self._get_param("TopicARN"), None)
        return EmptyResult()


def _keep(group: Any, get: Callable[[str], Any]) -> None:
    for name in KEPT:
        value = get(name)
        if value is not None:
            setattr(group, xform_name(name), value)
