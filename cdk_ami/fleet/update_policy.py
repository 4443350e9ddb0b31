"""How CloudFormation updates a group: what a deployment that finds another AMI does to the instances."""

from __future__ import annotations

from aws_cdk import (
    CfnAutoScalingInstanceRefresh,
    CfnAutoScalingInstanceRefreshPreferences,
    CfnAutoScalingScheduledAction,
    CfnUpdatePolicy,
)


def update_policy(healthy: tuple[int, int] | None) -> CfnUpdatePolicy:
    """Return how CloudFormation updates the group.

    There is no rollback of the refresh's own: the rollback of the stack is one, to a numbered version.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-updatepolicy.html

    Args:
        healthy: Least and largest share of healthy instances during a refresh, in percent; None for no refresh.
    """
    scheduled = CfnAutoScalingScheduledAction(ignore_unmodified_group_size_properties=True)
    if healthy is None:
        return CfnUpdatePolicy(auto_scaling_scheduled_action=scheduled)
    return CfnUpdatePolicy(
        auto_scaling_scheduled_action=scheduled,
        auto_scaling_instance_refresh=CfnAutoScalingInstanceRefresh(
            strategy="Rolling",
            preferences=CfnAutoScalingInstanceRefreshPreferences(
                min_healthy_percentage=healthy[0],
                max_healthy_percentage=healthy[1],
                skip_matching=True,
            ),
        ),
    )
