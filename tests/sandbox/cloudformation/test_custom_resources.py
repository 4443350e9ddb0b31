"""Custom resources of one's own: Python handlers that answer CloudFormation."""

from __future__ import annotations

import json
import textwrap
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cdk_ami.sandbox.clock import CLOCK
from tests.support.sandbox import MakeClient
from tests.support.stacks import Stacks, parameter, resource, trust

RECORDING = """
    import boto3, json, cfnresponse

    def handler(event, context):
        asked = {key: value for key, value in event.items() if key != "ResponseURL"}
        boto3.client("sqs").send_message(QueueUrl=QUEUE, MessageBody=json.dumps(asked))
        properties = event["ResourceProperties"]
        if properties.get("Fail") == event["RequestType"]:
            cfnresponse.send(event, context, "FAILED", {}, physicalResourceId="failed", reason="as asked")
            return
        physical = properties.get("Id") or event.get("PhysicalResourceId") or "made"
        cfnresponse.send(event, context, "SUCCESS", {"Answer": properties.get("Ask", "nothing")}, physical)
"""


class Recorder:
    """A custom resource whose requests are kept in a queue."""

    def __init__(self, aws: MakeClient) -> None:
        self._sqs = aws("sqs")
        self._queue = self._sqs.create_queue(QueueName="asked")["QueueUrl"]

    def resources(self, *, kind: str = "Custom::Recorded", code: str = RECORDING, **properties: Any) -> dict[str, Any]:
        """Return a custom resource with the function behind it."""
        text = textwrap.dedent(code).replace("QUEUE", repr(self._queue))
        return {
            "Role": resource("IAM::Role", {"AssumeRolePolicyDocument": trust("lambda.amazonaws.com")}),
            "Fn": resource(
                "Lambda::Function",
                {
                    "Runtime": "python3.13",
                    "Handler": "index.handler",
                    "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                    "Code": {"ZipFile": text},
                    "Timeout": 30,
                },
            ),
            "Own": {"Type": kind, "Properties": {"ServiceToken": {"Fn::GetAtt": ["Fn", "Arn"]}, **properties}},
        }

    def asked(self) -> list[dict[str, Any]]:
        """Return the requests since the last call, oldest first."""
        messages = self._sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10).get("Messages", [])
        for message in messages:
            self._sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in messages]


@pytest.fixture
def recorder(aws: MakeClient) -> Recorder:
    return Recorder(aws)


def test_a_custom_resource_lives_as_its_handler_says(stacks: Stacks, aws: MakeClient, recorder: Recorder) -> None:
    answer = {"Answer": parameter("/answer", {"Fn::GetAtt": ["Own", "Answer"]})}
    own = recorder.resources(Ask="what", Count=3, Deep={"Truth": True})

    assert stacks.create("own", {**own, **answer}) == "CREATE_COMPLETE", stacks.reasons("own")
    created = recorder.asked()
    status = stacks.update("own", {**recorder.resources(Ask="more"), **answer})
    updated = recorder.asked()

    assert status == "UPDATE_COMPLETE", stacks.reasons("own")
    assert aws("ssm").get_parameter(Name="/answer")["Parameter"]["Value"] == "more"
    assert [one["RequestType"] for one in created] == ["Create"]
    properties = created[0]["ResourceProperties"]
    assert (properties["Count"], properties["Deep"]) == ("3", {"Truth": "true"})
    assert (created[0]["ResourceType"], created[0]["StackId"]) == ("Custom::Recorded", stacks.ids["own"])
    assert (updated[0]["RequestType"], updated[0]["PhysicalResourceId"]) == ("Update", "made")
    assert updated[0]["OldResourceProperties"]["Ask"] == "what"
    assert stacks.physical_id("own", "Own") == "made"
    assert stacks.delete("own") == "DELETE_COMPLETE"
    assert [(one["RequestType"], one["PhysicalResourceId"]) for one in recorder.asked()] == [("Delete", "made")]


def test_another_physical_id_replaces_the_resource(stacks: Stacks, recorder: Recorder) -> None:
    stacks.create("own", recorder.resources(Id="one", kind="AWS::CloudFormation::CustomResource"))

    status = stacks.update("own", recorder.resources(Id="two", kind="AWS::CloudFormation::CustomResource"))

    assert status == "UPDATE_COMPLETE", stacks.reasons("own")
    assert stacks.physical_id("own", "Own") == "two"
    asked = [
        (one["RequestType"], one.get("PhysicalResourceId"), one["ResourceProperties"]["Id"]) for one in recorder.asked()
    ]
    assert asked == [("Create", None, "one"), ("Update", "one", "two"), ("Delete", "one", "one")]


