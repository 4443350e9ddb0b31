"""How CloudFormation updates a group: what a deployment that finds another AMI does to the instances."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_cdk import (
    CfnAutoScalingInstanceRefresh,
    CfnAutoScalingInstanceRefreshAlarmSpecification,
    CfnAutoScalingInstanceRefreshPreferences,
    CfnAutoScalingScheduledAction,
    CfnUpdatePolicy,
)

if TYPE_CHECKING:
    from cdk_ami.fleet.refresh import Refresh


def update_policy(healthy: tuple[int, int] | None, refresh: Refresh | None = None) -> CfnUpdatePolicy:
    """Return how CloudFormation updates the group.

    There is no rollback of the refresh's own: the rollback of the stack is one, to a numbered version.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-updatepolicy.html

    Args:
        healthy: Least and largest share of healthy instances during a refresh, in percent; None for no refresh.
        refresh: How instances are replaced, where somebody says it.
    """
    scheduled = CfnAutoScalingScheduledAction(ignore_unmodified_group_size_properties=True)
    if healthy is None:
        return CfnUpdatePolicy(auto_scaling_scheduled_action=scheduled)
    return CfnUpdatePolicy(
        auto_scaling_scheduled_action=scheduled,
        auto_scaling_instance_refresh=CfnAutoScalingInstanceRefresh(
            strategy="Rolling" if refresh is None else refresh.strategy.value,
            preferences=CfnAutoScalingInstanceRefreshPreferences(
                min_healthy_percentage=healthy[0],
                max_healthy_percentage=healthy[1],
                skip_matching=True if refresh is None else refresh.skip_matching,
                **({} if refresh is None else _preferences(refresh)),
            ),
        ),
    )


def _preferences(refresh: Refresh) -> dict[str, Any]:
    alarms = [alarm.alarm_name for alarm in refresh.alarms]
    watched = CfnAutoScalingInstanceRefreshAlarmSpecification(alarms=alarms) if alarms else None
    delay, bake = refresh.checkpoint_delay, refresh.bake_time
    return {
        "alarm_specification": watched,
        "bake_time": None if bake is None else bake.to_seconds(),
        "checkpoint_percentages": list(refresh.checkpoints) or None,
        "checkpoint_delay": None if delay is None else delay.to_seconds(),
        "standby_instances": refresh.standby and refresh.standby.value,
        "scale_in_protected_instances": refresh.protected and refresh.protected.value,
    }
