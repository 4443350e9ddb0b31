"""What the public checkers say of an image's distribution and of its fleets."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import aws_cdk as cdk
import cfnlint.api
import cfnlint.config
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_sns as sns
from cdk_nag import AwsSolutionsChecks

from cdk_ami import (
    Architecture,
    CpuOptions,
    DeletionProtection,
    HealthCheck,
    InstanceChoice,
    MixedInstances,
    NetworkOptions,
    Scaling,
    TerminationPolicy,
    WarmPool,
    WarmPoolState,
    ZonalShift,
)
from cdk_ami.distribution.channel import ImageChannel, Tracking
from cdk_ami.distribution.distribution import Distribution
from cdk_ami.distribution.launch_permission import LaunchPermission
from cdk_ami.distribution.target import LaunchTemplateUpdate, Target
from cdk_ami.fleet.image_fleet import ImageFleet
from cdk_ami.fleet.zonal_instances import ZonalInstances
from cdk_ami.recipe.volume import Volume
from tests.fleet.network import network
from tests.support.synth import app_context, make_stack, template_of

OTHER = "210987654321"


def populate(stack: cdk.Stack) -> None:
    """Add one of everything with most of its options."""
    channel = ImageChannel.from_name("web")
    vpc = network(stack)
    permission = LaunchPermission(
        accounts=[OTHER], organizations=["arn:aws:organizations::123456789012:organization/o-a1b2c3d4e5"]
    )
    update = LaunchTemplateUpdate(launch_template_id="lt-0123456789abcdef0", set_default_version=True, account=OTHER)
    full = Target(
        region="eu-west-1",
        tags={"Team": "web"},
        kms_key="arn:aws:kms:eu-west-1:123456789012:alias/golden",
        accounts=[OTHER],
        launch_permission=permission,
        launch_templates=[update],
        channels=["candidate"],
    )
    Distribution(targets=[Target(region="us-east-1"), full]).render(stack, "Distribution", name="web")
    topic = sns.Topic.from_topic_arn(stack, "Topic", "arn:aws:sns:us-east-1:123456789012:fleet")
    ImageFleet(
        stack,
        "Fleet",
        image=channel.machine_image(root_device="/dev/xvda"),
        vpc=vpc,
        zones=["us-east-1a", "us-east-1b"],
        max_size=6,
        agent_log_prefix="/golden-image/",
        volumes=[Volume(size_gib=20, iops=4_000, throughput_mib=250)],
        user_data="#!/bin/sh\nhostname",
        notifications=topic,
        tags={"Team": "web"},
    )
    ImageFleet(
        stack,
        "Warm",
        image=channel.machine_image(root_device="/dev/xvda"),
        vpc=vpc,
        max_size=6,
        volumes=[Volume(size_gib=20, initialization_rate_mib=200)],
        warm_pool=WarmPool(state=WarmPoolState.HIBERNATED, max_prepared=5),
        cpu=CpuOptions(core_count=1, threads_per_core=1),
        network=NetworkOptions(public_ip=False),
        notifications=topic,
    )
    ImageFleet(stack, "Lazy", image=channel.machine_image(tracking=Tracking.AT_LAUNCH), vpc=vpc, notifications=topic)
    ZonalInstances(
        stack,
        "Twins",
        image=channel.pinned({"us-east-1": "ami-0123456789abcdef0"}),
        vpc=vpc,
        zones=["us-east-1a", "us-east-1c"],
        detailed_monitoring=True,
        termination_protection=True,
    )


def mix(stack: cdk.Stack) -> None:
    """Add a mixed fleet; cdk-nag looks for encrypted volumes in a group's one launch template only, and finds none."""
    channel = ImageChannel.from_name("web")
    topic = sns.Topic.from_topic_arn(stack, "MixedTopic", "arn:aws:sns:us-east-1:123456789012:fleet")
    ImageFleet(
        stack,
        "Mixed",
        image=channel.machine_image(root_device="/dev/xvda"),
        vpc=ec2.Vpc.from_vpc_attributes(
            stack,
            "MixedVpc",
            vpc_id="vpc-0123456789abcdef0",
            availability_zones=["us-east-1a"],
            public_subnet_ids=["subnet-0123456789abcdef0"],
        ),
        max_size=9,
        mixed=MixedInstances(
            choices=[
                InstanceChoice(
                    instance_type="m6g.large",
                    image=ImageChannel.from_name("web-arm").machine_image(
                        architecture=Architecture.ARM64, root_device="/dev/xvda"
                    ),
                ),
                InstanceChoice(instance_type="m5.large"),
            ],
            spot_percent=50,
            rebalance_capacity=True,
        ),
        zonal_shift=ZonalShift.REPLACE_UNHEALTHY,
        health_checks=[HealthCheck.VOLUMES],
        scaling=[Scaling.on_cpu(percent=60)],
        termination_policies=[TerminationPolicy.OLDEST_LAUNCH_TEMPLATE, TerminationPolicy.DEFAULT],
        deletion_protection=DeletionProtection.WHILE_IN_USE,
        group_metrics=True,
        notifications=topic,
    )


def report_of(app: cdk.App, folder: Path) -> list[str]:
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(verbose=True))
    # A finding interrupts the synthesis, and the report stands in the file all the same.
    with contextlib.suppress(RuntimeError):
        app.synth()
    report = json.loads((folder / "validation-report.json").read_text())
    return [violation["ruleName"] for plugin in report["pluginReports"] for violation in plugin["violations"]]


def app_in(folder: Path) -> cdk.App:
    return cdk.App(context=app_context(), outdir=str(folder), analytics_reporting=False)


def test_cdk_nag_and_the_cdks_own_validation_find_nothing(tmp_path: Path) -> None:
    app = app_in(tmp_path)
    populate(make_stack(app=app))

    assert report_of(app, tmp_path) == []


def test_cdk_nag_asks_for_a_topic_and_a_known_root_device_and_for_nothing_else(tmp_path: Path) -> None:
    app = app_in(tmp_path)
    stack = make_stack(app=app)
    ImageFleet(stack, "Fleet", image=ImageChannel.from_name("web").machine_image(), vpc=network(stack))

    assert report_of(app, tmp_path) == ["AwsSolutions-EC26", "AwsSolutions-AS3"]


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1"])
def test_cfn_lint_finds_nothing(region: str) -> None:
    stack = make_stack(region="us-east-1")
    populate(stack)
    mix(stack)
    text = json.dumps(template_of(stack))

    found = cfnlint.api.lint(text, config=cfnlint.config.ManualArgs(regions=[region], include_checks=["W", "E"]))

    assert [str(match) for match in found] == []
