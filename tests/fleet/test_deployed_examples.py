"""The examples of fleets, deployed on the local AWS in this process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import aws_cdk as cdk
import pytest

from cdk_ami.sandbox.server import Sandbox
from cdk_ami.sandbox.testing import LocalAws
from cdk_ami.sandbox.testing.control import Control
from tests.support.control import ask
from tests.support.sandbox import wait_until
from tests.support.synth import ROOT, make_app

AL2023 = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"


@pytest.fixture
def local(sandbox: Sandbox) -> Iterator[LocalAws]:
    """The class around the one server of the session, which is emptied before each test."""
    made = LocalAws()
    made._server, made._control = sandbox, Control(sandbox.endpoint)
    yield made
    made.reset()


def example(name: str, patch: pytest.MonkeyPatch) -> cdk.App:
    """Return the app of an example."""
    path = ROOT / "examples" / name / "app.py"
    app = make_app()
    patch.setattr(cdk, "App", lambda: app)
    exec(compile(path.read_text(), str(path), "exec"), {"__name__": "__main__"})  # noqa: S102 - our own example
    return app


def name_channel(local: LocalAws, region: str, channel: str, *, source: str = AL2023) -> str:
    """Let a channel name an AMI of the Region, and return the AMI's id."""
    ssm = local.client("ssm", region)
    image = str(ssm.get_parameter(Name=source)["Parameter"]["Value"])
    ssm.put_parameter(Name=f"/imagebuilder/web/{channel}", Value=image, Type="String", Overwrite=True)
    return image


def instances(local: LocalAws, region: str) -> list[dict[str, Any]]:
    running = [{"Name": "instance-state-name", "Values": ["running"]}]
    found = local.client("ec2", region).describe_instances(Filters=running)["Reservations"]
    return [instance for reservation in found for instance in reservation["Instances"]]


def health(local: LocalAws, region: str, targets: str) -> Counter[str]:
    found = local.client("elbv2", region).describe_target_health(TargetGroupArn=targets)["TargetHealthDescriptions"]
    return Counter(one["TargetHealth"]["State"] for one in found)


def test_the_web_fleet_serves_in_three_zones_of_two_regions_and_heals(
    local: LocalAws, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    regions = ("us-east-1", "eu-west-1")
    images = {region: name_channel(local, region, "stable") for region in regions}

    outputs = local.deploy(example("web-fleet", monkeypatch))

    targets = {region: outputs[f"WebFleet-{region}"]["TargetGroup"] for region in regions}
    for region in regions:
        found = instances(local, region)
        assert {one["ImageId"] for one in found} == {images[region]}
        assert Counter(one["Placement"]["AvailabilityZone"] for one in found) == {f"{region}{one}": 1 for one in "abc"}
        assert health(local, region, targets[region]) == {"healthy": 3}
    sick = instances(local, "us-east-1")[0]["InstanceId"]
    ask(sandbox, "autoscaling/health", instance=sick, check="ELB")
    ask(sandbox, "clock", advance=180)
    wait_until(lambda: sick not in [one["InstanceId"] for one in instances(local, "us-east-1")], seconds=20)
    wait_until(lambda: health(local, "us-east-1", targets["us-east-1"]) == {"healthy": 3}, seconds=20)
