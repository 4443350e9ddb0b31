"""What AWS would refuse is refused at synthesis, by construct, property, value and fix."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_sns as sns

from cdk_ami.build.environment import BuildEnvironment
from cdk_ami.build.golden_image import GoldenImage
from cdk_ami.build.schedule import BuildSchedule
from cdk_ami.build.trigger import BuildTrigger
from cdk_ami.checks.rule import RULES
from cdk_ami.distribution.distribution import Distribution
from cdk_ami.errors import ConfigError
from cdk_ami.recipe.component import Component
from cdk_ami.recipe.volume import Volume
from cdk_ami.source.image import SourceImage
from cdk_ami.source.platform import Architecture
from tests.support.images import make_image
from tests.support.synth import make_stack


def environment(**options: Any) -> dict[str, Any]:
    return {"environment": BuildEnvironment(**options)}


def scheduled(expression: str = "cron(0 4 * * ? *)", **options: Any) -> dict[str, Any]:
    return {"trigger": BuildTrigger.schedule(BuildSchedule(expression=expression, **options))}


def isolated_vpc(stack: cdk.Stack) -> ec2.IVpc:
    return ec2.Vpc.from_vpc_attributes(
        stack,
        "Vpc",
        vpc_id="vpc-0123456789abcdef0",
        availability_zones=["us-east-1a"],
        isolated_subnet_ids=["subnet-0123456789abcdef0"],
        isolated_subnet_route_table_ids=["rtb-0123456789abcdef0"],
    )


ARM = SourceImage.amazon_linux_2023(architecture=Architecture.ARM64)

# What the options are, the property that the error names, the value it shows, the rule, a part of the fix.
REFUSALS: dict[str, tuple[dict[str, Any], str, object, str, str]] = {
    "a name that is too short": ({"name": "w"}, "name", "w", "ResourceName", "3 to 128"),
    "an instance type without a size": (
        environment(instance_types=["m6i.large", "t3"]),
        "environment.instance_types[1]",
        "t3",
        "InstanceType",
        "t3.medium",
    ),
    "a Mac": (
        environment(instance_types=["mac2.metal"]),
        "environment.instance_types[0]",
        "mac2.metal",
        "MacInstance",
        "",
    ),
    "an Intel machine for an Arm image": (
        environment(instance_types=["m6i.large"]) | {"source": ARM},
        "environment.instance_types[0]",
        "m6i.large",
        "InstanceArchitecture",
        "t4g.medium",
    ),
    "a metadata answer that makes no hop": (environment(hop_limit=0), "environment.hop_limit", 0, "HopLimit", "use 2"),
    "logs for a number of days that nobody offers": (
        environment(log_retention_days=45),
        "environment.log_retention_days",
        45,
        "LogRetention",
        "use 30",
    ),
    "a log prefix that ends with a slash": (
        environment(log_prefix="web/"),
        "environment.log_prefix",
        "web/",
        "LogPrefix",
        "no slash",
    ),
    "a resource tag that the service writes": (
        environment(resource_tags={"CreatedBy": "me"}),
        "environment.resource_tags['CreatedBy']",
        "CreatedBy",
        "ResourceTags",
        "choose another key",
    ),
    "an AMI tag that only AWS may write": (
        {"tags": {"aws:team": "x"}},
        "tags['aws:team']",
        "aws:team",
        "Tags",
        "prefix",
    ),
    "a working directory of the other system": (
        {"working_directory": "C:/build"},
        "working_directory",
        "C:/build",
        "WorkingDirectory",
        "/opt/build",
    ),
    "a scan without a test instance": ({"scan": True, "run_tests": False}, "scan", True, "ScanNeedsTests", "run_tests"),
    "a word": (scheduled("weekly"), "trigger.schedule.expression", "weekly", "ScheduleExpression", "cron("),
    "a test that tests nothing": (
        {"tests": [Component.from_commands("probe", ["true"], phase="build")]},
        "tests[0]",
        "probe",
        "TestComponent",
        "phase named test",
    ),
    "a time zone that does not exist": (
        scheduled(time_zone="Europe/Berlinn"),
        "trigger.schedule.time_zone",
        "Europe/Berlinn",
        "TimeZone",
        "IANA",
    ),
    "a pipeline that fails for ever": (
        scheduled(disable_after_failures=11),
        "trigger.schedule.disable_after_failures",
        11,
        "FailuresBeforeDisable",
        "1 to 10",
    ),
    "a volume of no size": ({"volumes": [Volume(size_gib=0)]}, "volumes[0].size_gib", 0, "VolumeSize", "GiB"),
    "a Region that does not exist": (
        {"distribution": Distribution.to_regions("eu-west-l")},
        "distribution.targets[0].region",
        "eu-west-l",
        "Region",
        "did you mean 'eu-west-3'",
    ),
    "more components than a recipe takes": (
        {"components": [Component.aws_managed(f"part-{number}-linux") for number in range(21)]},
        "components",
        22,
        "ComponentsPerRecipe",
        "merge",
    ),
    "one component twice": (
        {
            "components": [
                Component.from_arn(f"arn:aws:imagebuilder:us-east-1:123456789012:component/own/1.0.{n}") for n in (0, 1)
            ],
            "tests": [],
        },
        "components[1]",
        "123456789012 own",
        "ComponentsOnce",
        "keep one",
    ),
    "a source that only a role of its own can read": (
        {"source": SourceImage.from_ssm_parameter("/own/ami", root_device="/dev/xvda")},
        "source",
        "/own/ami",
        "SourceParameter",
        "execution_role",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_value_that_can_never_deploy_is_refused(case: str) -> None:
    options, prop, got, rule, fix = REFUSALS[case]

    with pytest.raises(ConfigError) as caught:
        make_image(**options)

    error = caught.value
    (fault,) = error.faults
    assert (error.where, fault.prop, fault.got, fault.rule) == ("S/Web", prop, got, f"cdk-ami::{rule}")
    assert fix in fault.fix


NETWORKS: dict[str, tuple[Callable[[cdk.Stack, ec2.IVpc], dict[str, Any]], str, str, str]] = {
    "a subnet without its VPC": (
        lambda _, vpc: environment(subnet=vpc.isolated_subnets[0]),
        "environment.subnet",
        "SubnetWithVpc",
        "give the vpc",
    ),
    "a VPC whose subnets all lack a way out": (
        lambda _, vpc: environment(vpc=vpc),
        "environment.subnet",
        "SubnetWithWayOut",
        "endpoints",
    ),
    "security groups without their VPC": (
        lambda stack, _: environment(
            security_groups=[ec2.SecurityGroup.from_security_group_id(stack, "Group", "sg-0123456789abcdef0")]
        ),
        "environment.security_groups",
        "SecurityGroupsWithVpc",
        "give the vpc",
    ),
    "a FIFO topic": (
        lambda stack, _: {"notifications": sns.Topic(stack, "Topic", fifo=True)},
        "notifications",
        "StandardTopic",
        "standard",
    ),
}


@pytest.mark.parametrize("case", NETWORKS)
def test_things_that_do_not_fit_together_are_refused(case: str) -> None:
    options, prop, rule, fix = NETWORKS[case]
    stack = make_stack()
    given = options(stack, isolated_vpc(stack))

    with pytest.raises(ConfigError) as caught:
        make_image(stack, **given)

    error = caught.value
    assert (error.where, error.prop, error.faults[0].rule) == ("S/Web", prop, f"cdk-ami::{rule}")
    assert fix in error.fix


def test_two_images_of_one_name_are_refused_however_the_name_is_spelt() -> None:
    stack = make_stack()
    make_image(stack, name="web server")

    with pytest.raises(ConfigError) as caught:
        GoldenImage(stack, "Again", name="Web_Server", source=SourceImage.amazon_linux_2023())

    error = caught.value
    assert (error.where, error.prop, error.got) == ("S/Again", "name", "web-server")
    assert error.faults[0].rule == "cdk-ami::ImageNameOnce"


def test_every_fault_of_one_call_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        make_image(name="w", working_directory="build", **environment(hop_limit=65), **scheduled("weekly"))

    assert [fault.prop for fault in caught.value.faults] == [
        "name",
        "environment.hop_limit",
        "trigger.schedule.expression",
        "working_directory",
    ]


def test_a_refused_image_leaves_nothing_in_the_stack() -> None:
    stack = make_stack()

    with pytest.raises(ConfigError):
        make_image(stack, name="w")

    assert stack.node.try_find_child("Web") is None


def test_a_named_isolated_subnet_is_taken() -> None:
    stack = make_stack()
    vpc = isolated_vpc(stack)

    image = make_image(stack, environment=BuildEnvironment(vpc=vpc, subnet=vpc.isolated_subnets[0]))

    assert isinstance(image, GoldenImage)


def test_each_rule_of_builds_cites_its_page() -> None:
    names = {rule for _, _, _, rule, _ in REFUSALS.values()} | {rule for _, _, rule, _ in NETWORKS.values()}

    assert all(RULES[f"cdk-ami::{name}"].source.startswith("https://docs.aws.amazon.com/") for name in names)
