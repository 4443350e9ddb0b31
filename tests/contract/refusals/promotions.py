"""Bad inputs to promotions: channels, waves, gates, times."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import aws_cdk as cdk
from aws_cdk import Duration

from cdk_ami import Gate, Promotion, Wave
from tests.contract.refusals.row import Row

Call = Callable[[cdk.Stack], object]
ACCOUNT: Final = "210987654321"
ROLE: Final = f"arn:aws:iam::{ACCOUNT}:role/promote"
LONG_ROLE: Final = f"arn:aws:iam::{ACCOUNT}:role/{'x' * 400}/promote"


def promotion(**options: Any) -> Call:
    """Return the call that makes a promotion, good but for ``options``."""
    given: dict[str, Any] = {"image": "web", "waves": [Wave(["us-east-1"])]} | options
    return lambda stack: Promotion(stack, "Promotion", **given)


def waves(*made: Wave) -> Call:
    """Return the call that makes a promotion with these waves."""
    return promotion(waves=list(made))


def gate(made: Gate) -> Call:
    """Return the call that makes a promotion with this gate."""
    return promotion(gates=[made])


ROWS: Final = (
    Row(
        "a promotion moves the channel that its builds come from",
        promotion(from_channel="candidate", to_channel="candidate"),
        "S/Promotion",
        "to_channel",
        "candidate",
        "such as 'stable'",
        "PromotionChannels",
    ),
    Row(
        "a promotion moves the channel that every build moves",
        promotion(from_channel="candidate", to_channel="latest"),
        "S/Promotion",
        "to_channel",
        "latest",
        "such as 'stable'",
        "PromotionEntry",
    ),
    Row("a promotion has no waves", waves(), "S/Promotion", "waves", [], "at least one wave", "PromotionWaves"),
    Row(
        "a wave has no Region",
        waves(Wave(["us-east-1"]), Wave([])),
        "S/Promotion",
        "waves[1].regions",
        [],
        "drop the wave",
        "PromotionWave",
    ),
    Row(
        "two waves name one Region",
        waves(Wave(["us-east-1"]), Wave(["eu-west-1", "us-east-1"])),
        "S/Promotion",
        "waves[1].regions",
        "us-east-1",
        "drop one",
        "PromotionPlaceOnce",
    ),
    Row(
        "a wave names a fleet by its path",
        waves(Wave(["us-east-1"], fleets=["fleets/web"])),
        "S/Promotion",
        "waves[0].fleets[0]",
        "fleets/web",
        "the name of the fleet's rollout",
        "FleetName",
    ),
    Row(
        "a wave names an alarm twice",
        waves(Wave(["us-east-1"], alarms=["errors", "errors"])),
        "S/Promotion",
        "waves[0].alarms[1]",
        "errors",
        "drop one",
        "WatchedAlarms",
    ),
    Row(
        "a wave bakes for a month",
        waves(Wave(["us-east-1"], bake=Duration.days(30))),
        "S/Promotion",
        "waves[0].bake",
        "2.592e+06 s",
        "to 7 days",
        "BakeTime",
    ),
    Row(
        "a wave has no time",
        waves(Wave(["us-east-1"], patience=Duration.seconds(1))),
        "S/Promotion",
        "waves[0].patience",
        "1 s",
        "use 1 minute",
        "PromotionPatience",
    ),
    Row(
        "an account is moved by a role of another one",
        waves(Wave(["us-east-1"], accounts={"123456789012": ROLE})),
        "S/Promotion",
        "waves[0].accounts['123456789012']",
        ROLE,
        "a role of 123456789012",
        "RoleOfAccount",
    ),
    Row(
        "so many places are moved that nobody can write them down",
        waves(
            Wave(
                [f"us-{side}-{n}" for side in ("east", "west") for n in (1, 2)],
                accounts={f"{number:012d}": LONG_ROLE.replace(ACCOUNT, f"{number:012d}") for number in range(1, 9)},
            )
        ),
        "S/Promotion",
        "waves",
        32,
        "one promotion for each group of accounts",
        "PromotionJournal",
    ),
    Row(
        "a gate counts findings by a severity that does not exist",
        gate(Gate.no_findings("severe")),
        "S/Promotion",
        "gates[0].severity",
        "severe",
        "critical, high, medium, all",
        "ScanSeverity",
    ),
    Row(
        "an approval expires before anybody can answer",
        gate(Gate.approval(expires=Duration.minutes(1))),
        "S/Promotion",
        "gates[0].expires",
        "60 s",
        "use 5 minutes",
        "ApprovalExpiry",
    ),
    Row(
        "a promotion looks for lost events all the time",
        promotion(reconcile=Duration.seconds(30)),
        "S/Promotion",
        "reconcile",
        "30 s",
        "1 minute or more",
    ),
)
