from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml
from syrupy.assertion import SnapshotAssertion

from cdk_ami import Architecture, Platform
from cdk_ami.checks.template.engine import check_template
from cdk_ami.checks.template.values import Environment
from cdk_ami.settings import Settings, ShareSettings
from stacks.image_stack import source_image
from tests.stacks.conftest import templates_of, with_fleet
from tests.support.synth import ACCOUNT, only_resource, resources_of

STACKS = ["web-fleet-eu-west-1", "web-fleet-us-east-1", "web-image"]


@pytest.mark.parametrize("name", STACKS)
def test_the_template_of_each_stack_is_as_it_was(
    templates: dict[str, Any], name: str, snapshot: SnapshotAssertion
) -> None:
    assert templates[name] == snapshot


@pytest.mark.parametrize("name", STACKS)
def test_the_rules_over_templates_find_nothing(templates: dict[str, Any], name: str) -> None:
    known = Environment(region="eu-west-1" if "eu-west-1" in name else "us-east-1", account="123456789012")

    findings = check_template(templates[name], environment=known).findings

    assert [(found.rule_id, found.logical_id, found.message) for found in findings] == []


def test_there_are_no_other_stacks(templates: dict[str, Any]) -> None:
    assert sorted(templates) == STACKS


def test_no_stack_takes_a_value_from_another(templates: dict[str, Any]) -> None:
    text = str(templates)

    assert "Fn::ImportValue" not in text
    assert not [
        output for template in templates.values() for output in template["Outputs"].values() if "Export" in output
    ]


def test_the_fleets_wait_for_the_image_of_the_same_app(settings: Settings) -> None:
    from stacks.app_stacks import add_stacks  # noqa: PLC0415 - the test needs the stacks themselves
    from tests.support.synth import make_app  # noqa: PLC0415 - same

    other = replace(settings.fleets[0], name="shop", image="shop")
    image, fleets = add_stacks(make_app(), replace(settings, fleets=(*settings.fleets, other)), account="123456789012")

    assert [image in fleet.dependencies for fleet in fleets] == [True, True, False]


def test_a_fleet_follows_its_channel_in_three_zones(templates: dict[str, Any]) -> None:
    template = templates["web-fleet-eu-west-1"]

    zones = [subnet["Properties"]["AvailabilityZone"] for subnet in resources_of(template, "AWS::EC2::Subnet").values()]
    channel = next(found for found in template["Parameters"].values() if "/imagebuilder/" in found["Default"])
    assert zones == ["eu-west-1a", "eu-west-1b", "eu-west-1c"]
    assert (channel["Type"], channel["Default"]) == (
        "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>",
        "/imagebuilder/web/latest",
    )
    assert "cdk-ami channels seed web latest" in channel["Description"]


def test_a_fleet_may_follow_its_channel_at_once_or_at_the_next_launch(settings: Settings) -> None:
    first, second = settings.fleets
    followed = replace(first, rollout="on-channel", name="shop")
    left = replace(second, rollout="at-next-launch", name="left")

    templates = templates_of(replace(settings, fleets=(followed, left)))

    template = templates["shop-fleet-us-east-1"]
    known = Environment(region="us-east-1", account=ACCOUNT)
    assert len(resources_of(template, "AWS::StepFunctions::StateMachine")) == 1
    assert "/imagebuilder/web/latest/rollouts/shop" in str(template)
    assert [str(found) for found in check_template(template, environment=known).findings] == []
    assert "resolve:ssm:/imagebuilder/web/latest" in str(templates["left-fleet-eu-west-1"])


def test_a_fleet_uses_the_network_it_is_given(settings: Settings) -> None:
    fleet = replace(
        settings.fleets[0],
        vpc_id="vpc-0123456789abcdef0",
        zones=("us-east-1a", "us-east-1b"),
        subnets={"us-east-1b": "subnet-0000000000000000b", "us-east-1a": "subnet-0000000000000000a"},
        size=2,
    )

    template = templates_of(with_fleet(settings, fleet))["web-fleet-us-east-1"]

    assert resources_of(template, "AWS::EC2::VPC") == {}
    group = only_resource(template, "AWS::AutoScaling::AutoScalingGroup")["Properties"]
    assert group["VPCZoneIdentifier"] == ["subnet-0000000000000000a", "subnet-0000000000000000b"]


