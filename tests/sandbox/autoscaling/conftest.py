"""Groups for the tests of Auto Scaling."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.groups import AL2023, Fleet


@pytest.fixture
def make_group(aws: Any) -> Callable[..., str]:
    """Make a group of a launch template over the Region's default subnets in three zones."""

    def make(name: str = "web", region: str = "us-east-1", *, image: str = AL2023, **request: Any) -> str:
        ec2 = aws("ec2", region)
        data = {"ImageId": image, "InstanceType": "t3.micro"}
        template = ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData=data)["LaunchTemplate"]
        subnets = [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"]][:3]
        settings = {
            "MinSize": 0,
            "MaxSize": 9,
            "DesiredCapacity": 3,
            "VPCZoneIdentifier": ",".join(subnets),
            "LaunchTemplate": {"LaunchTemplateId": template["LaunchTemplateId"], "Version": "1"},
        }
        if "MixedInstancesPolicy" in request:
            del settings["LaunchTemplate"]
        aws("autoscaling", region).create_auto_scaling_group(AutoScalingGroupName=name, **{**settings, **request})
        return name

    return make


@pytest.fixture
def fleet(aws: Any) -> Fleet:
    """Three instances, one in each zone, on the first of two images."""
    return Fleet(aws)
