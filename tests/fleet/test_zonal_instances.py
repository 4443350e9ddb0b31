"""What instances in named zones render."""

from __future__ import annotations

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs

from cdk_ami.distribution.channel import ImageChannel, Tracking
from cdk_ami.fleet.zonal_instances import ZonalInstances
from cdk_ami.recipe.volume import Volume
from tests.fleet.network import network, subnet
from tests.support.synth import make_stack, only_resource, resources_of, template_of

WEB = ImageChannel.from_name("web")
PINNED = WEB.pinned({"us-east-1": "ami-0123456789abcdef0"})
INSTANCE = "AWS::EC2::Instance"


def test_each_zone_has_one_instance_of_the_one_launch_template() -> None:
    stack = make_stack()

    ZonalInstances(stack, "Twins", image=PINNED, vpc=network(stack), zones=["us-east-1a", "us-east-1b"])

    template = template_of(stack)
    [(template_id, found)] = resources_of(template, "AWS::EC2::LaunchTemplate").items()
    version = {
        "LaunchTemplateId": {"Ref": template_id},
        "Version": {"Fn::GetAtt": [template_id, "LatestVersionNumber"]},
    }
    assert [instance["Properties"] for instance in resources_of(template, INSTANCE).values()] == [
        {"LaunchTemplate": version, "SubnetId": subnet(0), "Tags": [{"Key": "Name", "Value": "S/Twins/A1"}]},
        {"LaunchTemplate": version, "SubnetId": subnet(1), "Tags": [{"Key": "Name", "Value": "S/Twins/B1"}]},
    ]
    assert found["Properties"]["LaunchTemplateData"]["ImageId"] == "ami-0123456789abcdef0"


def test_an_instance_is_known_by_its_zone_and_number_so_reordering_replaces_nothing() -> None:
    def ids(zones: list[str], each: int) -> dict[str, object]:
        stack = make_stack()
        ZonalInstances(stack, "Twins", image=PINNED, vpc=network(stack), zones=zones, instances_per_zone=each)
        found = resources_of(template_of(stack), INSTANCE)
        return {name: instance["Properties"]["SubnetId"] for name, instance in found.items()}

    before = ids(["us-east-1a", "us-east-1b"], 1)
    after = ids(["us-east-1c", "us-east-1b", "us-east-1a"], 2)

    assert len(after) == 6
    assert before == {name: place for name, place in after.items() if name in before}
    assert sorted(before) == ["TwinsInstanceA1DDDBB26B", "TwinsInstanceB1" + next(n for n in before if "B1" in n)[-8:]]


def test_instances_are_given_out_by_zone() -> None:
    stack = make_stack()

    twins = ZonalInstances(
        stack, "Twins", image=PINNED, vpc=network(stack), zones=["us-east-1b", "us-east-1a"], instances_per_zone=2
    )

    assert twins.zones == ("us-east-1b", "us-east-1a")
    assert [len(found) for found in twins.instances.values()] == [2, 2]
    assert list(twins.instances) == ["us-east-1b", "us-east-1a"]
    assert len(twins.instance_ids) == 4


@pytest.mark.parametrize(
    ("tracking", "image_id"),
    [
        (Tracking.AT_DEPLOY, {"Ref": "ChannelWebLatest8476C7F7"}),
        (Tracking.AT_LAUNCH, "resolve:ssm:/imagebuilder/web/latest"),
    ],
)
def test_the_channel_may_be_followed_too(tracking: Tracking, image_id: object) -> None:
    stack = make_stack()

    ZonalInstances(stack, "Twins", image=WEB.machine_image(tracking=tracking), vpc=network(stack), zones=["us-east-1a"])

    data = only_resource(template_of(stack), "AWS::EC2::LaunchTemplate")["Properties"]["LaunchTemplateData"]
    assert data["ImageId"] == image_id


def test_protection_monitoring_and_tags_stand_beside_each_instance() -> None:
    stack = make_stack()

    ZonalInstances(
        stack,
        "Twins",
        image=PINNED,
        vpc=network(stack),
        zones=["us-east-1a"],
        termination_protection=True,
        detailed_monitoring=True,
        tags={"Name": "db", "Team": "shop"},
    )

    template = template_of(stack)
    instance = only_resource(template, INSTANCE)["Properties"]
    data = only_resource(template, "AWS::EC2::LaunchTemplate")["Properties"]["LaunchTemplateData"]
    assert (instance["DisableApiTermination"], instance["Monitoring"]) == (True, True)
    assert instance["Tags"] == [{"Key": "Name", "Value": "db/A1"}, {"Key": "Team", "Value": "shop"}]
    assert (data["DisableApiTermination"], data["Monitoring"]) == (True, {"Enabled": True})


