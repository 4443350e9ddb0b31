"""Rules over Auto Scaling groups: mixed instances, warm pools, health checks, scaling, processors."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from cdk_ami.checks.instances import architecture_of
from cdk_ami.checks.rule import Problem, rule
from cdk_ami.source.platform import Architecture

_API: Final = "https://docs.aws.amazon.com/autoscaling/ec2/APIReference/"
_GUIDE: Final = "https://docs.aws.amazon.com/autoscaling/ec2/userguide/"
_EC2_API: Final = "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/"
_OVERRIDES: Final = f"{_API}API_LaunchTemplateOverrides.html"
_DISTRIBUTION: Final = f"{_API}API_InstancesDistribution.html"
_NEEDS: Final = f"{_API}API_InstanceRequirements.html"
_WARM: Final = f"{_GUIDE}ec2-auto-scaling-warm-pools.html"

TYPES_MAX: Final = 40
"""Instance types of one group.  Auto Scaling API_LaunchTemplateOverrides.html, read 2026-11-28"""

NEEDS_MAX: Final = 4
"""Sets of requirements of one group.  Auto Scaling API_LaunchTemplateOverrides.html, read 2026-11-28"""

WEIGHT: Final = (1, 999)
"""Weight of an instance type.  Auto Scaling API_LaunchTemplateOverrides.html, read 2026-11-28"""

SPOT_POOLS: Final = (1, 20)
"""Spot pools of a group.  Auto Scaling API_InstancesDistribution.html, read 2026-11-28"""

SPOT_PRICE_MIN: Final = 0.001
"""Lowest maximum price for an hour in USD.  Auto Scaling API_InstancesDistribution.html, read 2026-11-28"""

NEEDED_TYPES_MAX: Final = 400
"""Types that requirements allow or exclude.  Auto Scaling API_InstanceRequirements.html, read 2026-11-28"""

LIFETIME_SECONDS: Final = (86_400, 31_536_000)
"""Shortest and longest of all longest lifetimes: a day and a year.
https://docs.aws.amazon.com/autoscaling/ec2/userguide/asg-max-instance-lifetime.html, read 2026-11-28"""

MANUFACTURERS: Final = ("intel", "amd", "amazon-web-services")
GENERATIONS: Final = ("current", "previous")
INCLUSIONS: Final = ("included", "excluded", "required")
"""Words of requirements.  Auto Scaling API_InstanceRequirements.html, read 2026-11-28"""

STATISTICS: Final = ("Average", "Minimum", "Maximum", "SampleCount", "Sum")
"""Statistics that scaling policies follow.  Auto Scaling API_CustomizedMetricSpecification.html, read 2026-11-28"""

_MAKERS: Final = {Architecture.ARM64: {"amazon-web-services"}, Architecture.X86_64: {"intel", "amd"}}
_SEV_SNP_FAMILIES: Final = ("c6a", "m6a", "r6a")
_NESTED_FAMILIES: Final = r"(?:c|m|r)8i(?:-flex)?"


@rule("MixedChoices", source=_OVERRIDES)
def mixed_choices(*, types: int, needs: int) -> Iterator[Problem]:
    """A group names up to 40 instance types or up to 4 sets of requirements, and not both."""
    if not types and not needs:
        yield Problem(problem="is empty", got=[], fix="name at least one instance type, or what it needs")
    elif types and needs:
        fix = "name types only, or requirements only"
        yield Problem(problem="names types and requirements", got=(types, needs), fix=fix)
    elif types > TYPES_MAX:
        yield Problem(problem="has too many types", got=types, fix=f"keep at most {TYPES_MAX}")
    elif needs > NEEDS_MAX:
        yield Problem(problem="has too many sets of requirements", got=needs, fix=f"keep at most {NEEDS_MAX}")


@rule("MixedTypeOnce", source=_OVERRIDES)
def types_once(names: Sequence[str]) -> Iterator[Problem]:
    """Each instance type is named once."""
    for index, name in enumerate(names):
        if name in names[:index]:
            yield Problem(problem="is named twice", got=name, fix="drop one of the two", at=f"[{index}].instance_type")


