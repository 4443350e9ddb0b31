"""Groups as CloudFormation makes, updates and removes them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cdk_ami.sandbox.clock import CLOCK
from tests.support.groups import AL2023, activities_of, group_of, ids_of
from tests.support.happenings import Happenings
from tests.support.sandbox import MakeClient
from tests.support.stacks import Stacks, resource


@pytest.fixture
def stacks(aws: MakeClient) -> Stacks:
    """Stacks in us-east-1."""
    return Stacks(aws("cloudformation"))


def fleet(policy: Any = None, *, image: Any = AL2023, instance_type: str = "t3.micro", **properties: Any) -> Any:
    version = {"LaunchTemplateId": {"Ref": "Template"}, "Version": {"Fn::GetAtt": ["Template", "LatestVersionNumber"]}}
    settings: dict[str, Any] = {
        "AutoScalingGroupName": "web",
        "MinSize": "0",
        "MaxSize": "6",
        "DesiredCapacity": "3",
        "AvailabilityZones": ["us-east-1a", "us-east-1b", "us-east-1c"],
        "LaunchTemplate": version,
        **properties,
    }
    if "MixedInstancesPolicy" in settings:
        del settings["LaunchTemplate"]
    data = {"ImageId": image, "InstanceType": instance_type}
    return {
        "Template": resource("EC2::LaunchTemplate", {"LaunchTemplateData": data}),
        "Fleet": resource("AutoScaling::AutoScalingGroup", settings, UpdatePolicy=policy or {}),
    }


def types_of(aws: Any) -> Counter[str]:
    return Counter(one["InstanceType"] for one in group_of(aws)["Instances"])


def rolling(**settings: Any) -> dict[str, Any]:
    return {"AutoScalingRollingUpdate": settings}


def test_a_rolling_update_replaces_batch_by_batch_and_keeps_what_must_serve(stacks: Stacks, aws: MakeClient) -> None:
    policy = rolling(MaxBatchSize=2, MinInstancesInService=3, SuspendProcesses=["AZRebalance"])
    stacks.create("fleet", fleet(policy))
    before = set(ids_of(aws))

    assert stacks.update("fleet", fleet(policy, instance_type="t3.small")) == "UPDATE_COMPLETE", stacks.reasons("fleet")

    assert types_of(aws) == {"t3.small": 3}
    assert not before & set(ids_of(aws))
    assert group_of(aws)["DesiredCapacity"] == 3
    assert group_of(aws)["SuspendedProcesses"] == []
    sizes = [one["Cause"] for one in activities_of(aws) if "explicitly set group desired capacity" in one["Cause"]]
    assert any("from 3 to 5" in cause for cause in sizes)


def test_a_rolling_update_pauses_by_the_clock(stacks: Stacks, aws: MakeClient) -> None:
    policy = rolling(MaxBatchSize=3, PauseTime="PT10M")
    stacks.create("fleet", fleet(policy))
    CLOCK.run_at(2000)
    before = CLOCK.now()

    assert stacks.update("fleet", fleet(policy, instance_type="t3.small")) == "UPDATE_COMPLETE", stacks.reasons("fleet")

    assert (CLOCK.now() - before).total_seconds() >= 600
    assert types_of(aws) == {"t3.small": 3}


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (rolling(WaitOnResourceSignals=True), "WaitOnResourceSignals: the sandbox has no signals"),
        (rolling(MinSuccessfulInstancesPercent=50), "MinSuccessfulInstancesPercent: the sandbox has no signals"),
        (rolling(PauseTime="PT2H"), "PauseTime: must be a duration such as PT5M, of an hour at most"),
        (rolling(MaxBatchSize=101), "MaxBatchSize: must be 1 to 100"),
        ({"AutoScalingReplacingUpdate": {"WillReplace": True}}, "does not support this update policy"),
        (
            {"AutoScalingInstanceRefresh": {"Strategy": "Rolling"}, **rolling(MaxBatchSize=1)},
            "AutoScalingRollingUpdate",
        ),
    ],
)
def test_update_policies_that_are_wrong_or_beyond_the_sandbox_are_refused(
    stacks: Stacks, policy: dict[str, Any], words: str
) -> None:
    with pytest.raises(ClientError, match=words):
        stacks.create("fleet", fleet(policy))


def test_a_rolling_update_that_cannot_keep_its_minimum_fails(stacks: Stacks) -> None:
    policy = rolling(MinInstancesInService=6)
    stacks.create("fleet", fleet(policy))

    assert stacks.update("fleet", fleet(policy, instance_type="t3.small")) == "UPDATE_ROLLBACK_FAILED"

    assert any("must be less than the autoscaling group's MaxSize" in reason for reason in stacks.reasons("fleet"))


def test_a_group_that_cannot_launch_fails_its_stack_and_says_why(
    stacks: Stacks, aws: MakeClient, it: Happenings
) -> None:
    it.ask("autoscaling/capacity", {"region": "us-east-1", "instance_type": "t3.micro"})

    status = stacks.create("fleet", fleet())

    assert status == "ROLLBACK_COMPLETE"
    assert any("Group did not stabilize" in reason and "t3.micro" in reason for reason in stacks.reasons("fleet"))
    assert aws("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"] == []


def test_an_alarm_during_a_refresh_takes_the_stack_back(stacks: Stacks, aws: MakeClient) -> None:
    policy = {
        "AutoScalingInstanceRefresh": {
            "Strategy": "Rolling",
            "Preferences": {"MinHealthyPercentage": 0, "AlarmSpecification": {"Alarms": ["errors"]}},
        }
    }
    stacks.create("fleet", fleet(policy))
    cloudwatch = aws("cloudwatch")
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

    status = stacks.update("fleet", fleet(policy, instance_type="t3.small"))

    assert status == "UPDATE_ROLLBACK_COMPLETE"  # although the alarm still sounds: the way back watches none
    assert any("the alarm errors is in state ALARM" in reason for reason in stacks.reasons("fleet"))
    assert types_of(aws) == {"t3.micro": 3}


def test_root_volumes_are_replaced_by_an_update(stacks: Stacks, aws: MakeClient) -> None:
    ec2 = aws("ec2")
    instance = ec2.run_instances(ImageId=AL2023, InstanceType="t3.micro", MinCount=1, MaxCount=1)["Instances"][0]
    first, second = (ec2.create_image(InstanceId=instance["InstanceId"], Name=f"golden-{n}")["ImageId"] for n in (1, 2))
    policy = {"AutoScalingInstanceRefresh": {"Strategy": "ReplaceRootVolume"}}

    def mixed(image: str) -> dict[str, Any]:
        specification = {
            "LaunchTemplateId": {"Ref": "Template"},
            "Version": {"Fn::GetAtt": ["Template", "LatestVersionNumber"]},
        }
        overrides = [{"InstanceType": "t3.micro", "ImageId": image}]
        return {"LaunchTemplate": {"LaunchTemplateSpecification": specification, "Overrides": overrides}}

    stacks.create("fleet", fleet(policy, MixedInstancesPolicy=mixed(first)))
    before = set(ids_of(aws))

    status = stacks.update("fleet", fleet(policy, MixedInstancesPolicy=mixed(second)))

    assert status == "UPDATE_COMPLETE", stacks.reasons("fleet")
    assert set(ids_of(aws)) == before
    assert {one["ImageId"] for one in group_of(aws)["Instances"]} == {second}


def test_hooks_of_a_group_come_change_and_go_with_it(stacks: Stacks, aws: MakeClient) -> None:
    def hook(name: str, **more: Any) -> dict[str, Any]:
        transition = "autoscaling:EC2_INSTANCE_TERMINATING"
        return {"LifecycleHookName": name, "LifecycleTransition": transition, **more}

    def kept() -> dict[str, int]:
        found = aws("autoscaling").describe_lifecycle_hooks(AutoScalingGroupName="web")["LifecycleHooks"]
        return {one["LifecycleHookName"]: one["HeartbeatTimeout"] for one in found}

    stacks.create("fleet", fleet(LifecycleHookSpecificationList=[hook("one"), hook("two")]))
    before = kept()

    status = stacks.update("fleet", fleet(LifecycleHookSpecificationList=[hook("two", HeartbeatTimeout=60)]))

    assert status == "UPDATE_COMPLETE", stacks.reasons("fleet")
    assert (before, kept()) == ({"one": 3600, "two": 3600}, {"two": 60})


def test_a_warm_pool_is_made_changed_and_removed(stacks: Stacks, aws: MakeClient) -> None:
    def resources(**settings: Any) -> dict[str, Any]:
        pool = resource("AutoScaling::WarmPool", {"AutoScalingGroupName": {"Ref": "Fleet"}, **settings})
        return {**fleet(), "Pool": pool}

    def pool() -> dict[str, Any]:
        return dict(aws("autoscaling").describe_warm_pool(AutoScalingGroupName="web"))

    stacks.create("fleet", resources(MaxGroupPreparedCapacity=5))
    made = pool()
    stacks.update("fleet", resources(MinSize=1, PoolState="Running"))
    updated = pool()
    status = stacks.update("fleet", fleet())

    assert stacks.reasons("fleet") == []
    assert (len(made["Instances"]), made["WarmPoolConfiguration"]["MaxGroupPreparedCapacity"]) == (2, 5)
    assert {one["LifecycleState"] for one in updated["Instances"]} == {"Warmed:Running"}
    assert len(updated["Instances"]) == 3
    assert "MaxGroupPreparedCapacity" not in updated["WarmPoolConfiguration"]
    assert (status, "WarmPoolConfiguration" in pool()) == ("UPDATE_COMPLETE", False)


def test_a_protected_group_is_not_removed(stacks: Stacks, aws: MakeClient) -> None:
    stacks.create("fleet", fleet(DeletionProtection="prevent-all-deletion"))

    assert stacks.delete("fleet") == "DELETE_FAILED"

    assert any("protected from deletion" in reason for reason in stacks.reasons("fleet"))
    assert len(ids_of(aws)) == 3
