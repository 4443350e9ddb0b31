"""How a group grows and shrinks by a metric: plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cdk_ami.checks import groups as rules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_cdk import Duration
    from aws_cdk import aws_cloudwatch as cloudwatch
    from aws_cdk import aws_elasticloadbalancingv2 as elb

    from cdk_ami.errors import Faults

CPU: Final = "ASGAverageCPUUtilization"
NETWORK_IN: Final = "ASGAverageNetworkIn"
NETWORK_OUT: Final = "ASGAverageNetworkOut"
REQUESTS: Final = "ALBRequestCountPerTarget"
"""Metrics that Auto Scaling knows.
https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_PredefinedMetricSpecification.html"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """Keeps a metric near a target: more instances when it is above, fewer when it is well below.

    Made by `on_cpu`, `on_network_in`, `on_network_out`, `on_requests` and `on_metric`.  Each policy brings two
    CloudWatch alarms, about 0.20 USD a month.

    Example:
        ::

            image = ImageChannel.from_name("web").machine_image()
            ImageFleet(stack, "Fleet", image=image, vpc=vpc, max_size=9, scaling=[Scaling.on_cpu(percent=60)])

    Attributes:
        target: Value that the metric is kept near.
        predefined: Metric that Auto Scaling knows by name, or empty.
        target_group: Whose requests are counted, for requests only.
        metric: Metric of one's own, or None.
        scale_in: Whether the group shrinks as well.
        warmup: Time after a launch in which an instance does not count.  None takes that of the group.

    https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-scaling-target-tracking.html
    """

    target: float
    predefined: str = ""
    target_group: elb.ApplicationTargetGroup | None = None
    metric: cloudwatch.IMetric | None = None
    scale_in: bool = True
    warmup: Duration | None = None

    @classmethod
    def on_cpu(cls, *, percent: float, scale_in: bool = True, warmup: Duration | None = None) -> Scaling:
        """Keep the group's average use of its processors near ``percent``."""
        return cls(target=percent, predefined=CPU, scale_in=scale_in, warmup=warmup)

    @classmethod
    def on_network_in(cls, *, bytes_a_minute: float, scale_in: bool = True, warmup: Duration | None = None) -> Scaling:
        """Keep what an instance receives in a minute near ``bytes_a_minute``."""
        return cls(target=bytes_a_minute, predefined=NETWORK_IN, scale_in=scale_in, warmup=warmup)

    @classmethod
    def on_network_out(cls, *, bytes_a_minute: float, scale_in: bool = True, warmup: Duration | None = None) -> Scaling:
        """Keep what an instance sends in a minute near ``bytes_a_minute``."""
        return cls(target=bytes_a_minute, predefined=NETWORK_OUT, scale_in=scale_in, warmup=warmup)

    @classmethod
    def on_requests(
        cls,
        target_group: elb.ApplicationTargetGroup,
        *,
        a_minute: float,
        scale_in: bool = True,
        warmup: Duration | None = None,
    ) -> Scaling:
        """Keep the requests that an instance gets in a minute near ``a_minute``.

        Args:
            target_group: One of the fleet's target groups, which a listener uses.
            a_minute: Requests of one instance.
            scale_in: Whether the group shrinks as well.
            warmup: Time in which a new instance does not count.
        """
        return cls(target=a_minute, predefined=REQUESTS, target_group=target_group, scale_in=scale_in, warmup=warmup)

    @classmethod
    def on_metric(
        cls, metric: cloudwatch.IMetric, *, target: float, scale_in: bool = True, warmup: Duration | None = None
    ) -> Scaling:
        """Keep a metric of one's own near ``target``; it must fall when the group grows.

        Args:
            metric: A metric with its statistic; no expression.
            target: The value to keep.
            scale_in: Whether the group shrinks as well.
            warmup: Time in which a new instance does not count.
        """
        return cls(target=target, metric=metric, scale_in=scale_in, warmup=warmup)


def find_scaling_faults(
    policies: Sequence[Scaling], *, target_groups: Sequence[object], faults: Faults, prop: str = "scaling"
) -> None:
    """Record in ``faults`` what Auto Scaling would refuse.

    Args:
        policies: The policies.
        target_groups: The fleet's target groups.
        faults: The call's faults.
        prop: Name of the property that holds the policies.
    """
    faults.check(prop, rules.scaling_metrics([policy.predefined for policy in policies if policy.predefined]))
    for index, policy in enumerate(policies):
        faults.check(f"{prop}[{index}].target", rules.scaling_target(policy.target))
        if policy.predefined == REQUESTS and not any(policy.target_group is group for group in target_groups):
            fix = "name the target group in target_groups as well"
            faults.add(f"{prop}[{index}].target_group", "is not one of the fleet's", got="target_group", fix=fix)
        if policy.metric is not None:
            _find_metric_faults(policy.metric, f"{prop}[{index}].metric", faults)


def _find_metric_faults(metric: cloudwatch.IMetric, prop: str, faults: Faults) -> None:
    stat = metric.to_metric_config().metric_stat
    if stat is None:
        faults.add(prop, "is an expression", got="an expression", fix="give a single metric")
    else:
        faults.check(prop, rules.scaling_statistic(stat.statistic))
