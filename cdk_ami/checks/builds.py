"""Rules over where and how an image is built."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from cdk_ami.checks.rule import Problem, rule
from cdk_ami.limits import (
    HOP_LIMIT,
    IMAGE_BUILDER_PARAMETER_PREFIX,
    LOG_PREFIX,
    LOG_RETENTION_DAYS,
    PIPELINE_ARN,
    RESOURCE_TAGS_MAX,
    WORKING_DIRECTORY_MAX,
)
from cdk_ami.source.platform import Platform

_IB: Final = "https://docs.aws.amazon.com/imagebuilder/latest/APIReference/"
_PUBLIC_PARAMETERS: Final = "/aws/service/"
_ABSOLUTE: Final = {Platform.LINUX: r"/.*", Platform.WINDOWS: r"[A-Za-z]:[/\\].*"}


@rule("SubnetWithVpc", source=f"{_IB}API_CreateInfrastructureConfiguration.html")
def subnet_with_vpc(*, has_vpc: bool, has_subnet: bool) -> Iterator[Problem]:
    """A subnet needs a security group, and so the VPC to make one in."""
    if has_subnet and not has_vpc:
        yield Problem(problem="is given without its VPC", got="a subnet", fix="give the vpc of the subnet as well")


@rule(
    "SubnetWithWayOut", source="https://docs.aws.amazon.com/imagebuilder/latest/userguide/vpc-interface-endpoints.html"
)
def subnet_found(*, has_vpc: bool, has_subnet: bool) -> Iterator[Problem]:
    """A VPC of isolated subnets alone leaves it to the caller which of them has the endpoints that a build needs."""
    if has_vpc and not has_subnet:
        yield Problem(
            problem="is missing, and no subnet of the VPC has a way out",
            got=None,
            fix="name the subnet that reaches AWS through endpoints",
        )


@rule("SecurityGroupsWithVpc", source=f"{_IB}API_CreateInfrastructureConfiguration.html")
def security_groups_with_vpc(*, has_vpc: bool, count: int) -> Iterator[Problem]:
    """Security groups belong to a VPC, and the default VPC's are not known at synthesis."""
    if count and not has_vpc:
        yield Problem(problem="are given without their VPC", got=count, fix="give the vpc of the groups as well")


@rule("TagsOfBuild", source=f"{_IB}API_CreateInfrastructureConfiguration.html")
def tags_of_build(count: int, *, own: int) -> Iterator[Problem]:
    """The image's tags and those of the build environment together are at most 30."""
    if own <= RESOURCE_TAGS_MAX < count:
        yield Problem(
            problem=f"make {count} tags with the resource_tags of the environment",
            got=count,
            fix=f"keep at most {RESOURCE_TAGS_MAX} together: put tags of AMIs alone into the distribution",
        )


@rule("HopLimit", source=f"{_IB}API_InstanceMetadataOptions.html")
def hop_limit(count: int) -> Iterator[Problem]:
    """A metadata answer makes 1 to 64 hops."""
    low, high = HOP_LIMIT
    if not low <= count <= high:
        yield Problem(problem=f"is not between {low} and {high}", got=count, fix="use 2, or 1 without containers")


@rule(
    "LogRetention",
    source="https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html",
)
def log_retention(days: int) -> Iterator[Problem]:
    """Log events are kept for one of the numbers of days that CloudWatch Logs offers."""
    if days not in LOG_RETENTION_DAYS:
        near = days if isinstance(days, int) else LOG_RETENTION_DAYS[0]
        nearest = min(LOG_RETENTION_DAYS, key=lambda offered: abs(offered - near))
        yield Problem(problem="is no retention that CloudWatch Logs offers", got=days, fix=f"use {nearest}")


@rule("LogPrefix", source=f"{_IB}API_S3Logs.html")
def log_prefix(prefix: str) -> Iterator[Problem]:
    """A prefix of log objects is a path without a slash at either end, or the objects get an empty folder."""
    if not re.fullmatch(LOG_PREFIX, prefix):
        yield Problem(
            problem="is no prefix of log objects",
            got=prefix,
            fix="use letters, digits and !-_.'()/ only, with no slash at either end",
        )


@rule("WorkingDirectory", source=f"{_IB}API_CreateImageRecipe.html")
def working_directory(path: str, platform: Platform) -> Iterator[Problem]:
    """A working directory is an absolute path of the image's operating system."""
    if len(path) > WORKING_DIRECTORY_MAX:
        yield Problem(problem=f"has {len(path)} characters", got=path, fix=f"use at most {WORKING_DIRECTORY_MAX}")
    if not re.fullmatch(_ABSOLUTE[platform], path):
        example = "/opt/build" if platform == Platform.LINUX else "C:/build"
        yield Problem(problem=f"is no absolute path on {platform.value}", got=path, fix=f"write it as {example!r}")


@rule("ScanNeedsTests", source=f"{_IB}API_ImageScanningConfiguration.html")
def scan_needs_tests(*, scan: bool, run_tests: bool) -> Iterator[Problem]:
    """The scan looks at the test instance, so there must be one."""
    if scan and not run_tests:
        yield Problem(problem="needs the test instance", got=scan, fix="leave run_tests on, or the scan off")


@rule("ImageNameOnce", source=f"{_IB}API_CreateImagePipeline.html")
def image_name_once(name: str, taken: Sequence[str]) -> Iterator[Problem]:
    """Names of images are taken once: names that differ in case, blanks and underscores only are one name."""
    if name in taken:
        yield Problem(problem="is the name of another image in the stack", got=name, fix="choose another name")


@rule("TestComponent", source="https://docs.aws.amazon.com/imagebuilder/latest/userguide/toe-use-documents.html")
def component_tests(name: str, *, has_tests: bool) -> Iterator[Problem]:
    """A component that is given as a test has a test phase, or it tests nothing."""
    if not has_tests:
        yield Problem(
            problem="is a component without a test phase",
            got=name,
            fix="give it a phase named test, or move it to components",
        )


@rule("StandardTopic", source=f"{_IB}API_CreateInfrastructureConfiguration.html")
def standard_topic(*, fifo: bool) -> Iterator[Problem]:
    """Image Builder notifies standard topics only."""
    if fifo:
        yield Problem(
            problem="is a FIFO topic, which Image Builder cannot notify", got="fifo", fix="use a standard one"
        )


@rule("PipelineArn", source=f"{_IB}API_GetImagePipeline.html")
def pipeline_arn(arn: str) -> Iterator[Problem]:
    """An ARN of a pipeline names partition, Region, account and pipeline."""
    if not re.fullmatch(PIPELINE_ARN, arn):
        yield Problem(
            problem="is no ARN of a pipeline",
            got=arn,
            fix="write it as 'arn:aws:imagebuilder:eu-west-1:123456789012:image-pipeline/web'",
        )


@rule(
    "SourceParameter",
    source="https://docs.aws.amazon.com/imagebuilder/latest/userguide/image-builder-service-linked-role.html",
)
def source_parameter(name: str, *, has_execution_role: bool) -> Iterator[Problem]:
    """The service reads public parameters and those under /imagebuilder/; any other takes a role that may."""
    if not has_execution_role and not name.startswith((IMAGE_BUILDER_PARAMETER_PREFIX, _PUBLIC_PARAMETERS)):
        yield Problem(
            problem="is a parameter that Image Builder may not read",
            got=name,
            fix=f"move it under {IMAGE_BUILDER_PARAMETER_PREFIX}, or give an execution_role that may read it",
        )
