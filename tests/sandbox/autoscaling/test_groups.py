from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.groups import AL2023, group_of, zones_of


def test_instances_spread_evenly_and_are_real(aws: Any, make_group: Any) -> None:
    make_group(Tags=[{"Key": "Name", "Value": "web", "PropagateAtLaunch": True}, {"Key": "own", "Value": "x"}])

    group = group_of(aws)
    ids = [instance["InstanceId"] for instance in group["Instances"]]
    reservations = aws("ec2").describe_instances(InstanceIds=ids)["Reservations"]
    instances = [instance for reservation in reservations for instance in reservation["Instances"]]

    assert zones_of(aws) == [1, 1, 1]
    assert {instance["State"]["Name"] for instance in instances} == {"running"}
    assert {instance["SubnetId"] for instance in instances} == set(group["VPCZoneIdentifier"].split(","))
    assert all(instance["ImageId"].startswith("ami-") for instance in instances)
    assert [instance["LaunchTemplate"]["Version"] for instance in group["Instances"]] == ["1", "1", "1"]
    tags = {tag["Key"]: tag["Value"] for tag in instances[0]["Tags"]}
    assert (tags["Name"], tags["aws:autoscaling:groupName"]) == ("web", "web")
    assert "own" not in tags


@pytest.mark.parametrize(("size", "spread"), [(7, [2, 2, 3]), (5, [1, 2, 2]), (2, [1, 1]), (0, [])])
def test_the_balance_holds_in_every_size(aws: Any, make_group: Any, size: int, spread: list[int]) -> None:
    make_group(DesiredCapacity=9)

    aws("autoscaling").set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=size)

    assert zones_of(aws) == spread
    assert group_of(aws)["DesiredCapacity"] == size


def test_a_terminated_instance_is_replaced_in_its_zone(aws: Any, make_group: Any) -> None:
    make_group()
    gone = group_of(aws)["Instances"][1]["InstanceId"]

    aws("ec2").terminate_instances(InstanceIds=[gone])

    assert zones_of(aws) == [1, 1, 1]
    assert gone not in [instance["InstanceId"] for instance in group_of(aws)["Instances"]]


def test_an_unhealthy_instance_is_replaced(aws: Any, make_group: Any) -> None:
    make_group()
    sick = group_of(aws)["Instances"][0]["InstanceId"]

    aws("autoscaling").set_instance_health(InstanceId=sick, HealthStatus="Unhealthy")

    assert zones_of(aws) == [1, 1, 1]
    assert sick not in [instance["InstanceId"] for instance in group_of(aws)["Instances"]]


def test_a_stopped_instance_is_replaced_unless_it_stands_by(aws: Any, make_group: Any) -> None:
    make_group()
    stopped, standing_by = (instance["InstanceId"] for instance in group_of(aws)["Instances"][:2])
    aws("autoscaling").enter_standby(
        AutoScalingGroupName="web", InstanceIds=[standing_by], ShouldDecrementDesiredCapacity=True
    )

    aws("ec2").stop_instances(InstanceIds=[stopped, standing_by])

    instances = {instance["InstanceId"]: instance["LifecycleState"] for instance in group_of(aws)["Instances"]}
    assert stopped not in instances
    assert instances[standing_by] == "Standby"
    assert list(instances.values()).count("InService") == 2


def test_a_group_leaves_the_subnets_it_is_taken_out_of(aws: Any, make_group: Any) -> None:
    make_group()
    kept = group_of(aws)["VPCZoneIdentifier"].split(",")[:2]

    aws("autoscaling").update_auto_scaling_group(AutoScalingGroupName="web", VPCZoneIdentifier=",".join(kept))

    assert zones_of(aws) == [1, 2]
    assert len(group_of(aws)["AvailabilityZones"]) == 2


