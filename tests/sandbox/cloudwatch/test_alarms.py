"""Alarms: what data make of them, whom they tell, and when."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cdk_ami.sandbox.cloudwatch.evaluation import Condition, state
from tests.support.happenings import Happenings

CONDITION = {"MetricName": "Errors", "Namespace": "shop", "Dimensions": [{"Name": "fleet", "Value": "web"}]}


def make(it: Happenings, **more: Any) -> None:
    request = {
        "AlarmName": "errors",
        "ComparisonOperator": "GreaterThanThreshold",
        "EvaluationPeriods": 2,
        "Period": 60,
        "Statistic": "Sum",
        "Threshold": 5.0,
        **CONDITION,
        **more,
    }
    it.aws("cloudwatch").put_metric_alarm(**request)
    it.settle()


def put(it: Happenings, value: float, fleet: str = "web") -> None:
    datum = {"MetricName": "Errors", "Dimensions": [{"Name": "fleet", "Value": fleet}], "Value": value}
    it.aws("cloudwatch").put_metric_data(Namespace="shop", MetricData=[datum])
    it.settle()


def seen(it: Happenings) -> str:
    return str(it.aws("cloudwatch").describe_alarms(AlarmNames=["errors"])["MetricAlarms"][0]["StateValue"])


def test_an_alarm_rings_when_enough_periods_breach_and_falls_silent_again(it: Happenings) -> None:
    make(it)
    assert seen(it) == "INSUFFICIENT_DATA"

    states = []
    for value in (1, 9, 9, 1):
        put(it, value)
        states.append(seen(it))
        it.advance(60)

    assert states == ["OK", "OK", "ALARM", "OK"]
    it.advance(600)
    assert seen(it) == "INSUFFICIENT_DATA"


def test_the_sum_of_a_period_counts_and_other_dimensions_do_not(it: Happenings) -> None:
    make(it, EvaluationPeriods=1, Period=86400)

    put(it, 9, fleet="other")
    assert seen(it) == "INSUFFICIENT_DATA"
    put(it, 3)
    assert seen(it) == "OK"
    put(it, 3)

    assert seen(it) == "ALARM"


@pytest.mark.parametrize(
    ("missing", "points", "needed", "expected"),
    [
        ("missing", [], 3, "INSUFFICIENT_DATA"),
        ("ignore", [], 3, "before"),
        ("breaching", [], 3, "ALARM"),
        ("notBreaching", [], 3, "OK"),
        ("missing", [9], 3, "ALARM"),
        ("ignore", [9], 3, "before"),
        ("breaching", [9], 3, "ALARM"),
        ("notBreaching", [9], 3, "OK"),
        ("missing", [0], 3, "OK"),
        ("ignore", [0], 3, "OK"),
        ("breaching", [0], 3, "OK"),
        ("ignore", [9, 9], 2, "ALARM"),
        ("notBreaching", [9, 0, 9], 2, "ALARM"),
    ],
)
def test_missing_data_count_as_the_alarm_says(missing: str, points: list[float], needed: int, expected: str) -> None:
    condition = Condition(
        statistic="Sum",
        period=60,
        periods=3,
        needed=needed,
        comparison="GreaterThanThreshold",
        threshold=5,
        missing=missing,
    )

    assert state(condition, points, "before") == expected


def test_a_change_is_an_event_and_a_message_and_the_same_state_again_is_neither(it: Happenings) -> None:
    topic = it.aws("sns").create_topic(Name="pager")["TopicArn"]
    it.aws("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=it.queue("pager"))
    make(it, AlarmActions=[topic], AlarmDescription="too many")
    cloudwatch = it.aws("cloudwatch")

    for _ in range(2):
        cloudwatch.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="drill")
    cloudwatch.set_alarm_state(AlarmName="errors", StateValue="OK", StateReason="over")

    events = it.log("CloudWatch Alarm State Change")
    changes = [(event["detail"]["previousState"]["value"], event["detail"]["state"]["value"]) for event in events]
    assert changes == [("INSUFFICIENT_DATA", "ALARM"), ("ALARM", "OK")]
    assert events[0]["resources"][0].endswith(":alarm:errors")
    assert events[0]["detail"]["state"]["reason"] == "drill"
    measured = events[0]["detail"]["configuration"]["metrics"][0]["metricStat"]
    assert measured["metric"] == {"namespace": "shop", "name": "Errors", "dimensions": {"fleet": "web"}}
    [message] = it.heard("pager")
    told = json.loads(message["Message"])
    assert (message["Subject"], told["NewStateValue"], told["OldStateValue"]) == (
        'ALARM: "errors" in us-east-1',
        "ALARM",
        "INSUFFICIENT_DATA",
    )
    assert (told["AlarmDescription"], told["Trigger"]["Threshold"]) == ("too many", 5.0)


def test_disabled_actions_are_not_done(it: Happenings) -> None:
    topic = it.aws("sns").create_topic(Name="pager")["TopicArn"]
    it.aws("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=it.queue("pager"))
    make(it, AlarmActions=[topic], ActionsEnabled=False)

    it.aws("cloudwatch").set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="drill")

    assert it.heard("pager") == []


def test_a_changed_alarm_keeps_its_state_until_data_say_otherwise(it: Happenings) -> None:
    make(it, EvaluationPeriods=1)
    put(it, 9)
    assert seen(it) == "ALARM"

    make(it, EvaluationPeriods=1, Threshold=10.0)

    assert seen(it) == "OK"
    assert len(it.log("CloudWatch Alarm State Change")) == 2


def test_data_that_come_late_count_in_their_own_period(it: Happenings) -> None:
    make(it, EvaluationPeriods=1, TreatMissingData="notBreaching")
    datum = {**CONDITION, "Value": 9, "Timestamp": "2020-01-01T00:00:00Z"}
    del datum["Namespace"]

    it.aws("cloudwatch").put_metric_data(Namespace="shop", MetricData=[datum])
    it.settle()

    assert seen(it) == "OK"
