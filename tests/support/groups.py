"""Auto Scaling groups in the local AWS."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

ENDED = {"Successful", "Failed", "Cancelled", "RollbackSuccessful", "RollbackFailed"}
"""States of a refresh that has ended."""

AL2023 = "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"


def group_of(aws: Any, name: str = "web") -> dict[str, Any]:
    """Return a group's record."""
    (group,) = aws("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
    return dict(group)


def states_of(aws: Any, name: str = "web") -> Counter[str]:
    """Return how many instances of a group are in each state."""
    return Counter(instance["LifecycleState"] for instance in group_of(aws, name)["Instances"])


def zones_of(aws: Any, name: str = "web") -> list[int]:
    """Return how many instances a group has in each zone where it has any."""
    counts = Counter(instance["AvailabilityZone"] for instance in group_of(aws, name)["Instances"])
    return sorted(counts.values())


def ids_of(aws: Any, name: str = "web") -> list[str]:
    """Return the ids of a group's instances."""
    return [instance["InstanceId"] for instance in group_of(aws, name)["Instances"]]


def activities_of(aws: Any, name: str = "web") -> list[dict[str, Any]]:
    """Return a group's scaling activities, the newest first."""
    found = aws("autoscaling").describe_scaling_activities(AutoScalingGroupName=name)["Activities"]
    return [dict(activity) for activity in found]


class Fleet:
    """A group of three instances, one in each zone, on the first of two images."""

    def __init__(self, aws: Any, size: int = 3) -> None:
        self.aws, self.ec2, self.autoscaling = aws, aws("ec2"), aws("autoscaling")
        instance = self.ec2.run_instances(ImageId=AL2023, InstanceType="t3.micro", MinCount=1, MaxCount=1)["Instances"][
            0
        ]["InstanceId"]
        self.images = [self.ec2.create_image(InstanceId=instance, Name=f"golden-{n}")["ImageId"] for n in (1, 2)]
        self.ec2.terminate_instances(InstanceIds=[instance])
        self.ec2.create_launch_template(
            LaunchTemplateName="web", LaunchTemplateData={"ImageId": self.images[0], "InstanceType": "t3.micro"}
        )
        self.add_version(self.images[1])
        subnets = [subnet["SubnetId"] for subnet in self.ec2.describe_subnets()["Subnets"]][:3]
        self.autoscaling.create_auto_scaling_group(
            AutoScalingGroupName="web",
            MinSize=0,
            MaxSize=9,
            DesiredCapacity=size,
            VPCZoneIdentifier=",".join(subnets),
            LaunchTemplate=self.template("1"),
        )

    def add_version(self, image: str) -> None:
        """Add a version of the launch template for an image."""
        self.ec2.create_launch_template_version(
            LaunchTemplateName="web", SourceVersion="1", LaunchTemplateData={"ImageId": image}
        )

    def template(self, version: str) -> dict[str, str]:
        """Return the launch template's specification."""
        return {"LaunchTemplateName": "web", "Version": version}

    def start(self, **request: Any) -> str:
        """Start a refresh and return its id."""
        answer = self.autoscaling.start_instance_refresh(AutoScalingGroupName="web", **request)
        return str(answer["InstanceRefreshId"])

    def to_second(self, **request: Any) -> str:
        """Start a refresh to the second image and return its id."""
        return self.start(DesiredConfiguration={"LaunchTemplate": self.template("2")}, **request)

    def refresh(self, identifier: str) -> dict[str, Any]:
        """Return the record of a refresh."""
        (record,) = self.autoscaling.describe_instance_refreshes(
            AutoScalingGroupName="web", InstanceRefreshIds=[identifier]
        )["InstanceRefreshes"]
        return dict(record)

    def finish(self, identifier: str) -> dict[str, Any]:
        """Return the record of a refresh when it has ended."""
        deadline = time.monotonic() + 10
        while (record := self.refresh(identifier))["Status"] not in ENDED:
            assert time.monotonic() < deadline, record
            time.sleep(0.01)
        return record

    def group(self) -> dict[str, Any]:
        """Return the group's record."""
        (group,) = self.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=["web"])["AutoScalingGroups"]
        return dict(group)

    def running(self) -> list[dict[str, Any]]:
        """Return all instances that run."""
        found = self.ec2.describe_instances(Filters=[{"Name": "instance-state-name", "Values": ["running"]}])
        return [instance for reservation in found["Reservations"] for instance in reservation["Instances"]]

    def running_images(self) -> Counter[str]:
        """Return how many instances run each image."""
        return Counter(instance["ImageId"] for instance in self.running())