def test_instances_are_protected_only_when_asked_so_that_a_stack_can_be_deleted() -> None:
    stack = make_stack()

    ZonalInstances(stack, "Twins", image=PINNED, vpc=network(stack), zones=["us-east-1a"])

    template = template_of(stack)
    assert "DisableApiTermination" not in only_resource(template, INSTANCE)["Properties"]
    data = only_resource(template, "AWS::EC2::LaunchTemplate")["Properties"]["LaunchTemplateData"]
    assert "DisableApiTermination" not in data


def test_instances_are_granted_to_and_connected_together() -> None:
    stack = make_stack()
    twins = ZonalInstances(stack, "Twins", image=PINNED, vpc=network(stack), zones=["us-east-1a", "us-east-1b"])

    twins.connections.allow_internally(ec2.Port.tcp(5432))
    WEB.grant_read(twins)

    template = template_of(stack)
    assert only_resource(template, "AWS::EC2::SecurityGroupIngress")["Properties"]["FromPort"] == 5432
    assert only_resource(template, "AWS::IAM::Policy")["Properties"]["Roles"] == [{"Ref": "TwinsRole0CDF7D41"}]


def test_zones_that_only_the_deployment_knows_are_told_apart_by_their_place() -> None:
    stack = make_stack(region=None, account=None)
    vpc = ec2.Vpc(stack, "Vpc", max_azs=2, nat_gateways=0)
    image = WEB.machine_image()

    twins = ZonalInstances(stack, "Twins", image=image, vpc=vpc, zones=vpc.availability_zones, instances_per_zone=2)

    children = [child.node.id for child in twins.node.children if cdk.CfnResource.is_cfn_resource(child)]
    assert [name for name in children if name.startswith("Instance") and name != "InstanceProfile"] == [
        "InstanceZone1Number1",
        "InstanceZone1Number2",
        "InstanceZone2Number1",
        "InstanceZone2Number2",
    ]


def test_the_options_that_fleets_have_reach_the_launch_template_of_zonal_instances_too() -> None:
    stack = make_stack()
    group = ec2.SecurityGroup.from_security_group_id(stack, "Given", "sg-0123456789abcdef0")
    role = iam.Role.from_role_name(stack, "GivenRole", "web")

    ZonalInstances(
        stack,
        "Twins",
        image=PINNED,
        vpc=network(stack),
        zones=["us-east-1a"],
        instance_type="m6i.large",
        volumes=[Volume(device="/dev/sdf", size_gib=20)],
        user_data="#!/bin/sh",
        role=role,
        security_groups=[group],
        containers=True,
    )

    template = template_of(stack)
    data = only_resource(template, "AWS::EC2::LaunchTemplate")["Properties"]["LaunchTemplateData"]
    assert data["InstanceType"] == "m6i.large"
    assert [(one["DeviceName"], one["Ebs"]["VolumeSize"]) for one in data["BlockDeviceMappings"]] == [("/dev/sdf", 20)]
    assert data["UserData"] == {"Fn::Base64": "#!/bin/sh"}
    assert data["SecurityGroupIds"] == ["sg-0123456789abcdef0"]
    assert data["MetadataOptions"]["HttpPutResponseHopLimit"] == 2
    assert only_resource(template, "AWS::IAM::InstanceProfile")["Properties"]["Roles"] == ["web"]
    assert resources_of(template, "AWS::IAM::Role") == {}


def test_the_default_role_of_zonal_instances_holds_what_is_asked_for_and_nothing_else() -> None:
    stack = make_stack()
    written = logs.LogGroup.from_log_group_name(stack, "Logs", "/web")

    ZonalInstances(
        stack,
        "Twins",
        image=PINNED,
        vpc=network(stack),
        zones=["us-east-1a"],
        session_manager=False,
        cloudwatch_agent=False,
        log_groups=[written],
        agent_log_prefix="/golden-image/",
    )

    [policy] = only_resource(template_of(stack), "AWS::IAM::Role")["Properties"]["Policies"]
    allowed = {one["Sid"]: one["Resource"] for one in policy["PolicyDocument"]["Statement"]}
    assert allowed == {
        "Logs": "arn:aws:logs:us-east-1:123456789012:log-group:/web:*",
        "AgentLogs": "arn:aws:logs:us-east-1:123456789012:log-group:/golden-image/*",
        "AgentLogGroups": "*",
    }


def test_the_subnets_of_zonal_instances_may_be_chosen_by_kind() -> None:
    stack = make_stack()
    vpc = ec2.Vpc(stack, "Vpc", availability_zones=["us-east-1a"], nat_gateways=0)
    public = ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC)

    ZonalInstances(stack, "Twins", image=PINNED, vpc=vpc, zones=["us-east-1a"], subnets=public)

    subnet_id = stack.resolve(vpc.public_subnets[0].subnet_id)
    assert only_resource(template_of(stack), INSTANCE)["Properties"]["SubnetId"] == subnet_id
