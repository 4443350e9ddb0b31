"""The CDK's own custom resources, synthesized by the CDK, deployed, and removed."""

from __future__ import annotations

import json
from pathlib import Path

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_s3_deployment as s3_deployment
from aws_cdk import aws_ssm as ssm
from aws_cdk import custom_resources as cr

from tests.support.deployed import Deployed
from tests.support.sandbox import MakeClient
from tests.support.stacks import Stacks


def test_a_bucket_is_emptied_before_it_goes(deployed: Deployed, aws: MakeClient, tmp_path: Path) -> None:
    stack = deployed.stack("Site")
    (tmp_path / "index.html").write_text("hello")
    bucket = s3.Bucket(
        stack, "Bucket", auto_delete_objects=True, removal_policy=cdk.RemovalPolicy.DESTROY, versioned=True
    )
    s3_deployment.BucketDeployment(
        stack,
        "Deployment",
        sources=[
            s3_deployment.Source.asset(str(tmp_path)),
            s3_deployment.Source.json_data("config.json", {"bucket": bucket.bucket_name}),
        ],
        destination_bucket=bucket,
        destination_key_prefix="web",
    )
    cdk.CfnOutput(stack, "Name", value=bucket.bucket_name)

    stacks = deployed.deploy("Site")

    name = stacks.outputs("Site")["Name"]
    keys = [one["Key"] for one in aws("s3").list_objects_v2(Bucket=name)["Contents"]]
    assert keys == ["web/config.json", "web/index.html"]
    written = json.loads(aws("s3").get_object(Bucket=name, Key="web/config.json")["Body"].read())
    assert written == {"bucket": name}
    assert stacks.delete("Site") == "DELETE_COMPLETE", stacks.reasons("Site")
    assert name not in [one["Name"] for one in aws("s3").list_buckets()["Buckets"]]


def test_one_call_of_the_sdk_is_a_resource(deployed: Deployed, aws: MakeClient) -> None:
    stack = deployed.stack("Calls")
    policy = cr.AwsCustomResourcePolicy.from_sdk_calls(resources=cr.AwsCustomResourcePolicy.ANY_RESOURCE)
    made = cr.AwsCustomResource(
        stack,
        "Put",
        on_create=cr.AwsSdkCall(
            service="SSM",
            action="putParameter",
            parameters={"Name": "/made", "Value": "one", "Type": "String"},
            physical_resource_id=cr.PhysicalResourceId.of("/made"),
        ),
        on_delete=cr.AwsSdkCall(
            service="ssm", action="DeleteParameterCommand", parameters={"Name": cr.PhysicalResourceIdReference()}
        ),
        policy=policy,
        install_latest_aws_sdk=False,
    )
    read = cr.AwsCustomResource(
        stack,
        "Read",
        on_update=cr.AwsSdkCall(
            service="@aws-sdk/client-ssm",
            action="GetParametersByPath",
            parameters={"Path": "/", "MaxResults": 5},
            physical_resource_id=cr.PhysicalResourceId.from_response("Parameters.0.ARN"),
            output_paths=["Parameters.0"],
        ),
        policy=policy,
        install_latest_aws_sdk=False,
    )
    read.node.add_dependency(made)
    cdk.CfnOutput(stack, "Value", value=read.get_response_field("Parameters.0.Value"))
    cdk.CfnOutput(stack, "Id", value=read.get_response_field("Parameters.0.ARN"))

    stacks = deployed.deploy("Calls")

    outputs = stacks.outputs("Calls")
    assert outputs["Value"] == "one"
    physical = [
        one["PhysicalResourceId"] for one in stacks.client.describe_stack_resources(StackName="Calls")["StackResources"]
    ]
    assert {"/made", outputs["Id"]} <= set(physical)
    assert stacks.delete("Calls") == "DELETE_COMPLETE", stacks.reasons("Calls")
    assert aws("ssm").get_parameters(Names=["/made"])["InvalidParameters"] == ["/made"]


ASKED = """
import boto3

ssm = boto3.client("ssm")

def on_event(event, context):
    if event["RequestType"] == "Delete":
        ssm.delete_parameter(Name="/asked")
        return {}
    ssm.put_parameter(Name="/asked", Value="0", Type="String", Overwrite=True)
    return {"PhysicalResourceId": "thing", "Data": {"First": event["ResourceProperties"]["Name"]}}

def is_complete(event, context):
    if event["RequestType"] == "Delete":
        return {"IsComplete": True}
    asked = int(ssm.get_parameter(Name="/asked")["Parameter"]["Value"]) + 1
    ssm.put_parameter(Name="/asked", Value=str(asked), Type="String", Overwrite=True)
    return {"IsComplete": True, "Data": {"Asked": asked}} if asked == 3 else {"IsComplete": False}
"""