@pytest.mark.parametrize(("region", "zone"), [("us-east-1", "us-east-1c"), ("eu-west-1", "us-east-1a")])
def test_an_image_is_built_in_a_zone_that_a_fleet_of_its_region_names(
    settings: Settings, region: str, zone: str
) -> None:
    fleet = replace(settings.fleets[0], region=region, zones=(f"{region}c", f"{region}b"))

    template = templates_of(with_fleet(settings, fleet))["web-image"]

    assert only_resource(template, "AWS::EC2::Subnet")["Properties"]["AvailabilityZone"] == zone


def test_nothing_reaches_into_a_network_of_ours(templates: dict[str, Any]) -> None:
    for template in templates.values():
        groups = resources_of(template, "AWS::EC2::SecurityGroup").values()
        assert groups
        assert [group["Properties"].get("SecurityGroupIngress") for group in groups] == [None] * len(groups)
        assert resources_of(template, "AWS::EC2::SecurityGroupIngress") == {}
        assert resources_of(template, "AWS::EC2::NatGateway") == {}


def test_the_agent_of_the_image_may_do_in_a_fleet_what_its_configuration_tells_it(templates: dict[str, Any]) -> None:
    components = resources_of(templates["web-image"], "AWS::ImageBuilder::Component").values()
    document = yaml.safe_load(
        next(one["Properties"]["Data"] for one in components if one["Properties"]["Name"].endswith("cloudwatch-agent"))
    )
    defaults = {name: about["default"] for entry in document["parameters"] for name, about in entry.items()}
    roles = resources_of(templates["web-fleet-us-east-1"], "AWS::IAM::Role")
    [policy] = next(role for name, role in roles.items() if name.startswith("FleetRole"))["Properties"]["Policies"]

    allowed = {one["Sid"]: one for one in policy["PolicyDocument"]["Statement"]}

    namespace = allowed["Metrics"]["Condition"]["StringEquals"]["cloudwatch:namespace"]
    assert namespace == defaults["Namespace"]
    assert allowed["AgentLogs"]["Resource"].endswith(f":log-group:{defaults['LogGroupPrefix']}/*")


def test_flow_logs_are_delivered_for_this_account_only(templates: dict[str, Any]) -> None:
    for template in templates.values():
        trusts = [
            statement
            for role in resources_of(template, "AWS::IAM::Role").values()
            for statement in role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
            if statement["Principal"]["Service"] == "vpc-flow-logs.amazonaws.com"
        ]

        assert [trust["Condition"] for trust in trusts] == [{"StringEquals": {"aws:SourceAccount": "123456789012"}}]


@pytest.mark.parametrize(
    ("build", "expected"), [("manual", (False, False)), ("schedule", (True, False)), ("on-change", (False, True))]
)
def test_the_settings_choose_when_an_image_is_built(
    settings: Settings, build: str, expected: tuple[bool, bool]
) -> None:
    chosen = replace(settings, image=replace(settings.image, build=build), fleets=())

    template = templates_of(chosen)["web-image"]

    pipeline = only_resource(template, "AWS::ImageBuilder::ImagePipeline")["Properties"]
    builds = resources_of(template, "AWS::ImageBuilder::Image")
    assert ("Schedule" in pipeline, bool(builds)) == expected


@pytest.mark.parametrize(
    ("source", "platform", "parent"),
    [
        ("amazon-linux-2023", Platform.LINUX, "al2023-ami-kernel-default-x86_64"),
        ("amazon-linux-2023-minimal", Platform.LINUX, "al2023-ami-minimal-kernel-default-x86_64"),
        ("amazon-linux-2", Platform.LINUX, "amzn2-ami-"),
        ("ubuntu-24.04", Platform.LINUX, "/aws/service/canonical/ubuntu/server/24.04/"),
        ("ubuntu-22.04", Platform.LINUX, "/aws/service/canonical/ubuntu/server/22.04/"),
        ("debian-12", Platform.LINUX, "/aws/service/debian/release/12/"),
        ("windows-server-2022", Platform.WINDOWS, "Windows_Server-2022-English-Full-Base"),
        ("windows-server-2025", Platform.WINDOWS, "Windows_Server-2025-English-Full-Base"),
    ],
)
def test_each_source_of_the_settings_has_its_recipe(
    settings: Settings, source: str, platform: Platform, parent: str
) -> None:
    chosen = replace(settings, image=replace(settings.image, source=source, components=()), fleets=())

    template = templates_of(chosen)["web-image"]

    recipe = only_resource(template, "AWS::ImageBuilder::ImageRecipe")["Properties"]
    assert parent in recipe["ParentImage"]
    assert source_image(chosen.image).platform is platform