def test_new_bounds_move_the_size(aws: Any, make_group: Any) -> None:
    make_group()
    autoscaling = aws("autoscaling")

    autoscaling.update_auto_scaling_group(AutoScalingGroupName="web", MinSize=5)
    grown = group_of(aws)["DesiredCapacity"]
    autoscaling.update_auto_scaling_group(AutoScalingGroupName="web", MinSize=0, MaxSize=1)

    assert (grown, group_of(aws)["DesiredCapacity"], zones_of(aws)) == (5, 1, [1])


@pytest.mark.parametrize(
    ("request_part", "message"),
    [
        ({"DesiredCapacity": 10}, "must be between the specified min size:0 and max size:9"),
        ({"MinSize": 10}, "must be greater than or equal to min bound"),
        ({"LaunchTemplate": {"LaunchTemplateId": "lt-0123456789abcdef0"}}, "valid fully-formed launch template"),
        ({"image": "ami-0123456789abcdef0"}, "The image id '\\[ami-0123456789abcdef0\\]' does not exist"),
    ],
)
def test_a_group_that_could_not_launch_is_refused(
    aws: Any, make_group: Any, request_part: dict[str, Any], message: str
) -> None:
    with pytest.raises(ClientError, match=message):
        make_group(**request_part)
    assert aws("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"] == []
    assert aws("ec2").describe_instances()["Reservations"] == []


def test_two_groups_cannot_have_one_name(make_group: Any, aws: Any) -> None:
    make_group()

    with pytest.raises(ClientError, match="AlreadyExists"):
        aws("autoscaling").create_auto_scaling_group(
            AutoScalingGroupName="web",
            MinSize=0,
            MaxSize=0,
            AvailabilityZones=["us-east-1a"],
            LaunchTemplate={"LaunchTemplateName": "web"},
        )


def test_a_launch_that_fails_later_shows_in_the_activities(aws: Any, make_group: Any) -> None:
    instance = aws("ec2").run_instances(ImageId=AL2023, InstanceType="t3.micro", MinCount=1, MaxCount=1)["Instances"][
        0
    ]["InstanceId"]
    image = aws("ec2").create_image(InstanceId=instance, Name="golden-1")["ImageId"]
    make_group(image=image, DesiredCapacity=1)
    aws("ec2").deregister_image(ImageId=image)

    aws("autoscaling").set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=2)
    activities = aws("autoscaling").describe_scaling_activities(AutoScalingGroupName="web")["Activities"]

    assert len(group_of(aws)["Instances"]) == 1
    assert activities[0]["StatusCode"] == "Failed"
    assert "does not exist" in activities[0]["StatusMessage"]


def test_a_group_with_instances_goes_by_force_only(aws: Any, make_group: Any) -> None:
    make_group()
    autoscaling = aws("autoscaling")
    with pytest.raises(ClientError, match="ResourceInUse"):
        autoscaling.delete_auto_scaling_group(AutoScalingGroupName="web")

    autoscaling.delete_auto_scaling_group(AutoScalingGroupName="web", ForceDelete=True)

    states = {
        instance["State"]["Name"]
        for reservation in aws("ec2").describe_instances()["Reservations"]
        for instance in reservation["Instances"]
    }
    assert states == {"terminated"}
    assert aws("ec2").describe_network_interfaces()["NetworkInterfaces"] == []


def test_a_group_tells_what_it_was_told(aws: Any, make_group: Any) -> None:
    settings: dict[str, Any] = {
        "AvailabilityZoneDistribution": {"CapacityDistributionStrategy": "balanced-only"},
        "InstanceMaintenancePolicy": {"MinHealthyPercentage": 90, "MaxHealthyPercentage": 120},
        "DefaultInstanceWarmup": 30,
        "DefaultCooldown": 60,
        "HealthCheckGracePeriod": 45,
        "HealthCheckType": "ELB",
        "MaxInstanceLifetime": 604800,
        "TerminationPolicies": ["OldestInstance"],
        "CapacityRebalance": True,
        "NewInstancesProtectedFromScaleIn": True,
    }

    make_group(**settings)
    aws("autoscaling").enable_metrics_collection(AutoScalingGroupName="web", Granularity="1Minute")
    aws("autoscaling").update_auto_scaling_group(AutoScalingGroupName="web", DefaultInstanceWarmup=40)
    group = group_of(aws)

    assert {name: group[name] for name in settings} == {**settings, "DefaultInstanceWarmup": 40}


