from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cdk_ami.sandbox.server import Sandbox
from tests.support.groups import activities_of, group_of, ids_of, states_of
from tests.support.happenings import Happenings
from tests.support.sandbox import reset

LAUNCHING = "autoscaling:EC2_INSTANCE_LAUNCHING"
TERMINATING = "autoscaling:EC2_INSTANCE_TERMINATING"


def put_pool(aws: Any, **request: Any) -> None:
    aws("autoscaling").put_warm_pool(AutoScalingGroupName="web", **request)


def put_hook(aws: Any, transition: str) -> None:
    aws("autoscaling").put_lifecycle_hook(
        AutoScalingGroupName="web", LifecycleHookName="hook", LifecycleTransition=transition, DefaultResult="CONTINUE"
    )


def resize(aws: Any, size: int) -> None:
    aws("autoscaling").set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=size)


def pool(aws: Any) -> list[dict[str, Any]]:
    return [dict(one) for one in aws("autoscaling").describe_warm_pool(AutoScalingGroupName="web")["Instances"]]


def pool_states(aws: Any) -> Counter[str]:
    return Counter(one["LifecycleState"] for one in pool(aws))


def power_states(aws: Any, ids: list[str]) -> set[str]:
    reservations = aws("ec2").describe_instances(InstanceIds=ids)["Reservations"]
    return {one["State"]["Name"] for reservation in reservations for one in reservation["Instances"]}


@pytest.mark.parametrize(
    ("settings", "size"),
    [
        ({}, 7),  # what the group's maximum leaves above its size
        ({"MaxGroupPreparedCapacity": 4}, 2),
        ({"MaxGroupPreparedCapacity": 2, "MinSize": 1}, 1),
        ({"MinSize": 8}, 8),
    ],
)
def test_a_pool_is_as_large_as_its_settings_say(aws: Any, make_group: Any, settings: dict[str, int], size: int) -> None:
    make_group(DesiredCapacity=2)

    put_pool(aws, **settings)

    assert pool_states(aws) == {"Warmed:Stopped": size}
    assert power_states(aws, [one["InstanceId"] for one in pool(aws)]) == {"stopped"}
    assert group_of(aws)["WarmPoolConfiguration"]["PoolState"] == "Stopped"
    assert states_of(aws) == {"InService": 2}


def test_a_growing_group_takes_from_its_pool_which_fills_up_again(aws: Any, make_group: Any, it: Happenings) -> None:
    make_group(DesiredCapacity=1)
    put_pool(aws, MaxGroupPreparedCapacity=3)
    warm = {one["InstanceId"] for one in pool(aws)}

    resize(aws, 2)

    taken = warm & set(ids_of(aws))
    assert (len(taken), pool_states(aws)) == (1, {"Warmed:Stopped": 1})
    assert power_states(aws, ids_of(aws)) == {"running"}
    (instance,) = taken
    events = [
        event["detail"]
        for event in it.log("EC2 Instance Launch Successful")
        if event["detail"]["EC2InstanceId"] == instance
    ]
    assert [(one["Origin"], one["Destination"]) for one in events] == [
        ("EC2", "WarmPool"),
        ("WarmPool", "AutoScalingGroup"),
    ]
    assert f"Launching a new EC2 instance from warm pool: {instance}" in [
        activity["Description"] for activity in activities_of(aws)
    ]


def test_a_shrinking_group_puts_back_where_its_pool_reuses(aws: Any, make_group: Any) -> None:
    make_group(DesiredCapacity=2)
    put_pool(aws, MaxGroupPreparedCapacity=2, InstanceReusePolicy={"ReuseOnScaleIn": True})
    before = set(ids_of(aws))

    resize(aws, 1)

    assert [one["InstanceId"] for one in pool(aws)] == list(before - set(ids_of(aws)))
    assert pool_states(aws) == {"Warmed:Stopped": 1}


