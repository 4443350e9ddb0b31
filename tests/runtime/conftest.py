from __future__ import annotations

from collections.abc import Callable

import pytest

from cdk_ami.runtime.regions import RegionClients


@pytest.fixture
def clients(aws: Callable[..., object]) -> Callable[[str], RegionClients]:
    """The clients of one Region of the local AWS."""

    def of(region: str = "us-east-1") -> RegionClients:
        return RegionClients(
            region=region, ec2=aws("ec2", region), ssm=aws("ssm", region), imagebuilder=aws("imagebuilder", region)
        )

    return of
