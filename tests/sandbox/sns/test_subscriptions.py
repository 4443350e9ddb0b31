"""What reaches the subscribers of a topic."""

from __future__ import annotations

import json
from typing import Any

from tests.support.functions import Functions
from tests.support.happenings import ACCOUNT, EVERYBODY, Happenings


def subscribe(it: Happenings, endpoint: str, protocol: str = "sqs", **attributes: str) -> str:
    topic = str(it.aws("sns").create_topic(Name="topic")["TopicArn"])
    it.aws("sns").subscribe(TopicArn=topic, Protocol=protocol, Endpoint=endpoint, Attributes=attributes)
    return topic


def test_a_queue_hears_a_topic_only_when_its_policy_lets_it(it: Happenings) -> None:
    topic = f"arn:aws:sns:us-east-1:{ACCOUNT}:topic"
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": "*",
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }
    subscribe(it, it.queue("open", policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]})))
    subscribe(it, it.queue("closed", policy=""))

    it.aws("sns").publish(TopicArn=topic, Message="hello")

    assert [message["Message"] for message in it.heard("open")] == ["hello"]
    assert it.messages("closed") == []


def test_raw_delivery_is_what_it_says(it: Happenings) -> None:
    raw = subscribe(it, it.queue("raw", policy=EVERYBODY), RawMessageDelivery="true")
    subscribe(it, it.queue("wrapped", policy=EVERYBODY), RawMessageDelivery="false")

    it.aws("sns").publish(TopicArn=raw, Message='{"n": 1}')

    assert it.heard("raw") == [{"n": 1}]
    assert [json.loads(message["Message"]) for message in it.heard("wrapped")] == [{"n": 1}]


def test_a_function_gets_the_message_as_a_record_once_it_lets_the_topic_in(it: Happenings) -> None:
    code = """
        import boto3
        def handler(event, context):
            told = event["Records"][0]["Sns"]
            boto3.client("ssm").put_parameter(Name="told", Value=told["Subject"] + told["Message"], Type="String")
    """
    function = Functions(it.aws("lambda"), it.aws("iam")).make(code)
    topic = subscribe(it, function, "lambda")
    it.aws("sns").publish(TopicArn=topic, Message="early", Subject="too ")
    it.settle()
    it.aws("lambda").add_permission(
        FunctionName="fn",
        StatementId="t",
        Action="lambda:InvokeFunction",
        Principal="sns.amazonaws.com",
        SourceArn=topic,
    )

    it.aws("sns").publish(TopicArn=topic, Message="late", Subject="not too ")
    it.settle()

    found: dict[str, Any] = it.aws("ssm").get_parameter(Name="told")["Parameter"]
    assert (found["Value"], found["Version"]) == ("not too late", 1)