def test_a_failed_create_rolls_the_stack_back_with_the_handler_s_reason(stacks: Stacks, recorder: Recorder) -> None:
    status = stacks.create("own", recorder.resources(Fail="Create"))

    assert status == "ROLLBACK_COMPLETE"
    assert any("Message returned: as asked (RequestId: " in reason for reason in stacks.reasons("own"))
    assert [(one["RequestType"], one.get("PhysicalResourceId")) for one in recorder.asked()] == [
        ("Create", None),
        ("Delete", "failed"),
    ]


def test_a_failed_update_is_taken_back_by_another_one(stacks: Stacks, recorder: Recorder) -> None:
    stacks.create("own", recorder.resources(Ask="one"))

    status = stacks.update("own", recorder.resources(Ask="two", Fail="Update"))

    assert status == "UPDATE_ROLLBACK_COMPLETE"
    asked = [(one["RequestType"], one["ResourceProperties"]["Ask"]) for one in recorder.asked()]
    assert asked == [("Create", "one"), ("Update", "two"), ("Update", "one")]


def test_a_handler_that_never_answers_is_waited_for_by_the_sandbox_s_clock(stacks: Stacks, recorder: Recorder) -> None:
    silent = "def handler(event, context): print('asked', event['RequestType'])"
    CLOCK.run_at(100)

    status = stacks.create("own", recorder.resources(code=silent, ServiceTimeout=60))

    assert status == "ROLLBACK_FAILED"
    assert sum("did not receive a response" in reason for reason in stacks.reasons("own")) == 2


def test_a_topic_may_stand_behind_a_service_token(stacks: Stacks, recorder: Recorder) -> None:
    code = RECORDING.replace(
        "def handler(event, context):",
        "def handler(message, context):\n        event = json.loads(message['Records'][0]['Sns']['Message'])",
    )
    own = recorder.resources(code=code)
    own["Own"]["Properties"]["ServiceToken"] = {"Ref": "Topic"}
    own["Own"]["DependsOn"] = ["Permission"]
    topic = {"Subscription": [{"Protocol": "lambda", "Endpoint": {"Fn::GetAtt": ["Fn", "Arn"]}}]}
    permission = {
        "FunctionName": {"Ref": "Fn"},
        "Action": "lambda:InvokeFunction",
        "Principal": "sns.amazonaws.com",
        "SourceArn": {"Ref": "Topic"},
    }
    resources = {
        **own,
        "Topic": resource("SNS::Topic", topic),
        "Permission": resource("Lambda::Permission", permission),
    }

    assert stacks.create("own", resources) == "CREATE_COMPLETE", stacks.reasons("own")

    assert [one["RequestType"] for one in recorder.asked()] == ["Create"]


def test_an_attribute_that_was_not_answered_fails_the_stack(stacks: Stacks, recorder: Recorder) -> None:
    resources = {**recorder.resources(Absent="here"), "Use": parameter("/use", {"Fn::GetAtt": ["Own", "Absent"]})}

    assert stacks.create("own", resources) == "ROLLBACK_COMPLETE"

    assert any("Vendor response doesn't contain Absent attribute" in reason for reason in stacks.reasons("own"))


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({}, r"#: required key \[ServiceToken\] not found"),
        ({"ServiceToken": "x", "ServiceTimeout": 3601}, "#/ServiceTimeout: 3601 is not a number of seconds"),
    ],
)
def test_a_custom_resource_without_sense_is_refused(stacks: Stacks, properties: dict[str, Any], message: str) -> None:
    with pytest.raises(ClientError, match=message):
        stacks.create("own", {"Own": {"Type": "Custom::Own", "Properties": properties}})


def test_a_function_that_is_not_python_is_refused_by_name(stacks: Stacks, recorder: Recorder) -> None:
    resources = recorder.resources()
    resources["Fn"]["Properties"]["Runtime"] = "nodejs22.x"

    assert stacks.create("own", resources) == "ROLLBACK_COMPLETE"

    assert any("runs Python handlers only" in reason for reason in stacks.reasons("own"))
    assert any("Custom::S3AutoDeleteObjects" in reason for reason in stacks.reasons("own"))
