from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cdk_ami.sandbox.server import Sandbox
from tests.support.control import ask, refusal
from tests.support.groups import activities_of, group_of, ids_of, states_of, zones_of
from tests.support.happenings import Happenings


def zone_counts(aws: Any, name: str = "web") -> Counter[str]:
    return Counter(one["AvailabilityZone"][-1] for one in group_of(aws, name)["Instances"])


def suspend(aws: Any, *processes: str) -> None:
    aws("autoscaling").suspend_processes(AutoScalingGroupName="web", ScalingProcesses=list(processes))


def test_an_instance_that_fails_its_checks_is_replaced_after_its_grace_period(
    aws: Any, make_group: Any, it: Happenings
) -> None:
    make_group(HealthCheckGracePeriod=300)
    sick = ids_of(aws)[0]

    it.ask("autoscaling/health", {"instance": sick})
    it.advance(200)
    spared = sick in ids_of(aws)
    it.advance(200)

    assert spared
    assert sick not in ids_of(aws)
    assert states_of(aws) == {"InService": 3}
    left, *_ = [one for one in activities_of(aws) if one["Description"] == f"Terminating EC2 instance: {sick}"]
    assert "in response to an EC2 instance status checks failure." in left["Cause"]


def test_an_instance_that_recovers_in_time_stays(aws: Any, make_group: Any, it: Happenings) -> None:
    make_group(HealthCheckGracePeriod=300)
    sick = ids_of(aws)[0]

    it.ask("autoscaling/health", {"instance": sick})
    it.ask("autoscaling/health", {"instance": sick, "healthy": True})
    it.advance(400)

    assert sick in ids_of(aws)


@pytest.mark.parametrize(("kind", "stays"), [("EC2", True), ("ELB", False), ("EC2,ELB", False)])
def test_a_load_balancers_check_counts_where_the_group_says_so(
    aws: Any, make_group: Any, it: Happenings, *, kind: str, stays: bool
) -> None:
    make_group(HealthCheckType=kind)
    sick = ids_of(aws)[0]

    it.ask("autoscaling/health", {"instance": sick, "check": "ELB"})

    assert (sick in ids_of(aws)) is stays


def test_a_users_word_waits_for_the_grace_period_unless_told_otherwise(
    aws: Any, make_group: Any, it: Happenings
) -> None:
    make_group(HealthCheckGracePeriod=300)
    first, second, third = ids_of(aws)
    autoscaling = aws("autoscaling")

    autoscaling.set_instance_health(InstanceId=first, HealthStatus="Unhealthy")
    autoscaling.set_instance_health(InstanceId=second, HealthStatus="Unhealthy", ShouldRespectGracePeriod=False)
    autoscaling.set_instance_health(InstanceId=third, HealthStatus="Unhealthy")
    autoscaling.set_instance_health(InstanceId=third, HealthStatus="Healthy")
    at_once = ids_of(aws)
    it.advance(400)

    assert first in at_once
    assert second not in at_once
    assert first not in ids_of(aws)
    assert third in ids_of(aws)
    with pytest.raises(ClientError, match="Valid instance health states"):
        autoscaling.set_instance_health(InstanceId=third, HealthStatus="Poorly")


def test_a_maintenance_policy_with_room_launches_before_it_terminates(
    aws: Any, make_group: Any, it: Happenings
) -> None:
    make_group(InstanceMaintenancePolicy={"MinHealthyPercentage": 100, "MaxHealthyPercentage": 120})
    aws("autoscaling").put_lifecycle_hook(
        AutoScalingGroupName="web",
        LifecycleHookName="hook",
        LifecycleTransition="autoscaling:EC2_INSTANCE_LAUNCHING",
        DefaultResult="CONTINUE",
    )
    sick = ids_of(aws)[0]

    it.ask("autoscaling/health", {"instance": sick})
    meanwhile = states_of(aws)
    it.advance(3700)

    assert meanwhile == {"InService": 3, "Pending:Wait": 1}
    assert states_of(aws) == {"InService": 3}
    assert sick not in ids_of(aws)


