"""Refreshes that wait: for warm-up, checkpoints, bake time, alarms, and instances that may not be replaced."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.groups import Fleet, ids_of, states_of
from tests.support.happenings import Happenings

REFRESH = "EC2 Auto Scaling Instance Refresh"


def alarm(fleet: Fleet, state: str, name: str = "errors") -> None:
    cloudwatch = fleet.aws("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        MetricName="m",
        Namespace="n",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1.0,
        Statistic="Sum",
        ComparisonOperator="GreaterThanThreshold",
    )
    cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="test")


def which(*ids: str, **more: Any) -> dict[str, Any]:
    return {"AutoScalingGroupName": "web", "InstanceIds": list(ids), **more}


def test_checkpoints_wait_each_for_the_clock_and_are_told(fleet: Fleet, it: Happenings) -> None:
    identifier = fleet.to_second(Preferences={"CheckpointPercentages": [30, 60, 100], "CheckpointDelay": 600})
    it.settle()

    seen = [fleet.refresh(identifier)]
    it.advance(590)
    seen.append(fleet.refresh(identifier))
    it.advance(60)
    seen.append(fleet.refresh(identifier))
    it.advance(700)
    seen.append(fleet.refresh(identifier))

    assert [(one["Status"], one["PercentageComplete"], one["InstancesToUpdate"]) for one in seen] == [
        ("InProgress", 33, 2),
        ("InProgress", 33, 2),
        ("InProgress", 66, 1),
        ("Successful", 100, 0),
    ]
    told = it.log(f"{REFRESH} Checkpoint Reached")
    assert [one["detail"] for one in told] == [
        {
            "InstanceRefreshId": identifier,
            "AutoScalingGroupName": "web",
            "CheckpointPercentage": mark,
            "CheckpointDelay": "600",
        }
        for mark in ("30", "60", "100")
    ]


def test_one_leap_of_the_clock_passes_every_checkpoint(fleet: Fleet, it: Happenings) -> None:
    identifier = fleet.to_second(Preferences={"CheckpointPercentages": [30, 60, 100]})
    it.settle()

    delay = fleet.refresh(identifier)["Preferences"]["CheckpointDelay"]
    it.advance(2 * 3600 + 60)

    assert (delay, fleet.refresh(identifier)["Status"]) == (3600, "Successful")


def test_a_refresh_ends_at_a_last_checkpoint_below_the_whole(fleet: Fleet, it: Happenings) -> None:
    identifier = fleet.to_second(Preferences={"CheckpointPercentages": [50], "CheckpointDelay": 10})
    it.settle()

    it.advance(11)

    record = fleet.refresh(identifier)
    assert (record["Status"], record["PercentageComplete"]) == ("Successful", 66)
    assert fleet.running_images() == {fleet.images[0]: 1, fleet.images[1]: 2}


def test_a_warm_up_is_waited_for_when_the_refresh_asks_for_it(fleet: Fleet, it: Happenings) -> None:
    identifier = fleet.to_second(Preferences={"InstanceWarmup": 120})
    it.settle()

    first = fleet.refresh(identifier)["PercentageComplete"]
    it.advance(121)
    second = fleet.refresh(identifier)["PercentageComplete"]
    it.advance(241)

    assert (first, second, fleet.refresh(identifier)["Status"]) == (0, 33, "Successful")


def test_a_refresh_bakes_before_it_is_done(fleet: Fleet, it: Happenings) -> None:
    identifier = fleet.to_second(Preferences={"BakeTime": 1800})
    it.settle()

    baking = fleet.refresh(identifier)
    version = fleet.group()["LaunchTemplate"]["Version"]
    it.advance(1801)

    assert (baking["Status"], baking["PercentageComplete"], version) == ("Baking", 100, "1")
    assert fleet.refresh(identifier)["Status"] == "Successful"
    assert fleet.group()["LaunchTemplate"]["Version"] == "2"
    assert [len(it.log(f"{REFRESH} {what}")) for what in ("Started", "Started Baking", "Succeeded")] == [1, 1, 1]


@pytest.mark.parametrize(("automatic", "status", "image"), [(True, "RollbackSuccessful", 0), (False, "Failed", 1)])
def test_an_alarm_in_the_bake_time_fails_the_refresh_and_rolls_it_back_where_told_to(
    fleet: Fleet, it: Happenings, *, automatic: bool, status: str, image: int
) -> None:
    alarm(fleet, "OK")
    identifier = fleet.to_second(
        Preferences={
            "BakeTime": 3600,
            "AutoRollback": automatic,
            "AlarmSpecification": {"Alarms": ["errors", "unheard-of"]},
        }
    )
    it.settle()

    alarm(fleet, "ALARM")
    it.advance(6)

    record = fleet.refresh(identifier)
    assert record["Status"] == status
    assert "the alarm errors is in state ALARM" in record["StatusReason"]
    assert fleet.running_images() == {fleet.images[image]: 3}
    assert fleet.group()["LaunchTemplate"]["Version"] == "1"
    if automatic:
        assert record["RollbackDetails"]["PercentageCompleteOnRollback"] == 100
        assert record["RollbackDetails"]["InstancesToUpdateOnRollback"] == 0
        assert record["PercentageComplete"] == 0
        assert [len(it.log(f"{REFRESH} Rollback {what}")) for what in ("Started", "Succeeded")] == [1, 1]
    else:
        assert len(it.log(f"{REFRESH} Failed")) == 1


@pytest.mark.parametrize(("wish", "image"), [("Refresh", 1), ("Ignore", 0)])
def test_protected_instances_are_replaced_or_left_as_the_refresh_says(
    fleet: Fleet, it: Happenings, *, wish: str, image: int
) -> None:
    protected = ids_of(fleet.aws)[0]
    fleet.autoscaling.set_instance_protection(**which(protected, ProtectedFromScaleIn=True))

    identifier = fleet.to_second(Preferences={"ScaleInProtectedInstances": wish})
    it.settle()

    assert fleet.refresh(identifier)["Status"] == "Successful"
    assert (protected in ids_of(fleet.aws)) is (wish == "Ignore")
    assert fleet.running_images()[fleet.images[image]] == (1 if image == 0 else 3)


def test_a_protected_instance_is_waited_for_and_replaced_when_it_is_free(fleet: Fleet, it: Happenings) -> None:
    protected = ids_of(fleet.aws)[0]
    fleet.autoscaling.set_instance_protection(**which(protected, ProtectedFromScaleIn=True))
    identifier = fleet.to_second()
    it.advance(3000)
    waiting = fleet.refresh(identifier)

    fleet.autoscaling.set_instance_protection(**which(protected, ProtectedFromScaleIn=False))
    it.settle()

    assert (waiting["Status"], waiting["InstancesToUpdate"]) == ("InProgress", 1)
    assert waiting["StatusReason"] == f"Waiting: the instance {protected} is protected from scale in"
    assert fleet.refresh(identifier)["Status"] == "Successful"
    assert fleet.running_images() == {fleet.images[1]: 3}


def test_an_hour_of_waiting_for_a_standby_instance_fails_the_refresh(fleet: Fleet, it: Happenings) -> None:
    standing_by = ids_of(fleet.aws)[0]
    fleet.autoscaling.enter_standby(**which(standing_by, ShouldDecrementDesiredCapacity=True))
    identifier = fleet.to_second()
    it.settle()

    it.advance(3601)

    record = fleet.refresh(identifier)
    assert record["Status"] == "Failed"
    assert f"an hour was not enough: the instance {standing_by} is in standby" in record["StatusReason"]
    assert states_of(fleet.aws) == {"InService": 2, "Standby": 1}


@pytest.mark.parametrize(
    ("wish", "left"), [("Terminate", {"InService": 2}), ("Ignore", {"InService": 2, "Standby": 1})]
)
def test_standby_instances_go_or_stay_as_the_refresh_says(
    fleet: Fleet, it: Happenings, *, wish: str, left: dict[str, int]
) -> None:
    standing_by = ids_of(fleet.aws)[0]
    fleet.autoscaling.enter_standby(**which(standing_by, ShouldDecrementDesiredCapacity=True))

    identifier = fleet.to_second(Preferences={"StandbyInstances": wish})
    it.settle()

    assert fleet.refresh(identifier)["Status"] == "Successful"
    assert states_of(fleet.aws) == left


def test_without_room_the_new_one_comes_first_only_when_the_upper_bound_is_given(fleet: Fleet, it: Happenings) -> None:
    preferences: dict[str, Any] = {"MinHealthyPercentage": 100, "InstanceWarmup": 60}

    first = fleet.to_second(Preferences=preferences)
    it.settle()
    implied = states_of(fleet.aws)["InService"]
    fleet.autoscaling.cancel_instance_refresh(AutoScalingGroupName="web")
    it.settle()
    second = fleet.to_second(Preferences={**preferences, "MaxHealthyPercentage": 100})
    it.settle()

    assert (implied, states_of(fleet.aws)["InService"]) == (3, 4)
    it.advance(600)
    assert [fleet.refresh(one)["Status"] for one in (first, second)] == ["Cancelled", "Successful"]
    assert states_of(fleet.aws) == {"InService": 3}


def test_the_maintenance_policy_bounds_a_refresh_that_names_no_bounds(fleet: Fleet, it: Happenings) -> None:
    fleet.autoscaling.update_auto_scaling_group(
        AutoScalingGroupName="web",
        InstanceMaintenancePolicy={"MinHealthyPercentage": 100, "MaxHealthyPercentage": 170},
    )

    identifier = fleet.to_second(Preferences={"InstanceWarmup": 60})
    it.settle()

    assert states_of(fleet.aws) == {"InService": 6}
    preferences = fleet.refresh(identifier)["Preferences"]
    assert (preferences["MinHealthyPercentage"], preferences["MaxHealthyPercentage"]) == (100, 170)


@pytest.mark.parametrize("wait", [True, False])
def test_a_cancelled_refresh_lets_what_has_begun_come_to_its_end_unless_told_otherwise(
    fleet: Fleet, it: Happenings, *, wait: bool
) -> None:
    fleet.autoscaling.put_lifecycle_hook(
        AutoScalingGroupName="web",
        LifecycleHookName="hook",
        LifecycleTransition="autoscaling:EC2_INSTANCE_LAUNCHING",
        DefaultResult="CONTINUE",
    )
    identifier = fleet.to_second()
    it.settle()

    fleet.autoscaling.cancel_instance_refresh(AutoScalingGroupName="web", WaitForTransitioningInstances=wait)
    it.settle()
    at_once = fleet.refresh(identifier)["Status"]
    it.advance(3601)

    assert at_once == ("Cancelling" if wait else "Cancelled")
    assert fleet.refresh(identifier)["Status"] == "Cancelled"
    assert states_of(fleet.aws) == {"InService": 3}
    assert len(it.log(f"{REFRESH} Cancelled")) == 1


def test_what_grows_during_a_refresh_grows_into_the_new_configuration(fleet: Fleet, it: Happenings) -> None:
    fleet.to_second(Preferences={"CheckpointPercentages": [30, 100]})
    it.settle()

    fleet.autoscaling.set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=5)

    assert fleet.running_images() == {fleet.images[0]: 2, fleet.images[1]: 3}


def test_a_refresh_waits_while_its_process_is_suspended(fleet: Fleet, it: Happenings) -> None:
    which_processes = {"AutoScalingGroupName": "web", "ScalingProcesses": ["InstanceRefresh"]}
    fleet.autoscaling.suspend_processes(**which_processes)
    identifier = fleet.to_second()
    it.settle()
    waiting = fleet.refresh(identifier)

    fleet.autoscaling.resume_processes(**which_processes)
    it.settle()

    assert (waiting["Status"], waiting["PercentageComplete"]) == ("InProgress", 0)
    assert fleet.refresh(identifier)["Status"] == "Successful"


def test_refreshes_are_told_in_pages_the_newest_first(fleet: Fleet, it: Happenings) -> None:
    made = []
    for _ in range(3):
        made.append(fleet.start(Preferences={"SkipMatching": True}))
        it.settle()
    ask = {"AutoScalingGroupName": "web", "MaxRecords": 2}

    first = fleet.autoscaling.describe_instance_refreshes(**ask)
    second = fleet.autoscaling.describe_instance_refreshes(**ask, NextToken=first["NextToken"])

    found = [one["InstanceRefreshId"] for one in (*first["InstanceRefreshes"], *second["InstanceRefreshes"])]
    assert found == made[::-1]
    assert "NextToken" not in second
    with pytest.raises(ClientError, match="InvalidNextToken"):
        fleet.autoscaling.describe_instance_refreshes(**ask, NextToken="x")


def test_a_rollback_that_nothing_can_be_rolled_back_to_is_refused(fleet: Fleet, it: Happenings) -> None:
    autoscaling = fleet.autoscaling
    with pytest.raises(ClientError, match="ActiveInstanceRefreshNotFound"):
        autoscaling.rollback_instance_refresh(AutoScalingGroupName="web")
    fleet.start(Preferences={"InstanceWarmup": 600})
    it.settle()

    with pytest.raises(ClientError, match=r"IrreversibleInstanceRefresh.*needs a DesiredConfiguration"):
        autoscaling.rollback_instance_refresh(AutoScalingGroupName="web")


def test_a_rollback_from_a_parameter_is_refused(fleet: Fleet, it: Happenings) -> None:
    name = "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
    fleet.add_version(name)
    desired = {"LaunchTemplate": fleet.template("3")}
    with pytest.raises(ClientError, match=r"ValidationError.*needs AMI ids, not parameters"):
        fleet.start(DesiredConfiguration=desired, Preferences={"AutoRollback": True})
    fleet.start(DesiredConfiguration=desired, Preferences={"InstanceWarmup": 600})
    it.settle()

    with pytest.raises(ClientError, match=r"IrreversibleInstanceRefresh.*needs AMI ids, not parameters"):
        fleet.autoscaling.rollback_instance_refresh(AutoScalingGroupName="web")


@pytest.mark.parametrize(
    ("preferences", "message"),
    [
        ({"AlarmSpecification": {"Alarms": [f"a{n}" for n in range(11)]}}, "10 alarms at most"),
        ({"CheckpointPercentages": [50, 101]}, "CheckpointPercentages must be 1 to 100"),
        ({"CheckpointPercentages": [50], "CheckpointDelay": 172801}, "CheckpointDelay must be 0 to 172800"),
        ({"ScaleInProtectedInstances": "Hope"}, "ScaleInProtectedInstances must be one of"),
        ({"StandbyInstances": "Refresh"}, "StandbyInstances must be one of"),
        ({"MinHealthyPercentage": 90, "MaxHealthyPercentage": 201}, "MaxHealthyPercentage 100 to 200"),
    ],
)
def test_preferences_out_of_bounds_are_refused(fleet: Fleet, preferences: dict[str, Any], message: str) -> None:
    with pytest.raises(ClientError, match=message):
        fleet.to_second(Preferences=preferences)
