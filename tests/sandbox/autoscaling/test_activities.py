"""What groups tell of what they do: scaling activities, events, messages to topics."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.groups import activities_of, group_of, ids_of
from tests.support.happenings import ACCOUNT, Happenings


def resize(aws: Any, size: int, **more: Any) -> None:
    aws("autoscaling").set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=size, **more)


def topic_of(aws: Any, it: Happenings) -> str:
    """Return a topic whose messages reach the queue ``heard``."""
    topic = str(aws("sns").create_topic(Name="groups")["TopicArn"])
    raw = {"RawMessageDelivery": "true"}
    aws("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=it.queue(), Attributes=raw)
    return topic


def test_activities_say_why_in_the_services_words(aws: Any, make_group: Any) -> None:
    make_group(DesiredCapacity=1)
    (first,) = ids_of(aws)
    resize(aws, 0)

    ended, began = activities_of(aws)

    assert began["Description"] == f"Launching a new EC2 instance: {first}"
    assert "a user request created an AutoScalingGroup changing the desired capacity from 0 to 1." in began["Cause"]
    assert "an instance was started in response to a difference between desired and actual" in began["Cause"]
    assert began["Cause"].endswith("increasing the capacity from 0 to 1.")
    assert ended["Description"] == f"Terminating EC2 instance: {first}"
    assert "explicitly set group desired capacity changing the desired capacity from 1 to 0." in ended["Cause"]
    assert "shrinking the capacity from 1 to 0.  At " in ended["Cause"]
    assert ended["Cause"].endswith(f"instance {first} was selected for termination.")
    assert {ended["StatusCode"], began["StatusCode"]} == {"Successful"}
    subnet = group_of(aws)["VPCZoneIdentifier"].split(",")[0]
    assert began["Details"] == f'{{"Subnet ID": "{subnet}", "Availability Zone": "us-east-1a"}}'


def test_launches_and_ends_are_events_with_the_documented_details(aws: Any, make_group: Any, it: Happenings) -> None:
    make_group(DesiredCapacity=1)
    (first,) = ids_of(aws)
    resize(aws, 0)

    (began,), (ended,) = (it.log(f"EC2 Instance {what} Successful") for what in ("Launch", "Terminate"))

    group = group_of(aws)["AutoScalingGroupARN"]
    for event, way in ((began, ("EC2", "AutoScalingGroup")), (ended, ("AutoScalingGroup", "EC2"))):
        assert event["source"] == "aws.autoscaling"
        assert event["resources"] == [group, f"arn:aws:ec2:us-east-1:{ACCOUNT}:instance/{first}"]
        detail = event["detail"]
        assert set(detail) == {
            "AutoScalingGroupName",
            "ActivityId",
            "RequestId",
            "Description",
            "Cause",
            "StatusCode",
            "StatusMessage",
            "Details",
            "StartTime",
            "EndTime",
            "EC2InstanceId",
            "Origin",
            "Destination",
        }
        assert (detail["EC2InstanceId"], detail["StatusCode"], detail["StatusMessage"]) == (first, "InProgress", "")
        assert (detail["Origin"], detail["Destination"]) == way
        assert detail["Details"]["Availability Zone"] == "us-east-1a"


def test_a_launch_that_fails_is_an_event_and_an_activity(aws: Any, make_group: Any, it: Happenings) -> None:
    make_group(DesiredCapacity=0)
    it.ask("autoscaling/capacity", {"region": "us-east-1", "instance_type": "t3.micro", "zone": "us-east-1a"})

    resize(aws, 1)

    (event,) = it.log("EC2 Instance Launch Unsuccessful")
    launched, failed = activities_of(aws)
    assert event["detail"]["StatusCode"] == "Failed"
    assert event["detail"]["StatusMessage"] == failed["StatusMessage"]
    assert failed["StatusMessage"].endswith("Launching EC2 instance failed.")
    assert (failed["StatusCode"], launched["StatusCode"]) == ("Failed", "Successful")
    assert group_of(aws)["Instances"][0]["AvailabilityZone"] == "us-east-1b"


def test_topics_hear_of_what_they_asked_for(aws: Any, make_group: Any, it: Happenings) -> None:
    make_group(DesiredCapacity=0)
    aws("autoscaling").put_notification_configuration(
        AutoScalingGroupName="web",
        TopicARN=topic_of(aws, it),
        NotificationTypes=["autoscaling:EC2_INSTANCE_LAUNCH"],
    )

    resize(aws, 1)
    (first,) = ids_of(aws)
    resize(aws, 0)

    test, launch = it.heard()
    assert test["Event"] == "autoscaling:TEST_NOTIFICATION"
    assert (launch["Event"], launch["EC2InstanceId"]) == ("autoscaling:EC2_INSTANCE_LAUNCH", first)
    assert (launch["Service"], launch["AccountId"]) == ("AWS Auto Scaling", ACCOUNT)


def test_activities_come_in_pages_and_by_id(aws: Any, make_group: Any) -> None:
    make_group(DesiredCapacity=3)
    autoscaling = aws("autoscaling")
    ask = {"AutoScalingGroupName": "web", "MaxRecords": 2}

    first = autoscaling.describe_scaling_activities(**ask)
    second = autoscaling.describe_scaling_activities(**ask, NextToken=first["NextToken"])
    (one,) = second["Activities"]
    found = autoscaling.describe_scaling_activities(ActivityIds=[one["ActivityId"]])["Activities"]

    assert len(first["Activities"]) == 2
    assert "NextToken" not in second
    assert found == [one]
    with pytest.raises(ClientError, match="does not filter scaling activities"):
        autoscaling.describe_scaling_activities(Filters=[{"Name": "StartTimeLowerBound", "Values": ["x"]}])


def test_what_waits_for_a_hook_comes_first(aws: Any, make_group: Any) -> None:
    make_group(DesiredCapacity=1)
    aws("autoscaling").put_lifecycle_hook(
        AutoScalingGroupName="web",
        LifecycleHookName="hook",
        LifecycleTransition="autoscaling:EC2_INSTANCE_TERMINATING",
    )
    resize(aws, 0)
    resize(aws, 1)

    assert [one["StatusCode"] for one in activities_of(aws)] == ["InProgress", "Successful", "Successful"]


def test_the_past_of_a_deleted_group_is_told_when_asked_for(aws: Any, make_group: Any) -> None:
    make_group(DesiredCapacity=1)
    autoscaling = aws("autoscaling")
    autoscaling.delete_auto_scaling_group(AutoScalingGroupName="web", ForceDelete=True)

    kept = autoscaling.describe_scaling_activities(AutoScalingGroupName="web", IncludeDeletedGroups=True)

    assert len(kept["Activities"]) == 2
    assert autoscaling.describe_scaling_activities()["Activities"] == []
    with pytest.raises(ClientError, match="AutoScalingGroup name not found"):
        autoscaling.describe_scaling_activities(AutoScalingGroupName="web")


def test_a_cooldown_is_honoured_when_asked_for(aws: Any, make_group: Any, it: Happenings) -> None:
    make_group(DesiredCapacity=1, DefaultCooldown=120)

    with pytest.raises(ClientError, match="ScalingActivityInProgress"):
        resize(aws, 2, HonorCooldown=True)
    resize(aws, 2)
    it.advance(121)
    resize(aws, 3, HonorCooldown=True)

    assert group_of(aws)["DesiredCapacity"] == 3


@pytest.mark.parametrize(
    ("protection", "by_force", "without"),
    [("prevent-all-deletion", False, False), ("prevent-force-deletion", False, True), ("none", True, True)],
)
def test_a_group_is_protected_from_deletion_as_it_says(
    aws: Any, make_group: Any, *, protection: str, by_force: bool, without: bool
) -> None:
    for force, allowed in ((True, by_force), (False, without)):
        name = f"web-{force}".lower()
        make_group(name, DesiredCapacity=0, DeletionProtection=protection)
        if allowed:
            aws("autoscaling").delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=force)
            continue
        with pytest.raises(ClientError, match="ResourceInUse"):
            aws("autoscaling").delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=force)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"TerminationPolicies": ["Eldest"]}, "does not know the termination policies"),
        ({"InstanceMaintenancePolicy": {"MinHealthyPercentage": 90}}, "needs both"),
        ({"InstanceMaintenancePolicy": {"MinHealthyPercentage": -1, "MaxHealthyPercentage": 120}}, "-1 to clear"),
        ({"InstanceMaintenancePolicy": {"MinHealthyPercentage": 0, "MaxHealthyPercentage": 120}}, "at most 100 more"),
        ({"MaxInstanceLifetime": 100}, "MaxInstanceLifetime must be 0"),
    ],
)
def test_settings_that_auto_scaling_refuses_are_refused(
    aws: Any, make_group: Any, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ClientError, match=message):
        make_group(**settings)

    assert aws("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"] == []