def test_suspended_processes_keep_a_sick_instance_until_they_are_resumed(
    aws: Any, make_group: Any, it: Happenings
) -> None:
    make_group()
    first, second, _ = ids_of(aws)

    suspend(aws, "ReplaceUnhealthy")
    it.ask("autoscaling/health", {"instance": first})
    marked = {one["InstanceId"]: one["HealthStatus"] for one in group_of(aws)["Instances"]}
    suspend(aws, "HealthCheck")
    it.ask("autoscaling/health", {"instance": second})
    unmarked = {one["InstanceId"]: one["HealthStatus"] for one in group_of(aws)["Instances"]}
    aws("autoscaling").resume_processes(AutoScalingGroupName="web")

    assert (marked[first], unmarked[second]) == ("Unhealthy", "Healthy")
    assert not {first, second} & set(ids_of(aws))
    assert states_of(aws) == {"InService": 3}


def test_only_known_processes_can_be_suspended(aws: Any, make_group: Any) -> None:
    make_group()

    with pytest.raises(ClientError, match="Invalid process name"):
        suspend(aws, "Sleep")


def test_a_zone_that_fails_is_left_for_the_others_and_filled_again_when_it_is_back(
    aws: Any, make_group: Any, it: Happenings
) -> None:
    make_group(DesiredCapacity=6)
    before = set(ids_of(aws))

    it.ask("autoscaling/zone", {"zone": "us-east-1a", "state": "down"})
    without = zone_counts(aws)
    it.ask("autoscaling/zone", {"zone": "us-east-1a", "state": "up"})

    assert without == {"b": 3, "c": 3}
    assert zone_counts(aws) == {"a": 2, "b": 2, "c": 2}
    assert len(before & set(ids_of(aws))) >= 2
    failed = [one for one in activities_of(aws) if one["StatusCode"] == "Failed"]
    assert failed
    assert all("sufficient t3.micro capacity" in one["StatusMessage"] for one in failed)
    balanced = [one for one in activities_of(aws) if "launched to balance instances in zones" in one["Cause"]]
    assert len(balanced) == 2


def test_a_group_keeps_serving_while_it_spreads_again(aws: Any, make_group: Any, it: Happenings) -> None:
    make_group(DesiredCapacity=4)
    it.ask("autoscaling/zone", {"zone": "us-east-1a", "state": "down"})
    aws("autoscaling").put_lifecycle_hook(
        AutoScalingGroupName="web",
        LifecycleHookName="hook",
        LifecycleTransition="autoscaling:EC2_INSTANCE_LAUNCHING",
        HeartbeatTimeout=60,
    )

    it.ask("autoscaling/zone", {"zone": "us-east-1a", "state": "up"})
    spreading = states_of(aws)
    it.advance(61)
    abandoned = states_of(aws)
    (waiting,) = [one["InstanceId"] for one in group_of(aws)["Instances"] if one["LifecycleState"] == "Pending:Wait"]
    aws("autoscaling").complete_lifecycle_action(
        AutoScalingGroupName="web", LifecycleHookName="hook", InstanceId=waiting, LifecycleActionResult="CONTINUE"
    )

    assert (spreading, abandoned) == ({"InService": 4, "Pending:Wait": 1}, {"InService": 4, "Pending:Wait": 1})
    assert zone_counts(aws) == {"a": 1, "b": 2, "c": 1} or zone_counts(aws) == {"a": 1, "b": 1, "c": 2}
    assert states_of(aws) == {"InService": 4}


def test_a_group_that_is_balanced_only_waits_for_its_zone(aws: Any, make_group: Any, it: Happenings) -> None:
    make_group(AvailabilityZoneDistribution={"CapacityDistributionStrategy": "balanced-only"})

    it.ask("autoscaling/zone", {"zone": "us-east-1b", "state": "down"})
    without = zone_counts(aws)
    tries = len(activities_of(aws))
    it.advance(200)
    tried = len(activities_of(aws)) - tries
    it.ask("autoscaling/zone", {"zone": "us-east-1b", "state": "up"})

    assert (without, zone_counts(aws)) == ({"a": 1, "c": 1}, {"a": 1, "b": 1, "c": 1})
    assert tried == 2  # after 60 and 120 seconds more: it pauses ever longer


