"""The Auto Scaling group of a fleet, rendered once."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from aws_cdk import Duration, Tokenization
from aws_cdk import aws_autoscaling as autoscaling

from cdk_ami.checks.rule import is_token

if TYPE_CHECKING:
    from aws_cdk import aws_sns as sns
    from constructs import Construct

    from cdk_ami.fleet.launch_template import RenderedLaunch
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


class Group(NamedTuple):
    """How a group behaves.

    The attributes are arguments of `ImageFleet`, and are described there.
    """

    sizes: GroupSizes
    zone_balance: ZoneBalance
    min_healthy_percent: int
    max_healthy_percent: int
    warmup: Duration | None
    health_check_grace: Duration | None
    notifications: sns.ITopic | None


def render_group(
    scope: Construct, group: Group, *, launch: RenderedLaunch, placed: Placement
) -> autoscaling.CfnAutoScalingGroup:
    """Add the Auto Scaling group to ``scope``.

    Args:
        scope: The fleet.
        group: How the group behaves, checked before.
        launch: What it launches.
        placed: Where it launches.
    """
    shape = autoscaling.CfnAutoScalingGroup
    sizes = group.sizes
    rendered = shape(
        scope,
        "Resource",
        min_size=_digits(sizes.smallest),
        max_size=_digits(sizes.largest),
        desired_capacity=_digits(sizes.desired) if sizes.states_desired else None,
        vpc_zone_identifier=[subnet.subnet_id for subnet in placed.subnets],
        launch_template=shape.LaunchTemplateSpecificationProperty(
            launch_template_id=launch.launch_template.ref,
            version=launch.launch_template.attr_latest_version_number,
        ),
        availability_zone_distribution=shape.AvailabilityZoneDistributionProperty(
            capacity_distribution_strategy=group.zone_balance.value
        ),
        instance_maintenance_policy=shape.InstanceMaintenancePolicyProperty(
            min_healthy_percentage=group.min_healthy_percent, max_healthy_percentage=group.max_healthy_percent
        ),
        health_check_type="EC2",
        health_check_grace_period=_seconds(group.health_check_grace),
        default_instance_warmup=_seconds(group.warmup),
        notification_configurations=_notifications(group.notifications),
    )
    if placed.network_ready is not None:
        rendered.node.add_dependency(placed.network_ready)
    return rendered


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
