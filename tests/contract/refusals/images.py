"""Bad inputs to golden images: name, volumes, build environment, trigger."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_sns as sns

from cdk_ami import Architecture, BuildEnvironment, BuildSchedule, BuildTrigger, GoldenImage, SourceImage, Volume
from tests.contract.refusals.row import SET_UP, Row, image

Call = Callable[[cdk.Stack], object]
ARM: Final = SourceImage.amazon_linux_2023(architecture=Architecture.ARM64)


def built(**options: Any) -> Call:
    """Return the call that makes an image with these options."""
    return lambda stack: image(stack, **options)


def built_in(**options: Any) -> Call:
    """Return the call that makes an image in this environment."""
    return built(environment=BuildEnvironment(**options))


def built_at(expression: str = "cron(0 4 * * ? *)", **options: Any) -> Call:
    """Return the call that makes an image with this schedule."""
    return built(trigger=BuildTrigger.schedule(BuildSchedule(expression=expression, **options)))


def with_volumes(*volumes: Volume) -> Call:
    """Return the call that makes an image with these volumes."""
    return built(volumes=volumes)


def isolated(stack: cdk.Stack) -> ec2.IVpc:
    """Return a VPC whose one subnet has no way out."""
    return ec2.Vpc.from_vpc_attributes(
        stack,
        SET_UP,
        vpc_id="vpc-0123456789abcdef0",
        availability_zones=["us-east-1a"],
        isolated_subnet_ids=["subnet-0123456789abcdef0"],
        isolated_subnet_route_table_ids=["rtb-0123456789abcdef0"],
    )


def again(stack: cdk.Stack) -> GoldenImage:
    """Make an image whose name differs from another's in spelling only."""
    GoldenImage(stack, SET_UP, name="web server", source=SourceImage.amazon_linux_2023())
    return image(stack, name="Web_Server")


