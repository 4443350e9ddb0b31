"""The examples of fleets, and one of both architectures, deployed on the local AWS in this process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2

from cdk_ami import Architecture, ImageChannel, ImageFleet, InstanceChoice, MixedInstances
from cdk_ami.sandbox.server import Sandbox
from cdk_ami.sandbox.testing import DeployError, LocalAws
from cdk_ami.sandbox.testing.control import Control
from tests.support.control import ask
from tests.support.sandbox import wait_until
from tests.support.synth import ROOT, make_app, make_stack

AL2 = "/aws/service/ami-amazon-linux-latest/amzn2-ami-hvm-x86_64-gp2"
ARM_2 = "/aws/service/ami-amazon-linux-latest/amzn2-ami-hvm-arm64-gp2"
ARM = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64"
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


def of_group(local: LocalAws, region: str, group: str) -> list[dict[str, Any]]:
    """Return the instances of one group."""
    tag = {"Key": "aws:autoscaling:groupName", "Value": group}
    return [one for one in instances(local, region) if tag in one["Tags"]]


def health(local: LocalAws, region: str, targets: str) -> Counter[str]:
    found = local.client("elbv2", region).describe_target_health(TargetGroupArn=targets)["TargetHealthDescriptions"]
    return Counter(one["TargetHealth"]["State"] for one in found)


def test_the_web_fleet_serves_in_three_zones_of_two_regions_and_heals(
    local: LocalAws, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    regions = ("us-east-1", "eu-west-1")
    images = {region: name_channel(local, region, "stable") for region in regions}

    name_channel(local, "us-east-1", "latest")

    outputs = local.deploy(example("web-fleet", monkeypatch))

    targets = {region: outputs[f"WebFleet-{region}"]["TargetGroup"] for region in regions}
    for region in regions:
        found = of_group(local, region, outputs[f"WebFleet-{region}"]["Group"])
        assert {one["ImageId"] for one in found} == {images[region]}
        assert Counter(one["Placement"]["AvailabilityZone"] for one in found) == {f"{region}{one}": 1 for one in "abc"}
        assert health(local, region, targets[region]) == {"healthy": 3}
    sick = of_group(local, "us-east-1", outputs["WebFleet-us-east-1"]["Group"])[0]["InstanceId"]
    ask(sandbox, "autoscaling/health", instance=sick, check="ELB")
    ask(sandbox, "clock", advance=180)
    wait_until(lambda: sick not in [one["InstanceId"] for one in instances(local, "us-east-1")], seconds=20)
    wait_until(lambda: health(local, "us-east-1", targets["us-east-1"]) == {"healthy": 3}, seconds=20)


def roles(local: LocalAws, part: str) -> list[str]:
    """Return the ARNs of the roles whose names have a part."""
    return [role["Arn"] for role in local.client("iam").list_roles()["Roles"] if part in role["RoleName"]]


def servers(local: LocalAws) -> dict[str, tuple[str, str, tuple[str, ...]]]:
    """Return the id, the AMI and the data volumes of the instance at each address."""
    found = {
        one["PrivateIpAddress"]: (
            one["InstanceId"],
            one["ImageId"],
            tuple(m["Ebs"]["VolumeId"] for m in one["BlockDeviceMappings"] if m["DeviceName"] == "/dev/sdf"),
        )
        for one in instances(local, "us-east-1")
    }
    return dict(sorted(found.items()))


def test_twin_servers_keep_all_but_their_root_volumes_one_after_the_other(
    local: LocalAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = name_channel(local, "us-east-1", "latest")
    app = example("twin-servers", monkeypatch)
    local.deploy(app)
    before = servers(local)

    local.enforce(*roles(local, "Replacer"))
    second = name_channel(local, "us-east-1", "latest", source=AL2)
    local.deploy(app)

    assert list(before) == ["10.0.0.10", "10.0.64.10"]
    assert {image for _, image, _ in before.values()} == {first}
    assert [len(volumes) for _, _, volumes in before.values()] == [1, 1]
    assert servers(local) == {address: (one, second, volumes) for address, (one, _, volumes) in before.items()}
    made = local.calls("ec2", "CreateReplaceRootVolumeTask")
    assert [call.parameters["InstanceId"] for call in made] == [one for one, _, _ in before.values()]

    # The third AMI is for another processor: the first server refuses it, and nobody has changed.
    name_channel(local, "us-east-1", "latest", source=ARM)
    with pytest.raises(DeployError, match=r"UPDATE_ROLLBACK_COMPLETE.*RootA1.*architecture"):
        local.deploy(app)

    assert servers(local) == {address: (one, second, volumes) for address, (one, _, volumes) in before.items()}
    assert len(local.calls("ec2", "CreateReplaceRootVolumeTask")) == 3


def test_an_ami_of_one_architecture_replaces_the_instances_that_run_it_and_no_others(
    local: LocalAws, sandbox: Sandbox
) -> None:
    stack = make_stack("Mixed")
    vpc = ec2.Vpc(
        stack, "Vpc", availability_zones=["us-east-1a"], nat_gateways=0, restrict_default_security_group=False
    )
    web = ImageChannel.from_name("web", channel="x86").machine_image()
    arm = ImageChannel.from_name("web", channel="arm").machine_image(architecture=Architecture.ARM64)
    choices = [InstanceChoice(instance_type="m6g.large", image=arm), InstanceChoice(instance_type="m5.large")]
    mixed = MixedInstances(choices=choices)
    ImageFleet(stack, "Fleet", image=web, vpc=vpc, desired_size=2, max_size=6, mixed=mixed)
    app = stack.node.root
    name_channel(local, "us-east-1", "x86")
    name_channel(local, "us-east-1", "arm", source=ARM)
    local.deploy(app)  # type: ignore[arg-type]
    (group,) = local.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    # Two more find no place on the first type, so that the second one joins.
    ask(sandbox, "autoscaling/capacity", region="us-east-1", instance_type="m6g.large")
    local.client("autoscaling").set_desired_capacity(
        AutoScalingGroupName=group["AutoScalingGroupName"], DesiredCapacity=4
    )
    ask(sandbox, "autoscaling/capacity", region="us-east-1", instance_type="m6g.large", available=True)
    before = instances(local, "us-east-1")

    second = name_channel(local, "us-east-1", "arm", source=ARM_2)
    local.deploy(app)  # type: ignore[arg-type]

    after = instances(local, "us-east-1")
    kinds = ("m6g.large", "m5.large")
    assert [Counter(one["InstanceType"] for one in found) for found in (before, after)] == [
        dict.fromkeys(kinds, 2),
        dict.fromkeys(kinds, 2),
    ]
    ids = {
        kind: [{one["InstanceId"] for one in found if one["InstanceType"] == kind} for found in (before, after)]
        for kind in kinds
    }
    assert ids["m5.large"][0] == ids["m5.large"][1]
    assert not ids["m6g.large"][0] & ids["m6g.large"][1]
    assert {one["ImageId"] for one in after if one["InstanceType"] == "m6g.large"} == {second}
