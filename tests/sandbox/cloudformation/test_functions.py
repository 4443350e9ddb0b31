"""Lambda functions as resources."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.functions import archive
from tests.support.sandbox import MakeClient
from tests.support.stacks import Stacks, resource, trust

ROLE = {"Role": resource("IAM::Role", {"AssumeRolePolicyDocument": trust("lambda.amazonaws.com")})}


def function(code: str = "def handler(event, context): return event", **properties: Any) -> dict[str, Any]:
    inline = {"ZipFile": code}
    defaults = {"Runtime": "python3.13", "Handler": "index.handler", "Role": {"Fn::GetAtt": ["Role", "Arn"]}}
    return resource("Lambda::Function", {**defaults, "Code": inline, **properties})


def call(aws: MakeClient, name: str, **options: Any) -> Any:
    return json.loads(aws("lambda").invoke(FunctionName=name, **options)["Payload"].read())


def test_a_function_written_into_the_template_runs_and_changes_in_place(stacks: Stacks, aws: MakeClient) -> None:
    code = "import os, cfnresponse\ndef handler(event, context): return [STEP, os.environ.get('COLOUR')]"
    first = function(
        code.replace("STEP", "1"),
        Environment={"Variables": {"COLOUR": "red"}},
        ReservedConcurrentExecutions=5,
        Tags=[{"Key": "team", "Value": "web"}],
        Timeout=30,
    )
    assert stacks.create("fn", {**ROLE, "Fn": first}) == "CREATE_COMPLETE", stacks.reasons("fn")
    name = stacks.physical_id("fn", "Fn")
    before = call(aws, name)

    status = stacks.update("fn", {**ROLE, "Fn": function(code.replace("STEP", "2"), MemorySize=256)})

    assert status == "UPDATE_COMPLETE", stacks.reasons("fn")
    assert before == [1, "red"]
    assert stacks.physical_id("fn", "Fn") == name
    assert call(aws, name) == [2, None]
    found = aws("lambda").get_function(FunctionName=name)
    assert (found["Configuration"]["Timeout"], found["Configuration"]["MemorySize"]) == (3, 256)
    assert "Concurrency" not in found
    assert "team" not in found.get("Tags", {})


def test_versions_aliases_permissions_and_layers_are_made_and_removed(stacks: Stacks, aws: MakeClient) -> None:
    aws("s3").create_bucket(Bucket="assets")
    aws("s3").put_object(Bucket="assets", Key="layer.zip", Body=archive({"python/shared.py": "WHO = 'layer'"}))
    resources = {
        **ROLE,
        "Layer": resource("Lambda::LayerVersion", {"Content": {"S3Bucket": "assets", "S3Key": "layer.zip"}}),
        "Fn": function("import shared\ndef handler(event, context): return shared.WHO", Layers=[{"Ref": "Layer"}]),
        "Version": resource("Lambda::Version", {"FunctionName": {"Ref": "Fn"}}),
        "Alias": resource(
            "Lambda::Alias",
            {
                "FunctionName": {"Ref": "Fn"},
                "FunctionVersion": {"Fn::GetAtt": ["Version", "Version"]},
                "Name": "live",
            },
        ),
        "Permission": resource(
            "Lambda::Permission",
            {
                "FunctionName": {"Fn::GetAtt": ["Fn", "Arn"]},
                "Action": "lambda:InvokeFunction",
                "Principal": "events.amazonaws.com",
                "SourceArn": "arn:aws:events:us-east-1:123456789012:rule/r",
            },
        ),
        "Events": resource(
            "Lambda::EventInvokeConfig",
            {"FunctionName": {"Ref": "Fn"}, "Qualifier": "$LATEST", "MaximumRetryAttempts": 1},
        ),
    }

    status = stacks.create("fn", resources, sections={"Outputs": {"Alias": {"Value": {"Ref": "Alias"}}}})

    assert status == "CREATE_COMPLETE", stacks.reasons("fn")
    name = stacks.physical_id("fn", "Fn")
    assert call(aws, stacks.outputs("fn")["Alias"]) == "layer"
    policy = json.loads(aws("lambda").get_policy(FunctionName=name)["Policy"])
    assert policy["Statement"][0]["Principal"] == {"Service": "events.amazonaws.com"}
    assert aws("lambda").get_function_event_invoke_config(FunctionName=name)["MaximumRetryAttempts"] == 1
    assert stacks.delete("fn") == "DELETE_COMPLETE", stacks.reasons("fn")
    assert aws("lambda").list_functions()["Functions"] == []


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"Code": {"S3Bucket": "assets", "S3Key": "k", "S3ObjectVersion": "1"}}, "#/Code/S3ObjectVersion"),
        ({"SnapStart": {"ApplyOn": "PublishedVersions"}}, "#/SnapStart: the sandbox does not support this property"),
        ({"Timeout": "soon"}, "#/Timeout: expected type: integer, found: str"),
    ],
)
def test_what_a_function_cannot_have_is_refused(stacks: Stacks, properties: dict[str, Any], message: str) -> None:
    with pytest.raises(ClientError, match=message):
        stacks.create("fn", {"Fn": function(Role="arn:aws:iam::123456789012:role/r", **properties)})


def test_event_source_mappings_are_refused_as_resources(stacks: Stacks) -> None:
    mapping = resource("Lambda::EventSourceMapping", {"FunctionName": {"Ref": "Fn"}})

    with pytest.raises(ClientError, match=r"does not support these resource types: Map \(AWS::Lambda::EventSourceMap"):
        stacks.create("fn", {**ROLE, "Fn": function(), "Map": mapping})
