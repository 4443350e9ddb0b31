"""The Auto Scaling group of a fleet, rendered once."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from aws_cdk import Duration, Tokenization
from aws_cdk import aws_autoscaling as autoscaling

from cdk_ami.checks.rule import is_token

if TYPE_CHECKING:
    from aws_cdk import aws_elasticloadbalancingv2 as elb
    from aws_cdk import aws_sns as sns
    from constructs import Construct

    from cdk_ami.errors import Faults
    from cdk_ami.fleet.launch_template import RenderedLaunch
    from cdk_ami.fleet.mixed import MixedInstances
    from cdk_ami.fleet.placement import Placement
    from cdk_ami.fleet.sizes import GroupSizes

_EVENTS: Final = (
    "autoscaling:EC2_INSTANCE_LAUNCH",
    "autoscaling:EC2_INSTANCE_LAUNCH_ERROR",
    "autoscaling:EC2_INSTANCE_TERMINATE",
    "autoscaling:EC2_INSTANCE_TERMINATE_ERROR",
)


class ZoneBalance(StrEnum):
    """What a group does when a zone cannot launch.

    https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-availability-zone-balanced.html
    """

    BEST_EFFORT = "balanced-best-effort"
    """Launches in another zone, and balances again later."""

    ONLY = "balanced-only"
    """Keeps trying in the same zone, and runs short meanwhile."""


class HealthCheck(StrEnum):
    """Who else may call an instance unhealthy, besides EC2.

    https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-health-checks.html
    """

    LOAD_BALANCER = "ELB"
    """The load balancers of the fleet's target groups."""

    VOLUMES = "EBS"
    """EBS: a volume that answers no more."""


class DeletionProtection(StrEnum):
    """Who may delete a group.  What is protected also fails the deletion of its stack, until the protection is off.

    https://docs.aws.amazon.com/autoscaling/ec2/userguide/resource-deletion-protection.html
    """

    NONE = "none"
    """Anybody who has the permission."""

    WHILE_IN_USE = "prevent-force-deletion"
    """Nobody, as long as there are instances in it."""

    ALWAYS = "prevent-all-deletion"
    """Nobody."""


class TerminationPolicy(StrEnum):
    """Which instance goes first when a group shrinks, within the zone that has most.

    https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-instance-termination.html
    """

    DEFAULT = "Default"
    """What keeps the shares of a mixed group, then the oldest launch template."""

    ALLOCATION_STRATEGY = "AllocationStrategy"
    OLDEST_INSTANCE = "OldestInstance"
    NEWEST_INSTANCE = "NewestInstance"
    OLDEST_LAUNCH_TEMPLATE = "OldestLaunchTemplate"
    CLOSEST_TO_NEXT_INSTANCE_HOUR = "ClosestToNextInstanceHour"


class ZonalShift(StrEnum):
    """What a group does with unhealthy instances of a zone that was shifted away from.

    While a shift lasts, nothing is launched in that zone.
    https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-zonal-shift.html
    """

    IGNORE_UNHEALTHY = "IgnoreUnhealthy"
    """Keeps them, because what looks sick there may be the zone: enough run elsewhere to carry the load."""

    REPLACE_UNHEALTHY = "ReplaceUnhealthy"
    """Replaces them in other zones."""


class GroupOptions(NamedTuple):
    """How a group behaves.

    The attributes are arguments of `ImageFleet`, and are described there.  The last says that a mixed group names its
    AMIs beside its launch templates.
    """

    zone_balance: ZoneBalance
    min_healthy_percent: int
    max_healthy_percent: int
    warmup: Duration | None
    health_check_grace: Duration | None
    notifications: sns.ITopic | None
    health_checks: Sequence[HealthCheck] = ()
    target_groups: Sequence[elb.ITargetGroup] = ()
    zonal_shift: ZonalShift | None = None
    skip_zonal_shift_validation: bool = False
    deletion_protection: DeletionProtection | None = None
    termination_policies: Sequence[TerminationPolicy] = ()
    max_instance_lifetime: Duration | None = None
    scale_in_protection: bool = False
    group_metrics: bool = False
    mixed: MixedInstances | None = None
    names_images: bool = False

    def find_faults(self, faults: Faults) -> None:
        """Record in ``faults`` what Auto Scaling would refuse."""
        if not (self.health_checks or self.termination_policies or self.max_instance_lifetime):
            return
        from cdk_ami.checks import groups as rules  # noqa: PLC0415 - most fleets leave all that as it is

        faults.check("health_checks", rules.health_checks(self.health_checks, target_groups=len(self.target_groups)))
        faults.check("termination_policies", rules.termination_policies(self.termination_policies))
        if self.max_instance_lifetime is not None:
            faults.check("max_instance_lifetime", rules.lifetime(self.max_instance_lifetime.to_seconds()))