@rule("MixedWeights", source=_OVERRIDES)
def weights(values: Sequence[int | None]) -> Iterator[Problem]:
    """All instance types have a weight from 1 to 999, or none has."""
    low, high = WEIGHT
    if any(value is None for value in values) and any(value is not None for value in values):
        index = next(index for index, value in enumerate(values) if value is None)
        yield Problem(
            problem="is missing while others have one",
            got=None,
            fix="give all a weight, or none",
            at=f"[{index}].weight",
        )
    for index, value in enumerate(values):
        if value is not None and not low <= value <= high:
            yield Problem(problem="is out of range", got=value, fix=f"give {low} to {high}", at=f"[{index}].weight")


@rule("InstanceNeedBounds", source=_NEEDS)
def need_bounds(least: int, most: int | None) -> Iterator[Problem]:
    """A requirement's smallest value is not negative and not above its largest."""
    if least < 0:
        yield Problem(problem="is negative", got=least, fix="give 0 or more")
    elif most is not None and least > most:
        yield Problem(
            problem=f"is more than the largest, which is {most}", got=least, fix="lower it, or raise the other"
        )


@rule("InstanceNeedWords", source=_NEEDS)
def need_words(values: Sequence[str], words: Sequence[str]) -> Iterator[Problem]:
    """A requirement is one of AWS's words."""
    for value in values:
        if value not in words:
            yield Problem(problem="is none of AWS's words", got=value, fix=f"use {', '.join(words)}")


@rule("InstanceNeedLists", source=_NEEDS)
def need_lists(*, allowed: Sequence[str], excluded: Sequence[str]) -> Iterator[Problem]:
    """Requirements allow types or exclude them, up to 400, and not both."""
    if allowed and excluded:
        yield Problem(problem="stands beside allowed_types", got=list(excluded), fix="keep one of the two")
    elif len(excluded or allowed) > NEEDED_TYPES_MAX:
        fix = f"keep at most {NEEDED_TYPES_MAX}, use wildcards"
        yield Problem(problem="names too many types", got=len(excluded or allowed), fix=fix)


@rule("CpuManufacturer", source=_NEEDS)
def manufacturers_fit(makers: Sequence[str], architecture: Architecture) -> Iterator[Problem]:
    """At least one of the manufacturers makes processors that run the image."""
    fitting = sorted(_MAKERS[architecture])
    if makers and not set(makers) & set(fitting):
        yield Problem(
            problem=f"makes no processor for {architecture.value}, which the image is for",
            got=list(makers),
            fix=f"name {' or '.join(fitting)}, or another image",
        )


@rule("AllowedTypeArchitecture", source=_NEEDS)
def allowed_types_fit(patterns: Sequence[str], architecture: Architecture) -> Iterator[Problem]:
    """At least one of the allowed types has the processor that the image is for."""
    # A wildcard in the family tells nothing of the processor; one in the size is as good as any size.
    found = {architecture_of(re.sub(r"\..*", ".large", pattern)) for pattern in patterns}
    if found and None not in found and architecture not in found:
        yield Problem(
            problem=f"holds no type for {architecture.value}, which the image is for",
            got=list(patterns),
            fix="allow types of that processor, or name another image",
        )


@rule("SpotShares", source=_DISTRIBUTION)
def spot_shares(on_demand_base: int, spot_percent: int) -> Iterator[Problem]:
    """The base on demand is not negative, and the share of Spot Instances is 0 to 100 percent."""
    if on_demand_base < 0:
        yield Problem(problem="is negative", got=on_demand_base, fix="give 0 or more", at=".on_demand_base")
    if not 0 <= spot_percent <= 100:  # noqa: PLR2004 - percent
        yield Problem(problem="is no percentage", got=spot_percent, fix="give 0 to 100", at=".spot_percent")