def test_components_of_aws_and_of_the_library_are_named_in_the_settings(settings: Settings) -> None:
    names = ("aws:update-linux", "ready:time-sync")
    chosen = replace(settings, image=replace(settings.image, components=names), fleets=())

    template = templates_of(chosen)["web-image"]

    recipe = only_resource(template, "AWS::ImageBuilder::ImageRecipe")["Properties"]
    assert "component/update-linux/x.x.x" in str(recipe["Components"])
    assert only_resource(template, "AWS::ImageBuilder::Component")["Properties"]["Name"] == "web-image-time-sync"


def test_arm64_reaches_the_source_the_build_and_the_fleet(settings: Settings) -> None:
    chosen = replace(settings, image=replace(settings.image, architecture="arm64"))

    templates = templates_of(chosen)

    recipe = only_resource(templates["web-image"], "AWS::ImageBuilder::ImageRecipe")["Properties"]
    launch = only_resource(templates["web-fleet-us-east-1"], "AWS::EC2::LaunchTemplate")["Properties"]
    assert recipe["ParentImage"].endswith("arm64")
    assert launch["LaunchTemplateData"]["InstanceType"] == "t4g.micro"
    assert source_image(chosen.image).architecture is Architecture.ARM64


def test_an_app_without_a_known_account_renders_the_same_resources(
    settings: Settings, templates: dict[str, Any]
) -> None:
    unknown = templates_of(settings, account=None)

    assert {name: sorted(template["Resources"]) for name, template in unknown.items()} == {
        name: sorted(template["Resources"]) for name, template in templates.items()
    }


# --- keys


OTHER = "210987654321"
SHARED = ShareSettings(accounts=(OTHER,))


@pytest.fixture(scope="module")
def keyed(settings: Settings) -> dict[str, Any]:
    """The templates of an image with keys of its own, shared and copied."""
    image = replace(settings.image, keys="own", copy_to_accounts=("333333333333",), share=SHARED)
    return templates_of(replace(settings, image=image, fleets=()))


def test_an_image_may_have_a_key_of_its_own_in_each_region(keyed: dict[str, Any]) -> None:
    keys = {name: resources_of(template, "AWS::KMS::Key") for name, template in keyed.items()}
    aliases = [f"arn:aws:kms:{region}:{ACCOUNT}:alias/imagebuilder/web" for region in ("us-east-1", "eu-west-1")]

    targets = only_resource(keyed["web-image"], "AWS::ImageBuilder::DistributionConfiguration")["Properties"]
    recipe = only_resource(keyed["web-image"], "AWS::ImageBuilder::ImageRecipe")["Properties"]
    settled = [one["AmiDistributionConfiguration"] for one in targets["Distributions"]]
    assert {name: len(found) for name, found in keys.items()} == {
        "web-image": 0,
        "web-key-us-east-1": 1,
        "web-key-eu-west-1": 1,
    }
    assert [one["KmsKeyId"] for one in settled] == aliases
    assert [one["TargetAccountIds"] for one in settled] == [["333333333333"]] * 2
    assert [one["LaunchPermissionConfiguration"] for one in settled] == [{"UserIds": [OTHER]}] * 2
    assert recipe["BlockDeviceMappings"][0]["Ebs"]["KmsKeyId"] == aliases[0]
    assert sorted(keyed["web-image"]["Outputs"]) == ["Channel", "PipelineArn"]


def test_an_image_waits_for_its_keys_and_takes_no_value_from_them(settings: Settings, keyed: dict[str, Any]) -> None:
    from stacks.app_stacks import add_stacks  # noqa: PLC0415 - the test needs the stacks themselves
    from tests.support.synth import make_app  # noqa: PLC0415 - same

    image, _ = add_stacks(
        make_app(), replace(settings, image=replace(settings.image, keys="own"), fleets=()), account=None
    )

    assert sorted(stack.stack_name for stack in image.dependencies) == ["web-key-eu-west-1", "web-key-us-east-1"]
    assert "ImportValue" not in str(keyed)
