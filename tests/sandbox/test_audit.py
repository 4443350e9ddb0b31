"""The log of calls, and what CloudTrail tells of it."""

from __future__ import annotations

import json
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from cdk_ami.sandbox import clients
from cdk_ami.sandbox.door import calls as log
from cdk_ami.sandbox.server import Sandbox
from tests.support.control import ask, refusal
from tests.support.sandbox import MakeClient

ROLE = "arn:aws:iam::210987654321:role/there"


def test_a_call_tells_who_asked_what_of_whom_and_what_came_of_it(aws: MakeClient, sandbox: Sandbox) -> None:
    aws("ssm", "eu-west-1").put_parameter(Name="/one", Value="v", Type="String")
    with pytest.raises(ClientError):
        aws("ssm").get_parameter(Name="/none")

    written, read = _calls(sandbox, service="ssm")

    assert {key: written[key] for key in ("operation", "region", "account", "principal", "role", "engine")} == {
        "operation": "PutParameter",
        "region": "eu-west-1",
        "account": "123456789012",
        "principal": "arn:aws:iam::123456789012:root",
        "role": None,
        "engine": False,
    }
    assert written["parameters"] == {"Name": "/one", "Value": "v", "Type": "String"}
    assert (written["status"], written["error"]) == (200, None)
    assert (read["operation"], read["status"], read["error"]) == ("GetParameter", 400, "ParameterNotFound")
    assert written["when"] < read["when"]


@pytest.mark.parametrize(
    ("service", "operation", "request_part", "error"),
    [
        ("ec2", "DescribeImages", {"ImageIds": ["ami-0123456789abcdef0"], "Owners": ["self"]}, "InvalidAMIID.NotFound"),
        ("autoscaling", "DescribePolicies", {"AutoScalingGroupName": "web"}, None),
        ("imagebuilder", "GetImage", {"imageBuildVersionArn": "arn:none"}, "InvalidParameterValueException"),
        ("s3", "GetObject", {"Bucket": "none", "Key": "a/b c"}, "NoSuchBucket"),
        ("lambda", "GetFunction", {"FunctionName": "none"}, "ResourceNotFoundException"),
        ("cloudwatch", "DescribeAlarms", {"AlarmNames": ["a", "b"]}, None),
        ("sts", "GetCallerIdentity", {}, None),
    ],
)
def test_each_protocol_is_read(  # noqa: PLR0917 - parameters of a test
    aws: MakeClient, sandbox: Sandbox, service: str, operation: str, request_part: dict[str, Any], error: str | None
) -> None:
    client = aws(service)
    method = next(name for name, api in client.meta.method_to_api_mapping.items() if api == operation)
    with nullcontext() if error is None else pytest.raises(ClientError, match=error):
        getattr(client, method)(**request_part)

    (call,) = _calls(sandbox, service=service)

    assert (call["operation"], call["parameters"], call["error"]) == (operation, request_part, error)


def test_calls_of_engines_and_of_roles_are_told_as_such(aws: MakeClient, sandbox: Sandbox) -> None:
    keys = aws("sts").assume_role(RoleArn=ROLE, RoleSessionName="test")["Credentials"]
    boto3.client(
        "sqs",
        region_name="us-east-1",
        endpoint_url=sandbox.endpoint,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    ).list_queues()
    with clients.acting_by(ROLE, for_service="imagebuilder.amazonaws.com"):
        clients.client("sns", "us-east-1").list_topics()

    (by_keys,), (by_word,) = _calls(sandbox, service="sqs"), _calls(sandbox, engine="true")

    assert (by_keys["role"], by_keys["account"], by_keys["engine"]) == (ROLE, "210987654321", False)
    assert by_keys["principal"] == "arn:aws:sts::210987654321:assumed-role/there/test"
    assert (by_word["role"], by_word["service"], by_word["engine"]) == (ROLE, "sns", True)
    assert by_word["principal"] == "arn:aws:sts::210987654321:assumed-role/there/imagebuilder"


def test_faults_show_in_the_calls_they_struck(aws: MakeClient, sandbox: Sandbox) -> None:
    ask(sandbox, "faults", service="ec2", throttle={}, first=1)
    ask(sandbox, "faults", service="sns", down="dropped", first=1)
    with pytest.raises(ClientError):
        aws("ec2").describe_vpcs()
    with pytest.raises(ConnectionClosedError):
        aws("sns").list_topics()

    assert [call["error"] for call in _calls(sandbox)] == ["RequestLimitExceeded", "ConnectionDropped"]