def asking(stack: cdk.Stack, name: str) -> lambda_.Function:
    return lambda_.Function(
        stack,
        name.title().replace("_", ""),
        runtime=lambda_.Runtime.PYTHON_3_13,
        handler=f"index.{name}",
        code=lambda_.Code.from_inline(ASKED),
        timeout=cdk.Duration.seconds(30),
    )


def test_the_provider_framework_calls_the_user_s_function(deployed: Deployed, aws: MakeClient) -> None:
    stack = deployed.stack("Framework")
    provider = cr.Provider(stack, "Provider", on_event_handler=asking(stack, "on_event"))
    made = cdk.CustomResource(
        stack, "Own", service_token=provider.service_token, resource_type="Custom::Own", properties={"Name": "it"}
    )
    cdk.CfnOutput(stack, "First", value=made.get_att_string("First"))

    stacks = deployed.deploy("Framework")

    assert stacks.outputs("Framework") == {"First": "it"}
    assert stacks.delete("Framework") == "DELETE_COMPLETE", stacks.reasons("Framework")
    assert aws("ssm").get_parameters(Names=["/asked"])["InvalidParameters"] == ["/asked"]


def test_the_provider_framework_asks_until_it_is_complete(deployed: Deployed) -> None:
    stack = deployed.stack("Framework")
    provider = cr.Provider(
        stack,
        "Provider",
        on_event_handler=asking(stack, "on_event"),
        is_complete_handler=asking(stack, "is_complete"),
        query_interval=cdk.Duration.seconds(1),
        total_timeout=cdk.Duration.minutes(1),
    )
    made = cdk.CustomResource(
        stack, "Own", service_token=provider.service_token, resource_type="Custom::Own", properties={"Name": "it"}
    )
    cdk.CfnOutput(stack, "First", value=made.get_att_string("First"))
    cdk.CfnOutput(stack, "Asked", value=made.get_att_string("Asked"))

    stacks = deployed.deploy("Framework")

    assert stacks.outputs("Framework") == {"First": "it", "Asked": "3"}
    assert stacks.delete("Framework") == "DELETE_COMPLETE", stacks.reasons("Framework")


def test_a_default_group_is_closed_and_a_log_group_kept_for_a_week(deployed: Deployed, aws: MakeClient) -> None:
    stack = deployed.stack("Tidy")
    vpc = ec2.Vpc(
        stack,
        "Vpc",
        availability_zones=["us-east-1a"],
        nat_gateways=0,
        restrict_default_security_group=True,
        subnet_configuration=[ec2.SubnetConfiguration(name="p", subnet_type=ec2.SubnetType.PUBLIC)],
    )
    logs.LogRetention(
        stack,
        "Retention",
        log_group_name="/own/group",
        retention=logs.RetentionDays.ONE_WEEK,
        removal_policy=cdk.RemovalPolicy.DESTROY,
    )
    cdk.CfnOutput(stack, "Group", value=vpc.vpc_default_security_group)

    stacks = deployed.deploy("Tidy")

    group = aws("ec2").describe_security_groups(GroupIds=[stacks.outputs("Tidy")["Group"]])["SecurityGroups"][0]
    assert (group["IpPermissions"], group["IpPermissionsEgress"]) == ([], [])
    assert aws("logs").describe_log_groups(logGroupNamePrefix="/own")["logGroups"][0]["retentionInDays"] == 7
    assert stacks.delete("Tidy") == "DELETE_COMPLETE", stacks.reasons("Tidy")
    assert aws("logs").describe_log_groups(logGroupNamePrefix="/own")["logGroups"] == []


@pytest.mark.parametrize("strong", [True, False])
def test_a_reference_crosses_regions(deployed: Deployed, aws: MakeClient, *, strong: bool) -> None:
    if strong:
        deployed.app.node.set_context("@aws-cdk/core:defaultCrossStackReferences", "strong")
    there = deployed.stack("There", "eu-west-1", cross_region_references=True)
    here = deployed.stack("Here", cross_region_references=True)
    bucket = s3.Bucket(there, "Bucket")
    ssm.StringParameter(here, "Parameter", parameter_name="/bucket", string_value=bucket.bucket_name)

    stacks = deployed.deploy("There", "Here")

    far = Stacks(aws("cloudformation", "eu-west-1"), stacks.ids)
    found = far.client.describe_stack_resources(StackName="There")["StackResources"]
    kinds = {one["ResourceType"]: one["PhysicalResourceId"] for one in found}
    assert aws("ssm").get_parameter(Name="/bucket")["Parameter"]["Value"] == kinds["AWS::S3::Bucket"]
    assert ("Custom::CrossRegionExportWriter" in kinds) is strong
    assert stacks.delete("Here") == "DELETE_COMPLETE", stacks.reasons("Here")
    assert far.delete("There") == "DELETE_COMPLETE", far.reasons("There")
    assert aws("ssm").describe_parameters()["Parameters"] == []
