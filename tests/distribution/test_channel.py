"""A channel, and its three ways of being a machine image."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_autoscaling as autoscaling
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam

from cdk_ami.distribution.channel import ImageChannel, Tracking
from cdk_ami.distribution.distribution import Distribution
from cdk_ami.errors import ConfigError
from cdk_ami.source.platform import Platform
from tests.support.synth import make_app, make_stack, only_resource, resources_of, template_of

WEB = ImageChannel.from_name("web")
AMI = "ami-0123456789abcdef0"


def infos(stack: cdk.Stack) -> list[str]:
    return [str(entry.data) for entry in stack.node.metadata if entry.type == "aws:cdk:info"]


def channel_parameters(template: dict[str, Any]) -> dict[str, Any]:
    kind = "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>"
    return {name: found for name, found in template["Parameters"].items() if found["Type"] == kind}


def vpc_of(stack: cdk.Stack) -> ec2.IVpc:
    return ec2.Vpc.from_vpc_attributes(
        stack,
        "Vpc",
        vpc_id="vpc-0123456789abcdef0",
        availability_zones=["us-east-1a"],
        public_subnet_ids=["subnet-0123456789abcdef0"],
    )


def test_a_channel_is_a_parameter_named_after_image_and_channel() -> None:
    assert WEB.parameter_name == "/imagebuilder/web/latest"
    assert ImageChannel.from_name("web", "stable").parameter_name == "/imagebuilder/web/stable"


def test_channels_of_one_name_are_equal_wherever_they_were_named() -> None:
    assert ImageChannel.from_name("web", channel="latest") == ImageChannel(image="web")


@pytest.mark.parametrize(
    ("image", "channel", "prop", "got"),
    [
        ("web@home", "latest", "image", "/imagebuilder/web@home/latest"),
        ("", "latest", "image", "/imagebuilder//latest"),
        ("web", "a/b", "channel", "a/b"),
        ("web", "", "channel", ""),
    ],
)
def test_a_channel_refuses_what_is_no_parameter_name(image: str, channel: str, prop: str, got: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ImageChannel.from_name(image, channel)

    assert (caught.value.where, caught.value.prop, caught.value.got) == ("ImageChannel", prop, got)


def test_a_channel_may_be_named_by_a_token() -> None:
    unknown = cdk.Token.as_string(cdk.Fn.ref("Image"))

    assert ImageChannel.from_name(unknown, unknown).image == unknown


def test_at_deploy_the_stack_has_one_parameter_for_all_users_of_a_channel() -> None:
    stack = make_stack()
    ec2.LaunchTemplate(stack, "One", machine_image=WEB.machine_image())
    ec2.LaunchTemplate(stack, "Two", machine_image=ImageChannel.from_name("web").machine_image())
    ec2.LaunchTemplate(stack, "Other", machine_image=ImageChannel.from_name("web", "stable").machine_image())

    template = template_of(stack)

    parameters = channel_parameters(template)
    assert {found["Default"] for found in parameters.values()} == {WEB.parameter_name, "/imagebuilder/web/stable"}
    images = [
        found["Properties"]["LaunchTemplateData"]["ImageId"]
        for found in resources_of(template, "AWS::EC2::LaunchTemplate").values()
    ]
    assert images[0] == images[1] == {"Ref": "ChannelWebLatest8476C7F7"}
    assert images[2] == {"Ref": "ChannelWebStable9E560308"}


def test_the_parameter_says_how_to_seed_the_channel() -> None:
    stack = make_stack()
    ec2.LaunchTemplate(stack, "Template", machine_image=ImageChannel.from_name("web", "stable").machine_image())

    [parameter] = channel_parameters(template_of(stack)).values()

    assert "cdk-ami channels seed web stable" in parameter["Description"]


def test_names_that_read_alike_get_parameters_of_their_own() -> None:
    stack = make_stack()
    for index, image in enumerate(["web-server", "webserver", "web.server"]):
        ec2.LaunchTemplate(stack, f"T{index}", machine_image=ImageChannel.from_name(image).machine_image())

    assert sorted(found["Default"] for found in channel_parameters(template_of(stack)).values()) == [
        "/imagebuilder/web-server/latest",
        "/imagebuilder/web.server/latest",
        "/imagebuilder/webserver/latest",
    ]


def test_a_channel_that_nobody_in_the_app_writes_is_an_info_that_says_how_to_seed_it() -> None:
    stack = make_stack()
    for index in range(2):
        ec2.LaunchTemplate(stack, f"T{index}", machine_image=WEB.machine_image())

    [info] = infos(stack)
    assert "cdk-ami::ChannelMustExist" in info
    assert "Unable to fetch parameters [/imagebuilder/web/latest]" in info
    assert "cdk-ami channels seed web latest" in info


@pytest.mark.parametrize(("region", "told"), [("eu-west-1", 0), ("eu-west-2", 1), (None, 0)])
def test_no_info_is_due_where_a_distribution_of_the_app_writes_the_channel(region: str | None, told: int) -> None:
    app = make_app()
    Distribution.to_regions("us-east-1", "eu-west-1").render(make_stack(app=app), "Distribution", name="web")
    fleet = make_stack("Fleet", app=app, region=region, account=None)

    ec2.LaunchTemplate(fleet, "Template", machine_image=WEB.machine_image())

    assert len(infos(fleet)) == told


def test_another_channel_of_the_same_image_is_still_told() -> None:
    stack = make_stack()
    Distribution.to_regions("us-east-1").render(stack, "Distribution", name="web")

    ec2.LaunchTemplate(stack, "T", machine_image=ImageChannel.from_name("web", "stable").machine_image())

    assert len(infos(stack)) == 1


def test_at_launch_ec2_resolves_the_channel_and_the_stack_has_no_parameter() -> None:
    stack = make_stack()
    ec2.LaunchTemplate(stack, "T", machine_image=WEB.machine_image(tracking=Tracking.AT_LAUNCH))

    template = template_of(stack)

    data = only_resource(template, "AWS::EC2::LaunchTemplate")["Properties"]["LaunchTemplateData"]
    assert data["ImageId"] == "resolve:ssm:/imagebuilder/web/latest"
    assert channel_parameters(template) == {}


def test_at_launch_a_channel_that_nobody_in_the_app_writes_is_told_once_with_what_happens() -> None:
    app = make_app()
    stack = make_stack(app=app)
    for index in range(2):
        ec2.LaunchTemplate(stack, f"T{index}", machine_image=WEB.machine_image(tracking=Tracking.AT_LAUNCH))
    Distribution.to_regions("us-east-1").render(make_stack("Image", app=app), "Distribution", name="shop")
    shop = ImageChannel.from_name("shop").machine_image(tracking=Tracking.AT_LAUNCH)
    ec2.LaunchTemplate(stack, "Shop", machine_image=shop)

    [info] = infos(stack)

    assert "cdk-ami::ChannelMustExist" in info
    assert "while that does not exist no instance starts" in info
    assert "cdk-ami channels seed web latest" in info


def test_pinned_the_id_of_the_stacks_region_stands_in_the_template() -> None:
    stack = make_stack(region="eu-west-1")
    pinned = WEB.pinned({"us-east-1": "ami-11111111", "eu-west-1": AMI})

    assert pinned.image_id(stack) == AMI
    assert pinned.tracking is Tracking.PINNED


def test_pinned_in_a_region_that_only_the_deployment_knows_the_id_is_looked_up_in_a_mapping() -> None:
    stack = make_stack(region=None, account=None)
    pinned = WEB.pinned({"us-east-1": "ami-11111111", "eu-west-1": AMI})
    for index in range(2):
        ec2.LaunchTemplate(stack, f"T{index}", machine_image=pinned)

    template = template_of(stack)

    [(name, rows)] = template["Mappings"].items()
    assert rows == {"eu-west-1": {"Ami": AMI}, "us-east-1": {"Ami": "ami-11111111"}}
    for found in resources_of(template, "AWS::EC2::LaunchTemplate").values():
        image = found["Properties"]["LaunchTemplateData"]["ImageId"]
        assert image == {"Fn::FindInMap": [name, {"Ref": "AWS::Region"}, "Ami"]}


def test_pinned_elsewhere_is_refused_naming_the_region_that_lacks() -> None:
    stack = make_stack(region="us-west-2")

    with pytest.raises(ConfigError) as caught:
        WEB.pinned({"eu-west-1": AMI}).image_id(stack)

    assert (caught.value.where, caught.value.prop, caught.value.got) == ("S", "image", ["eu-west-1"])
    assert "us-west-2" in caught.value.fix


@pytest.mark.parametrize(
    ("ami_ids", "prop", "got"),
    [
        ({}, "ami_ids", {}),
        ({"eu-wst-1": AMI}, "ami_ids['eu-wst-1']", "eu-wst-1"),
        ({"eu-west-1": "ami-123"}, "ami_ids['eu-west-1']", "ami-123"),
    ],
    ids=["none", "no Region", "no AMI"],
)
def test_a_pin_refuses(ami_ids: dict[str, str], prop: str, got: object) -> None:
    with pytest.raises(ConfigError) as caught:
        WEB.pinned(ami_ids)

    assert caught.value.where == "ImageChannel(/imagebuilder/web/latest)"
    assert (caught.value.prop, caught.value.got) == (prop, got)


def test_pinning_needs_ids() -> None:
    with pytest.raises(ConfigError) as caught:
        WEB.machine_image(tracking=Tracking.PINNED)

    assert caught.value.prop == "tracking"
    assert "pinned(" in caught.value.fix


def test_the_cdks_own_constructs_take_a_channel() -> None:
    stack = make_stack()
    vpc, kind = vpc_of(stack), ec2.InstanceType("t3.micro")
    subnets = ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC)
    ec2.Instance(stack, "I", vpc=vpc, vpc_subnets=subnets, instance_type=kind, machine_image=WEB.machine_image())
    autoscaling.AutoScalingGroup(
        stack,
        "G",
        vpc=vpc,
        vpc_subnets=subnets,
        instance_type=kind,
        machine_image=WEB.machine_image(tracking=Tracking.AT_LAUNCH),
    )

    template = template_of(stack)

    instance = only_resource(template, "AWS::EC2::Instance")["Properties"]
    group_template = only_resource(template, "AWS::EC2::LaunchTemplate")["Properties"]["LaunchTemplateData"]
    assert instance["ImageId"] == {"Ref": "ChannelWebLatest8476C7F7"}
    assert group_template["ImageId"] == "resolve:ssm:/imagebuilder/web/latest"


def test_a_windows_channel_has_windows_user_data_and_a_known_root_device() -> None:
    image = WEB.machine_image(platform=Platform.WINDOWS)

    config = image.get_image(make_stack())

    assert config.os_type == ec2.OperatingSystemType.WINDOWS
    assert "<powershell>" in config.user_data.render()
    assert image.root_device == "/dev/sda1"


def test_reading_is_granted_on_the_one_parameter() -> None:
    stack = make_stack()
    role = iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"))

    WEB.grant_read(role)

    [statement] = only_resource(template_of(stack), "AWS::IAM::Policy")["Properties"]["PolicyDocument"]["Statement"]
    assert statement["Action"] == ["ssm:GetParameter", "ssm:GetParameters"]
    assert statement["Resource"] == {
        "Fn::Join": [
            "",
            [
                "arn:",
                {"Ref": "AWS::Partition"},
                ":ssm:",
                {"Ref": "AWS::Region"},
                ":",
                {"Ref": "AWS::AccountId"},
                ":parameter/imagebuilder/web/latest",
            ],
        ]
    }


def test_names_that_image_builder_takes_for_one_have_one_channel() -> None:
    channel = ImageChannel.from_name("Web Server")

    assert channel.parameter_name == ImageChannel.from_name("web-server").parameter_name
    assert channel.seed_command == "cdk-ami channels seed web-server latest"
