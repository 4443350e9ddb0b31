from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from cdk_ami.sandbox.clock import CLOCK
from tests.support.groups import activities_of, group_of, ids_of, states_of
from tests.support.happenings import Happenings
from tests.support.sandbox import wait_until

LAUNCHING = "autoscaling:EC2_INSTANCE_LAUNCHING"
TERMINATING = "autoscaling:EC2_INSTANCE_TERMINATING"
ROLE = "arn:aws:iam::123456789012:role/notify"


def put_hook(aws: Any, transition: str, name: str = "hook", **request: Any) -> None:
    aws("autoscaling").put_lifecycle_hook(
        AutoScalingGroupName="web", LifecycleHookName=name, LifecycleTransition=transition, **request
    )


def complete(aws: Any, result: str, *, hook: str = "hook", **which: str) -> None:
    aws("autoscaling").complete_lifecycle_action(
        AutoScalingGroupName="web", LifecycleHookName=hook, LifecycleActionResult=result, **which
    )


def resize(aws: Any, size: int) -> None:
    aws("autoscaling").set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=size)


def test_a_new_instance_waits_until_its_hook_is_answered(aws: Any, make_group: Any, it: Happenings) -> None:
    make_group(DesiredCapacity=1)
    put_hook(aws, LAUNCHING, NotificationMetadata="more")

    resize(aws, 2)
    waiting = next(one for one in group_of(aws)["Instances"] if one["LifecycleState"] == "Pending:Wait")
    (event,) = it.log("EC2 Instance-launch Lifecycle Action")
    complete(aws, "CONTINUE", LifecycleActionToken=event["detail"]["LifecycleActionToken"])

    assert event["detail"] == {
        "LifecycleActionToken": event["detail"]["LifecycleActionToken"],
        "AutoScalingGroupName": "web",
        "LifecycleHookName": "hook",
        "EC2InstanceId": waiting["InstanceId"],
        "LifecycleTransition": LAUNCHING,
        "NotificationMetadata": "more",
        "Origin": "EC2",
        "Destination": "AutoScalingGroup",
    }
    assert event["resources"] == [group_of(aws)["AutoScalingGroupARN"]]
    assert states_of(aws) == {"InService": 2}


def test_an_abandoned_launch_is_replaced_and_shows_as_failed(aws: Any, make_group: Any) -> None:
    make_group(DesiredCapacity=0)
    put_hook(aws, LAUNCHING)
    resize(aws, 1)
    (first,) = ids_of(aws)

    complete(aws, "ABANDON", InstanceId=first)

    (second,) = group_of(aws)["Instances"]
    assert (second["InstanceId"] != first, second["LifecycleState"]) == (True, "Pending:Wait")
    (gone,) = aws("ec2").describe_instances(InstanceIds=[first])["Reservations"][0]["Instances"]
    assert gone["State"]["Name"] == "terminated"
    launches = [one for one in activities_of(aws) if first in one["Description"] and "Launching" in one["Description"]]
    assert [one["StatusCode"] for one in launches] == ["Failed"]


@pytest.mark.parametrize(("default", "state"), [("CONTINUE", "InService"), ("ABANDON", "Pending:Wait")])
def test_a_hook_that_nobody_answers_ends_as_it_says(aws: Any, make_group: Any, default: str, state: str) -> None:
    make_group(DesiredCapacity=0)
    put_hook(aws, LAUNCHING, HeartbeatTimeout=60, DefaultResult=default)
    resize(aws, 1)
    (first,) = ids_of(aws)

    CLOCK.advance(59)
    before = ids_of(aws)
    CLOCK.advance(2)

    (instance,) = group_of(aws)["Instances"]
    assert before == [first]
    assert (instance["LifecycleState"], instance["InstanceId"] == first) == (state, default == "CONTINUE")


def test_heartbeats_prolong_the_wait_up_to_two_days(aws: Any, make_group: Any) -> None:
    make_group(DesiredCapacity=0)
    put_hook(aws, LAUNCHING, HeartbeatTimeout=7200, DefaultResult="CONTINUE")
    (hook,) = aws("autoscaling").describe_lifecycle_hooks(AutoScalingGroupName="web")["LifecycleHooks"]
    resize(aws, 1)
    (waiting,) = ids_of(aws)
    which = {"AutoScalingGroupName": "web", "LifecycleHookName": "hook", "InstanceId": waiting}

    for _ in range(24):
        CLOCK.advance(7180)
        aws("autoscaling").record_lifecycle_action_heartbeat(**which)
    held = states_of(aws)
    CLOCK.advance(500)

    assert hook["GlobalTimeout"] == 172_800
    assert (held, states_of(aws)) == ({"Pending:Wait": 1}, {"InService": 1})


