"""Fleets of two Regions and three zones that follow their channel, on the local AWS."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_sns as sns

from cdk_ami import ImageChannel, ImageFleet, Refresh, Rollout
from cdk_ami.fleet.rollout_state import RolloutPhase, RolloutState, parse, rollout_parameter
from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.server import Sandbox
from cdk_ami.sandbox.testing.deploy import Place, deploy, stacks_of
from tests.support.control import ask
from tests.support.groups import AL2023
from tests.support.happenings import ACCOUNT, Happenings
from tests.support.sandbox import MakeClient, wait_until
from tests.support.synth import app_context

REGIONS = ("us-east-1", "eu-west-1")
CHANNEL, STATE = "/imagebuilder/web/stable", rollout_parameter("web", "stable", "shop")


class Shop:
    """One fleet of three instances in each Region."""

    def __init__(self, aws: MakeClient, sandbox: Sandbox, folder: Path) -> None:
        self.aws, self.sandbox, self.it = aws, sandbox, Happenings(sandbox, aws)
        self.builds = {region: [self._build(region, name) for name in ("one", "two", "bad")] for region in REGIONS}
        app = cdk.App(context=app_context(), analytics_reporting=False, outdir=str(folder))
        for region in REGIONS:
            self._stack(app, region)
        self._stacks = list(stacks_of(Path(app.synth().directory), Place(account=ACCOUNT, region="us-east-1"), {}))
        self.lowest = dict.fromkeys(REGIONS, 3)
        ask(sandbox, "iam", enforce="all-roles")

    def _build(self, region: str, name: str) -> str:
        ec2 = self.aws("ec2", region)
        run = ec2.run_instances(ImageId=AL2023, InstanceType="t3.micro", MinCount=1, MaxCount=1)["Instances"][0]
        ami = str(ec2.create_image(InstanceId=run["InstanceId"], Name=name)["ImageId"])
        ec2.terminate_instances(InstanceIds=[run["InstanceId"]])
        return ami

    def _stack(self, app: cdk.App, region: str) -> None:
        found = sorted(self.aws("ec2", region).describe_subnets()["Subnets"], key=lambda one: one["AvailabilityZone"])
        subnets = [one for one in found if one["AvailabilityZone"][-1] in "abc"]
        stack = cdk.Stack(app, f"Shop-{region}", env=cdk.Environment(account=ACCOUNT, region=region))
        vpc = ec2.Vpc.from_vpc_attributes(
            stack,
            "Vpc",
            vpc_id=subnets[0]["VpcId"],
            availability_zones=[one["AvailabilityZone"] for one in subnets],
            public_subnet_ids=[one["SubnetId"] for one in subnets],
            public_subnet_route_table_ids=["rtb-0123456789abcdef0"] * len(subnets),
        )
        errors = cloudwatch.Metric(namespace="Shop", metric_name="Errors")
        alarm = errors.create_alarm(stack, "Alarm", alarm_name="errors", threshold=1, evaluation_periods=1)
        ImageFleet(
            stack,
            "Fleet",
            image=ImageChannel.from_name("web", "stable").machine_image(),
            vpc=vpc,
            max_healthy_percent=200,
            rollout=Rollout.on_channel(
                name="shop",
                refresh=Refresh(alarms=[alarm], bake_time=cdk.Duration.minutes(5)),
                notifications=sns.Topic(stack, "Told"),
            ),
        )

    def deploy(self, *regions: str) -> None:
        """Deploy the stacks of some Regions, as the CDK does."""
        for stack in self._stacks:
            if stack.place.region in regions:
                deploy(stack, lambda service, region, _: self.aws(service, region), self.sandbox.endpoint)

    def move(self, region: str, build: int, *, first: bool = False) -> None:
        """Move the channel of a Region to a build."""
        self.aws("ssm", region).put_parameter(
            Name=CHANNEL,
            Value=self.builds[region][build],
            Overwrite=not first,
            **({"Type": "String", "DataType": "aws:ec2:image"} if first else {}),
        )

    def instances(self, region: str) -> list[dict[str, Any]]:
        """Return the instances of a Region's fleet, and note how many were healthy."""
        (group,) = self.aws("autoscaling", region).describe_auto_scaling_groups()["AutoScalingGroups"]
        serving = [one for one in group["Instances"] if one["LifecycleState"] == "InService"]
        healthy = [one for one in serving if one["HealthStatus"] == "Healthy"]
        self.lowest[region] = min(self.lowest[region], len(healthy))
        return serving

    def runs(self, region: str) -> Counter[tuple[str, str]]:
        """Return how many instances run each AMI in each zone."""
        ids = [one["InstanceId"] for one in self.instances(region)]
        found = self.aws("ec2", region).describe_instances(InstanceIds=ids)["Reservations"]
        instances = [one for reservation in found for one in reservation["Instances"]]
        return Counter((one["ImageId"], one["Placement"]["AvailabilityZone"][-1]) for one in instances)

    def states(self, region: str) -> list[RolloutState]:
        """Return the state of a Region's rollout, none before the first."""
        found = self.aws("ssm", region).get_parameters(Names=[STATE])["Parameters"]
        return [parse(one["Value"]) for one in found]

    def wait_for(self, region: str, phase: RolloutPhase, build: int) -> RolloutState:
        """Return the state of a Region's rollout when it says that, while its instances are watched."""

        def said() -> bool:
            time.sleep(0.1)  # looking takes the time of what is looked at
            self.instances(region)
            return (phase, self.builds[region][build]) in [(one.state, one.ami) for one in self.states(region)]

        wait_until(said)
        return self.states(region)[0]

    def evenly(self, region: str, build: int) -> Counter[tuple[str, str]]:
        """Return a fleet that runs a build in all zones alike."""
        return Counter({(self.builds[region][build], zone): 1 for zone in "abc"})

    def told(self, region: str) -> list[str]:
        """Return what a Region's topic was told."""
        calls = self.it.ask(f"calls?service=sns&operation=Publish&region={region}")["calls"]
        return [call["parameters"]["Message"] for call in calls]


