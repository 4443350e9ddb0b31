"""A build within a deployment starts after all that it needs, and its resource names all of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns

from cdk_ami.build.environment import BuildEnvironment
from cdk_ami.build.trigger import BuildTrigger
from cdk_ami.recipe.component import Component
from cdk_ami.recipe.volume import Volume
from tests.support.images import IMAGE, make_image
from tests.support.synth import make_stack, resources_of, template_of


def references(value: Any) -> Iterator[str]:
    """Yield the logical ids that a part of a template refers to."""
    match value:
        case {"Ref": str(name)}:
            yield name
        case {"Fn::GetAtt": [str(name), *_]}:
            yield name
        case dict():
            for part in value.values():
                yield from references(part)
        case list():
            for part in value:
                yield from references(part)


def closure(template: dict[str, Any], start: str) -> set[str]:
    """Return all resources that exist before ``start`` is made."""
    resources, found, waiting = template["Resources"], set[str](), [start]
    while waiting:
        resource = resources[waiting.pop()]
        needed = {*references(resource.get("Properties", {})), *_listed(resource.get("DependsOn", []))}
        new = {name for name in needed if name in resources} - found
        found |= new
        waiting += sorted(new)
    return found


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    """A stack of an image that needs everything a build can need, some of it granted after the image was made."""
    stack = make_stack()
    vpc = ec2.Vpc(stack, "Vpc", max_azs=1, nat_gateways=1, restrict_default_security_group=False)
    endpoint = vpc.add_gateway_endpoint("Objects", service=ec2.GatewayVpcEndpointAwsService.S3)
    key = kms.Key(stack, "Key")
    image = make_image(
        stack,
        components=[Component.from_commands("install", ["true"])],
        volumes=[Volume(kms_key=key)],
        environment=BuildEnvironment(
            vpc=vpc, log_bucket=s3.Bucket(stack, "Logs", encryption_key=key), requires=[endpoint]
        ),
        notifications=sns.Topic(stack, "Topic", master_key=key),
        execution_role=iam.Role(stack, "Runner", assumed_by=iam.ServicePrincipal("imagebuilder.amazonaws.com")),
        trigger=BuildTrigger.on_change(),
    )
    packages = s3.Bucket(stack, "Packages")
    packages.grant_read(image)
    mirror = ec2.SecurityGroup(stack, "Mirror", vpc=vpc)
    image.connections.allow_to(mirror, ec2.Port.tcp(8081))
    return template_of(stack)


def test_nothing_that_a_build_needs_is_missing_from_the_closure(template: dict[str, Any]) -> None:
    (build,) = resources_of(template, IMAGE)
    # The other side of the connection belongs to the mirror; a build cannot know whose side it must wait for.
    elsewhere = {build, *resources_of(template, "AWS::EC2::SecurityGroupIngress")}

    missing = set(template["Resources"]) - closure(template, build) - elsewhere

    assert missing == set()


@pytest.mark.parametrize(
    "kind",
    [
        "AWS::EC2::InternetGateway",
        "AWS::EC2::NatGateway",
        "AWS::EC2::Route",
        "AWS::EC2::SecurityGroup",
        "AWS::EC2::SecurityGroupEgress",
        "AWS::EC2::SubnetRouteTableAssociation",
        "AWS::EC2::VPCEndpoint",
        "AWS::EC2::VPCGatewayAttachment",
        "AWS::IAM::InstanceProfile",
        "AWS::IAM::Policy",
        "AWS::IAM::Role",
        "AWS::ImageBuilder::Component",
        "AWS::ImageBuilder::DistributionConfiguration",
        "AWS::ImageBuilder::ImagePipeline",
        "AWS::ImageBuilder::ImageRecipe",
        "AWS::ImageBuilder::InfrastructureConfiguration",
        "AWS::KMS::Key",
        "AWS::Logs::LogGroup",
        "AWS::S3::Bucket",
        "AWS::SNS::Topic",
    ],
)
def test_a_build_waits_for_each_kind_of_thing_it_needs(template: dict[str, Any], kind: str) -> None:
    (build,) = resources_of(template, IMAGE)

    before = {template["Resources"][name]["Type"] for name in closure(template, build)}

    assert kind in before


def test_a_build_in_the_default_vpc_waits_for_role_and_logs() -> None:
    stack = make_stack()
    make_image(stack, trigger=BuildTrigger.on_change())

    template = template_of(stack)

    assert closure(template, "WebImage085F8B43") == {
        "WebDistribution1559F4E4",
        "WebInfrastructure330B68F4",
        "WebInstanceProfile4AD67746",
        "WebLogGroup6ECE5103",
        "WebPipelineF7944AB3",
        "WebRecipe8CF55D4D",
        "WebRole8DB59236",
    }