def test_nobody_can_launch_into_a_zone_that_is_down(aws: Any, it: Happenings) -> None:
    ec2 = aws("ec2")
    image = "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
    request = {"ImageId": image, "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}
    it.ask("autoscaling/zone", {"zone": "us-east-1a", "state": "down"})

    with pytest.raises(ClientError, match="InsufficientInstanceCapacity"):
        ec2.run_instances(**request, Placement={"AvailabilityZone": "us-east-1a"})

    assert ec2.run_instances(**request, Placement={"AvailabilityZone": "us-east-1b"})["Instances"]


@pytest.mark.parametrize(("behavior", "stays"), [("IgnoreUnhealthy", True), ("ReplaceUnhealthy", False)])
def test_a_zonal_shift_keeps_launches_away_and_the_sick_where_they_are(
    aws: Any, make_group: Any, it: Happenings, *, behavior: str, stays: bool
) -> None:
    make_group(
        AvailabilityZoneImpairmentPolicy={"ZonalShiftEnabled": True, "ImpairedZoneHealthCheckBehavior": behavior}
    )
    sick = next(one["InstanceId"] for one in group_of(aws)["Instances"] if one["AvailabilityZone"] == "us-east-1a")

    it.ask("autoscaling/zone", {"zone": "us-east-1a", "state": "shifted"})
    it.ask("autoscaling/health", {"instance": sick})
    aws("autoscaling").set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=6)

    assert (sick in ids_of(aws)) is stays
    assert zone_counts(aws)["a"] == (1 if stays else 0)


def test_azrebalance_can_be_suspended(aws: Any, make_group: Any, it: Happenings) -> None:
    make_group()
    suspend(aws, "AZRebalance")

    for state in ("down", "up"):
        it.ask("autoscaling/zone", {"zone": "us-east-1a", "state": state})

    assert zones_of(aws) == [1, 2]


def test_a_type_that_runs_short_is_tried_again_until_it_is_back(aws: Any, make_group: Any, it: Happenings) -> None:
    make_group(DesiredCapacity=1)
    short = {"region": "us-east-1", "instance_type": "t3.micro"}
    it.ask("autoscaling/capacity", short)

    aws("autoscaling").set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=3)
    meanwhile = len(ids_of(aws))
    it.ask("autoscaling/capacity", {**short, "available": True})

    assert (meanwhile, len(ids_of(aws))) == (1, 3)


def test_instances_do_not_outlive_their_group_s_limit(aws: Any, make_group: Any, it: Happenings) -> None:
    make_group(MaxInstanceLifetime=86_400)
    first = set(ids_of(aws))

    it.advance(86_000)
    young = set(ids_of(aws))
    it.advance(1_000)
    second = set(ids_of(aws))
    it.advance(87_000)

    assert young == first
    assert not first & second
    assert not second & set(ids_of(aws))
    with pytest.raises(ClientError, match="MaxInstanceLifetime must be 0, or 86400"):
        aws("autoscaling").update_auto_scaling_group(AutoScalingGroupName="web", MaxInstanceLifetime=3600)


def test_requests_that_make_no_sense_are_refused(sandbox: Sandbox, aws: Any, make_group: Any) -> None:
    make_group(DesiredCapacity=1)
    (one,) = ids_of(aws)

    assert "no group has an instance i-0" in refusal(sandbox, "autoscaling/health", instance="i-0")
    assert "check is one of EC2, ELB" in refusal(sandbox, "autoscaling/health", instance=one, check="DNS")
    assert "missing ['instance']" in refusal(sandbox, "autoscaling/health", healthy=True)
    assert "state is one of" in refusal(sandbox, "autoscaling/zone", zone="us-east-1a", state="lost")
    assert "unknown ['color']" in refusal(sandbox, "autoscaling/zone", zone="us-east-1a", state="up", color="red")
    assert "available is true or false" in refusal(
        sandbox, "autoscaling/capacity", region="us-east-1", instance_type="t3.micro", available="no"
    )
    assert ask(sandbox, "autoscaling/health", instance=one, healthy=True)["state"] == "InService"
