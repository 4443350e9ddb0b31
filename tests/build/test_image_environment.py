"""Where an image is built: network, machines, logs and notifications."""

from __future__ import annotations

import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns

from cdk_ami.build.environment import BuildEnvironment
from cdk_ami.errors import ConfigError
from cdk_ami.source.image import SourceImage
from cdk_ami.source.platform import Architecture
from tests.support.images import (
    INFRASTRUCTURE,
    make_image,
    properties_with,
    template_with,
)
from tests.support.synth import ACCOUNT, get_att, make_stack, only_resource, resources_of, template_of

LOG_GROUP = "AWS::Logs::LogGroup"


def test_a_vpc_always_comes_with_subnet_and_security_group() -> None:
    stack = make_stack()
    vpc = ec2.Vpc(stack, "Vpc", max_azs=1)

    template = template_with(stack, environment=BuildEnvironment(vpc=vpc))

    infrastructure = only_resource(template, INFRASTRUCTURE)["Properties"]
    assert infrastructure["SubnetId"] == {"Ref": "VpcPrivateSubnet1Subnet536B997A"}
    assert infrastructure["SecurityGroupIds"] == [get_att("WebSecurityGroup322089BD", "GroupId")]
    group = template["Resources"]["WebSecurityGroup322089BD"]["Properties"]
    assert "SecurityGroupIngress" not in group
    assert [(rule["CidrIp"], rule["FromPort"], rule["ToPort"]) for rule in group["SecurityGroupEgress"]] == [
        ("0.0.0.0/0", 443, 443),
        ("0.0.0.0/0", 80, 80),
    ]


def test_a_vpc_without_private_subnets_builds_in_a_public_one() -> None:
    stack = make_stack()
    vpc = ec2.Vpc(stack, "Vpc", max_azs=1, nat_gateways=0)

    infrastructure = properties_with(INFRASTRUCTURE, stack, environment=BuildEnvironment(vpc=vpc))

    assert infrastructure["SubnetId"] == {"Ref": "VpcPublicSubnet1Subnet5C2D37C4"}


def test_the_named_subnet_and_groups_are_taken() -> None:
    stack = make_stack()
    vpc = ec2.Vpc(stack, "Vpc", max_azs=2)
    group = ec2.SecurityGroup.from_security_group_id(stack, "Group", "sg-0123456789abcdef0")
    environment = BuildEnvironment(vpc=vpc, subnet=vpc.public_subnets[1], security_groups=[group])

    template = template_with(stack, environment=environment)

    infrastructure = only_resource(template, INFRASTRUCTURE)["Properties"]
    assert infrastructure["SubnetId"] == {"Ref": "VpcPublicSubnet2Subnet691E08A3"}
    assert infrastructure["SecurityGroupIds"] == ["sg-0123456789abcdef0"]
    assert not resources_of(template, "AWS::EC2::SecurityGroup")


def test_all_outbound_opens_the_own_group() -> None:
    stack = make_stack()
    vpc = ec2.Vpc(stack, "Vpc", max_azs=1)

    template = template_with(stack, environment=BuildEnvironment(vpc=vpc, all_outbound=True))

    (rule,) = template["Resources"]["WebSecurityGroup322089BD"]["Properties"]["SecurityGroupEgress"]
    assert (rule["CidrIp"], rule["IpProtocol"]) == ("0.0.0.0/0", "-1")


def test_connections_open_the_build_to_what_it_needs() -> None:
    stack = make_stack()
    vpc = ec2.Vpc(stack, "Vpc", max_azs=1)
    mirror = ec2.SecurityGroup(stack, "Mirror", vpc=vpc)

    image = make_image(stack, environment=BuildEnvironment(vpc=vpc))
    mirror.connections.allow_from(image, ec2.Port.tcp(8081))

    (ingress,) = resources_of(template_of(stack), "AWS::EC2::SecurityGroupIngress").values()
    assert ingress["Properties"]["SourceSecurityGroupId"] == get_att("WebSecurityGroup322089BD", "GroupId")


def test_connections_without_a_vpc_say_what_to_do() -> None:
    image = make_image()

    with pytest.raises(ConfigError, match="build in a network of this app") as caught:
        _ = image.connections

    assert (caught.value.where, caught.value.prop) == ("S/Web", "environment.vpc")


def test_instance_types_are_those_asked_for_as_text_or_object() -> None:
    environment = BuildEnvironment(instance_types=["c6i.xlarge", ec2.InstanceType("c7i.xlarge")])

    infrastructure = properties_with(INFRASTRUCTURE, environment=environment)

    assert infrastructure["InstanceTypes"] == ["c6i.xlarge", "c7i.xlarge"]


def test_an_arm_image_is_built_on_arm() -> None:
    source = SourceImage.amazon_linux_2023(architecture=Architecture.ARM64)

    infrastructure = properties_with(INFRASTRUCTURE, source=source)

    assert infrastructure["InstanceTypes"] == ["m7g.large", "m6g.large", "t4g.large"]


def test_resource_tags_hops_and_failed_instances_are_as_asked_for() -> None:
    environment = BuildEnvironment(resource_tags={"cost": "7"}, hop_limit=1, terminate_on_failure=False)

    infrastructure = properties_with(INFRASTRUCTURE, environment=environment)

    assert infrastructure["ResourceTags"] == {"cost": "7"}
    assert infrastructure["InstanceMetadataOptions"] == {"HttpPutResponseHopLimit": 1, "HttpTokens": "required"}
    assert infrastructure["TerminateInstanceOnFailure"] is False


def test_logs_can_be_kept_for_ever_and_beyond_the_stack() -> None:
    group = only_resource(
        template_with(environment=BuildEnvironment(log_retention_days=None, retain_logs=True)), LOG_GROUP
    )

    assert "RetentionInDays" not in group["Properties"]
    assert (group["DeletionPolicy"], group["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_a_log_bucket_gets_the_logs_under_the_name_of_the_image() -> None:
    stack = make_stack()
    bucket = s3.Bucket(stack, "Logs")

    infrastructure = properties_with(INFRASTRUCTURE, stack, environment=BuildEnvironment(log_bucket=bucket))

    assert infrastructure["Logging"] == {"S3Logs": {"S3BucketName": {"Ref": "Logs6819BB44"}, "S3KeyPrefix": "web"}}


def test_a_topic_hears_of_builds() -> None:
    stack = make_stack()
    topic = sns.Topic(stack, "Topic")

    infrastructure = properties_with(INFRASTRUCTURE, stack, notifications=topic)

    assert infrastructure["SnsTopicArn"] == {"Ref": "TopicBFC7AF6E"}


def test_the_key_of_an_encrypted_topic_admits_the_service_by_its_role() -> None:
    stack = make_stack()
    key = kms.Key(stack, "Key")
    topic = sns.Topic(stack, "Topic", master_key=key)

    policy = properties_with("AWS::KMS::Key", stack, notifications=topic)["KeyPolicy"]

    (statement,) = [one for one in policy["Statement"] if one.get("Sid") == "ImageBuilderNotifies"]
    role = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/imagebuilder.amazonaws.com/AWSServiceRoleForImageBuilder"
    assert statement["Action"] == ["kms:Decrypt", "kms:GenerateDataKey"]
    assert statement["Condition"] == {"StringEquals": {"aws:PrincipalArn": role, "kms:CallerAccount": ACCOUNT}}
