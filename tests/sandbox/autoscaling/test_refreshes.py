from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cdk_ami.sandbox.autoscaling import launching
from cdk_ami.sandbox.pace import PACE
from cdk_ami.sandbox.serial import LOCK
from tests.support.groups import ENDED, Fleet
from tests.support.sandbox import reset


@pytest.fixture
def slowly(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let each batch of a refresh take a while."""
    monkeypatch.setattr(PACE, "warmup", 0.25)
    yield
    monkeypatch.undo()


def test_a_refresh_replaces_every_instance_in_its_zone_and_moves_the_group_over(fleet: Fleet) -> None:
    before = {instance["InstanceId"] for instance in fleet.group()["Instances"]}

    record = fleet.finish(fleet.to_second())

    group = fleet.group()
    assert (record["Status"], record["PercentageComplete"], record["InstancesToUpdate"]) == ("Successful", 100, 0)
    assert fleet.running_images() == {fleet.images[1]: 3}
    assert not before & {instance["InstanceId"] for instance in group["Instances"]}
    assert sorted(Counter(each["AvailabilityZone"] for each in group["Instances"]).values()) == [1, 1, 1]
    assert group["LaunchTemplate"]["Version"] == "2"


def test_a_refresh_without_a_configuration_uses_the_groups_own(fleet: Fleet) -> None:
    fleet.autoscaling.update_auto_scaling_group(AutoScalingGroupName="web", LaunchTemplate=fleet.template("$Latest"))

    fleet.finish(fleet.start())

    assert fleet.running_images() == {fleet.images[1]: 3}


def test_what_matches_already_is_skipped_when_asked_for(fleet: Fleet) -> None:
    before = {instance["InstanceId"] for instance in fleet.group()["Instances"]}

    skipped = fleet.finish(fleet.start(Preferences={"SkipMatching": True}))
    untouched = {instance["InstanceId"] for instance in fleet.group()["Instances"]}
    fleet.finish(fleet.start())

    assert skipped["Status"] == "Successful"
    assert untouched == before
    assert not before & {instance["InstanceId"] for instance in fleet.group()["Instances"]}


@pytest.mark.usefixtures("slowly")
@pytest.mark.parametrize(
    ("preferences", "fewest", "most"),
    [
        ({}, 2, 3),  # 90 % of three leaves no room: one at a time
        ({"MinHealthyPercentage": 0}, 0, 3),
        ({"MinHealthyPercentage": 100, "MaxHealthyPercentage": 110}, 3, 4),
        ({"MinHealthyPercentage": 100, "MaxHealthyPercentage": 200}, 3, 6),
    ],
)
def test_a_refresh_keeps_within_its_bounds(fleet: Fleet, preferences: dict[str, int], fewest: int, most: int) -> None:
    counts: set[int] = set()
    from moto.autoscaling.models import autoscaling_backends  # noqa: PLC0415 - counted from inside, at every moment

    group = autoscaling_backends["123456789012"]["us-east-1"].autoscaling_groups["web"]
    identifier = fleet.to_second(Preferences=preferences)

    while fleet.refresh(identifier)["Status"] not in ENDED:
        with LOCK:
            counts.add(len(group.active_instances()))
    counts.add(len(fleet.running()))

    assert min(counts) >= fewest
    assert max(counts) <= most
    assert fleet.running_images() == {fleet.images[1]: 3}


@pytest.mark.usefixtures("slowly")
def test_one_refresh_at_a_time(fleet: Fleet) -> None:
    first = fleet.to_second()

    with pytest.raises(ClientError, match="InstanceRefreshInProgress"):
        fleet.to_second()
    assert fleet.finish(first)["Status"] == "Successful"


@pytest.mark.usefixtures("slowly")
def test_a_refresh_can_be_cancelled_half_way(fleet: Fleet) -> None:
    identifier = fleet.to_second()
    time.sleep(0.1)

    fleet.autoscaling.cancel_instance_refresh(AutoScalingGroupName="web")
    record = fleet.finish(identifier)

    assert record["Status"] == "Cancelled"
    assert sum(fleet.running_images().values()) == 3
    assert fleet.running_images()[fleet.images[0]] >= 1
    assert fleet.group()["LaunchTemplate"]["Version"] == "1"
    with pytest.raises(ClientError, match="ActiveInstanceRefreshNotFound"):
        fleet.autoscaling.cancel_instance_refresh(AutoScalingGroupName="web")


def test_a_refresh_fails_when_nothing_can_be_launched(fleet: Fleet) -> None:
    fleet.autoscaling.update_auto_scaling_group(AutoScalingGroupName="web", LaunchTemplate=fleet.template("2"))
    fleet.ec2.deregister_image(ImageId=fleet.images[1])

    record = fleet.finish(fleet.start(Preferences={"MinHealthyPercentage": 100, "MaxHealthyPercentage": 150}))

    assert record["Status"] == "Failed"
    assert "does not exist" in record["StatusReason"]
    assert fleet.running_images() == {fleet.images[0]: 3}


def test_a_fault_of_the_sandbox_itself_fails_the_refresh_and_is_named(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise KeyError("Surprise")

    monkeypatch.setattr(launching, "terminate", fails)

    record = fleet.finish(fleet.to_second())

    assert record["Status"] == "Failed"
    assert "the sandbox itself failed: KeyError: 'Surprise'" in record["StatusReason"]


@pytest.mark.usefixtures("slowly")
def test_a_failed_refresh_rolls_back_when_it_was_told_to(fleet: Fleet) -> None:
    identifier = fleet.to_second(Preferences={"AutoRollback": True})
    time.sleep(0.1)
    fleet.ec2.deregister_image(ImageId=fleet.images[1])

    record = fleet.finish(identifier)

    assert record["Status"] == "RollbackSuccessful"
    assert "does not exist" in record["RollbackDetails"]["RollbackReason"]
    assert fleet.running_images() == {fleet.images[0]: 3}


@pytest.mark.usefixtures("slowly")
def test_a_refresh_can_be_rolled_back_by_hand(fleet: Fleet) -> None:
    identifier = fleet.to_second()
    time.sleep(0.1)

    fleet.autoscaling.rollback_instance_refresh(AutoScalingGroupName="web")
    record = fleet.finish(identifier)

    assert record["Status"] == "RollbackSuccessful"
    assert fleet.running_images() == {fleet.images[0]: 3}


@pytest.mark.parametrize("version", ["$Latest", "$Default"])
def test_there_is_no_way_back_without_numbered_versions(fleet: Fleet, version: str) -> None:
    with pytest.raises(ClientError, match="numbered launch template versions"):
        fleet.start(
            DesiredConfiguration={"LaunchTemplate": fleet.template(version)}, Preferences={"AutoRollback": True}
        )


def test_an_alarm_stops_a_refresh(fleet: Fleet) -> None:
    cloudwatch = fleet.aws("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="errors",
        MetricName="m",
        Namespace="n",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1.0,
        Statistic="Sum",
        ComparisonOperator="GreaterThanThreshold",
    )
    cloudwatch.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="test")

    record = fleet.finish(fleet.to_second(Preferences={"AlarmSpecification": {"Alarms": ["errors"]}}))

    assert record["Status"] == "Failed"
    assert "the alarm errors is in state ALARM" in record["StatusReason"]
    assert fleet.running_images() == {fleet.images[0]: 3}


@pytest.mark.parametrize(
    ("preferences", "message"),
    [
        ({"MaxHealthyPercentage": 120}, "MinHealthyPercentage must be specified"),
        ({"MinHealthyPercentage": 0, "MaxHealthyPercentage": 150}, "cannot be greater than 100"),
        ({"CheckpointPercentages": [50, 20]}, "CheckpointPercentages"),
        ({"CheckpointDelay": 60}, "CheckpointDelay needs CheckpointPercentages"),
        ({"BakeTime": 172801}, "BakeTime must be"),
    ],
)
def test_preferences_that_auto_scaling_refuses_are_refused(
    fleet: Fleet, preferences: dict[str, Any], message: str
) -> None:
    with pytest.raises(ClientError, match=message):
        fleet.to_second(Preferences=preferences)


def test_a_refresh_to_an_image_that_does_not_exist_is_refused_at_once(fleet: Fleet) -> None:
    fleet.add_version("ami-0123456789abcdef0")

    with pytest.raises(ClientError, match="valid fully-formed launch template"):
        fleet.start(DesiredConfiguration={"LaunchTemplate": fleet.template("3")})


@pytest.mark.usefixtures("slowly")
def test_a_reset_ends_a_refresh_without_a_trace(fleet: Fleet, sandbox: Any, aws: Any) -> None:
    fleet.to_second()

    reset(sandbox)
    time.sleep(0.4)

    assert aws("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"] == []
    assert aws("ec2").describe_instances()["Reservations"] == []
