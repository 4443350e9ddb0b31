"""Which subnets a fleet uses, and how its instances spread over zones: plain data, no CDK."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from cdk_ami.checks import fleet as rules
from cdk_ami.checks.rule import is_token
from cdk_ami.errors import Faults

_REGION: Final = r"[a-z]{2,4}(?:-[a-z]+)+-[0-9]+"


class ZoneSubnet(NamedTuple):
    """The subnet of one zone.

    Attributes:
        zone: Name of the zone, such as ``us-east-1a``; a token where only the deployment knows it.
        subnet_id: Id of the subnet, usually a token.
    """

    zone: str
    subnet_id: str


def find_zone_faults(zones: Sequence[str], *, region: str, faults: Faults, prop: str = "zones") -> None:
    """Record in ``faults`` what is wrong with the chosen zones by themselves.

    Args:
        zones: Names of zones.
        region: Region of the stack, possibly a token.
        faults: The call's faults.
        prop: Name of the property that holds the zones.
    """
    faults.check(prop, rules.zones(zones))
    for index, zone in enumerate(zones):
        faults.check(f"{prop}[{index}]", rules.zone_name(zone))
        faults.check(f"{prop}[{index}]", rules.zone_region(zone, region))


def choose_subnets(
    selected: Sequence[ZoneSubnet], zones: Sequence[str] | None, *, faults: Faults, prop: str = "zones"
) -> tuple[ZoneSubnet, ...]:
    """Return one subnet for each zone, the first that was selected there.

    Args:
        selected: The subnets to choose from, in order of preference.
        zones: Zones to use, in their order.  None takes each zone that has a subnet.
        faults: Where a zone without a subnet is recorded.
        prop: Name of the property that holds the zones.
    """
    first: dict[str, ZoneSubnet] = {}
    for subnet in selected:
        first.setdefault(subnet.zone, subnet)
    if zones is None:
        return tuple(first.values())
    missing = [zone for zone in zones if zone not in first]
    known = rules.all_known([*first, *missing])
    if missing and not known:
        faults.check(prop, rules.zones_can_be_found(chosen=True, known=False))
    else:
        faults.check(prop, rules.zones_in_vpc(zones, list(first)))
    return tuple(first[zone] for zone in zones if zone in first)


def spread(count: int, zones: Sequence[str]) -> Mapping[str, int]:
    """Return how many of ``count`` instances stand in each zone when none is short of capacity.

    Auto Scaling keeps zones within one instance of each other; which zones hold the odd ones is its choice, and the
    first ones here.
    https://docs.aws.amazon.com/autoscaling/ec2/userguide/auto-scaling-benefits.html#AutoScalingBehavior.InstanceUsage

    Args:
        count: How many instances, 0 or more.
        zones: Names of the zones, at least one.
    """
    each, odd = divmod(count, len(zones))
    return {zone: each + (index < odd) for index, zone in enumerate(zones)}


def zone_label(zone: str, position: int) -> str:
    """Return what tells a zone from the others of its Region, fit for the id of a construct.

    ``us-east-1a`` is ``A`` and ``us-west-2-lax-1a`` is ``Lax1a``: the zone is what makes the instance what it is, so it
    stands in the id, and reordering zones replaces nothing.  A zone that only the deployment knows has its position.
    Each label ends in a letter, so that a number may follow.

    Args:
        zone: Name of the zone, or a token.
        position: Place in the list of zones, from 0.
    """
    if is_token(zone):
        return f"Zone{position + 1}Number"
    place = re.sub(_REGION, "", zone, count=1)
    label = "".join(word[0].upper() + word[1:] for word in place.split("-") if word)
    return label if label[-1].isalpha() else f"{label}Number"