def render_group(
    scope: Construct, group: GroupOptions, *, sizes: GroupSizes, launch: RenderedLaunch, placed: Placement
) -> autoscaling.CfnAutoScalingGroup:
    """Add the Auto Scaling group to ``scope``.

    Args:
        scope: The fleet.
        group: How the group behaves, checked before.
        sizes: How many instances it has.
        launch: What it launches.
        placed: Where it launches.
    """
    shape = autoscaling.CfnAutoScalingGroup
    lifetime = group.max_instance_lifetime
    rendered = shape(
        scope,
        "Resource",
        min_size=_digits(sizes.smallest),
        max_size=_digits(sizes.largest),
        desired_capacity=_digits(sizes.desired) if sizes.states_desired else None,
        vpc_zone_identifier=[subnet.subnet_id for subnet in placed.subnets],
        **_what_it_launches(group, launch),
        availability_zone_distribution=shape.AvailabilityZoneDistributionProperty(
            capacity_distribution_strategy=group.zone_balance.value
        ),
        availability_zone_impairment_policy=shape.AvailabilityZoneImpairmentPolicyProperty(
            zonal_shift_enabled=True, impaired_zone_health_check_behavior=group.zonal_shift.value
        )
        if group.zonal_shift
        else None,
        skip_zonal_shift_validation=group.skip_zonal_shift_validation or None,
        instance_maintenance_policy=shape.InstanceMaintenancePolicyProperty(
            min_healthy_percentage=group.min_healthy_percent, max_healthy_percentage=group.max_healthy_percent
        ),
        # EC2's own checks cannot be switched off, and are not named beside others.
        health_check_type=",".join(check.value for check in group.health_checks) or "EC2",
        health_check_grace_period=_seconds(group.health_check_grace),
        default_instance_warmup=_seconds(group.warmup),
        notification_configurations=_notifications(group.notifications),
        target_group_arns=[one.target_group_arn for one in group.target_groups] or None,
        deletion_protection=group.deletion_protection.value if group.deletion_protection else None,
        termination_policies=[policy.value for policy in group.termination_policies] or None,
        max_instance_lifetime=lifetime.to_seconds() if lifetime else None,
        new_instances_protected_from_scale_in=group.scale_in_protection or None,
        metrics_collection=[shape.MetricsCollectionProperty(granularity="1Minute")] if group.group_metrics else None,
    )
    if placed.network_ready is not None:
        rendered.node.add_dependency(placed.network_ready)
    return rendered


def _what_it_launches(group: GroupOptions, launch: RenderedLaunch) -> dict[str, Any]:
    """Return the arguments that say what the group launches."""
    shape = autoscaling.CfnAutoScalingGroup
    if group.mixed is None:
        template = shape.LaunchTemplateSpecificationProperty(
            launch_template_id=launch.launch_template.ref,
            version=launch.launch_template.attr_latest_version_number,
        )
        return {"launch_template": template}
    from cdk_ami.fleet.mixed_policy import mixed_policy  # noqa: PLC0415 - most fleets have one type

    mixed = group.mixed
    return {
        "mixed_instances_policy": mixed_policy(mixed, launch, names_images=group.names_images),
        "capacity_rebalance": mixed.rebalance_capacity or None,
        "desired_capacity_type": None if mixed.unit == "units" else mixed.unit.value,
    }


def _digits(size: int) -> str:
    return Tokenization.stringify_number(size) if is_token(size) else str(size)


def _seconds(duration: Duration | None) -> float:
    return 60 if duration is None else duration.to_seconds()


def _notifications(
    topic: sns.ITopic | None,
) -> list[autoscaling.CfnAutoScalingGroup.NotificationConfigurationProperty] | None:
    if topic is None:
        return None
    shape = autoscaling.CfnAutoScalingGroup.NotificationConfigurationProperty
    return [shape(topic_arn=topic.topic_arn, notification_types=list(_EVENTS))]