@rule("AllocationStrategy", source=_DISTRIBUTION)
def allocations(on_demand: str | None, spot: str | None, *, needs: bool) -> Iterator[Problem]:
    """A strategy that goes by the order of types is not for requirements, which have none."""
    if needs and on_demand == "prioritized":
        fix = "use OnDemandAllocation.CHEAPEST, or name types"
        yield Problem(problem="goes by the order of types", got=str(on_demand), fix=fix, at=".on_demand_allocation")
    if needs and spot == "capacity-optimized-prioritized":
        fix = "use SpotAllocation.CAPACITY, or name types"
        yield Problem(problem="goes by the order of types", got=str(spot), fix=fix, at=".spot_allocation")


@rule("SpotPools", source=_DISTRIBUTION)
def spot_pools(count: int | None, allocation: str | None) -> Iterator[Problem]:
    """The number of Spot pools is 1 to 20, and set for the cheapest ones only."""
    if count is None:
        return
    if allocation != "lowest-price":
        fix = "leave it out, or use SpotAllocation.CHEAPEST"
        yield Problem(problem="is for the cheapest pools only", got=count, fix=fix)
    elif not SPOT_POOLS[0] <= count <= SPOT_POOLS[1]:
        yield Problem(problem="is out of range", got=count, fix=f"give {SPOT_POOLS[0]} to {SPOT_POOLS[1]}")


@rule("SpotPrice", source=_DISTRIBUTION)
def spot_price(usd: float | None) -> Iterator[Problem]:
    """The highest price of a Spot Instance is at least 0.001 USD an hour."""
    if usd is not None and usd < SPOT_PRICE_MIN:
        yield Problem(problem="is too low", got=usd, fix=f"give {SPOT_PRICE_MIN} USD an hour or more, or leave it out")


@rule("CapacityRebalance", source=f"{_GUIDE}ec2-auto-scaling-capacity-rebalancing.html")
def rebalancing(spot_percent: int, *, wanted: bool) -> Iterator[Problem]:
    """Only Spot Instances are replaced before EC2 takes them back."""
    if wanted and spot_percent == 0:
        fix = "set spot_percent, or leave it out"
        yield Problem(problem="has no Spot Instances to replace", got="spot_percent=0", fix=fix)


@rule("CapacityUnit", source=f"{_API}API_CreateAutoScalingGroup.html")
def capacity_unit(unit: str, *, needs: bool) -> Iterator[Problem]:
    """Sizes count processors or memory only where requirements choose the types."""
    if unit != "units" and not needs:
        yield Problem(problem="is for requirements only", got=str(unit), fix="count instances, or give InstanceNeeds")


@rule("WarmPoolSpot", source=_WARM)
def warm_pool_spot(*, spot: bool) -> Iterator[Problem]:
    """A group with Spot Instances has no warm pool."""
    if spot:
        yield Problem(
            problem="cannot stand beside Spot Instances", got="spot_percent", fix="drop the pool, or set spot_percent=0"
        )


@rule("WarmPoolSize", source=f"{_API}API_PutWarmPool.html")
def warm_pool_size(least: int, prepared: int | None, smallest: int) -> Iterator[Problem]:
    """A warm pool's smallest size is not negative, and what is prepared is at least the group's smallest size."""
    if least < 0:
        yield Problem(problem="is negative", got=least, fix="give 0 or more", at=".min_size")
    if prepared is not None and prepared < smallest:
        fix = f"give {smallest} or more, or leave it out for the group's max_size"
        yield Problem(problem="is less than the group's min_size", got=prepared, fix=fix, at=".max_prepared")


@rule("Hibernation", source="https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/hibernating-prerequisites.html")
def hibernation(root_device: str | None, *, encrypted: bool) -> Iterator[Problem]:
    """An instance hibernates to an encrypted root volume."""
    if root_device is None:
        fix = "pass root_device to machine_image(), or keep the pool stopped"
        yield Problem(problem="hibernates to a root volume that nobody knows", got=None, fix=fix)
    elif not encrypted:
        fix = "encrypt it, or keep the pool stopped"
        yield Problem(problem="hibernates to a root volume that is not encrypted", got=root_device, fix=fix)