ROWS: Final = (
    Row("an image has a name of one letter", built(name="w"), "S/Web", "name", "w", "3 to 128", "ResourceName"),
    Row(
        "two images of a stack have one name, spelt in two ways",
        again,
        "S/Web",
        "name",
        "web-server",
        "another name",
        "ImageNameOnce",
    ),
    Row(
        "an image is imported by what is no pipeline",
        lambda stack: GoldenImage.from_pipeline_arn(stack, "Web", "web"),
        "S/Web",
        "pipeline_arn",
        "web",
        "image-pipeline/web",
        "PipelineArn",
    ),
    Row(
        "a tag begins as only AWS may begin it",
        built(tags={"aws:team": "x"}),
        "S/Web",
        "tags['aws:team']",
        "aws:team",
        "another prefix",
        "Tags",
    ),
    Row(
        "a working directory is one of the other system",
        built(working_directory="C:/build"),
        "S/Web",
        "working_directory",
        "C:/build",
        "'/opt/build'",
        "WorkingDirectory",
    ),
    Row(
        "a scan has no instance to look at",
        built(scan=True, run_tests=False),
        "S/Web",
        "scan",
        True,  # noqa: FBT003 - the value that the error shows
        "leave run_tests on",
        "ScanNeedsTests",
    ),
    Row(
        "the service cannot notify a FIFO topic",
        lambda stack: image(
            stack,
            notifications=sns.Topic.from_topic_attributes(
                stack, SET_UP, topic_arn="arn:aws:sns:us-east-1:123456789012:builds.fifo"
            ),
        ),
        "S/Web",
        "notifications",
        "fifo",
        "a standard one",
        "StandardTopic",
    ),
    Row(
        "the default VPC has no security group of the image to open",
        lambda stack: image(stack).connections,
        "S/Web",
        "environment.vpc",
        None,
        "BuildEnvironment(vpc=...)",
        after=True,
    ),
    Row(
        "an instance type has no size",
        built_in(instance_types=["m6i.large", "t3"]),
        "S/Web",
        "environment.instance_types[1]",
        "t3",
        "family and size",
        "InstanceType",
    ),
    Row(
        "a build of Linux runs on a Mac",
        built_in(instance_types=["mac2.metal"]),
        "S/Web",
        "environment.instance_types[0]",
        "mac2.metal",
        "another instance type",
        "MacInstance",
    ),
    Row(
        "an image for arm64 is built on an Intel machine",
        built(source=ARM, environment=BuildEnvironment(instance_types=["m6i.large"])),
        "S/Web",
        "environment.instance_types[0]",
        "m6i.large",
        "t4g.medium",
        "InstanceArchitecture",
    ),
    Row(
        "a subnet stands without its VPC",
        lambda stack: image(stack, environment=BuildEnvironment(subnet=isolated(stack).isolated_subnets[0])),
        "S/Web",
        "environment.subnet",
        "a subnet",
        "give the vpc",
        "SubnetWithVpc",
    ),
    Row(
        "no subnet of the VPC has a way out, and none is named",
        lambda stack: image(stack, environment=BuildEnvironment(vpc=isolated(stack))),
        "S/Web",
        "environment.subnet",
        None,
        "endpoints",
        "SubnetWithWayOut",
    ),
    Row(
        "security groups stand without their VPC",
        lambda stack: image(
            stack,
            environment=BuildEnvironment(
                security_groups=[ec2.SecurityGroup.from_security_group_id(stack, SET_UP, "sg-0123456789abcdef0")]
            ),
        ),
        "S/Web",
        "environment.security_groups",
        1,
        "give the vpc",
        "SecurityGroupsWithVpc",
    ),
    Row(
        "an answer of the metadata service makes no hop",
        built_in(hop_limit=0),
        "S/Web",
        "environment.hop_limit",
        0,
        "use 2",
        "HopLimit",
    ),
    Row(
        "logs are kept for a number of days that nobody offers",
        built_in(log_retention_days=45),
        "S/Web",
        "environment.log_retention_days",
        45,
        "use 30",
        "LogRetention",
    ),
    Row(
        "a prefix of logs ends with a slash",
        built_in(log_prefix="web/"),
        "S/Web",
        "environment.log_prefix",
        "web/",
        "no slash",
        "LogPrefix",
    ),
    Row(
        "the image's tags and the environment's are too many together for what a build makes",
        built(
            tags={f"a{number}": "" for number in range(16)},
            environment=BuildEnvironment(resource_tags={f"b{number}": "" for number in range(16)}),
        ),
        "S/Web",
        "tags",
        32,
        "at most 30 together",
        "TagsOfBuild",
    ),
    Row(
        "a tag of the build is one that the service writes",
        built_in(resource_tags={"CreatedBy": "me"}),
        "S/Web",
        "environment.resource_tags['CreatedBy']",
        "CreatedBy",
        "another key",
        "ResourceTags",
    ),
    Row(
        "a schedule is a word",
        built_at("weekly"),
        "S/Web",
        "trigger.schedule.expression",
        "weekly",
        "cron(",
        "ScheduleExpression",
    ),
    Row(
        "a time zone is misspelt",
        built_at(time_zone="Europe/Berlinn"),
        "S/Web",
        "trigger.schedule.time_zone",
        "Europe/Berlinn",
        "IANA",
        "TimeZone",
    ),
    Row(
        "a pipeline is disabled after more failures than are counted",
        built_at(disable_after_failures=11),
        "S/Web",
        "trigger.schedule.disable_after_failures",
        11,
        "1 to 10",
        "FailuresBeforeDisable",
    ),
    Row(
        "a volume has a type that EBS lacks",
        with_volumes(Volume(type="gp4")),
        "S/Web",
        "volumes[0].type",
        "gp4",
        "gp3",
        "VolumeType",
    ),
    Row(
        "a volume has no size",
        with_volumes(Volume(size_gib=0)),
        "S/Web",
        "volumes[0].size_gib",
        0,
        "whole GiB from 1",
        "VolumeSize",
    ),
    Row(
        "a volume of provisioned IOPS does not say how many",
        with_volumes(Volume(type="io2", size_gib=10)),
        "S/Web",
        "volumes[0].iops",
        None,
        "say how many",
        "VolumeIops",
    ),
    Row(
        "a volume is too small for its IOPS",
        with_volumes(Volume(size_gib=10, iops=5_001)),
        "S/Web",
        "volumes[0].iops",
        5_001,
        "at least 11 GiB",
        "VolumeIopsPerGib",
    ),
    Row(
        "a volume has more throughput than its IOPS carry",
        with_volumes(Volume(throughput_mib=1_000)),
        "S/Web",
        "volumes[0].throughput_mib",
        1_000,
        "4,000",
        "VolumeThroughput",
    ),
    Row(
        "an image boots from a hard disk",
        with_volumes(Volume(type="st1", size_gib=500)),
        "S/Web",
        "volumes[0].type",
        "st1",
        "use gp3",
        "RootVolumeType",
    ),
    Row(
        "a volume beside the root volume does not say its size",
        with_volumes(Volume(device="/dev/sdf")),
        "S/Web",
        "volumes[0].size_gib",
        None,
        "say how many GiB",
        "ExtraVolumeSize",
    ),
    Row(
        "a key is given for a volume that is not encrypted",
        with_volumes(Volume(encrypted=False, kms_key="alias/golden")),
        "S/Web",
        "volumes[0].kms_key",
        "kms_key",
        "encrypted=True",
        "VolumeKey",
    ),
    Row(
        "two volumes have one device, spelt in two ways",
        with_volumes(Volume(device="/dev/sdf", size_gib=1), Volume(device="/dev/xvdf", size_gib=1)),
        "S/Web",
        "volumes[1].device",
        "/dev/xvdf",
        "its own device",
        "DevicesOnce",
    ),
)
