from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.groups import AL2023, activities_of, group_of, ids_of, states_of


def run_instance(aws: Any, **request: Any) -> str:
    answer = aws("ec2").run_instances(
        ImageId=AL2023, InstanceType="t3.micro", MinCount=1, MaxCount=1, **{"SubnetId": first_subnet(aws), **request}
    )
    return str(answer["Instances"][0]["InstanceId"])


def first_subnet(aws: Any) -> str:
    return str(aws("ec2").describe_subnets()["Subnets"][0]["SubnetId"])


def which(*ids: str, **more: Any) -> dict[str, Any]:
    return {"AutoScalingGroupName": "web", "InstanceIds": list(ids), **more}


def test_an_instance_is_attached_and_the_group_grows_by_it(aws: Any, make_group: Any) -> None:
    make_group(DesiredCapacity=2)
    mine = run_instance(aws)

    aws("autoscaling").attach_instances(**which(mine))

    assert group_of(aws)["DesiredCapacity"] == 3
    assert mine in ids_of(aws)
    (attached,) = [one for one in activities_of(aws) if one["Description"].startswith("Attaching")]
    assert attached["Description"] == f"Attaching an existing EC2 instance: {mine}"
    assert "increasing the capacity from 2 to 3." in attached["Cause"]


def test_what_cannot_be_attached_is_refused(aws: Any, make_group: Any) -> None:
    make_group(DesiredCapacity=3, MaxSize=3)
    autoscaling = aws("autoscaling")
    mine = run_instance(aws)
    with pytest.raises(ClientError, match="would be more than its maximum size 3"):
        autoscaling.attach_instances(**which(mine))
    autoscaling.update_auto_scaling_group(AutoScalingGroupName="web", MaxSize=9)

    with pytest.raises(ClientError, match="already part of group web"):
        autoscaling.attach_instances(**which(ids_of(aws)[0]))
    aws("ec2").stop_instances(InstanceIds=[mine])
    with pytest.raises(ClientError, match="is not running but stopped"):
        autoscaling.attach_instances(**which(mine))
    assert group_of(aws)["DesiredCapacity"] == 3


@pytest.mark.parametrize(("shrinks", "size"), [(True, 2), (False, 3)])
def test_a_detached_instance_runs_on_without_its_group(aws: Any, make_group: Any, *, shrinks: bool, size: int) -> None:
    make_group()
    leaving = ids_of(aws)[0]

    answer = aws("autoscaling").detach_instances(**which(leaving, ShouldDecrementDesiredCapacity=shrinks))

    assert answer["Activities"][0]["Description"] == f"Detaching EC2 instance: {leaving}"
    assert (len(ids_of(aws)), group_of(aws)["DesiredCapacity"]) == (size, size)
    assert leaving not in ids_of(aws)
    (instance,) = aws("ec2").describe_instances(InstanceIds=[leaving])["Reservations"][0]["Instances"]
    assert instance["State"]["Name"] == "running"
    assert "aws:autoscaling:groupName" not in [tag["Key"] for tag in instance["Tags"]]


def test_an_instance_on_standby_is_replaced_and_comes_back_on_top(aws: Any, make_group: Any) -> None:
    make_group()
    first = ids_of(aws)[0]
    autoscaling = aws("autoscaling")

    autoscaling.enter_standby(**which(first, ShouldDecrementDesiredCapacity=False))
    stands_by = states_of(aws)
    autoscaling.exit_standby(**which(first))

    assert stands_by == {"InService": 3, "Standby": 1}
    assert (states_of(aws), group_of(aws)["DesiredCapacity"]) == ({"InService": 4}, 4)