@pytest.mark.parametrize(("state", "power"), [("Stopped", "stopped"), ("Running", "running")])
def test_a_pool_keeps_its_instances_in_one_state(aws: Any, make_group: Any, state: str, power: str) -> None:
    make_group(DesiredCapacity=1, MaxSize=3)
    put_pool(aws, PoolState="Running" if state == "Stopped" else "Stopped")

    put_pool(aws, PoolState=state)

    assert pool_states(aws) == {f"Warmed:{state}": 2}
    assert power_states(aws, [one["InstanceId"] for one in pool(aws)]) == {power}


def test_only_a_template_that_hibernates_fills_a_hibernated_pool(aws: Any, make_group: Any) -> None:
    make_group(DesiredCapacity=1, MaxSize=2)
    with pytest.raises(ClientError, match="must enable hibernation"):
        put_pool(aws, PoolState="Hibernated")
    aws("ec2").create_launch_template_version(
        LaunchTemplateName="web", SourceVersion="1", LaunchTemplateData={"HibernationOptions": {"Configured": True}}
    )
    aws("autoscaling").update_auto_scaling_group(
        AutoScalingGroupName="web", LaunchTemplate={"LaunchTemplateName": "web", "Version": "2"}
    )

    put_pool(aws, PoolState="Hibernated")

    assert pool_states(aws) == {"Warmed:Hibernated": 1}


def test_hooks_hold_instances_into_the_pool_and_out_of_it(aws: Any, make_group: Any, it: Happenings) -> None:
    make_group(DesiredCapacity=1, MaxSize=2)
    put_hook(aws, LAUNCHING)

    put_pool(aws)
    entering = pool_states(aws)
    it.advance(3601)
    inside = pool_states(aws)
    resize(aws, 2)
    leaving = states_of(aws)
    it.advance(3601)

    assert (entering, inside) == ({"Warmed:Pending:Wait": 1}, {"Warmed:Stopped": 1})
    assert (leaving, states_of(aws)) == ({"InService": 1, "Pending:Wait": 1}, {"InService": 2})
    ways = [
        (event["detail"]["Origin"], event["detail"]["Destination"])
        for event in it.log("EC2 Instance-launch Lifecycle Action")
    ]
    assert ways == [("EC2", "WarmPool"), ("WarmPool", "AutoScalingGroup")]


def test_a_hook_of_termination_holds_what_goes_back_into_the_pool(aws: Any, make_group: Any, it: Happenings) -> None:
    make_group(DesiredCapacity=1)
    put_pool(aws, MaxGroupPreparedCapacity=1, InstanceReusePolicy={"ReuseOnScaleIn": True})
    put_hook(aws, TERMINATING)

    resize(aws, 0)
    held = pool_states(aws)
    (event,) = it.log("EC2 Instance-terminate Lifecycle Action")
    it.advance(3601)

    assert (held, pool_states(aws)) == ({"Warmed:Pending:Wait": 1}, {"Warmed:Stopped": 1})
    assert (event["detail"]["Origin"], event["detail"]["Destination"]) == ("AutoScalingGroup", "WarmPool")


def test_a_pool_is_deleted_when_its_instances_are_gone(aws: Any, make_group: Any, it: Happenings) -> None:
    make_group(DesiredCapacity=1, MaxSize=3)
    autoscaling = aws("autoscaling")
    put_pool(aws)
    put_hook(aws, TERMINATING)

    autoscaling.delete_warm_pool(AutoScalingGroupName="web")
    waiting = autoscaling.describe_warm_pool(AutoScalingGroupName="web")
    with pytest.raises(ClientError, match="ScalingActivityInProgress"):
        autoscaling.delete_warm_pool(AutoScalingGroupName="web")
    it.advance(3601)

    assert waiting["WarmPoolConfiguration"]["Status"] == "PendingDelete"
    assert {one["LifecycleState"] for one in waiting["Instances"]} == {"Warmed:Terminating:Wait"}
    assert "WarmPoolConfiguration" not in autoscaling.describe_warm_pool(AutoScalingGroupName="web")
    with pytest.raises(ClientError, match="No warm pool found"):
        autoscaling.delete_warm_pool(AutoScalingGroupName="web")


