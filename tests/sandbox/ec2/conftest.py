from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

AL2023 = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"


@pytest.fixture
def public_ami(aws: Any) -> Callable[..., str]:
    """Return the id of a public AMI in a Region, as its vendor publishes it."""

    def find(region: str = "us-east-1", parameter: str = AL2023) -> str:
        return str(aws("ssm", region).get_parameter(Name=parameter)["Parameter"]["Value"])

    return find


@pytest.fixture
def run_one(aws: Any, public_ami: Any) -> Callable[..., str]:
    """Launch one instance of a public AMI and return its id."""

    def run(region: str = "us-east-1", **request: Any) -> str:
        request.setdefault("ImageId", public_ami(region))
        answer = aws("ec2", region).run_instances(MinCount=1, MaxCount=1, InstanceType="t3.micro", **request)
        return str(answer["Instances"][0]["InstanceId"])

    return run


@pytest.fixture
def own_ami(aws: Any, run_one: Any) -> Callable[..., str]:
    """Make an AMI of an instance and return its id."""

    def make(name: str = "golden-1", region: str = "us-east-1", **request: Any) -> str:
        instance = run_one(region, **request)
        return str(aws("ec2", region).create_image(InstanceId=instance, Name=name)["ImageId"])

    return make