@rule("HealthCheckTargets", source=f"{_GUIDE}ec2-auto-scaling-health-checks.html")
def health_checks(kinds: Sequence[str], *, target_groups: int) -> Iterator[Problem]:
    """A load balancer judges the health of its own targets only."""
    if "ELB" in kinds and not target_groups:
        fix = "name the target groups, or drop HealthCheck.LOAD_BALANCER"
        yield Problem(problem="asks a load balancer that the fleet has not", got="ELB", fix=fix)


@rule("ScalingTarget", source=f"{_API}API_TargetTrackingConfiguration.html")
def scaling_target(value: float) -> Iterator[Problem]:
    """The target of a scaling policy is above zero."""
    if value <= 0:
        yield Problem(problem="is no target", got=value, fix="give a value above 0")


@rule("ScalingStatistic", source=f"{_API}API_CustomizedMetricSpecification.html")
def scaling_statistic(name: str) -> Iterator[Problem]:
    """A scaling policy follows an average, a sum, a count, or an extreme."""
    if name not in STATISTICS:
        yield Problem(problem="is no statistic for scaling", got=name, fix=f"use {', '.join(STATISTICS)}")


@rule("ScalingMetricOnce", source=f"{_GUIDE}as-scaling-target-tracking.html")
def scaling_metrics(metrics: Sequence[str]) -> Iterator[Problem]:
    """Each scaling policy of a group follows another metric."""
    for index, metric in enumerate(metrics):
        if metric in metrics[:index]:
            yield Problem(
                problem="follows the same metric again", got=metric, fix="drop one of the two", at=f"[{index}]"
            )


@rule("TerminationPolicies", source=f"{_GUIDE}as-instance-termination.html")
def termination_policies(names: Sequence[str]) -> Iterator[Problem]:
    """Each termination policy is named once, and the default one last."""
    for index, name in enumerate(names):
        if name in names[:index]:
            yield Problem(problem="is named twice", got=str(name), fix="drop one of the two", at=f"[{index}]")
    if "Default" in names[:-1]:
        yield Problem(problem="leaves those after Default nothing to decide", got="Default", fix="put Default last")


@rule("InstanceLifetime", source=f"{_API}API_CreateAutoScalingGroup.html")
def lifetime(seconds: float) -> Iterator[Problem]:
    """An instance lives for a day to a year, or without end."""
    low, high = LIFETIME_SECONDS
    if not low <= seconds <= high:
        yield Problem(problem="is out of range", got=seconds, fix="give a day or more, and a year or less")


@rule("CpuOptions", source="https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-optimize-cpu.html")
def cpu_options(cores: int | None, threads: int | None, instance_type: str | None) -> Iterator[Problem]:
    """Cores and threads come together, one or two threads to a core and one on Graviton."""
    arm = instance_type is not None and architecture_of(instance_type) is Architecture.ARM64
    if (cores is None) != (threads is None):
        missing = ".core_count" if cores is None else ".threads_per_core"
        yield Problem(problem="is missing beside the other of the two", got=None, fix="give both", at=missing)
    elif cores is not None and cores < 1:
        yield Problem(problem="is no number of cores", got=cores, fix="give 1 or more", at=".core_count")
    elif threads is not None and threads not in ({1} if arm else {1, 2}):
        fix = "give 1" if arm else "give 1 or 2"
        yield Problem(problem="is no number of threads of a core", got=threads, fix=fix, at=".threads_per_core")


@rule("CpuFeature", source=f"{_EC2_API}API_LaunchTemplateCpuOptionsRequest.html")
def cpu_features(instance_type: str | None, *, sev_snp: bool, nested: bool) -> Iterator[Problem]:
    """AMD SEV-SNP and nested virtualization are for certain instance families."""
    family = (instance_type or "").partition(".")[0]
    if sev_snp and family and family not in _SEV_SNP_FAMILIES:
        fix = f"use a type of {', '.join(_SEV_SNP_FAMILIES)}"
        yield Problem(problem="is not for this type", got=instance_type, fix=fix, at=".amd_sev_snp")
    if nested and family and not re.fullmatch(_NESTED_FAMILIES, family):
        fix = "use a type of c8i, m8i or r8i"
        yield Problem(problem="is not for this type", got=instance_type, fix=fix, at=".nested_virtualization")