def test_a_group_does_not_shrink_below_its_bounds_by_single_instances(aws: Any, make_group: Any) -> None:
    make_group(MinSize=3)
    first = ids_of(aws)[0]
    autoscaling = aws("autoscaling")

    for call in (autoscaling.enter_standby, autoscaling.detach_instances):
        with pytest.raises(ClientError, match="violate group's min size constraint"):
            call(**which(first, ShouldDecrementDesiredCapacity=True))
    with pytest.raises(ClientError, match="violate group's min size constraint"):
        autoscaling.terminate_instance_in_auto_scaling_group(InstanceId=first, ShouldDecrementDesiredCapacity=True)
    with pytest.raises(ClientError, match="i-0123456789abcdef0 is not part of Auto Scaling group web"):
        autoscaling.exit_standby(**which("i-0123456789abcdef0"))
    assert states_of(aws) == {"InService": 3}


@pytest.mark.parametrize(("shrinks", "size"), [(True, 2), (False, 3)])
def test_a_user_terminates_an_instance_of_a_group(aws: Any, make_group: Any, *, shrinks: bool, size: int) -> None:
    make_group()
    first = ids_of(aws)[0]

    activity = aws("autoscaling").terminate_instance_in_auto_scaling_group(
        InstanceId=first, ShouldDecrementDesiredCapacity=shrinks
    )["Activity"]

    assert f"instance {first} was taken out of service in response to a user request" in activity["Cause"]
    assert ("shrinking the capacity from 3 to 2" in activity["Cause"]) is shrinks
    assert (len(ids_of(aws)), first in ids_of(aws)) == (size, False)


def test_protected_instances_outlive_a_smaller_size(aws: Any, make_group: Any) -> None:
    make_group()
    kept = ids_of(aws)[1]
    autoscaling = aws("autoscaling")
    autoscaling.set_instance_protection(**which(kept, ProtectedFromScaleIn=True))

    autoscaling.set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=0)
    protected = ids_of(aws)
    autoscaling.set_instance_protection(**which(kept, ProtectedFromScaleIn=False))

    assert (protected, ids_of(aws)) == ([kept], [])


def test_termination_policies_pick_who_goes(aws: Any, make_group: Any) -> None:
    zone = {"VPCZoneIdentifier": first_subnet(aws)}
    make_group("new", DesiredCapacity=2, TerminationPolicies=["NewestInstance"], **zone)
    make_group("old", DesiredCapacity=2, TerminationPolicies=["OldestInstance"], **zone)
    oldest, newest = ids_of(aws, "old")[0], ids_of(aws, "new")[1]

    for name in ("new", "old"):
        aws("autoscaling").set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=1)

    assert newest not in ids_of(aws, "new")
    assert oldest not in ids_of(aws, "old")


def test_the_oldest_template_goes_first_by_default(aws: Any, make_group: Any) -> None:
    make_group(DesiredCapacity=1, VPCZoneIdentifier=first_subnet(aws))
    aws("ec2").create_launch_template_version(
        LaunchTemplateName="web", SourceVersion="1", LaunchTemplateData={"InstanceType": "t3.small"}
    )
    autoscaling = aws("autoscaling")
    autoscaling.update_auto_scaling_group(
        AutoScalingGroupName="web",
        DesiredCapacity=3,
        LaunchTemplate={"LaunchTemplateName": "web", "Version": "2"},
    )

    autoscaling.set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=2)

    assert {one["InstanceType"] for one in group_of(aws)["Instances"]} == {"t3.small"}


def test_all_instances_are_told_in_pages(aws: Any, make_group: Any) -> None:
    make_group()
    autoscaling = aws("autoscaling")

    pages = [
        len(page["AutoScalingInstances"])
        for page in autoscaling.get_paginator("describe_auto_scaling_instances").paginate(
            PaginationConfig={"PageSize": 2}
        )
    ]
    (one,) = autoscaling.describe_auto_scaling_instances(InstanceIds=ids_of(aws)[:1])["AutoScalingInstances"]

    assert pages == [2, 1]
    assert (one["AutoScalingGroupName"], one["LifecycleState"], one["HealthStatus"]) == ("web", "InService", "Healthy")
    assert one["AvailabilityZoneId"].startswith("use1-az")
