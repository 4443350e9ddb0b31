"""Bad inputs to fleets and zonal instances."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs

from cdk_ami import Distribution, FastRestore, ImageChannel, LaunchPermission, Replacement, Target, Tracking, Volume
from tests.contract.refusals.row import SET_UP, Row, fleet, twins

Call = Callable[[cdk.Stack], object]
WEB: Final = ImageChannel.from_name("web")


def running(**options: Any) -> Call:
    """Return the call that makes a fleet with these options."""
    return lambda stack: fleet(stack, **options)


def in_unknown_zones(stack: cdk.Stack) -> object:
    """Choose zones of a VPC whose zones are known to the deployment only."""
    anywhere = cdk.Stack(stack, SET_UP)
    return fleet(anywhere, vpc=ec2.Vpc(anywhere, SET_UP, max_azs=2, nat_gateways=0), zones=["us-east-1a"])


def where_it_is_shared_only(stack: cdk.Stack) -> object:
    """Read a channel of the fleet's own account, which may launch another account's AMIs and owns none."""
    owner = cdk.Stack(stack, SET_UP, env=cdk.Environment(account="210987654321", region="us-east-1"))
    permission = LaunchPermission(accounts=["123456789012"])
    target = Target(region="us-east-1", kms_key="alias/golden", launch_permission=permission)
    Distribution(targets=[target]).render(owner, SET_UP, name="web")
    return fleet(stack)


ROWS: Final = (
    Row(
        "a fleet reads a channel in an account that shares the AMIs and owns none",
        where_it_is_shared_only,
        "S/Fleet",
        "image",
        "/imagebuilder/web/latest",
        "from_shared('web', account='210987654321', channel='latest')",
    ),
    Row("a fleet runs in no zone", running(zones=[]), "S/Fleet", "zones", [], "at least one zone", "Zones"),
    Row(
        "a zone is given by its id",
        running(zones=["use1-az1"]),
        "S/Fleet",
        "zones[0]",
        "use1-az1",
        "'us-east-1a'",
        "ZoneName",
    ),
    Row(
        "a zone belongs to another Region",
        running(zones=["eu-west-1a"]),
        "S/Fleet",
        "zones[0]",
        "eu-west-1a",
        "a zone of us-east-1",
        "ZoneRegion",
    ),
    Row(
        "the VPC has no subnet in a zone",
        running(zones=["us-east-1a", "us-east-1d"]),
        "S/Fleet",
        "zones[1]",
        "us-east-1d",
        "us-east-1a, us-east-1b, us-east-1c",
        "ZoneInVpc",
    ),
    Row(
        "zones are chosen from a VPC whose zones nobody knows yet",
        in_unknown_zones,
        f"S/{SET_UP}/Fleet",
        "zones",
        "zones",
        "account and Region",
        "ZonesUnknown",
    ),
    Row("a group's size is negative", running(min_size=-1), "S/Fleet", "min_size", -1, "0 or more", "GroupSize"),
    Row(
        "a group's smallest size is above its largest",
        running(min_size=4, max_size=2),
        "S/Fleet",
        "min_size",
        4,
        "raise max_size",
        "GroupSizes",
    ),
    Row(
        "a replacement has no room to begin in",
        running(min_healthy_percent=100, max_healthy_percent=100),
        "S/Fleet",
        "max_healthy_percent",
        (100, 100),
        "launch first",
        "HealthyPercent",
    ),
    Row(
        "user data is longer than EC2 takes",
        running(user_data="x" * 16_385),
        "S/Fleet",
        "user_data",
        f"{'x' * 30}...",
        "bake the rest",
        "UserDataSize",
    ),
    Row(
        "zonal instances are none",
        lambda stack: twins(stack, instances_per_zone=0),
        "S/Twins",
        "instances_per_zone",
        0,
        "1 or more",
        "InstancesPerZone",
    ),
    Row(
        "zonal instances are as many as only the deployment knows",
        lambda stack: twins(stack, instances_per_zone=cdk.Token.as_number({"Ref": "Count"})),
        "S/Twins",
        "instances_per_zone",
        "a token",
        "write the number",
    ),
    Row(
        "an image does not tell its processor, and no instance type is given",
        running(image=ec2.MachineImage.generic_linux({"us-east-1": "ami-0123456789abcdef0"})),
        "S/Fleet",
        "instance_type",
        None,
        "'t3.micro'",
    ),
    Row(
        "an image is pinned in other Regions only",
        running(image=WEB.pinned({"eu-west-1": "ami-0123456789abcdef0"})),
        "S/Fleet",
        "image",
        ["eu-west-1"],
        "the AMI id of us-east-1",
    ),
    Row(
        "a root volume is that of an image whose root device nobody knows",
        running(image=WEB.machine_image(), volumes=[Volume(size_gib=50)]),
        "S/Fleet",
        "volumes[0].device",
        None,
        "pass root_device",
    ),
    Row(
        "a fleet has no security group",
        running(security_groups=[]),
        "S/Fleet",
        "security_groups",
        [],
        "leave it out",
    ),
    Row(
        "log groups stand beside a role that is not the fleet's own",
        lambda stack: fleet(
            stack,
            role=iam.Role.from_role_name(stack, SET_UP, "web"),
            log_groups=[logs.LogGroup.from_log_group_name(stack, "Logs", "web")],
        ),
        "S/Fleet",
        "log_groups",
        "both",
        "grant the role",
    ),
    Row(
        "the names of log groups begin with a wildcard",
        running(agent_log_prefix="/golden-image/*"),
        "S/Fleet",
        "agent_log_prefix",
        "/golden-image/*",
        "such as '/golden-image/'",
        "AgentLogPrefix",
    ),
    Row(
        "a data volume shall move to a new instance",
        lambda stack: twins(stack, data_volumes=[Volume(device="/dev/sdf", size_gib=8)]),
        "S/Twins",
        "data_volumes",
        "data_volumes",
        "Replacement.ROOT_VOLUME",
        "KeptByReplacement",
    ),
    Row(
        "instances that are kept shall read their image at launch",
        lambda stack: twins(
            stack, replacement=Replacement.ROOT_VOLUME, image=WEB.machine_image(tracking=Tracking.AT_LAUNCH)
        ),
        "S/Twins",
        "image",
        "at-launch",
        "pinned()",
        "RootVolumeImage",
    ),
    Row(
        "two instances share an address",
        lambda stack: twins(
            stack,
            replacement=Replacement.ROOT_VOLUME,
            private_addresses={"us-east-1a": ["10.0.0.10"], "us-east-1b": ["10.0.0.10"]},
        ),
        "S/Twins",
        "private_addresses['us-east-1b'][0]",
        "10.0.0.10",
        "another",
        "PrivateAddress",
    ),
    Row(
        "a data volume has no device",
        lambda stack: twins(stack, replacement=Replacement.ROOT_VOLUME, data_volumes=[Volume(size_gib=8)]),
        "S/Twins",
        "data_volumes[0].device",
        None,
        "'/dev/sdf'",
    ),
    Row(
        "a data volume takes the place of the root volume",
        lambda stack: twins(
            stack, replacement=Replacement.ROOT_VOLUME, data_volumes=[Volume(device="/dev/xvda", size_gib=8)]
        ),
        "S/Twins",
        "data_volumes[0].device",
        "/dev/xvda",
        "each its own",
    ),
    Row(
        "fast restore stays on for a month",
        lambda stack: FastRestore(stack, "Fast", channel=WEB, zones=["us-east-1a"], hours=720),
        "S/Fast",
        "hours",
        720,
        "1 to 168",
        "FastRestoreHours",
    ),
)
