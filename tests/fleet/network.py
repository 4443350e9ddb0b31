"""A network for the tests of fleets, without resources of its own."""

from __future__ import annotations

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2

ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")


def subnet(index: int) -> str:
    return f"subnet-0123456789abcdef{index}"


def network(stack: cdk.Stack, zones: Sequence[str] = ZONES) -> ec2.IVpc:
    return ec2.Vpc.from_vpc_attributes(
        stack,
        "Vpc",
        vpc_id="vpc-0123456789abcdef0",
        availability_zones=list(zones),
        public_subnet_ids=[subnet(index) for index in range(len(zones))],
        public_subnet_route_table_ids=[f"rtb-0123456789abcdef{index}" for index in range(len(zones))],
    )
