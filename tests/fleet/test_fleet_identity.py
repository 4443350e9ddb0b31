"""What the instances of a fleet are to IAM and to the network."""

from __future__ import annotations

from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3

from cdk_ami.distribution.channel import ImageChannel
from cdk_ami.fleet.image_fleet import ImageFleet
from tests.fleet.network import network
from tests.support.synth import make_stack, only_resource, resources_of, template_of

WEB = ImageChannel.from_name("web")
GROUP, TEMPLATE = "AWS::AutoScaling::AutoScalingGroup", "AWS::EC2::LaunchTemplate"


def test_a_role_that_is_given_stays_as_it_is() -> None:
    stack = make_stack()
    role = iam.Role.from_role_name(stack, "Own", "web-servers")

    fleet = ImageFleet(stack, "Fleet", image=WEB.machine_image(), vpc=network(stack), role=role)

    template = template_of(stack)
    assert resources_of(template, "AWS::IAM::Role") == {}
    assert only_resource(template, "AWS::IAM::InstanceProfile")["Properties"] == {"Roles": ["web-servers"]}
    assert fleet.role is role


def test_a_fleet_that_reports_to_nobody_has_a_role_without_permissions() -> None:
    stack = make_stack()

    ImageFleet(
        stack,
        "Fleet",
        image=WEB.machine_image(),
        vpc=network(stack),
        session_manager=False,
        cloudwatch_agent=False,
    )

    assert "Policies" not in only_resource(template_of(stack), "AWS::IAM::Role")["Properties"]


def test_log_groups_are_named_in_the_role() -> None:
    stack = make_stack()
    group = logs.LogGroup(stack, "Logs")

    ImageFleet(stack, "Fleet", image=WEB.machine_image(), vpc=network(stack), log_groups=[group])

    [policy] = only_resource(template_of(stack), "AWS::IAM::Role")["Properties"]["Policies"]
    statement = policy["PolicyDocument"]["Statement"][-1]
    assert statement["Sid"] == "Logs"
    assert statement["Resource"] == {"Fn::GetAtt": [stack.get_logical_id(group.node.default_child), "Arn"]}  # type: ignore[arg-type]


def test_the_agents_log_groups_are_named_in_the_role_by_their_prefix() -> None:
    stack = make_stack()

    ImageFleet(stack, "Fleet", image=WEB.machine_image(), vpc=network(stack), agent_log_prefix="/golden-image/")

    [policy] = only_resource(template_of(stack), "AWS::IAM::Role")["Properties"]["Policies"]
    statement = next(one for one in policy["PolicyDocument"]["Statement"] if one["Sid"] == "AgentLogs")
    assert statement["Resource"] == "arn:aws:logs:us-east-1:123456789012:log-group:/golden-image/*"


def test_security_groups_that_are_given_take_the_place_of_its_own() -> None:
    stack = make_stack()
    group = ec2.SecurityGroup.from_security_group_id(stack, "Own", "sg-0123456789abcdef0")

    ImageFleet(stack, "Fleet", image=WEB.machine_image(), vpc=network(stack), security_groups=[group])

    template = template_of(stack)
    launch = only_resource(template, "AWS::EC2::LaunchTemplate")["Properties"]["LaunchTemplateData"]
    assert resources_of(template, "AWS::EC2::SecurityGroup") == {}
    assert launch["SecurityGroupIds"] == ["sg-0123456789abcdef0"]


def test_a_fleet_is_granted_to_and_connected_like_any_other_group() -> None:
    stack = make_stack()
    fleet = ImageFleet(stack, "Fleet", image=WEB.machine_image(), vpc=network(stack))
    bucket = s3.Bucket.from_bucket_name(stack, "Bucket", "content")

    bucket.grant_read(fleet)
    fleet.connections.allow_from_any_ipv4(ec2.Port.tcp(80))

    template = template_of(stack)
    assert only_resource(template, "AWS::IAM::Policy")["Properties"]["Roles"] == [{"Ref": "FleetRole9875F684"}]
    rule = only_resource(template, "AWS::EC2::SecurityGroupIngress")["Properties"]
    [group] = resources_of(template, "AWS::EC2::SecurityGroup")
    assert (rule["FromPort"], rule["CidrIp"]) == (80, "0.0.0.0/0")
    assert rule["GroupId"] == {"Fn::GetAtt": [group, "GroupId"]}
    assert fleet.role is fleet.role
    assert fleet.connections is fleet.connections
