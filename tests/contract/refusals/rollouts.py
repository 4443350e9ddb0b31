"""Bad inputs to rollouts: refreshes, windows, names, and images that do not suit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch

from cdk_ami import ImageChannel, MaintenanceWindow, Refresh, Rollout, Tracking
from tests.contract.refusals.row import SET_UP, Row, fleet

Call = Callable[[cdk.Stack], object]


def following(**options: Any) -> Call:
    """Return the call that makes a fleet which follows its channel, good but for ``options``."""
    return lambda stack: fleet(stack, rollout=Rollout.on_channel(**options))


def refreshing(**options: Any) -> Call:
    """Return the call that makes a fleet whose refresh is good but for ``options``."""
    return following(refresh=Refresh(**options))


def watching(stack: cdk.Stack) -> object:
    """Watch eleven alarms."""
    alarms = [cloudwatch.Alarm.from_alarm_name(stack, f"{SET_UP}{number}", f"a{number}") for number in range(11)]
    return refreshing(alarms=alarms)(stack)


def read_at_launch(stack: cdk.Stack) -> object:
    """Roll back what EC2 resolves."""
    image = ImageChannel.from_name("web").machine_image(tracking=Tracking.AT_LAUNCH)
    return fleet(stack, image=image, rollout=Rollout.in_deployment())


def pinned(stack: cdk.Stack) -> object:
    """Follow a channel with an image that is held."""
    image = ImageChannel.from_name("web").pinned({"us-east-1": "ami-0123456789abcdef0"})
    return fleet(stack, image=image, rollout=Rollout.on_channel())


ROWS = (
    Row(
        "a refresh watches eleven alarms",
        watching,
        "S/Fleet",
        "rollout.refresh.alarms",
        11,
        "at most 10",
        "RefreshAlarms",
    ),
    Row(
        "a refresh bakes for three days",
        refreshing(bake_time=cdk.Duration.days(3)),
        "S/Fleet",
        "rollout.refresh.bake_time",
        259_200,
        "at most 48 hours",
        "RefreshPause",
    ),
    Row(
        "a refresh stops half way",
        refreshing(checkpoints=[25, 50]),
        "S/Fleet",
        "rollout.refresh.checkpoints",
        [25, 50],
        "the last checkpoint be 100",
        "RefreshCheckpoints",
    ),
    Row(
        "a refresh pauses at no checkpoint",
        refreshing(checkpoint_delay=cdk.Duration.hours(1)),
        "S/Fleet",
        "rollout.refresh.checkpoint_delay",
        "alone",
        "name checkpoints",
    ),
    Row(
        "a maintenance window leads past midnight",
        following(windows=[MaintenanceWindow(days=["SAT"], start_hour=23, hours=2)]),
        "S/Fleet",
        "rollout.windows[0].hours",
        2,
        "name a second window",
        "MaintenanceWindow",
    ),
    Row(
        "a rollout looks every ninety seconds",
        following(reconcile=cdk.Duration.seconds(90)),
        "S/Fleet",
        "rollout.reconcile",
        90,
        "whole minutes",
    ),
    Row(
        "a rollout has a path for a name",
        following(name="shop/web"),
        "S/Fleet",
        "rollout.name",
        "shop/web",
        "letters, digits",
        "RolloutName",
    ),
    Row(
        "what EC2 resolves at launch is to be rolled back",
        read_at_launch,
        "S/Fleet",
        "rollout",
        "resolve:ssm",
        "tracking=Tracking.AT_DEPLOY",
        "RolloutOfParameter",
    ),
    Row(
        "an AMI id is to change at the next launch",
        lambda stack: fleet(stack, rollout=Rollout.at_next_launch()),
        "S/Fleet",
        "rollout",
        "at_next_launch",
        "tracking=Tracking.AT_LAUNCH",
        "RolloutAtNextLaunch",
    ),
    Row(
        "an image that is held follows its channel",
        pinned,
        "S/Fleet",
        "rollout",
        "on_channel",
        "machine_image()",
        "RolloutOnChannel",
    ),
)
