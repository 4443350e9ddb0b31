"""Logical ids that must never change: under another id CloudFormation would replace what holds state or has a name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cdk_ami import (
    AccountGuard,
    Delivery,
    ImageChannel,
    InstanceCapture,
    Replacement,
    TargetAccountRole,
    Volume,
    ZonalInstances,
)
from cdk_ami.settings import Settings, load
from tests.fleet.network import network
from tests.stacks.conftest import templates_of
from tests.support.synth import ROOT, make_stack, template_of

PINNED = {
    "web-image": {
        "Image97B81D44": "AWS::ImageBuilder::Image",
        "ImageDistribution6159A101": "AWS::ImageBuilder::DistributionConfiguration",
        "ImageInfrastructureD30800AE": "AWS::ImageBuilder::InfrastructureConfiguration",
        "ImageLogGroup8BF5654B": "AWS::Logs::LogGroup",
        "ImagePipeline9F1FC93D": "AWS::ImageBuilder::ImagePipeline",
        "ImageRecipeB8913708": "AWS::ImageBuilder::ImageRecipe",
        "ComponentApache": "AWS::ImageBuilder::Component",
        "ComponentCloudwatchAgent": "AWS::ImageBuilder::Component",
        "NetworkVpc7FB7348F": "AWS::EC2::VPC",
    },
    "web-key-us-east-1": {
        "Key961B73FD": "AWS::KMS::Key",
    },
    "web-fleet-us-east-1": {
        "Fleet30813DF3": "AWS::AutoScaling::AutoScalingGroup",
        "FleetLaunchTemplateFAC34002": "AWS::EC2::LaunchTemplate",
        "FleetSecurityGroup1001C624": "AWS::EC2::SecurityGroup",
        "NetworkVpc7FB7348F": "AWS::EC2::VPC",
        "NoticesCD1BD20F": "AWS::SNS::Topic",
    },
}
"""Changing an id in this table is a major version."""


@pytest.fixture(scope="module")
def templates() -> dict[str, Any]:
    settings: Settings = load(ROOT / "cdk-ami.toml")
    return templates_of(replace(settings, image=replace(settings.image, keys="own")))


@pytest.mark.parametrize("stack", PINNED)
def test_the_ids_of_stateful_resources_are_as_ever(templates: dict[str, Any], stack: str) -> None:
    resources = templates[stack]["Resources"]

    assert {name: resources.get(name, {}).get("Type") for name in PINNED[stack]} == PINNED[stack]


def test_the_parameter_of_a_channel_keeps_its_id(templates: dict[str, Any]) -> None:
    parameters = templates["web-fleet-us-east-1"]["Parameters"]

    assert parameters["ChannelWebLatest8476C7F7"]["Default"] == "/imagebuilder/web/latest"


def test_fleets_of_two_regions_have_the_same_ids(templates: dict[str, Any]) -> None:
    assert sorted(templates["web-fleet-us-east-1"]["Resources"]) == sorted(
        templates["web-fleet-eu-west-1"]["Resources"]
    )


def test_what_must_outlive_its_stack_is_retained(templates: dict[str, Any]) -> None:
    image = templates["web-image"]["Resources"]["Image97B81D44"]

    key = templates["web-key-us-east-1"]["Resources"]["Key961B73FD"]
    for resource in (image, key):
        assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_kept_servers_and_their_volumes_keep_their_ids() -> None:
    stack = make_stack()
    ZonalInstances(
        stack,
        "Twins",
        image=ImageChannel.from_name("web").machine_image(),
        vpc=network(stack),
        zones=["us-east-1a", "us-east-1b"],
        replacement=Replacement.ROOT_VOLUME,
        data_volumes=[Volume(device="/dev/sdf", size_gib=8)],
        own_interfaces=True,
    )

    stateful = {"AWS::EC2::Instance", "AWS::EC2::Volume", "AWS::EC2::NetworkInterface"}
    found = {name: one["Type"] for name, one in template_of(stack)["Resources"].items() if one["Type"] in stateful}
    assert found == {
        "TwinsInstanceA1DDDBB26B": "AWS::EC2::Instance",
        "TwinsInstanceB10E52D55A": "AWS::EC2::Instance",
        "TwinsInterfaceA120924DCE": "AWS::EC2::NetworkInterface",
        "TwinsInterfaceB14E0FDF0F": "AWS::EC2::NetworkInterface",
        "TwinsVolumeA1Sdf2FB79820": "AWS::EC2::Volume",
        "TwinsVolumeB1SdfCD67C284": "AWS::EC2::Volume",
    }


def test_what_a_capture_and_its_producer_name_keeps_its_ids() -> None:
    stack = make_stack()
    InstanceCapture(stack, "Capture", name="shop", instance="i-0123456789abcdef0", test=None)

    named = {"AWS::ImageBuilder::DistributionConfiguration", "AWS::Logs::LogGroup", "AWS::StepFunctions::StateMachine"}
    found = {name: one["Type"] for name, one in template_of(stack)["Resources"].items() if one["Type"] in named}
    assert found == {
        "CaptureMachineC501FCE0": "AWS::StepFunctions::StateMachine",
        "CaptureProducerDistributionD1230861": "AWS::ImageBuilder::DistributionConfiguration",
        "CaptureProducerLogGroupB709507F": "AWS::Logs::LogGroup",
        "CaptureProducerMachine29F31B5B": "AWS::StepFunctions::StateMachine",
    }


def test_the_roles_of_a_target_account_keep_their_ids() -> None:
    stack = make_stack()
    received = Delivery(image="web", region="us-east-1", parameters=("/imagebuilder/web/latest",))
    TargetAccountRole(stack, "Roles", source_account="210987654321", deliveries=[received])

    roles = template_of(stack)["Resources"]

    # Their names are fixed: another id would be a second role of the same name, which is refused.
    assert {name: role["Properties"]["RoleName"] for name, role in roles.items()} == {
        "RolesDistributionRole4D6E489A": "EC2ImageBuilderDistributionCrossAccountRole",
        "RolesLifecycleRole28E86BF6": "Ec2ImageBuilderCrossAccountLifecycleAccess",
    }


def test_the_setting_of_a_guard_keeps_its_id() -> None:
    stack = make_stack()
    AccountGuard(stack, "Guard", block_public_snapshots="block-all-sharing")

    found = {name: one["Type"] for name, one in template_of(stack)["Resources"].items()}

    # There is one of it in an account and a Region: under another id it would be made while it is there.
    assert found == {"GuardPublicSnapshotsEEDA49D6": "AWS::EC2::SnapshotBlockPublicAccess"}