def test_force_deletes_a_pool_and_a_group_past_every_hook(aws: Any, make_group: Any) -> None:
    make_group(DesiredCapacity=1, MaxSize=3)
    autoscaling = aws("autoscaling")
    put_pool(aws)
    put_hook(aws, TERMINATING)
    with pytest.raises(ClientError, match="ResourceInUse"):
        autoscaling.delete_auto_scaling_group(AutoScalingGroupName="web")

    autoscaling.delete_warm_pool(AutoScalingGroupName="web", ForceDelete=True)
    empty = pool(aws)
    autoscaling.delete_auto_scaling_group(AutoScalingGroupName="web", ForceDelete=True)

    assert empty == []
    found = aws("ec2").describe_instances()["Reservations"]
    assert {one["State"]["Name"] for reservation in found for one in reservation["Instances"]} == {"terminated"}


def test_a_refresh_brings_the_pool_up_to_date_too(aws: Any, make_group: Any, it: Happenings) -> None:
    make_group(DesiredCapacity=1, MaxSize=3)
    put_pool(aws)
    aws("ec2").create_launch_template_version(
        LaunchTemplateName="web", SourceVersion="1", LaunchTemplateData={"InstanceType": "t3.small"}
    )
    autoscaling = aws("autoscaling")

    autoscaling.start_instance_refresh(
        AutoScalingGroupName="web",
        DesiredConfiguration={"LaunchTemplate": {"LaunchTemplateName": "web", "Version": "2"}},
        Preferences={"MinHealthyPercentage": 0},
    )
    it.settle()

    (refresh,) = autoscaling.describe_instance_refreshes(AutoScalingGroupName="web")["InstanceRefreshes"]
    assert refresh["Status"] == "Successful"
    assert refresh["ProgressDetails"] == {
        "LivePoolProgress": {"PercentageComplete": 100, "InstancesToUpdate": 0},
        "WarmPoolProgress": {"PercentageComplete": 100, "InstancesToUpdate": 0},
    }
    assert {one["InstanceType"] for one in (*pool(aws), *group_of(aws)["Instances"])} == {"t3.small"}
    assert pool_states(aws) == {"Warmed:Stopped": 2}


def test_instances_of_a_pool_are_told_among_all(aws: Any, make_group: Any) -> None:
    make_group(DesiredCapacity=1, MaxSize=2)

    put_pool(aws)

    found = aws("autoscaling").describe_auto_scaling_instances()["AutoScalingInstances"]
    assert sorted(one["LifecycleState"] for one in found) == ["InService", "Warmed:Stopped"]


def test_a_pool_of_spot_instances_is_refused(aws: Any, make_group: Any) -> None:
    make_group(DesiredCapacity=0)
    aws("ec2").create_launch_template_version(
        LaunchTemplateName="web",
        SourceVersion="1",
        LaunchTemplateData={"InstanceMarketOptions": {"MarketType": "spot"}},
    )
    aws("autoscaling").update_auto_scaling_group(
        AutoScalingGroupName="web", LaunchTemplate={"LaunchTemplateName": "web", "Version": "2"}
    )

    with pytest.raises(ClientError, match="Spot Instances"):
        put_pool(aws)


def test_a_group_with_a_pool_that_was_saved_goes_on(
    aws: Any, make_group: Any, it: Happenings, tmp_path: Path, sandbox: Sandbox
) -> None:
    make_group(DesiredCapacity=1, MaxSize=3)
    put_hook(aws, LAUNCHING)
    put_pool(aws)
    it.advance(3601)
    aws("autoscaling").start_instance_refresh(AutoScalingGroupName="web", Preferences={"SkipMatching": True})
    it.settle()
    warm = {one["InstanceId"] for one in pool(aws)}

    it.ask("state", {"save": str(tmp_path / "state")})
    reset(sandbox)
    it.ask("state", {"load": str(tmp_path / "state")})
    resize(aws, 2)
    it.advance(3601)

    assert states_of(aws) == {"InService": 2}
    assert len(warm & set(ids_of(aws))) == 1
    (refresh,) = aws("autoscaling").describe_instance_refreshes(AutoScalingGroupName="web")["InstanceRefreshes"]
    assert refresh["Status"] == "Successful"
