"""From a bus to the targets of its rules."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cdk_ami.sandbox.events.emit import emit
from cdk_ami.sandbox.server import Sandbox
from tests.support.functions import Functions
from tests.support.happenings import ACCOUNT, EVERYBODY, Happenings
from tests.support.sandbox import reset

SOLD = {"source": ["shop"]}
TRUST = {
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ]
}


def test_an_event_of_aws_reaches_the_rules_of_its_account_and_region_only(it: Happenings) -> None:
    it.rule({"source": ["aws.ec2"]})

    for region, account in (("us-east-1", "210987654321"), ("eu-west-1", ACCOUNT), ("us-east-1", ACCOUNT)):
        emit(
            region=region,
            account=account,
            source="aws.ec2",
            detail_type="EC2 AMI State Change",
            detail={"n": 1},
            resources=["arn:aws:ec2:us-east-1::image/ami-1"],
        )

    [event] = it.heard()
    assert set(event) == {
        "version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail",
    }  # fmt: skip
    assert (event["account"], event["region"]) == (ACCOUNT, "us-east-1")
    assert (event["resources"], event["detail"]) == (["arn:aws:ec2:us-east-1::image/ami-1"], {"n": 1})


def test_a_disabled_rule_hears_nothing_and_an_enabled_one_again(it: Happenings) -> None:
    it.rule(SOLD)
    it.aws("events").disable_rule(Name="rule")
    it.put({"n": 1})
    it.aws("events").enable_rule(Name="rule")

    it.put({"n": 2})

    assert [event["detail"] for event in it.heard()] == [{"n": 2}]


def test_an_application_cannot_speak_for_aws_and_a_bad_entry_keeps_no_other(it: Happenings) -> None:
    it.rule({"detail-type": ["sold"]})
    entries = [
        {"Source": "aws.ec2", "DetailType": "sold", "Detail": "{}"},
        {"Source": "shop", "DetailType": "sold", "Detail": "{"},
        {"Source": "shop", "DetailType": "sold", "Detail": "{}"},
    ]

    answer = it.aws("events").put_events(Entries=entries)

    assert answer["FailedEntryCount"] == 2
    codes = [entry.get("ErrorCode") for entry in answer["Entries"]]
    assert codes == ["NotAuthorizedForSourceException", "MalformedDetail", None]
    assert [event["id"] for event in it.heard()] == [answer["Entries"][2]["EventId"]]


@pytest.mark.parametrize(
    ("target", "got"),
    [
        ({"Input": '{"fixed": true}'}, {"fixed": True}),
        ({"InputPath": "$.detail"}, {"ami": "ami-1", "tags": ["a"], "n": 2}),
        ({"InputPath": "$.detail.tags[0]"}, "a"),
        (
            {
                "InputTransformer": {
                    "InputPathsMap": {"ami": "$.detail.ami", "tags": "$.detail.tags", "n": "$.detail.n"},
                    "InputTemplate": '{"ami": <ami>, "tags": <tags>, "n": <n>, "text": "made <ami> by <aws.events.rule-name>"}',  # noqa: E501
                }
            },
            {"ami": "ami-1", "tags": ["a"], "n": 2, "text": "made ami-1 by rule"},
        ),
        (
            {"InputTransformer": {"InputPathsMap": {"a": "$.detail.ami"}, "InputTemplate": '"<a> is there"'}},
            "ami-1 is there",
        ),
    ],
)
def test_a_target_gets_what_its_input_says(it: Happenings, target: dict[str, Any], got: Any) -> None:
    it.rule(SOLD, **target)

    it.put({"ami": "ami-1", "tags": ["a"], "n": 2})

    assert it.heard() == [got]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ({"Arn": f"arn:aws:states:us-east-1:{ACCOUNT}:stateMachine:m"}, "RoleArn is required for target"),
        ({"Arn": f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/s"}, "the sandbox does not deliver to"),
        ({"Arn": "queue"}, "not in correct format"),
        ({"Input": "{}", "InputPath": "$"}, "Only one of Input, InputPath, or InputTransformer"),
        ({"Input": "{"}, "JSON syntax error in input"),
        ({"InputTransformer": {"InputTemplate": "<x>"}}, "Variable x is not defined"),
        ({"Arn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:q.fifo"}, "SqsParameters must be specified"),
        ({"DeadLetterConfig": {"Arn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:q.fifo"}}, "must be a standard queue"),
    ],
)
def test_a_target_that_could_not_be_served_is_refused(it: Happenings, target: dict[str, Any], message: str) -> None:
    with pytest.raises(ClientError, match=message):
        it.rule(SOLD, **target)


def test_a_rule_has_five_targets_at_most(it: Happenings) -> None:
    it.rule(SOLD)
    more = [{"Id": f"t{number}", "Arn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:heard"} for number in range(5)]

    with pytest.raises(ClientError, match="LimitExceeded"):
        it.aws("events").put_targets(Rule="rule", Targets=more)


def test_a_queue_whose_policy_allows_nobody_gets_nothing_and_the_dead_letter_queue_says_why(it: Happenings) -> None:
    dead = it.queue("dead")
    rule = it.rule(SOLD, Arn=it.queue("closed", policy=""), DeadLetterConfig={"Arn": dead})

    it.put({"n": 1})

    assert it.heard("closed") == []
    [message] = it.messages("dead")
    told = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    assert (told["RULE_ARN"], told["ERROR_CODE"]) == (rule, "NO_PERMISSIONS")
    assert json.loads(message["Body"])["detail"] == {"n": 1}
    [failed] = it.ask("events/delivery")["failed"]
    assert failed["message"].endswith("does not let events.amazonaws.com do sqs:SendMessage")


def test_a_queue_may_open_itself_to_one_rule(it: Happenings) -> None:
    def policy(rule: str) -> str:
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": f"arn:aws:sqs:us-east-1:{ACCOUNT}:*",
            "Condition": {"ArnEquals": {"aws:SourceArn": f"arn:aws:events:us-east-1:{ACCOUNT}:rule/{rule}"}},
        }
        return json.dumps({"Statement": [statement]})

    targets = [{"Id": name, "Arn": it.queue(name, policy=policy(name))} for name in ("rule", "other")]
    it.rule(SOLD, Arn=targets[0]["Arn"])
    it.aws("events").put_targets(Rule="rule", Targets=targets)

    it.put({"n": 1})

    assert len(it.heard("rule")) == 2
    assert it.heard("other") == []


def test_topics_and_log_groups_are_told_when_they_allow_it(it: Happenings) -> None:
    topic = it.aws("sns").create_topic(Name="topic", Attributes={"Policy": EVERYBODY})["TopicArn"]
    it.aws("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=it.queue("of-topic"))
    logs = it.aws("logs")
    logs.create_log_group(logGroupName="/aws/events/all")
    it.rule(SOLD, Arn=topic)
    group = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/aws/events/all"
    it.aws("events").put_targets(Rule="rule", Targets=[{"Id": "logs", "Arn": group}])
    it.put({"n": 1})
    assert logs.describe_log_streams(logGroupName="/aws/events/all")["logStreams"] == []
    logs.put_resource_policy(policyName="events", policyDocument=EVERYBODY)

    it.put({"n": 2})

    told = [json.loads(message["Message"])["detail"] for message in it.heard("of-topic")]
    assert told == [{"n": 1}, {"n": 2}]
    written = logs.filter_log_events(logGroupName="/aws/events/all")["events"]
    assert [json.loads(event["message"])["detail"] for event in written] == [{"n": 2}]


def test_an_event_goes_on_to_the_bus_of_another_account_that_lets_it_in(it: Happenings) -> None:
    there = it.aws("events", "eu-west-1", account="210987654321")
    bus = there.create_event_bus(Name="central")["EventBusArn"]
    there.put_rule(Name="rule", EventBusName="central", EventPattern=json.dumps(SOLD))
    it.aws("sqs", "eu-west-1", account="210987654321").create_queue(QueueName="far", Attributes={"Policy": EVERYBODY})
    queue = "arn:aws:sqs:eu-west-1:210987654321:far"
    there.put_targets(Rule="rule", EventBusName="central", Targets=[{"Id": "it", "Arn": queue}])
    it.rule(SOLD, Arn=bus)
    it.put({"n": 1})
    there.put_permission(EventBusName="central", Action="events:PutEvents", Principal=ACCOUNT, StatementId="in")

    it.put({"n": 2})

    far = it.aws("sqs", "eu-west-1", account="210987654321")
    url = far.get_queue_url(QueueName="far")["QueueUrl"]
    bodies = [json.loads(message["Body"]) for message in far.receive_message(QueueUrl=url)["Messages"]]
    assert [(body["account"], body["region"], body["detail"]) for body in bodies] == [(ACCOUNT, "us-east-1", {"n": 2})]


def test_buses_in_a_circle_come_to_an_end(it: Happenings) -> None:
    it.rule(SOLD, Arn=f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/default")

    it.put({"n": 1})

    assert it.ask("events/delivery")["failed"][0]["message"] == "the event has passed 5 buses"


def test_an_archive_keeps_events_and_replays_them(it: Happenings) -> None:
    it.rule({"source": ["shop"], "replay-name": [{"exists": True}]})
    events = it.aws("events")
    bus = f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/default"
    archive = events.create_archive(ArchiveName="all", EventSourceArn=bus)["ArchiveArn"]
    it.put({"n": 1})
    assert it.heard() == []

    events.start_replay(
        ReplayName="again",
        EventSourceArn=archive,
        EventStartTime=0,
        EventEndTime=2**31,
        Destination={"Arn": bus},
    )

    assert [(event["detail"], event["replay-name"]) for event in it.heard()] == [({"n": 1}, "again")]


def test_deliveries_are_doubled_lost_late_and_out_of_order_on_request(it: Happenings) -> None:
    it.rule(SOLD, InputPath="$.detail.n")

    it.ask("events/delivery", {"duplicate": 1})
    it.put({"n": 1})
    assert it.heard() == [1, 1]

    it.ask("events/delivery", {"duplicate": 0, "lose_next": 1})
    it.put({"n": 2})
    it.put({"n": 3})
    assert it.heard() == [3]

    it.ask("events/delivery", {"delay": 600})
    it.put({"n": 4})
    assert it.heard() == []
    it.advance(600)
    assert it.heard() == [4]

    it.ask("events/delivery", {"delay": 0, "reorder": True})
    it.put({"n": 5})
    it.put({"n": 6})
    it.advance(1)
    assert it.heard() == [6, 5]


def test_what_is_lost_at_a_rate_is_the_same_for_the_same_seed(it: Happenings) -> None:
    it.rule(SOLD, InputPath="$.detail.n")
    came = []
    for _ in range(2):
        it.ask("events/delivery", {"lose": 0.5, "seed": 7})
        for number in range(8):
            it.put({"n": number})
        came.append(it.heard())

    assert came[0] == came[1]
    assert 0 < len(came[0]) < 8


def test_a_reset_forgets_events_and_lets_deliveries_go_well_again(it: Happenings, sandbox: Sandbox) -> None:
    it.ask("events/delivery", {"lose": 1})
    it.put({"n": 1})

    reset(sandbox)

    assert it.ask("events/delivery")["lose"] == 0
    assert it.ask("events/log")["events"] == []


@pytest.mark.parametrize("asked", [{"lose": 2}, {"duplicate": 1.5}, {"reorder": 1}, {"twice": True}])
def test_a_fault_that_is_none_is_refused(it: Happenings, asked: dict[str, Any]) -> None:
    with pytest.raises(OSError, match="400"):
        it.ask("events/delivery", asked)


def test_a_function_gets_the_event_once_its_policy_lets_the_rule_in(it: Happenings) -> None:
    functions = Functions(it.aws("lambda"), it.aws("iam"))
    code = """
        import boto3, json
        def handler(event, context):
            boto3.client("ssm").put_parameter(Name="told", Value=json.dumps(event["detail"]), Type="String")
    """
    function = functions.make(code)
    rule = it.rule(SOLD, Arn=function)
    it.put({"n": 1})
    assert (
        "does not let events.amazonaws.com do lambda:InvokeFunction"
        in it.ask("events/delivery")["failed"][0]["message"]
    )
    it.aws("lambda").add_permission(
        FunctionName="fn",
        StatementId="rule",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=rule,
    )

    it.put({"n": 2})

    assert it.aws("ssm").get_parameter(Name="told")["Parameter"]["Value"] == '{"n": 2}'


def test_a_target_that_is_down_is_tried_again_until_it_is_given_up(it: Happenings) -> None:
    dead = it.queue("dead")
    arn = it.queue("down")
    policy = {"MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": 3600}
    it.rule(SOLD, Arn=arn, RetryPolicy=policy, DeadLetterConfig={"Arn": dead})
    outage = {"error": {"code": "ServiceUnavailable", "message": "down", "status": 503}}
    it.ask("faults", {**outage, "service": "sqs", "operation": "SendMessage", "callers": "engines", "first": 3})

    it.put({"n": 1})
    assert it.heard("dead") == []
    it.advance(1)
    it.advance(2)

    [message] = it.messages("dead")
    told = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    assert (told["RETRY_ATTEMPTS"], told["EXHAUSTED_RETRY_CONDITION"]) == ("2", "MaximumRetryAttempts")
    assert told["ERROR_CODE"] == "ServiceUnavailable"
    it.put({"n": 2})
    assert [event["detail"] for event in it.heard("down")] == [{"n": 2}]
