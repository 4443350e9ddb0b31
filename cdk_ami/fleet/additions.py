"""What stands beside a group: its warm pool and its scaling policies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import aws_autoscaling as autoscaling

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_cdk import aws_cloudwatch as cloudwatch
    from constructs import Construct

    from cdk_ami.fleet.scaling import Scaling
    from cdk_ami.fleet.warm_pool import WarmPool


def render_warm_pool(scope: Construct, pool: WarmPool, group_name: str) -> None:
    """Add the warm pool of a group to ``scope``.

    Args:
        scope: The fleet.
        pool: The pool, checked before.
        group_name: Name of the group.
    """
    shape = autoscaling.CfnWarmPool
    shape(
        scope,
        "WarmPool",
        auto_scaling_group_name=group_name,
        pool_state=pool.state.value,
        min_size=pool.min_size,
        max_group_prepared_capacity=pool.max_prepared,
        instance_reuse_policy=shape.InstanceReusePolicyProperty(reuse_on_scale_in=True) if pool.reuse else None,
    )


def render_scaling(scope: Construct, policies: Sequence[Scaling], group_name: str) -> None:
    """Add the scaling policies of a group to ``scope``.

    Args:
        scope: The fleet.
        policies: The policies, checked before.
        group_name: Name of the group.
    """
    shape = autoscaling.CfnScalingPolicy
    for index, policy in enumerate(policies, start=1):
        shape(
            scope,
            f"Scaling{index}",
            auto_scaling_group_name=group_name,
            policy_type="TargetTrackingScaling",
            estimated_instance_warmup=policy.warmup.to_seconds() if policy.warmup else None,
            target_tracking_configuration=shape.TargetTrackingConfigurationProperty(
                target_value=policy.target,
                disable_scale_in=None if policy.scale_in else True,
                predefined_metric_specification=_predefined(policy),
                customized_metric_specification=_customized(policy.metric) if policy.metric else None,
            ),
        )


def _predefined(policy: Scaling) -> autoscaling.CfnScalingPolicy.PredefinedMetricSpecificationProperty | None:
    if not policy.predefined:
        return None
    group = policy.target_group
    label = None if group is None else f"{group.first_load_balancer_full_name}/{group.target_group_full_name}"
    return autoscaling.CfnScalingPolicy.PredefinedMetricSpecificationProperty(
        predefined_metric_type=policy.predefined, resource_label=label
    )


def _customized(
    metric: cloudwatch.IMetric,
) -> autoscaling.CfnScalingPolicy.CustomizedMetricSpecificationProperty | None:
    shape = autoscaling.CfnScalingPolicy
    stat = metric.to_metric_config().metric_stat
    if stat is None:
        return None
    return shape.CustomizedMetricSpecificationProperty(
        metric_name=stat.metric_name,
        namespace=stat.namespace,
        statistic=stat.statistic,
        dimensions=[shape.MetricDimensionProperty(name=one.name, value=one.value) for one in stat.dimensions or ()]
        or None,
    )
