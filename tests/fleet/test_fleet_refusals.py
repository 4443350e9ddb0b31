"""What fleets refuse, told as tables: each row breaks one rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs

from cdk_ami.distribution.channel import ImageChannel
from cdk_ami.errors import ConfigError
from cdk_ami.fleet.image_fleet import ImageFleet
from cdk_ami.fleet.zonal_instances import ZonalInstances
from cdk_ami.recipe.volume import Volume
from cdk_ami.source.platform import Architecture
from tests.fleet.network import ZONES, network
from tests.support.synth import make_stack, only_resource, template_of

WEB = ImageChannel.from_name("web")
IMAGE = WEB.machine_image(root_device="/dev/xvda")


@pytest.fixture(scope="module")
def stack() -> cdk.Stack:
    """A stack for all refusals: what is refused leaves nothing behind."""
    return make_stack()


@pytest.fixture(scope="module")
def vpc(stack: cdk.Stack) -> ec2.IVpc:
    return network(stack)


# What is given, the property that the error names, the value it shows, and a piece of the fix.
Row = tuple[str, Mapping[str, Any], str, object, str]

KEY_THERE = "arn:aws:kms:eu-west-1:123456789012:alias/golden"

OF_BOTH: list[Row] = [
    ("no zone", {"zones": []}, "zones", [], "at least one zone"),
    ("a zone twice", {"zones": ["us-east-1a", "us-east-1a"]}, "zones[1]", "us-east-1a", "drop one"),
    ("a zone by its id", {"zones": ["use1-az1"]}, "zones[0]", "use1-az1", "'us-east-1a'"),
    ("no name of a zone", {"zones": ["east"]}, "zones[0]", "east", "'us-east-1a'"),
    ("a Region for a zone", {"zones": ["us-east-1"]}, "zones[0]", "us-east-1", "'us-east-1a'"),
    ("a zone of another Region", {"zones": ["eu-west-1a"]}, "zones[0]", "eu-west-1a", "a zone of us-east-1"),
    (
        "a zone outside the VPC",
        {"zones": ["us-east-1a", "us-east-1d"]},
        "zones[1]",
        "us-east-1d",
        "us-east-1a, us-east-1b, us-east-1c",
    ),
    ("no instance type", {"instance_type": "large"}, "instance_type", "large", "family and size"),
    ("an arm type for an x86 image", {"instance_type": "m7g.large"}, "instance_type", "m7g.large", "'t3.medium'"),
    (
        "an x86 type for an arm image",
        {"instance_type": "m7i.large", "image": WEB.machine_image(architecture=Architecture.ARM64)},
        "instance_type",
        "m7i.large",
        "'t4g.medium'",
    ),
    ("a Mac", {"instance_type": "mac2.metal"}, "instance_type", "mac2.metal", "another instance type"),
    (
        "no type for an image that does not tell its processor",
        {"image": ec2.MachineImage.generic_linux({"us-east-1": "ami-0123456789abcdef0"})},
        "instance_type",
        None,
        "'t3.micro'",
    ),
    (
        "an image pinned elsewhere",
        {"image": WEB.pinned({"eu-west-1": "ami-0123456789abcdef0"})},
        "image",
        ["eu-west-1"],
        "us-east-1",
    ),
    (
        "a root volume of an image whose root device is unknown",
        {"image": WEB.machine_image(), "volumes": [Volume(size_gib=50)]},
        "volumes[0].device",
        None,
        "root_device",
    ),
    ("a volume too large", {"volumes": [Volume(size_gib=16_001)]}, "volumes[0].size_gib", 16_001, "16,000"),
    ("a hard disk to boot from", {"volumes": [Volume(type="st1", size_gib=125)]}, "volumes[0].type", "st1", "gp3"),
    ("an extra volume of no size", {"volumes": [Volume(device="/dev/sdf")]}, "volumes[0].size_gib", None, "GiB"),
    ("too few IOPS", {"volumes": [Volume(iops=100)]}, "volumes[0].iops", 100, "3,000"),
    (
        "more throughput than the IOPS carry",
        {"volumes": [Volume(throughput_mib=1_000)]},
        "volumes[0].throughput_mib",
        1_000,
        "4,000",
    ),
    (
        "a key for what is not encrypted",
        {"volumes": [Volume(encrypted=False, kms_key="alias/golden")]},
        "volumes[0].kms_key",
        "kms_key",
        "encrypted=True",
    ),
    (
        "a key of another Region",
        {"volumes": [Volume(kms_key=KEY_THERE)]},
        "volumes[0].kms_key",
        KEY_THERE,
        "name a key of us-east-1",
    ),
    (
        "two volumes on one device",
        {"volumes": [Volume(device="/dev/sdf", size_gib=1), Volume(device="/dev/xvdf", size_gib=1)]},
        "volumes[1].device",
        "/dev/xvdf",
        "its own device",
    ),
    ("too long a script", {"user_data": "x" * 16_385}, "user_data", f"{'x' * 30}...", "bake the rest"),
    ("a tag that AWS owns", {"tags": {"aws:x": "y"}}, "tags['aws:x']", "aws:x", "another prefix"),
    ("no security group", {"security_groups": []}, "security_groups", [], "leave it out"),
]

OF_A_FLEET: list[Row] = [
    ("a negative size", {"min_size": -1}, "min_size", -1, "0 or more"),
    ("a size that is no number", {"max_size": "3"}, "max_size", "3", "whole number"),
    ("a smallest above the largest", {"min_size": 4, "max_size": 2}, "min_size", 4, "max_size"),
    ("a desired above the largest", {"desired_size": 5, "max_size": 4}, "desired_size", 5, "between them"),
    ("a desired below the smallest", {"desired_size": 1, "min_size": 2}, "desired_size", 1, "between them"),
    ("more than all healthy", {"min_healthy_percent": 101}, "min_healthy_percent", 101, "0 to 100"),
    ("fewer at most than all", {"max_healthy_percent": 90}, "max_healthy_percent", 90, "100 to 200"),
    (
        "too wide a span",
        {"min_healthy_percent": 50, "max_healthy_percent": 200},
        "max_healthy_percent",
        (50, 200),
        "within 100",
    ),
    (
        "no room to replace in",
        {"min_healthy_percent": 100, "max_healthy_percent": 100},
        "max_healthy_percent",
        (100, 100),
        "launch first",
    ),
]

OF_ZONAL_INSTANCES: list[Row] = [
    ("none in a zone", {"instances_per_zone": 0}, "instances_per_zone", 0, "1 or more"),
]


def cases(*tables: Sequence[Row]) -> list[Any]:
    return [pytest.param(row, id=row[0]) for table in tables for row in table]


def expect(caught: pytest.ExceptionInfo[ConfigError], where: str, row: Row) -> None:
    error = caught.value
    _, _, prop, got, fix = row
    assert (error.where, error.prop, error.got) == (where, prop, got)
    assert fix in error.fix
    assert len(error.faults) == 1


@pytest.mark.parametrize("row", cases(OF_BOTH, OF_A_FLEET))
def test_a_fleet_refuses(stack: cdk.Stack, vpc: ec2.IVpc, row: Row) -> None:
    with pytest.raises(ConfigError) as caught:
        ImageFleet(stack, "Fleet", **{"image": IMAGE, "vpc": vpc, **row[1]})

    expect(caught, "S/Fleet", row)
    assert stack.node.try_find_child("Fleet") is None


@pytest.mark.parametrize("row", cases(OF_BOTH, OF_ZONAL_INSTANCES))
def test_zonal_instances_refuse(stack: cdk.Stack, vpc: ec2.IVpc, row: Row) -> None:
    with pytest.raises(ConfigError) as caught:
        ZonalInstances(stack, "Twins", **{"image": IMAGE, "vpc": vpc, "zones": ZONES, **row[1]})

    expect(caught, "S/Twins", row)
    assert stack.node.try_find_child("Twins") is None


def test_a_fleet_tells_all_its_faults_at_once(stack: cdk.Stack, vpc: ec2.IVpc) -> None:
    with pytest.raises(ConfigError) as caught:
        ImageFleet(stack, "Fleet", image=IMAGE, vpc=vpc, zones=["eu-west-1a"], instance_type="large", min_size=-1)

    assert [fault.prop for fault in caught.value.faults] == ["instance_type", "zones[0]", "min_size"]


def test_log_groups_beside_a_role_would_do_nothing(stack: cdk.Stack, vpc: ec2.IVpc) -> None:
    role = iam.Role.from_role_name(stack, "Own", "web")
    group = logs.LogGroup.from_log_group_name(stack, "Logs", "web")

    with pytest.raises(ConfigError) as caught:
        ImageFleet(stack, "Fleet", image=IMAGE, vpc=vpc, role=role, log_groups=[group])

    assert (caught.value.where, caught.value.prop) == ("S/Fleet", "log_groups")


def test_zones_cannot_be_chosen_where_only_the_deployment_knows_them() -> None:
    stack = make_stack(region=None, account=None)
    vpc = ec2.Vpc(stack, "Vpc", max_azs=2, nat_gateways=0)

    with pytest.raises(ConfigError) as caught:
        ImageFleet(stack, "Fleet", image=IMAGE, vpc=vpc, zones=["us-east-1a"])

    assert (caught.value.where, caught.value.prop) == ("S/Fleet", "zones")
    assert "account and Region" in caught.value.fix


def test_the_vpcs_own_zones_may_be_chosen_even_where_only_the_deployment_knows_them() -> None:
    stack = make_stack(region=None, account=None)
    vpc = ec2.Vpc(stack, "Vpc", max_azs=2, nat_gateways=0)

    ImageFleet(stack, "Fleet", image=IMAGE, vpc=vpc, zones=vpc.availability_zones[1:])

    group = only_resource(template_of(stack), "AWS::AutoScaling::AutoScalingGroup")["Properties"]
    assert group["VPCZoneIdentifier"] == [stack.resolve(vpc.isolated_subnets[1].subnet_id)]