def test_calls_are_selected_and_forgotten(aws: MakeClient, sandbox: Sandbox) -> None:
    aws("ec2").describe_vpcs()
    aws("ec2").describe_subnets()
    aws("ec2", "eu-west-1").describe_vpcs()

    assert len(_calls(sandbox, service="ec2", operation="DescribeVpcs")) == 2
    assert len(_calls(sandbox, operation="DescribeVpcs", region="eu-west-1")) == 1
    assert "calls are selected by service, operation" in refusal(sandbox, "calls", method="GET", servce="ec2")

    ask(sandbox, "calls", method="DELETE")

    assert _calls(sandbox) == []


def test_the_log_keeps_the_newest_and_not_more_than_it_may(
    aws: MakeClient, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "MOST", 3)
    monkeypatch.setattr(log, "LARGEST", 1_000)
    ssm = aws("ssm")
    for number in range(4):
        ssm.put_parameter(Name=f"/{number}", Value="v", Type="String")
    assert [call["parameters"]["Name"] for call in _calls(sandbox)] == ["/1", "/2", "/3"]

    ssm.put_parameter(Name="/large", Value="v" * 2_000, Type="String")
    assert [call["parameters"] for call in _calls(sandbox)][-1] == {}

    monkeypatch.setattr(log, "MOST_BYTES", 10)
    ssm.get_parameter(Name="/1")
    assert [call["operation"] for call in _calls(sandbox)] == ["GetParameter"]


def test_cloudtrail_looks_up_the_management_events_of_its_account_and_region(aws: MakeClient) -> None:
    aws("sns").create_topic(Name="t")
    aws("sns", "eu-west-1").create_topic(Name="t")
    aws("sns", account="210987654321").create_topic(Name="t")
    with pytest.raises(ClientError):
        aws("ssm").get_parameter(Name="/none")
    aws("s3").create_bucket(Bucket="bucket")
    aws("s3").put_object(Bucket="bucket", Key="k", Body=b"")

    trail = aws("cloudtrail")
    events = trail.lookup_events()["Events"]
    topics = trail.lookup_events(LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "CreateTopic"}])

    assert [event["EventName"] for event in events] == ["CreateBucket", "GetParameter", "CreateTopic"]
    (event,) = topics["Events"]
    told = json.loads(event["CloudTrailEvent"])
    assert (event["EventSource"], event["ReadOnly"]) == ("sns.amazonaws.com", "false")
    assert (told["requestParameters"], told["awsRegion"]) == ({"Name": "t"}, "us-east-1")
    assert json.loads(events[1]["CloudTrailEvent"])["errorCode"] == "ParameterNotFound"


def test_cloudtrail_pages_and_looks_into_a_span_of_time(aws: MakeClient, sandbox: Sandbox) -> None:
    aws("sns").list_topics()
    ask(sandbox, "clock", advance=7_200)
    aws("sns").list_topics()
    between = datetime.now(UTC) + timedelta(hours=1)
    trail = aws("cloudtrail")

    first = trail.lookup_events(MaxResults=1, EndTime=between + timedelta(hours=2))
    rest = trail.lookup_events(MaxResults=1, NextToken=first["NextToken"], EndTime=between)

    assert [event["EventName"] for event in first["Events"]] == ["ListTopics"]
    assert rest["Events"] == []
    assert len(trail.lookup_events(EndTime=between)["Events"]) == 1


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"MaxResults": 51}, "InvalidMaxResultsException"),
        (
            {"LookupAttributes": [{"AttributeKey": "ResourceName", "AttributeValue": "x"}]},
            "InvalidLookupAttributesException",
        ),
    ],
)
def test_cloudtrail_refuses_what_it_cannot_look_up(aws: MakeClient, asked: dict[str, Any], code: str) -> None:
    with pytest.raises(ClientError) as refused:
        aws("cloudtrail").lookup_events(**asked)

    assert refused.value.response["Error"]["Code"] == code


def _calls(sandbox: Sandbox, **wanted: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ask(sandbox, "calls", method="GET", **wanted)["calls"]
    return found
