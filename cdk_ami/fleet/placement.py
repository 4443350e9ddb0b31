"""Reads a VPC once and leaves the choice of subnets to the plan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from aws_cdk import aws_ec2 as ec2
from constructs import IDependable

from cdk_ami.errors import Faults
from cdk_ami.fleet.zones import ZoneSubnet, choose_subnets


class Placement(NamedTuple):
    """Where instances go.

    Attributes:
        subnets: One subnet for each zone.
        network_ready: What the first instance waits for: the routes to the internet, where the subnets have any.
    """

    subnets: Sequence[ZoneSubnet]
    network_ready: IDependable | None

    @property
    def zones(self) -> tuple[str, ...]:
        """Names of the zones, in order."""
        return tuple(subnet.zone for subnet in self.subnets)


def place(
    vpc: ec2.IVpc, selection: ec2.SubnetSelection | None, zones: Sequence[str] | None, *, faults: Faults
) -> Placement:
    """Choose one subnet of ``vpc`` for each zone.

    Args:
        vpc: The VPC.
        selection: Which subnets to choose from.  None takes the CDK's default.
        zones: Names of zones.  None takes all that have a subnet.
        faults: Where a zone without a subnet is recorded.
    """
    selection = selection or ec2.SubnetSelection()
    found = vpc.select_subnets(
        availability_zones=selection.availability_zones,
        one_per_az=selection.one_per_az,
        subnet_filters=selection.subnet_filters,
        subnet_group_name=selection.subnet_group_name,
        subnets=selection.subnets,
        subnet_type=selection.subnet_type,
    )
    # Two lists cross from the CDK, in the same order, instead of two values for each subnet.
    pairs = zip(found.availability_zones, found.subnet_ids, strict=True)
    selected = [ZoneSubnet(zone=zone, subnet_id=subnet) for zone, subnet in pairs]
    if found.is_pending_lookup and zones is not None:
        # The CDK synthesizes once with an invented VPC, before it looks the real one up.
        selected = [ZoneSubnet(zone=zone, subnet_id="subnet-pending") for zone in zones]
    if not selected:
        faults.add("subnets", "selects no subnet", got=[], fix="choose a kind of subnet that the VPC has")
    return Placement(
        subnets=choose_subnets(selected, zones, faults=faults), network_ready=found.internet_connectivity_established
    )