def test_notifications_are_kept(aws: Any, make_group: Any) -> None:
    make_group()
    topic = aws("sns").create_topic(Name="t")["TopicArn"]
    kind = "autoscaling:EC2_INSTANCE_LAUNCH"

    aws("autoscaling").put_notification_configuration(
        AutoScalingGroupName="web", TopicARN=topic, NotificationTypes=[kind]
    )

    found = aws("autoscaling").describe_notification_configurations()["NotificationConfigurations"]
    assert found == [{"AutoScalingGroupName": "web", "TopicARN": topic, "NotificationType": kind}]
    aws("autoscaling").delete_notification_configuration(AutoScalingGroupName="web", TopicARN=topic)
    assert aws("autoscaling").describe_notification_configurations()["NotificationConfigurations"] == []


def test_a_suspended_group_launches_nothing_until_it_is_resumed(aws: Any, make_group: Any) -> None:
    make_group()
    autoscaling = aws("autoscaling")
    autoscaling.suspend_processes(AutoScalingGroupName="web", ScalingProcesses=["Launch"])
    autoscaling.suspend_processes(AutoScalingGroupName="web", ScalingProcesses=["AZRebalance"])

    autoscaling.set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=5)
    meanwhile = len(group_of(aws)["Instances"])
    autoscaling.resume_processes(AutoScalingGroupName="web")

    assert (meanwhile, len(group_of(aws)["Instances"])) == (3, 5)


def test_a_group_spreads_over_a_zone_that_it_is_given(aws: Any, make_group: Any) -> None:
    subnets = [subnet["SubnetId"] for subnet in aws("ec2").describe_subnets()["Subnets"]][:3]
    make_group(DesiredCapacity=6, VPCZoneIdentifier=",".join(subnets[:2]))

    aws("autoscaling").update_auto_scaling_group(AutoScalingGroupName="web", VPCZoneIdentifier=",".join(subnets))

    assert zones_of(aws) == [2, 2, 2]


@pytest.mark.parametrize(
    ("adjustment", "by", "size"),
    [
        ("ChangeInCapacity", 2, 5),
        ("ChangeInCapacity", 20, 9),
        ("ChangeInCapacity", -9, 0),
        ("PercentChangeInCapacity", 10, 4),
        ("PercentChangeInCapacity", -70, 1),
        ("ExactCapacity", 7, 7),
    ],
)
def test_a_scaling_policy_moves_the_size_within_its_bounds(
    aws: Any, make_group: Any, adjustment: str, by: int, size: int
) -> None:
    make_group()
    autoscaling = aws("autoscaling")
    autoscaling.put_scaling_policy(
        AutoScalingGroupName="web", PolicyName="move", AdjustmentType=adjustment, ScalingAdjustment=by
    )

    autoscaling.execute_policy(AutoScalingGroupName="web", PolicyName="move")

    assert (group_of(aws)["DesiredCapacity"], len(group_of(aws)["Instances"])) == (size, size)


def test_groups_are_told_without_their_instances_and_in_pages_when_asked_for(aws: Any, make_group: Any) -> None:
    for name in ("one", "two", "three"):
        make_group(name, DesiredCapacity=1)
    autoscaling = aws("autoscaling")

    pages = autoscaling.get_paginator("describe_auto_scaling_groups").paginate(PaginationConfig={"PageSize": 2})
    (bare,) = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=["two"], IncludeInstances=False)[
        "AutoScalingGroups"
    ]

    assert [len(page["AutoScalingGroups"]) for page in pages] == [2, 1]
    assert (bare["Instances"], bare["DesiredCapacity"]) == ([], 1)
    assert len(group_of(aws, "two")["Instances"]) == 1
    with pytest.raises(ClientError, match="MaxRecords must be 1 to 100"):
        autoscaling.describe_auto_scaling_groups(MaxRecords=101)
