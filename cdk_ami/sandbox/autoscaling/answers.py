"""What Auto Scaling answers about groups."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from datetime import timedelta
from typing import Any, Final

from botocore import xform_name
from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.exceptions import EC2ClientError

from cdk_ami.sandbox.autoscaling import health, hooks, launching
from cdk_ami.sandbox.autoscaling.activities import (
    at,
    kept_activities,
    notifications,
    now,
    publish,
    test_message,
)
from cdk_ami.sandbox.autoscaling.backend import check_bounds, find_group, set_health
from cdk_ami.sandbox.autoscaling.errors import refuse
from cdk_ami.sandbox.autoscaling.paging import page
from cdk_ami.sandbox.autoscaling.recipes import check_recipe, recipe_of
from cdk_ami.sandbox.autoscaling.refresh import active_refresh
from cdk_ami.sandbox.autoscaling.termination import POLICIES

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

LIFETIME_BOUNDS: Final = (86_400, 31_536_000)
"""Seconds that an instance lives at least and at most, unless its life has no limit: 0.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/asg-max-instance-lifetime.html
"""

MOST_GROUPS: Final = 100
USUAL_GROUPS: Final = 50
"""Groups in one answer.

https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeAutoScalingGroups.html
"""


class GroupAnswers:
    """Methods for the emulator's ``AutoScalingResponse``."""

    autoscaling_backend: Any
    params: Any
    _get_param: Any
    _get_int_param: Any
    _get_bool_param: Any

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
        _check_settings(self._get_param)
        given = [hooks.make_hook(hook) for hook in self._get_param("LifecycleHookSpecificationList", [])]
        desired = self._get_int_param("DesiredCapacity")
        wanted = self._get_int_param("MinSize") if desired is None else desired
        self.params["DesiredCapacity"] = 0  # first the group, checked, then its instances
        try:
            ORIGINAL["create_auto_scaling_group"](self)
        except EC2ClientError as error:
            raise refuse(f"You must use a valid fully-formed launch template. {error.message}") from error
        group = backend.autoscaling_groups[name]
        group.created_time = now()
        group.health_check_grace_period = self._get_int_param("HealthCheckGracePeriod") or 0
        group.availability_zone_distribution = {"CapacityDistributionStrategy": "balanced-best-effort"}
        _keep(group, self._get_param)
        try:
            check_recipe(group, recipe_of(group), *launching.places(group)[0])
        except Exception:
            del backend.autoscaling_groups[name]
            raise
        for hook in given:
            _add_hook(group, hook)
        group.sandbox_cause = at(
            f"a user request created an AutoScalingGroup changing the desired capacity from 0 to {wanted}."
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
        _check_settings(self._get_param)
        if self._get_param("LaunchTemplate") or self._get_param("MixedInstancesPolicy"):
            new = {name: self._get_param(name) for name in ("LaunchTemplate", "MixedInstancesPolicy")}
            check_recipe(group, recipe_of(group, new), *launching.places(group)[0])
        _keep(group, self._get_param)
        ORIGINAL["update_auto_scaling_group"](self)
        return EmptyResult()

    def delete_auto_scaling_group(self) -> ActionResult:
        """Answer DeleteAutoScalingGroup: an empty group, or any by force."""
        backend = self.autoscaling_backend
        group = find_group(backend, self._get_param("AutoScalingGroupName"))
        protection = getattr(group, "deletion_protection", None) or "none"
        force = bool(self._get_bool_param("ForceDelete", False))  # noqa: FBT003 - moto's signature
        if protection == "prevent-all-deletion" or (protection == "prevent-force-deletion" and force):
            raise refuse(f"The group {group.name} is protected from deletion: {protection}", "ResourceInUse")
        if group.instance_states and not force:
            raise refuse(
                "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s) "
                "still in the group.",
                "ResourceInUse",
            )
        if group.warm_pool is not None and not force:
            raise refuse(
                "You cannot delete an AutoScalingGroup that has a warm pool; delete the pool first", "ResourceInUse"
            )
        running = active_refresh(group)
        if running is not None:
            running.cancel(wait=False)
        backend.delete_auto_scaling_group(group.name)
        return EmptyResult()

    def describe_auto_scaling_groups(self) -> ActionResult:
        """Answer DescribeAutoScalingGroups."""
        limit = self._get_int_param("MaxRecords") or USUAL_GROUPS
        if not 1 <= limit <= MOST_GROUPS:
            raise refuse(f"MaxRecords must be 1 to {MOST_GROUPS}, got {limit}")
        answer: ActionResult = ORIGINAL["describe_auto_scaling_groups"](self)
        if self._get_bool_param("IncludeInstances", True) is not False:  # noqa: FBT003 - moto's signature
            return answer
        found: Any = answer.result
        groups = [_without_instances(group) for group in found["AutoScalingGroups"]]
        return ActionResult({**found, "AutoScalingGroups": groups})

    def describe_auto_scaling_instances(self) -> ActionResult:
        """Answer DescribeAutoScalingInstances: those of warm pools too."""
        found = self.autoscaling_backend.describe_auto_scaling_instances(self._get_param("InstanceIds", []))
        return ActionResult(page(self, "AutoScalingInstances", found, usual=50))

    def set_desired_capacity(self) -> ActionResult:
        """Answer SetDesiredCapacity."""
        backend = self.autoscaling_backend
        group = find_group(backend, self._get_param("AutoScalingGroupName"))
        if self._get_bool_param("HonorCooldown", False):  # noqa: FBT003 - moto's signature
            last = max((each["StartTime"] for each in kept_activities(backend) if _of(each, group)), default=None)
            if last is not None and now() < last + timedelta(seconds=int(group.default_cooldown)):
                raise refuse(
                    f"Scaling activity is in progress and blocks this action: the cooldown of {group.default_cooldown} "
                    f"seconds of {group.name} is not over",
                    "ScalingActivityInProgress",
                )
        backend.set_desired_capacity(group.name, self._get_int_param("DesiredCapacity"))
        return EmptyResult()

    def set_instance_health(self) -> ActionResult:
        """Answer SetInstanceHealth."""
        set_health(
            self.autoscaling_backend,
            self._get_param("InstanceId"),
            self._get_param("HealthStatus"),
            respect_grace=self._get_bool_param("ShouldRespectGracePeriod", True) is not False,  # noqa: FBT003
        )
        return EmptyResult()

    def describe_scaling_activities(self) -> ActionResult:
        """Answer DescribeScalingActivities, the newest first; those of groups that are gone when asked for."""
        name, backend = self._get_param("AutoScalingGroupName"), self.autoscaling_backend
        gone_too = bool(self._get_bool_param("IncludeDeletedGroups", False))  # noqa: FBT003 - moto's signature
        if self._get_param("Filters"):
            raise refuse("the sandbox does not filter scaling activities")
        if name and not gone_too:
            find_group(backend, name)
        here = {group.arn for group in backend.autoscaling_groups.values()}
        wanted = self._get_param("ActivityIds", [])
        found = [
            activity
            for activity in reversed(kept_activities(backend))
            if (not name or activity["AutoScalingGroupName"] == name)
            and (gone_too or activity["AutoScalingGroupARN"] in here)
            and (not wanted or activity["ActivityId"] in wanted)
        ]
        found.sort(key=lambda activity: "EndTime" in activity)  # those in progress come first
        return ActionResult(page(self, "Activities", found, usual=100))

    def disable_metrics_collection(self) -> ActionResult:
        """Answer DisableMetricsCollection."""
        group = find_group(self.autoscaling_backend, self._get_param("AutoScalingGroupName"))
        gone = self._get_param("Metrics", [])
        group.metrics = [metric for metric in group.metrics if gone and metric not in gone]
        return EmptyResult()

    def put_notification_configuration(self) -> ActionResult:
        """Answer PutNotificationConfiguration; the topic gets a message to test it."""
        group = find_group(self.autoscaling_backend, self._get_param("AutoScalingGroupName"))
        topic = self._get_param("TopicARN")
        notifications(group)[topic] = list(self._get_param("NotificationTypes", []))
        publish(group, topic, f"Auto Scaling: test notification for group {group.name!r}", test_message(group))
        return EmptyResult()

    def describe_notification_configurations(self) -> ActionResult:
        """Answer DescribeNotificationConfigurations."""
        names = self._get_param("AutoScalingGroupNames", [])
        found = [
            {"AutoScalingGroupName": group.name, "TopicARN": topic, "NotificationType": kind}
            for group in list(self.autoscaling_backend.autoscaling_groups.values())
            if not names or group.name in names
            for topic, kinds in notifications(group).items()
            for kind in kinds
        ]
        return ActionResult(page(self, "NotificationConfigurations", found, usual=50))

    def delete_notification_configuration(self) -> ActionResult:
        """Answer DeleteNotificationConfiguration."""
        group = find_group(self.autoscaling_backend, self._get_param("AutoScalingGroupName"))
        notifications(group).pop(self._get_param("TopicARN"), None)
        return EmptyResult()


def _without_instances(group: Any) -> Any:
    found = copy(group)
    found.instance_states = []
    return found


def _of(activity: Mapping[str, Any], group: Any) -> bool:
    return bool(activity["AutoScalingGroupARN"] == group.arn)


def _add_hook(group: Any, hook: hooks.Hook) -> None:
    hooks.hooks_of(group)[hook.name] = hook
    if hook.target:
        publish(group, hook.target, f"Auto Scaling: test notification for group {group.name!r}", test_message(group))


def _check_settings(get: Callable[[str], Any]) -> None:
    lifetime = int(get("MaxInstanceLifetime") or 0)
    shortest, longest = LIFETIME_BOUNDS
    if lifetime and not shortest <= lifetime <= longest:
        raise refuse(f"MaxInstanceLifetime must be 0, or {shortest} to {longest} seconds, got {lifetime}")
    unknown = sorted(set(get("TerminationPolicies") or ()) - POLICIES)
    if unknown:
        raise refuse(f"the sandbox does not know the termination policies {unknown}, only {sorted(POLICIES)}")
    _check_maintenance(get("InstanceMaintenancePolicy") or {})
    for override in _overrides(get):
        if override.get("InstanceType") and override.get("InstanceRequirements"):
            raise refuse("An override names either an InstanceType or InstanceRequirements, not both")
    weights = [bool(one.get("WeightedCapacity")) for one in _overrides(get)]
    if any(weights) and not all(weights):
        raise refuse("You must specify WeightedCapacity for all instance types or for none")


def _check_maintenance(policy: Mapping[str, Any]) -> None:
    """Refuse a maintenance policy whose bounds contradict each other.

    https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_InstanceMaintenancePolicy.html
    """
    if not policy:
        return
    if policy.get("MinHealthyPercentage") is None or policy.get("MaxHealthyPercentage") is None:
        raise refuse("An instance maintenance policy needs both MinHealthyPercentage and MaxHealthyPercentage")
    minimum, maximum = int(policy["MinHealthyPercentage"]), int(policy["MaxHealthyPercentage"])
    if (minimum < 0) != (maximum < 0):
        raise refuse("Both percentages of an instance maintenance policy are -1 to clear it")
    if minimum >= 0 and not 100 <= maximum <= min(200, minimum + 100):  # noqa: PLR2004 - per cent
        raise refuse(
            "MaxHealthyPercentage must be 100 to 200 and at most 100 more than MinHealthyPercentage, "
            f"got {minimum} and {maximum}"
        )


def _overrides(get: Callable[[str], Any]) -> list[dict[str, Any]]:
    policy = get("MixedInstancesPolicy") or {}
    found: list[dict[str, Any]] = (policy.get("LaunchTemplate") or {}).get("Overrides") or []
    return found


def _keep(group: Any, get: Callable[[str], Any]) -> None:
    for name in KEPT:
        value = get(name)
        if value is not None:
            setattr(group, xform_name(name), value)
    policy = get("InstanceMaintenancePolicy")
    if policy and int(policy["MinHealthyPercentage"]) < 0:
        group.instance_maintenance_policy = None
    health.watch_age(group)
