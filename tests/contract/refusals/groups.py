"""Bad inputs to the groups of fleets: mixed instances, warm pools, health checks, scaling, processors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_elasticloadbalancingv2 as elb

from cdk_ami import (
    Architecture,
    CapacityUnit,
    CpuOptions,
    HealthCheck,
    ImageChannel,
    InstanceChoice,
    InstanceNeeds,
    MixedInstances,
    OnDemandAllocation,
    Scaling,
    SpotAllocation,
    TerminationPolicy,
    Tracking,
    Volume,
    WarmPool,
    WarmPoolState,
)
from tests.contract.refusals.row import SET_UP, Row, fleet, image

Call = Callable[[cdk.Stack], object]
LARGE: Final = InstanceChoice(instance_type="m7i.large")
ROOT: Final = "/dev/xvda"


def running(**options: Any) -> Call:
    """Return the call that makes a fleet with these options."""
    return lambda stack: fleet(stack, **options)


def mixing(*choices: InstanceChoice | InstanceNeeds, **options: Any) -> Call:
    """Return the call that makes a fleet of these choices."""
    return running(mixed=MixedInstances(choices=choices, **options))


def needs(**options: Any) -> InstanceNeeds:
    """Return needs that are good but for ``options``."""
    return InstanceNeeds(**({"min_vcpus": 2, "min_memory_mib": 4_096} | options))


def counting_requests(stack: cdk.Stack) -> object:
    """Scale by the requests of a target group that is not the fleet's."""
    group = elb.ApplicationTargetGroup(stack, SET_UP, target_type=elb.TargetType.INSTANCE)
    return fleet(stack, scaling=[Scaling.on_requests(group, a_minute=100)])


def metric(statistic: str) -> cloudwatch.Metric:
    return cloudwatch.Metric(namespace="Shop", metric_name="Carts", statistic=statistic)


