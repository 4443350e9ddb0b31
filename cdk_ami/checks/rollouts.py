"""Rules over rollouts: refreshes, maintenance windows, and which image goes with which rollout."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from cdk_ami.checks.rule import Problem, rule

_PREFERENCES: Final = "https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_RefreshPreferences.html"
_START: Final = "https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_StartInstanceRefresh.html"
_SCHEDULES: Final = "https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html"
_STATES: Final = "https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-su-create.html"

REFRESH_ALARMS_MAX: Final = 10
"""Alarms of an instance refresh.  Auto Scaling API_AlarmSpecification.html, read 2026-11-28"""

REFRESH_PAUSE_MAX_SECONDS: Final = 172_800
"""Longest bake time and checkpoint delay.  Auto Scaling API_RefreshPreferences.html, read 2026-11-28"""

DAYS: Final = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
"""Days of the week as schedules name them.  EventBridge Scheduler schedule-types.html, read 2026-11-28"""

_WHOLE: Final = 100
_HOURS: Final = 24
_NAME: Final = r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,63}"


@rule("RefreshAlarms", source=_PREFERENCES)
def refresh_alarms(count: int) -> Iterator[Problem]:
    """An instance refresh watches at most 10 alarms."""
    if count > REFRESH_ALARMS_MAX:
        yield Problem(
            problem=f"has {count} alarms",
            got=count,
            fix=f"name at most {REFRESH_ALARMS_MAX}",
        )


@rule("RefreshPause", source=_PREFERENCES)
def refresh_pause(seconds: int) -> Iterator[Problem]:
    """A bake time or a pause at a checkpoint is at most two days."""
    if not 0 <= seconds <= REFRESH_PAUSE_MAX_SECONDS:
        yield Problem(problem="is out of range", got=seconds, fix="give a duration of at most 48 hours")


@rule("RefreshCheckpoints", source=_PREFERENCES)
def checkpoints(percentages: Sequence[int]) -> Iterator[Problem]:
    """Checkpoints are ascending percentages from 1, and the last is 100, or a part of the fleet is never replaced."""
    if not percentages:
        return
    numbers = [one for one in percentages if isinstance(one, int) and 1 <= one <= _WHOLE]
    if len(numbers) < len(percentages) or any(one >= other for one, other in pairwise(numbers)):
        yield Problem(
            problem="holds no ascending percentages", got=list(percentages), fix="give numbers such as [20, 50, 100]"
        )
    elif numbers[-1] != _WHOLE:
        yield Problem(
            problem="leaves a part of the fleet as it is", got=list(percentages), fix="let the last checkpoint be 100"
        )


@rule("MaintenanceWindow", source=_SCHEDULES)
def maintenance_window(days: Sequence[str], start_hour: int, hours: int) -> Iterator[Problem]:
    """A maintenance window opens at an hour of some days, and closes on the same day."""
    if not days or any(day not in DAYS for day in days) or len(set(days)) < len(days):
        fix = f"name each day once, of {', '.join(DAYS)}"
        yield Problem(problem="names no days of the week", got=list(days), fix=fix, at=".days")
    if not 0 <= start_hour < _HOURS:
        yield Problem(problem="is no hour of a day", got=start_hour, fix="give 0 to 23", at=".start_hour")
    elif not 1 <= hours <= _HOURS - start_hour:
        yield Problem(
            problem="leads past the end of the day",
            got=hours,
            fix=f"give 1 to {_HOURS - start_hour}, and name a second window for the hours after midnight",
            at=".hours",
        )


@rule("RolloutName", source=_STATES)
def rollout_name(name: str) -> Iterator[Problem]:
    """The name of a rollout is part of the name of an SSM parameter."""
    if not re.fullmatch(_NAME, name):
        yield Problem(
            problem="is no name of a rollout",
            got=name,
            fix="use up to 64 letters, digits and the characters _.- , with a letter or digit first",
        )


@rule("RolloutOfParameter", source=_START)
def rollout_of_parameter() -> Iterator[Problem]:
    """What EC2 resolves at launch cannot be rolled back: a rollout needs a launch template with an AMI id."""
    yield Problem(
        problem="can be rolled back only to a numbered launch template with an AMI id, and the image is read at launch",
        got="resolve:ssm",
        fix="read the channel at deploy, with machine_image(tracking=Tracking.AT_DEPLOY), or roll out at_next_launch()",
    )


@rule("RolloutAtNextLaunch", source=_START)
def rollout_at_next_launch() -> Iterator[Problem]:
    """Only launches that resolve the channel bring another AMI by themselves."""
    yield Problem(
        problem="brings no other AMI, because the launch template holds an AMI id",
        got="at_next_launch",
        fix="read the channel at launch, with machine_image(tracking=Tracking.AT_LAUNCH)",
    )


@rule("RolloutOnChannel", source=_START)
def rollout_on_channel(reason: str, fix: str) -> Iterator[Problem]:
    """A rollout that follows a channel needs a stack whose parameter reads that channel."""
    yield Problem(problem=reason, got="on_channel", fix=fix)
