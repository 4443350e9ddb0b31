"""Several instance types in one group, on demand and Spot, each with the image for its processor: plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from cdk_ami.checks import groups as rules
from cdk_ami.checks import instances

if TYPE_CHECKING:
    from aws_cdk import aws_ec2 as ec2

    from cdk_ami.errors import Faults
    from cdk_ami.source.platform import Architecture


class SpotAllocation(StrEnum):
    """Which pools of spare capacity Spot Instances come from.

    https://docs.aws.amazon.com/autoscaling/ec2/userguide/allocation-strategies.html
    """

    PRICE_CAPACITY = "price-capacity-optimized"
    """Pools that are both cheap and unlikely to be taken back: what AWS recommends."""

    CAPACITY = "capacity-optimized"
    """Pools that are least likely to be taken back."""

    CAPACITY_IN_ORDER = "capacity-optimized-prioritized"
    """The same, and among equals the type that is named first.  Not for `InstanceNeeds`."""

    CHEAPEST = "lowest-price"
    """The cheapest pools, which are taken back most often."""


class OnDemandAllocation(StrEnum):
    """Which type on-demand instances have.

    https://docs.aws.amazon.com/autoscaling/ec2/userguide/allocation-strategies.html
    """

    IN_ORDER = "prioritized"
    """The type that is named first, as long as there is capacity.  Not for `InstanceNeeds`."""

    CHEAPEST = "lowest-price"
    """The cheapest type in each zone."""


class CapacityUnit(StrEnum):
    """What the sizes of a group count.

    https://docs.aws.amazon.com/autoscaling/ec2/userguide/create-mixed-instances-group-attribute-based-instance-type-selection.html
    """

    INSTANCES = "units"
    VCPUS = "vcpu"
    MEMORY_MIB = "memory-mib"


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceChoice:
    """One instance type that a group may launch.

    Attributes:
        instance_type: Name of the type, such as ``m7g.large``.
        weight: How much of the group's size an instance counts for, 1 to 999; for all choices or none.  None counts 1.
        image: What instances of this type run, where it is not the fleet's image: the channel of the other
            architecture.
    """

    instance_type: str
    weight: int | None = None
    image: ec2.IMachineImage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceNeeds:
    """What instance types must have, so that Auto Scaling finds them, those that come out later too.

    https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_InstanceRequirements.html

    Attributes:
        min_vcpus: Fewest virtual processors.
        max_vcpus: Most of them.  None has no limit.
        min_memory_mib: Least memory in MiB.
        max_memory_mib: Most memory in MiB.  None has no limit.
        cpu_manufacturers: ``intel``, ``amd``, ``amazon-web-services``.  Default: any that runs the image.
        allowed_types: Types to choose from, with ``*`` as a wildcard, such as ``m7i*.*``.  Default: all.
        excluded_types: Types to leave out, the same way; not together with ``allowed_types``.  Default: none.
        generations: ``current``, ``previous``.  Default: both.
        burstable: ``included``, ``excluded`` or ``required``.  AWS leaves them out by default.
        bare_metal: ``included``, ``excluded`` or ``required``.  AWS leaves them out by default.
        local_storage: ``included``, ``excluded`` or ``required``.  AWS includes it by default.
        max_on_demand_price_over_lowest_percent: How much dearer than the cheapest fitting type an on-demand type may
            be.  AWS says 20 by default.
        max_spot_price_of_on_demand_percent: The most that a Spot type may cost, against the cheapest fitting type on
            demand.  By default AWS protects you itself.
        image: What these instances run, where it is not the fleet's image.
    """

    min_vcpus: int
    max_vcpus: int | None = None
    min_memory_mib: int
    max_memory_mib: int | None = None
    cpu_manufacturers: Sequence[str] = ()
    allowed_types: Sequence[str] = ()
    excluded_types: Sequence[str] = ()
    generations: Sequence[str] = ()
    burstable: str | None = None
    bare_metal: str | None = None
    local_storage: str | None = None
    max_on_demand_price_over_lowest_percent: int | None = None
    max_spot_price_of_on_demand_percent: int | None = None
    image: ec2.IMachineImage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MixedInstances:
    """Several instance types in one group, and how many of the instances are Spot Instances.

    Both architectures fit into one group: each choice may name the channel of its own.  Each image gets a launch
    template, so that a new AMI of one of them replaces the instances that run it and no other.

    Example:
        ::

            x86 = ImageChannel.from_name("web").machine_image()
            arm = ImageChannel.from_name("web-arm").machine_image(architecture=Architecture.ARM64)
            mixed = MixedInstances(
                choices=[
                    InstanceChoice(instance_type="m7g.large", image=arm),
                    InstanceChoice(instance_type="m7i.large"),
                ],
                on_demand_base=2,
                spot_percent=50,
            )
            ImageFleet(stack, "Fleet", image=x86, vpc=vpc, mixed=mixed)

    Attributes:
        choices: Types in order of preference, or up to four sets of needs; not both kinds at once.
        on_demand_base: How much of the group is bought on demand before any Spot Instance.
        spot_percent: Share of the rest that are Spot Instances, 0 to 100.  They cost 60 to 90 % less, and EC2 takes
            them back with two minutes' notice.
        spot_allocation: Where Spot Instances come from.  None takes AWS's recommendation.
        spot_pools: How many of the cheapest pools are used, 1 to 20, with ``SpotAllocation.CHEAPEST`` only.
        spot_max_price_usd: The most that an hour of a Spot Instance may cost.  AWS advises against it.  None: the
            price on demand.
        on_demand_allocation: Which type on-demand instances have.  None takes the order of types, or the cheapest that
            meets the needs.
        rebalance_capacity: Whether a Spot Instance that EC2 will probably take back is replaced before it does.  The
            group may grow by 10 % meanwhile.
        unit: What the sizes of the group count, where needs are given.
    """

    choices: Sequence[InstanceChoice | InstanceNeeds]
    on_demand_base: int = 0
    spot_percent: int = 0
    spot_allocation: SpotAllocation | None = None
    spot_pools: int | None = None
    spot_max_price_usd: float | None = None
    on_demand_allocation: OnDemandAllocation | None = None
    rebalance_capacity: bool = False
    unit: CapacityUnit = CapacityUnit.INSTANCES

    @property
    def counts_instances(self) -> bool:
        """Whether the sizes of the group are numbers of instances."""
        weighted = any(isinstance(choice, InstanceChoice) and choice.weight for choice in self.choices)
        return self.unit is CapacityUnit.INSTANCES and not weighted

    def find_faults(self, faults: Faults, *, architectures: Sequence[Architecture | None]) -> None:
        """Record in ``faults`` what Auto Scaling would refuse.

        Args:
            faults: The call's faults.
            architectures: Processor of each choice's image, None where the image does not tell.
        """
        types = [choice for choice in self.choices if isinstance(choice, InstanceChoice)]
        needs = [choice for choice in self.choices if isinstance(choice, InstanceNeeds)]
        faults.check("mixed.choices", rules.mixed_choices(types=len(types), needs=len(needs)))
        faults.check("mixed.choices", rules.types_once([choice.instance_type for choice in types]))
        faults.check("mixed.choices", rules.weights([choice.weight for choice in types]))
        for index, (choice, architecture) in enumerate(zip(self.choices, architectures, strict=True)):
            at = f"mixed.choices[{index}]"
            if isinstance(choice, InstanceChoice):
                _find_type_faults(choice.instance_type, architecture, f"{at}.instance_type", faults)
            else:
                _find_needs_faults(choice, architecture, at, faults)
        faults.check("mixed", rules.spot_shares(self.on_demand_base, self.spot_percent))
        faults.check("mixed", rules.allocations(self.on_demand_allocation, self.spot_allocation, needs=bool(needs)))
        faults.check("mixed.spot_pools", rules.spot_pools(self.spot_pools, self.spot_allocation))
        faults.check("mixed.spot_max_price_usd", rules.spot_price(self.spot_max_price_usd))
        given = (self.spot_allocation, self.spot_pools, self.spot_max_price_usd)
        for prop, value in zip(("spot_allocation", "spot_pools", "spot_max_price_usd"), given, strict=True):
            if self.spot_percent == 0 and value is not None:
                fix = "set spot_percent, or leave it out"
                faults.add(f"mixed.{prop}", "has no effect without Spot Instances", got=value, fix=fix)
        faults.check("mixed.rebalance_capacity", rules.rebalancing(self.spot_percent, wanted=self.rebalance_capacity))
        faults.check("mixed.unit", rules.capacity_unit(self.unit, needs=bool(needs)))


def _find_type_faults(name: str, architecture: Architecture | None, prop: str, faults: Faults) -> None:
    faults.check(prop, instances.instance_type(name))
    faults.check(prop, instances.no_mac(name))
    if architecture is not None:
        faults.check(prop, instances.instance_architecture(name, architecture))


def _find_needs_faults(needs: InstanceNeeds, architecture: Architecture | None, at: str, faults: Faults) -> None:
    bounds = {"vcpus": (needs.min_vcpus, needs.max_vcpus), "memory_mib": (needs.min_memory_mib, needs.max_memory_mib)}
    for name, (least, most) in bounds.items():
        faults.check(f"{at}.min_{name}", rules.need_bounds(least, most))
    for prop, values, words in (
        ("cpu_manufacturers", needs.cpu_manufacturers, rules.MANUFACTURERS),
        ("generations", needs.generations, rules.GENERATIONS),
        ("burstable", [needs.burstable] if needs.burstable else (), rules.INCLUSIONS),
        ("bare_metal", [needs.bare_metal] if needs.bare_metal else (), rules.INCLUSIONS),
        ("local_storage", [needs.local_storage] if needs.local_storage else (), rules.INCLUSIONS),
    ):
        faults.check(f"{at}.{prop}", rules.need_words(list(values), words))
    lists = rules.need_lists(allowed=list(needs.allowed_types), excluded=list(needs.excluded_types))
    faults.check(f"{at}.excluded_types", lists)
    if architecture is not None:
        makers = rules.manufacturers_fit(list(needs.cpu_manufacturers), architecture)
        faults.check(f"{at}.cpu_manufacturers", makers)
        faults.check(f"{at}.allowed_types", rules.allowed_types_fit(list(needs.allowed_types), architecture))
