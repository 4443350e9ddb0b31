"""Rules and schedules that fall due."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.sandbox.stepfunctions.conftest import trust
from tests.support.happenings import ACCOUNT, Happenings

ROLE = f"arn:aws:iam::{ACCOUNT}:role/schedule"


@pytest.fixture
def role(it: Happenings) -> str:
    made = it.aws("iam").create_role(RoleName="schedule", AssumeRolePolicyDocument=trust("scheduler.amazonaws.com"))
    return str(made["Role"]["Arn"])


def now(it: Happenings) -> datetime:
    return datetime.fromisoformat(it.ask("clock")["now"])


def make(it: Happenings, expression: str, target: dict[str, Any], **more: Any) -> None:
    request = {
        "Name": "s",
        "ScheduleExpression": expression,
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"RoleArn": ROLE, **target},
        **more,
    }
    it.aws("scheduler").create_schedule(**request)


def test_a_rule_with_a_rate_tells_its_own_targets_each_time(it: Happenings) -> None:
    it.rule({"source": ["aws.events"]}, Arn=it.queue("other"))
    arn = it.aws("events").put_rule(Name="clockwork", ScheduleExpression="rate(5 minutes)")["RuleArn"]
    it.aws("events").put_targets(Rule="clockwork", Targets=[{"Id": "it", "Arn": it.queue()}])

    it.advance(11 * 60)

    events = it.heard()
    assert [(event["detail-type"], event["resources"]) for event in events] == [("Scheduled Event", [arn])] * 2
    first, second = (datetime.fromisoformat(event["time"]) for event in events)
    assert second - first == timedelta(minutes=5)
    assert it.heard("other") == []
    it.aws("events").disable_rule(Name="clockwork")
    it.advance(5 * 60)
    it.aws("events").enable_rule(Name="clockwork")
    it.advance(5 * 60)
    assert len(it.heard()) == 1


def test_a_rule_put_again_follows_its_new_schedule_only(it: Happenings) -> None:
    for expression in ("rate(1 minute)", "cron(0 12 * * ? *)"):
        it.aws("events").put_rule(Name="clockwork", ScheduleExpression=expression)
    it.aws("events").put_targets(Rule="clockwork", Targets=[{"Id": "it", "Arn": it.queue()}])

    it.advance(86400)

    [event] = it.heard()
    assert event["time"].endswith("T12:00:00Z")
    with pytest.raises(ClientError, match="ScheduleExpression is not valid"):
        it.aws("events").put_rule(Name="clockwork", ScheduleExpression="cron(0 12 * * * *)")


def test_a_schedule_for_one_time_fires_in_its_zone_and_goes_away(it: Happenings, role: str) -> None:
    at = now(it).astimezone(UTC) + timedelta(hours=1)
    tokyo = at + timedelta(hours=9)
    text = '{"at": "<aws.scheduler.scheduled-time>"}'
    make(
        it,
        f"at({tokyo:%Y-%m-%dT%H:%M:%S})",
        {"Arn": it.queue(policy=""), "Input": text, "RoleArn": role},
        ScheduleExpressionTimezone="Asia/Tokyo",
        ActionAfterCompletion="DELETE",
    )
    it.advance(3500)
    assert it.heard() == []

    it.advance(200)

    assert it.heard() == [{"at": f"{at:%Y-%m-%dT%H:%M:%S}Z"}]
    assert it.aws("scheduler").list_schedules()["Schedules"] == []


def test_a_schedule_calls_any_operation_of_any_service(it: Happenings, role: str) -> None:
    put = {"Name": "kept", "Value": "yes", "Type": "String", "Overwrite": True}
    make(
        it,
        "rate(1 hour)",
        {"Arn": "arn:aws:scheduler:::aws-sdk:ssm:putParameter", "Input": json.dumps(put), "RoleArn": role},
    )

    it.advance(2 * 3600 + 1)

    assert it.aws("ssm").get_parameter(Name="kept")["Parameter"]["Version"] == 2


def test_a_schedule_puts_events_on_a_bus_until_its_end(it: Happenings, role: str) -> None:
    it.rule({"source": ["timer"]})
    bus = f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/default"
    make(
        it,
        "rate(1 day)",
        {
            "Arn": bus,
            "RoleArn": role,
            "Input": '{"n": 1}',
            "EventBridgeParameters": {"DetailType": "tick", "Source": "timer"},
        },
        EndDate=now(it) + timedelta(days=2, hours=1),
    )

    it.advance(5 * 86400)

    assert [(event["detail-type"], event["detail"]) for event in it.heard()] == [("tick", {"n": 1})] * 2


def test_a_changed_or_deleted_schedule_does_not_fire_as_before(it: Happenings, role: str) -> None:
    target = {"Arn": it.queue(), "RoleArn": role, "Input": '"old"'}
    make(it, "rate(1 minute)", target)
    scheduler = it.aws("scheduler")
    scheduler.update_schedule(
        Name="s",
        ScheduleExpression="rate(10 minutes)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={**target, "Input": '"new"'},
    )
    it.advance(601)
    assert it.heard() == ["new"]

    scheduler.delete_schedule(Name="s")
    it.advance(601)

    assert it.heard() == []


@pytest.mark.parametrize(
    ("expression", "changed", "message"),
    [
        ("at(tomorrow)", {}, "Invalid Schedule Expression"),
        ("rate(1 minutes)", {}, "singular for 1"),
        ("rate(1 day)", {"ScheduleExpressionTimezone": "Mars/Base"}, "no time zone"),
        ("rate(1 day)", {"Arn": "arn:aws:ecs:us-east-1:123456789012:cluster/c"}, "the sandbox does not call"),
        ("rate(1 day)", {"Arn": "arn:aws:scheduler:::aws-sdk:ssm:putNothing"}, "has no operation putNothing"),
        ("rate(1 day)", {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/absent"}, "must allow AWS EventBridge Scheduler"),
        ("rate(1 day)", {"GroupName": "absent"}, "Schedule group absent does not exist"),
        ("rate(1 day)", {"FlexibleTimeWindow": {"Mode": "OFF", "MaximumWindowInMinutes": 5}}, "FLEXIBLE only"),
    ],
)
def test_a_schedule_that_could_not_be_followed_is_refused(
    it: Happenings, role: str, expression: str, changed: dict[str, Any], message: str
) -> None:
    target = {"Arn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:q", "RoleArn": role}
    more = {name: value for name, value in changed.items() if name not in target}

    with pytest.raises(ClientError, match=message):
        make(it, expression, {name: changed.get(name, value) for name, value in target.items()}, **more)