def test_an_instance_waits_for_all_hooks_and_one_no_is_enough(aws: Any, make_group: Any) -> None:
    make_group(DesiredCapacity=0)
    put_hook(aws, LAUNCHING, "one")
    put_hook(aws, LAUNCHING, "two")
    resize(aws, 2)
    first, second = ids_of(aws)

    complete(aws, "CONTINUE", hook="one", InstanceId=first)
    half = states_of(aws)
    complete(aws, "CONTINUE", hook="two", InstanceId=first)
    complete(aws, "ABANDON", hook="one", InstanceId=second)

    assert (half, states_of(aws)) == ({"Pending:Wait": 2}, {"InService": 1, "Pending:Wait": 1})
    assert second not in ids_of(aws)


@pytest.mark.parametrize("result", ["CONTINUE", "ABANDON"])
def test_an_instance_that_leaves_waits_and_goes_in_the_end_either_way(
    aws: Any, make_group: Any, it: Happenings, result: str
) -> None:
    make_group(DesiredCapacity=1)
    put_hook(aws, TERMINATING)
    (leaving,) = ids_of(aws)

    resize(aws, 0)
    waits = states_of(aws)
    (event,) = it.log("EC2 Instance-terminate Lifecycle Action")
    complete(aws, result, InstanceId=leaving)

    assert (waits, ids_of(aws)) == ({"Terminating:Wait": 1}, [])
    assert (event["detail"]["Origin"], event["detail"]["Destination"]) == ("AutoScalingGroup", "EC2")


def test_an_abandoned_end_keeps_the_instance_where_the_group_says_so(aws: Any, make_group: Any) -> None:
    make_group(DesiredCapacity=1, InstanceLifecyclePolicy={"RetentionTriggers": {"TerminateHookAbandon": "retain"}})
    put_hook(aws, TERMINATING)
    (leaving,) = ids_of(aws)
    resize(aws, 0)

    complete(aws, "ABANDON", InstanceId=leaving)

    assert states_of(aws) == {"Terminating:Retained": 1}
    (kept,) = aws("ec2").describe_instances(InstanceIds=[leaving])["Reservations"][0]["Instances"]
    assert kept["State"]["Name"] == "running"


def test_a_target_hears_of_a_test_and_of_every_action(aws: Any, make_group: Any, it: Happenings) -> None:
    make_group(DesiredCapacity=0)

    put_hook(aws, LAUNCHING, NotificationTargetARN=it.queue(), RoleARN=ROLE)
    resize(aws, 1)

    test, action = it.heard()
    assert (test["Event"], test["AutoScalingGroupName"]) == ("autoscaling:TEST_NOTIFICATION", "web")
    assert action["Service"] == "AWS Auto Scaling"
    assert action["EC2InstanceId"] == ids_of(aws)[0]
    complete(aws, "CONTINUE", LifecycleActionToken=action["LifecycleActionToken"])
    assert states_of(aws) == {"InService": 1}


