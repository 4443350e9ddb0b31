"""Properties against the provider schemas, without a server."""

from __future__ import annotations

import time
from typing import Any

import pytest

from cdk_ami.sandbox.cloudformation.intrinsics import UNKNOWN
from cdk_ami.sandbox.cloudformation.resources.base import HANDLERS
from cdk_ami.sandbox.cloudformation.schemas import Schema, schema, update_policy_findings


def known(type_name: str) -> Schema:
    found = schema(f"AWS::{type_name}", "us-east-1")
    assert found is not None
    return found


def test_scalars_take_the_types_of_the_schema() -> None:
    properties = {"CidrBlock": "10.0.0.0/16", "EnableDnsSupport": "true", "Tags": [{"Key": "n", "Value": 1}]}

    checked, findings = known("EC2::VPC").check(properties)

    assert findings == []
    assert checked == {**properties, "EnableDnsSupport": True, "Tags": [{"Key": "n", "Value": "1"}]}


@pytest.mark.parametrize(
    ("type_name", "properties", "path", "words"),
    [
        ("EC2::VPC", {"Cidr": "x"}, "Cidr", "extraneous key is not permitted"),
        ("EC2::Subnet", {"CidrBlock": "10.0.0.0/24"}, "", "required key [VpcId] not found"),
        ("EC2::VPC", {"EnableDnsSupport": "maybe"}, "EnableDnsSupport", "expected type: boolean"),
        ("EC2::VPC", {"Tags": [{"Key": "a"}]}, "Tags/0", "required key [Value] not found"),
        ("EC2::FlowLog", {"ResourceId": "v", "ResourceType": "Disk"}, "ResourceType", "not a valid enum value"),
        ("EC2::VPC", {"VpcId": "vpc-1"}, "VpcId", "is set by the service only"),
        ("ImageBuilder::Component", {"Name": "c", "Platform": "Linux", "Version": "1.0.0"}, "Name", "does not match"),
        ("ImageBuilder::Image", {"Tags": {}}, "", "required key [ImagePipelineExecutionSettings] not found"),
        ("AutoScaling::AutoScalingGroup", {"MinSize": 1, "MaxSize": 1}, "", "exactly one of"),
        (
            "ImageBuilder::InfrastructureConfiguration",
            {"Name": "i", "InstanceProfileName": "p", "InstanceMetadataOptions": {"HttpPutResponseHopLimit": 65}},
            "InstanceMetadataOptions/HttpPutResponseHopLimit",
            "65 is not less or equal to 64",
        ),
    ],
)
def test_faults_name_the_path_of_the_property(
    type_name: str, properties: dict[str, Any], path: str, words: str
) -> None:
    _, findings = known(type_name).check(properties)

    assert any(found.path == path and words in found.message for found in findings), findings


def test_what_is_unknown_until_the_deployment_is_not_judged() -> None:
    properties = {"VpcId": UNKNOWN, "CidrBlock": UNKNOWN, "MapPublicIpOnLaunch": UNKNOWN, "Tags": [UNKNOWN]}

    checked, findings = known("EC2::Subnet").check(properties)

    assert (checked, findings) == (properties, [])


def test_create_only_and_conditional_properties_are_those_of_the_schema() -> None:
    image = known("ImageBuilder::Image")

    assert "ImageRecipeArn" in image.create_only
    assert image.conditional == {"ImagePipelineExecutionSettings"}
    assert "Tags" not in image.create_only


def test_update_policies_are_checked_by_their_own_schema() -> None:
    policy = {"AutoScalingInstanceRefresh": {"Strategy": "Fast", "Preferences": {"MinHealthyPercentage": 101}}}

    _, findings = update_policy_findings("AWS::AutoScaling::AutoScalingGroup", policy)

    assert {found.path for found in findings} == {
        "AutoScalingInstanceRefresh/Strategy",
        "AutoScalingInstanceRefresh/Preferences/MinHealthyPercentage",
    }


def test_an_update_policy_on_another_type_is_refused() -> None:
    _, findings = update_policy_findings("AWS::SNS::Topic", {"AutoScalingInstanceRefresh": {"Strategy": "Rolling"}})

    assert "is not supported for AWS::SNS::Topic" in findings[0].message


def test_every_handler_knows_only_properties_that_its_schema_has() -> None:
    for type_name, handler in HANDLERS.items():
        found = schema(type_name, "us-east-1")
        if type_name == "AWS::CDK::Metadata":
            continue
        assert found is not None, type_name
        assert handler.handles <= set(found.body["properties"]), type_name
        assert (handler.updates or frozenset()) <= handler.handles, type_name


def test_no_handler_updates_what_replaces_its_resource() -> None:
    for type_name, handler in HANDLERS.items():
        found = schema(type_name, "us-east-1")
        if found is not None and handler.updates is not None:
            assert not handler.updates & found.create_only, type_name


def test_schemas_are_read_quickly() -> None:
    began = time.perf_counter()

    for type_name in HANDLERS:
        schema(type_name, "eu-west-1")

    assert time.perf_counter() - began < 2