ROWS: Final = (
    Row(
        "a mixed fleet names no type",
        mixing(),
        "S/Fleet",
        "mixed.choices",
        [],
        "at least one instance type",
        "MixedChoices",
    ),
    Row(
        "a mixed fleet names a type twice",
        mixing(LARGE, LARGE),
        "S/Fleet",
        "mixed.choices[1].instance_type",
        "m7i.large",
        "drop one",
        "MixedTypeOnce",
    ),
    Row(
        "one type of two has a weight",
        mixing(LARGE, InstanceChoice(instance_type="m7i.xlarge", weight=2)),
        "S/Fleet",
        "mixed.choices[0].weight",
        None,
        "all a weight",
        "MixedWeights",
    ),
    Row(
        "instances need more processors than they may have",
        mixing(needs(max_vcpus=1)),
        "S/Fleet",
        "mixed.choices[0].min_vcpus",
        2,
        "lower it",
        "InstanceNeedBounds",
    ),
    Row(
        "instances need a generation that AWS does not know",
        mixing(needs(generations=["next"])),
        "S/Fleet",
        "mixed.choices[0].generations",
        "next",
        "current, previous",
        "InstanceNeedWords",
    ),
    Row(
        "types are allowed and excluded at once",
        mixing(needs(allowed_types=["m7i*.*"], excluded_types=["m7i.metal*"])),
        "S/Fleet",
        "mixed.choices[0].excluded_types",
        ["m7i.metal*"],
        "one of the two",
        "InstanceNeedLists",
    ),
    Row(
        "an image for Intel shall run on processors of AWS",
        mixing(needs(cpu_manufacturers=["amazon-web-services"])),
        "S/Fleet",
        "mixed.choices[0].cpu_manufacturers",
        ["amazon-web-services"],
        "amd or intel",
        "CpuManufacturer",
    ),
    Row(
        "an image for Intel shall choose among types of Graviton",
        mixing(needs(allowed_types=["m7g.*", "c8gd.large"])),
        "S/Fleet",
        "mixed.choices[0].allowed_types",
        ["m7g.*", "c8gd.large"],
        "types of that processor",
        "AllowedTypeArchitecture",
    ),
    Row(
        "more than all instances are Spot Instances",
        mixing(LARGE, spot_percent=101),
        "S/Fleet",
        "mixed.spot_percent",
        101,
        "0 to 100",
        "SpotShares",
    ),
    Row(
        "needs are launched in the order of types",
        mixing(needs(), on_demand_allocation=OnDemandAllocation.IN_ORDER),
        "S/Fleet",
        "mixed.on_demand_allocation",
        "prioritized",
        "CHEAPEST",
        "AllocationStrategy",
    ),
    Row(
        "the pools of a strategy without pools are counted",
        mixing(LARGE, spot_percent=50, spot_allocation=SpotAllocation.CAPACITY, spot_pools=2),
        "S/Fleet",
        "mixed.spot_pools",
        2,
        "SpotAllocation.CHEAPEST",
        "SpotPools",
    ),
    Row(
        "a Spot Instance may cost next to nothing",
        mixing(LARGE, spot_percent=50, spot_max_price_usd=0.0001),
        "S/Fleet",
        "mixed.spot_max_price_usd",
        0.0001,
        "0.001 USD",
        "SpotPrice",
    ),
    Row(
        "a strategy for Spot Instances stands where there are none",
        mixing(LARGE, spot_allocation=SpotAllocation.CAPACITY),
        "S/Fleet",
        "mixed.spot_allocation",
        SpotAllocation.CAPACITY,
        "set spot_percent",
    ),
    Row(
        "capacity is rebalanced where nothing can be taken back",
        mixing(LARGE, rebalance_capacity=True),
        "S/Fleet",
        "mixed.rebalance_capacity",
        "spot_percent=0",
        "set spot_percent",
        "CapacityRebalance",
    ),
    Row(
        "named types are counted by their processors",
        mixing(LARGE, unit=CapacityUnit.VCPUS),
        "S/Fleet",
        "mixed.unit",
        "vcpu",
        "InstanceNeeds",
        "CapacityUnit",
    ),
    Row(
        "a type stands beside choices",
        running(mixed=MixedInstances(choices=[LARGE]), instance_type="m7i.large"),
        "S/Fleet",
        "instance_type",
        "m7i.large",
        "among the choices",
    ),
    Row(
        "two images of a fleet are read at different times",
        running(
            mixed=MixedInstances(
                choices=[
                    LARGE,
                    InstanceChoice(
                        instance_type="m7g.large",
                        image=ImageChannel.from_name("web-arm").machine_image(
                            architecture=Architecture.ARM64, tracking=Tracking.AT_LAUNCH
                        ),
                    ),
                ]
            )
        ),
        "S/Fleet",
        "mixed.choices[1].image",
        "at-launch",
        "the same tracking",
    ),
    Row(
        "a warm pool stands beside Spot Instances",
        running(mixed=MixedInstances(choices=[LARGE], spot_percent=20), warm_pool=WarmPool()),
        "S/Fleet",
        "warm_pool",
        "spot_percent",
        "drop the pool",
        "WarmPoolSpot",
    ),
    Row(
        "a warm pool prepares less than the group's smallest size",
        running(min_size=3, max_size=9, warm_pool=WarmPool(max_prepared=2)),
        "S/Fleet",
        "warm_pool.max_prepared",
        2,
        "3 or more",
        "WarmPoolSize",
    ),
    Row(
        "a warm pool hibernates to a volume in the clear",
        running(volumes=[Volume(encrypted=False)], warm_pool=WarmPool(state=WarmPoolState.HIBERNATED)),
        "S/Fleet",
        "warm_pool.state",
        ROOT,
        "encrypt it",
        "Hibernation",
    ),
    Row(
        "a load balancer that is not there judges the instances",
        running(health_checks=[HealthCheck.LOAD_BALANCER]),
        "S/Fleet",
        "health_checks",
        "ELB",
        "name the target groups",
        "HealthCheckTargets",
    ),
    Row(
        "processors shall be used to nothing",
        running(max_size=9, scaling=[Scaling.on_cpu(percent=0)]),
        "S/Fleet",
        "scaling[0].target",
        0,
        "above 0",
        "ScalingTarget",
    ),
    Row(
        "two policies follow one metric",
        running(max_size=9, scaling=[Scaling.on_cpu(percent=50), Scaling.on_cpu(percent=60)]),
        "S/Fleet",
        "scaling[1]",
        "ASGAverageCPUUtilization",
        "drop one",
        "ScalingMetricOnce",
    ),
    Row(
        "a policy follows a percentile",
        running(max_size=9, scaling=[Scaling.on_metric(metric("p99"), target=5)]),
        "S/Fleet",
        "scaling[0].metric",
        "p99",
        "Average",
        "ScalingStatistic",
    ),
    Row(
        "a policy counts the requests of a target group that is not the fleet's",
        counting_requests,
        "S/Fleet",
        "scaling[0].target_group",
        "target_group",
        "in target_groups",
    ),
    Row(
        "a termination policy comes after the default one",
        running(termination_policies=[TerminationPolicy.DEFAULT, TerminationPolicy.OLDEST_INSTANCE]),
        "S/Fleet",
        "termination_policies",
        "Default",
        "Default last",
        "TerminationPolicies",
    ),
    Row(
        "instances live for an hour",
        running(max_instance_lifetime=cdk.Duration.hours(1)),
        "S/Fleet",
        "max_instance_lifetime",
        3_600,
        "a day or more",
        "InstanceLifetime",
    ),
    Row(
        "a core of Graviton has two threads",
        running(
            image=ImageChannel.from_name("web").machine_image(architecture=Architecture.ARM64),
            cpu=CpuOptions(core_count=1, threads_per_core=2),
        ),
        "S/Fleet",
        "cpu.threads_per_core",
        2,
        "give 1",
        "CpuOptions",
    ),
    Row(
        "memory is encrypted by AMD in a processor of Intel's",
        running(instance_type="m7i.large", cpu=CpuOptions(amd_sev_snp=True)),
        "S/Fleet",
        "cpu.amd_sev_snp",
        "m7i.large",
        "c6a, m6a, r6a",
        "CpuFeature",
    ),
    Row(
        "a build fills its volume at a rate",
        lambda stack: image(stack, volumes=[Volume(initialization_rate_mib=200)]),
        "S/Web",
        "volumes[0].initialization_rate_mib",
        200,
        "of a fleet",
        "VolumeRate",
    ),
)