def test_a_topic_is_a_target_as_well(aws: Any, make_group: Any, it: Happenings) -> None:
    topic = aws("sns").create_topic(Name="hooks")["TopicArn"]
    raw = {"RawMessageDelivery": "true"}
    aws("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=it.queue(), Attributes=raw)
    make_group(DesiredCapacity=0)

    put_hook(aws, LAUNCHING, NotificationTargetARN=topic, RoleARN=ROLE)

    (test,) = it.heard()
    assert test["Event"] == "autoscaling:TEST_NOTIFICATION"


def test_hooks_given_with_the_group_hold_its_first_instances(aws: Any, make_group: Any) -> None:
    hook = {"LifecycleHookName": "hook", "LifecycleTransition": LAUNCHING, "DefaultResult": "CONTINUE"}
    make_group(LifecycleHookSpecificationList=[hook])

    held = states_of(aws)
    CLOCK.advance(3601)

    assert (held, states_of(aws)) == ({"Pending:Wait": 3}, {"InService": 3})


def test_a_hook_is_changed_in_part_and_removed(aws: Any, make_group: Any) -> None:
    make_group(DesiredCapacity=0)
    put_hook(aws, LAUNCHING, HeartbeatTimeout=60, NotificationMetadata="kept")
    aws("autoscaling").put_lifecycle_hook(
        AutoScalingGroupName="web", LifecycleHookName="hook", DefaultResult="CONTINUE"
    )

    (hook,) = aws("autoscaling").describe_lifecycle_hooks(AutoScalingGroupName="web")["LifecycleHooks"]
    resize(aws, 1)
    aws("autoscaling").delete_lifecycle_hook(AutoScalingGroupName="web", LifecycleHookName="hook")

    assert hook == {
        "LifecycleHookName": "hook",
        "AutoScalingGroupName": "web",
        "LifecycleTransition": LAUNCHING,
        "NotificationMetadata": "kept",
        "HeartbeatTimeout": 60,
        "GlobalTimeout": 6000,
        "DefaultResult": "CONTINUE",
    }
    assert aws("autoscaling").describe_lifecycle_hooks(AutoScalingGroupName="web")["LifecycleHooks"] == []
    assert states_of(aws) == {"InService": 1}  # the abandoned one was replaced, and nothing held the new one


@pytest.mark.parametrize(
    ("request_part", "message"),
    [
        ({"LifecycleTransition": "autoscaling:EC2_INSTANCE_SLEEPING"}, "LifecycleTransition must be one of"),
        ({"HeartbeatTimeout": 29}, "HeartbeatTimeout must be 30 to 7200"),
        ({"DefaultResult": "MAYBE"}, "DefaultResult must be CONTINUE or ABANDON"),
        ({"NotificationTargetARN": "arn:aws:sns:us-east-1:123456789012:t"}, "RoleARN is required"),
        ({"NotificationTargetARN": "arn:aws:lambda:us-east-1:123456789012:function:f"}, "topics and SQS queues"),
    ],
)
def test_hooks_that_auto_scaling_refuses_are_refused(
    aws: Any, make_group: Any, request_part: dict[str, Any], message: str
) -> None:
    make_group(DesiredCapacity=0)
    request = {"LifecycleTransition": LAUNCHING, **request_part}

    with pytest.raises(ClientError, match=message):
        put_hook(aws, request.pop("LifecycleTransition"), **request)


def test_an_answer_to_nothing_is_refused(aws: Any, make_group: Any) -> None:
    make_group(DesiredCapacity=1)
    with pytest.raises(ClientError, match="Lifecycle hook not found"):
        complete(aws, "CONTINUE", InstanceId=ids_of(aws)[0])
    put_hook(aws, LAUNCHING)

    with pytest.raises(ClientError, match="No active Lifecycle Action found with instance ID"):
        complete(aws, "CONTINUE", InstanceId=ids_of(aws)[0])
    with pytest.raises(ClientError, match="No active Lifecycle Action found with token"):
        complete(aws, "CONTINUE", LifecycleActionToken="12345678-1234-1234-1234-123456789012")
    with pytest.raises(ClientError, match="must be CONTINUE or ABANDON"):
        complete(aws, "PERHAPS", InstanceId=ids_of(aws)[0])


def test_a_refresh_waits_for_the_hooks_of_its_instances(aws: Any, make_group: Any) -> None:
    make_group(DesiredCapacity=1)
    put_hook(aws, LAUNCHING)
    autoscaling = aws("autoscaling")
    autoscaling.start_instance_refresh(
        AutoScalingGroupName="web", Preferences={"MinHealthyPercentage": 100, "MaxHealthyPercentage": 200}
    )

    wait_until(lambda: states_of(aws) == {"InService": 1, "Pending:Wait": 1})
    new = next(one["InstanceId"] for one in group_of(aws)["Instances"] if one["LifecycleState"] == "Pending:Wait")
    complete(aws, "CONTINUE", InstanceId=new)

    wait_until(lambda: ids_of(aws) == [new])
    (refresh,) = autoscaling.describe_instance_refreshes(AutoScalingGroupName="web")["InstanceRefreshes"]
    assert refresh["Status"] == "Successful"