@pytest.fixture
def shop(aws: MakeClient, sandbox: Sandbox, tmp_path: Path) -> Iterator[Shop]:
    made = Shop(aws, sandbox, tmp_path)
    yield made
    CLOCK.run_at(1)
    ask(sandbox, "iam", method="DELETE")


def unchanged(shop: Shop, region: str, act: Callable[[], object]) -> bool:
    """Tell whether the same instances run after ``act``."""
    before = {one["InstanceId"] for one in shop.instances(region)}
    act()
    return {one["InstanceId"] for one in shop.instances(region)} == before


def test_a_good_build_reaches_every_instance_and_a_bad_one_is_rolled_back_and_deployments_agree(shop: Shop) -> None:
    home, away = REGIONS
    for region in REGIONS:
        shop.move(region, 0, first=True)
    shop.it.settle()
    shop.deploy(*REGIONS)
    CLOCK.run_at(1_000)

    # A good build, told twice and out of order in one Region and never in the other, where the clock finds it.
    shop.it.ask("events/delivery", {"duplicate": 1, "reorder": True})
    shop.move(home, 1)
    good = shop.wait_for(home, RolloutPhase.SUCCEEDED, 1)
    shop.it.ask("events/delivery", {"lose": 1.0})
    shop.move(away, 1)
    shop.it.ask("events/delivery", {"lose": 0.0, "reorder": False})
    CLOCK.advance(3_600)
    shop.wait_for(away, RolloutPhase.SUCCEEDED, 1)

    assert {region: shop.runs(region) for region in REGIONS} == {region: shop.evenly(region, 1) for region in REGIONS}
    assert (good.previous, good.reason) == (shop.builds[home][0], "Every instance runs it.")
    assert unchanged(shop, home, lambda: shop.deploy(home))

    # A build whose instances turn unhealthy.
    CLOCK.run_at(20)  # so that the alarm sounds while the refresh bakes
    shop.move(home, 2)
    wait_until(lambda: any(ami == shop.builds[home][2] for ami, _ in shop.runs(home)))
    alarms = shop.aws("cloudwatch", home)
    alarms.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="errors")
    CLOCK.run_at(1_000)
    bad = shop.wait_for(home, RolloutPhase.ROLLED_BACK, 2)

    assert shop.runs(home) == shop.evenly(home, 1)
    assert (bad.previous, "errors" in bad.reason) == (shop.builds[home][1], True)
    assert [message.split("\n")[0] for message in shop.told(home)] == [
        "shop: RUNNING",
        "shop: SUCCEEDED",
        "shop: RUNNING",
        "shop: ROLLED_BACK",
    ]
    assert shop.lowest == dict.fromkeys(REGIONS, 3)

    # Whoever moved the channel moves it back; then stack, group and channel agree, and a deployment changes nothing.
    alarms.set_alarm_state(AlarmName="errors", StateValue="OK", StateReason="quiet")
    shop.move(home, 1)
    shop.wait_for(home, RolloutPhase.SUCCEEDED, 1)
    assert unchanged(shop, home, lambda: shop.deploy(home))


def test_a_refresh_that_somebody_started_is_waited_for(shop: Shop) -> None:
    region = REGIONS[0]
    shop.move(region, 0, first=True)
    shop.it.settle()
    shop.deploy(region)
    (group,) = shop.aws("autoscaling", region).describe_auto_scaling_groups()["AutoScalingGroups"]
    shop.aws("autoscaling", region).start_instance_refresh(
        AutoScalingGroupName=group["AutoScalingGroupName"], Preferences={"BakeTime": 600}
    )

    shop.move(region, 1)
    waiting = shop.wait_for(region, RolloutPhase.WAITING, 1)
    CLOCK.run_at(2_000)
    shop.wait_for(region, RolloutPhase.SUCCEEDED, 1)

    assert waiting.reason.startswith("An instance refresh of the group is ")
    assert shop.runs(region) == shop.evenly(region, 1)
