"""A promotion with the real fleets of two Regions and three zones, on the local AWS."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest

from cdk_ami import Promotion, Wave
from cdk_ami.fleet.rollout_state import RolloutPhase
from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.server import Sandbox
from cdk_ami.sandbox.testing.deploy import Place, stacks_of
from tests.fleet.test_rollout_end_to_end import CHANNEL, REGIONS, Shop
from tests.support.control import ask
from tests.support.happenings import ACCOUNT
from tests.support.sandbox import MakeClient, wait_until
from tests.support.synth import app_context

HOME, AWAY = REGIONS


class Promoted(Shop):
    """The shop, whose channel a promotion moves."""

    def __init__(self, aws: MakeClient, sandbox: Sandbox, folder: Path) -> None:
        super().__init__(aws, sandbox, folder / "fleets")
        app = cdk.App(context=app_context(), analytics_reporting=False, outdir=str(folder / "promotion"))
        stack = cdk.Stack(app, "Promotion", env=cdk.Environment(account=ACCOUNT, region=HOME))
        Promotion(
            stack,
            "Promotion",
            image="web",
            waves=[Wave([region], fleets=["shop"]) for region in REGIONS],
            reconcile=cdk.Duration.days(1),  # an hour is four seconds here
        )
        self._stacks += stacks_of(Path(app.synth().directory), Place(account=ACCOUNT, region=HOME), {})

    def arrive(self, build: int) -> None:
        """Let a build arrive in both Regions."""
        for region in reversed(REGIONS):
            self.aws("ssm", region).put_parameter(
                Name="/imagebuilder/web/latest",
                Value=self.builds[region][build],
                Type="String",
                DataType="aws:ec2:image",
                Overwrite=True,
            )

    def ended(self, build: int) -> dict[str, Any]:
        """Return how the promotion of a build ends."""
        found: dict[str, Any] = {}

        def said() -> bool:
            names = ["/imagebuilder/web/promotion/outcomes/stable"]
            for one in self.aws("ssm", HOME).get_parameters(Names=names)["Parameters"]:
                found.update(json.loads(one["Value"]))
            return found.get("what") == self.builds[HOME][build]

        wait_until(said)
        return found

    def channel(self, region: str) -> list[str]:
        """Return what the channel of a Region has held, oldest first."""
        return [one["Value"] for one in self.aws("ssm", region).get_parameter_history(Name=CHANNEL)["Parameters"]]


@pytest.fixture
def shop(aws: MakeClient, sandbox: Sandbox, tmp_path: Path) -> Iterator[Promoted]:
    made = Promoted(aws, sandbox, tmp_path)
    yield made
    CLOCK.run_at(1)
    ask(sandbox, "iam", method="DELETE")


def test_a_good_build_is_promoted_to_every_instance_and_a_bad_one_stops_in_the_first_wave(shop: Promoted) -> None:
    for region in REGIONS:
        shop.move(region, 0, first=True)
    shop.it.settle()
    shop.deploy(*REGIONS)
    CLOCK.run_at(1_000)

    shop.arrive(1)
    for region in REGIONS:
        shop.wait_for(region, RolloutPhase.SUCCEEDED, 1)
    good = shop.ended(1)

    assert good["state"] == "PROMOTED"
    assert {region: shop.runs(region) for region in REGIONS} == {region: shop.evenly(region, 1) for region in REGIONS}
    assert shop.lowest == dict.fromkeys(REGIONS, 3)

    # A build whose instances turn unhealthy.
    shop.arrive(2)
    wait_until(lambda: any(ami == shop.builds[HOME][2] for ami, _ in shop.runs(HOME)))
    alarms = shop.aws("cloudwatch", HOME)
    alarms.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="errors")
    shop.wait_for(HOME, RolloutPhase.ROLLED_BACK, 2)
    alarms.set_alarm_state(AlarmName="errors", StateValue="OK", StateReason="quiet")
    bad = shop.ended(2)
    shop.wait_for(HOME, RolloutPhase.SUCCEEDED, 1)

    one, two, broken = shop.builds[HOME]
    assert bad["state"] == "ROLLED_BACK"
    assert bad["reason"].startswith("the fleet shop in us-east-1 rolled back: ")
    assert shop.channel(HOME) == [one, two, broken, two]
    assert shop.channel(AWAY) == shop.builds[AWAY][:2]
    assert {region: shop.runs(region) for region in REGIONS} == {region: shop.evenly(region, 1) for region in REGIONS}
    assert shop.lowest == dict.fromkeys(REGIONS, 3)
    (told,) = [message for message in shop.told(HOME) if message.startswith("stable of web was moved back")]
    assert told.startswith(f"stable of web was moved back from {broken}: {bad['reason']}")
