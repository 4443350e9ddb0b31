"""Instance refreshes, that really launch and terminate.

Each is a course of steps between waits.  The waits are the clock's: whoever advances it by a day sees all that a day
brings, in its order.  What a refresh waits for besides (a hook's answer, an end of protection) wakes it.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/asg-instance-refresh.html, read 2026-11-28
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from math import ceil
from typing import Any, Final
from uuid import uuid4

from moto.core.exceptions import ServiceException

from cdk_ami.sandbox.activity import ACTIVITY
from cdk_ami.sandbox.autoscaling import launching, root_volumes, warm
from cdk_ami.sandbox.autoscaling.activities import now, tell
from cdk_ami.sandbox.autoscaling.errors import LaunchError
from cdk_ami.sandbox.autoscaling.members import WARM, Member, is_suspended, serving_capacity, warm_pool
from cdk_ami.sandbox.autoscaling.recipes import Recipe, matches, recipe_of
from cdk_ami.sandbox.clock import CLOCK, Call
from cdk_ami.sandbox.pace import PACE
from cdk_ami.sandbox.serial import LOCK

ACTIVE: Final = frozenset({"Pending", "InProgress", "Cancelling", "RollbackInProgress", "Baking"})
"""States of a refresh that has not ended.

https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_InstanceRefresh.html
"""

ROLLING: Final = "Rolling"
REPLACE_ROOT_VOLUME: Final = "ReplaceRootVolume"
STRATEGIES: Final = (ROLLING, REPLACE_ROOT_VOLUME)
"""How instances are brought up to date.  Same source."""

PATIENCE: Final = 3600.0
"""Seconds that a refresh waits for instances on standby, protected from scale in, or not coming into service.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/instance-refresh-overview.html
"""

ALARM_SECONDS: Final = 5.0
"""Seconds after which a waiting refresh looks at its alarms again."""

CHECKED_AGAIN: Final = 60.0
"""Seconds after which a refresh looks again for what wakes it by itself as well."""

WHOLE: Final = 100
REFRESH: Final = "in response to an instance refresh."
OUT: Final = f"an instance was taken out of service {REFRESH}"
IN: Final = f"an instance was launched {REFRESH}"
EVENT: Final = "EC2 Auto Scaling Instance Refresh"


class _Stopped(Exception):  # noqa: N818 - not an error: somebody asked for it
    """The refresh was cancelled, or is to be rolled back."""


class _Failed(Exception):  # noqa: N818 - becomes a state, never leaves the course
    """The refresh cannot go on."""


@dataclass(slots=True, kw_only=True)
class Progress:
    """How far a refresh is with the group or with its warm pool."""

    total: int = 0
    left: int = 0

    @property
    def percent(self) -> int:
        """Per cent of the instances that are up to date."""
        return WHOLE * (self.total - self.left) // self.total if self.total else WHOLE

    def describe(self) -> dict[str, int]:
        """Return it in the answer's shape."""
        return {"PercentageComplete": self.percent, "InstancesToUpdate": self.left}


@dataclass(slots=True, kw_only=True, eq=False)
class Refresh:
    """One refresh of one group.

    Attributes:
        group: The group.
        strategy: ``Rolling`` or ``ReplaceRootVolume``.
        preferences: What was asked for, with what holds where nothing was asked for.
        desired: What the group is to launch afterwards; empty for what it launches already.
        exceeds: Whether new instances come first where the bounds leave no room, because the upper one was given.
        warmup: Seconds from an instance's service until the refresh goes on.
    """

    group: Any
    strategy: str
    preferences: Mapping[str, Any]
    desired: Mapping[str, Any]
    exceeds: bool
    warmup: float
    identifier: str = field(default_factory=lambda: str(uuid4()))
    status: str = "Pending"
    reason: str = ""
    started: datetime = field(default_factory=now)
    ended: datetime | None = None
    rollback: dict[str, Any] = field(default_factory=dict)
    _live: Progress = field(default_factory=Progress)
    _pool: Progress = field(default_factory=Progress)
    _begun: bool = False
    _steps: Iterator[float] | None = None
    _call: Call | None = None
    _token: object = None
    _running: bool = False
    _stop: bool = False
    _roll_back: bool = False

    def start(self) -> None:
        """Begin as soon as the request has been answered."""
        self.group.sandbox_wake = self.poke
        self._steps = self._course()
        self._go_on_in(0)

    def poke(self) -> None:
        """Look again at what is waited for."""
        if self._running or self._steps is None:
            return
        if self._call is not None:
            self._call.cancel()
        self._go_on_in(0)

    def cancel(self, *, wait: bool = True) -> None:
        """Stop before the next instance; ``wait`` lets what has begun come to its end first."""
        self.status, self._stop, self._roll_back = "Cancelling", True, False
        if wait:
            self.poke()
            return
        self._leave()
        self._end("Cancelled", "Cancelled due to user request.")
        self._steps = None

    def roll_back(self) -> None:
        """Stop, and put back what was replaced."""
        self.status, self._stop, self._roll_back = "RollbackInProgress", True, True
        self.poke()

    def describe(self) -> dict[str, Any]:
        """Return the refresh's record."""
        begun = self._begun
        record = {
            "AutoScalingGroupName": self.group.name,
            "DesiredConfiguration": self.desired or None,
            "EndTime": self.ended,
            "InstanceRefreshId": self.identifier,
            "InstancesToUpdate": self._live.left + self._pool.left if begun else None,
            "PercentageComplete": self._percent() if begun else None,
            "Preferences": self.preferences,
            "ProgressDetails": self._details() if begun else None,
            "RollbackDetails": self.rollback or None,
            "StartTime": self.started,
            "Status": self.status,
            "StatusReason": self.reason or None,
            "Strategy": self.strategy,
        }
        return {key: value for key, value in record.items() if value is not None}

    def _percent(self) -> int:
        both = Progress(total=self._live.total + self._pool.total, left=self._live.left + self._pool.left)
        if not self.rollback:
            return both.percent
        return int(self.rollback["PercentageCompleteOnRollback"]) * (WHOLE - both.percent) // WHOLE

    def _details(self) -> dict[str, Any] | None:
        if self.group.warm_pool is None and not self._pool.total:
            return None
        return {"LivePoolProgress": self._live.describe(), "WarmPoolProgress": self._pool.describe()}

    def _go_on_in(self, seconds: float) -> None:
        """Take the next step in so many seconds; what waits for no time counts as running."""
        if seconds <= 0 and self._token is None:
            self._token = ACTIVITY.began(f"instance refresh of {self.group.name}")
        self._call = CLOCK.after(seconds, self._step)

    def _step(self) -> None:
        with LOCK:
            pause = self._next_pause()
            if pause is None:
                self._steps = None
            else:
                self._go_on_in(pause)
            if pause is None or pause > 0:
                ACTIVITY.ended(self._token)
                self._token = None

    def _next_pause(self) -> float | None:
        """Do what comes next and return the seconds until something comes again, None when nothing does."""
        if self._steps is None or not launching.exists(self.group):
            return None
        self._running = True
        try:
            return next(self._steps, None)
        finally:
            self._running = False

    def _course(self) -> Iterator[float]:
        """Walk through the refresh; whatever goes wrong becomes a state, since nobody reads a clock's errors."""
        before = recipe_of(self.group)
        try:
            self._check()
            self.status, self._begun = "InProgress", True
            self._tell("Started")
            target = recipe_of(self.group, self.desired)
            self.group.sandbox_recipe = target
            yield from self._update(target)
            yield from self._bake()
            self._take_over()
            self._leave()
            self._end("Successful", "")
        except _Stopped:
            if self._roll_back:
                yield from self._return(before, "The rollback was requested by a user")
            else:
                yield from self._come_to_rest()
        except Exception as error:  # noqa: BLE001 - or the refresh, and the stack that waits for it, would never end
            reason = _words(error)
            if self.preferences.get("AutoRollback"):
                yield from self._return(before, reason)
            else:
                self._leave()
                self._end("Failed", f"Instance Refresh has failed: {reason}")

    def _return(self, before: Recipe, reason: str) -> Iterator[float]:
        self.rollback = {
            "RollbackReason": reason,
            "RollbackStartTime": now(),
            "PercentageCompleteOnRollback": self._percent(),
            "InstancesToUpdateOnRollback": self._live.left + self._pool.left,
            "ProgressDetailsOnRollback": self._details(),
        }
        self.rollback = {key: value for key, value in self.rollback.items() if value is not None}
        self.status, self.reason, self._stop, self._begun = "RollbackInProgress", reason, False, True
        self._tell("Rollback Started")
        try:
            self.group.sandbox_recipe, self.group.sandbox_surplus = before, 0
            launching.converge(self.group)
            yield from self._update(before)
            self._leave()
            self._end("RollbackSuccessful", reason)
        except _Stopped:
            yield from self._come_to_rest()
        except Exception as error:  # noqa: BLE001 - as above
            self._leave()
            self._end("RollbackFailed", f"{reason}; the rollback failed: {_words(error)}")

    def _come_to_rest(self) -> Iterator[float]:
        """Let instances that come or go do so, then end as cancelled."""
        self.status, self._stop = "Cancelling", False
        moving = ("Pending", "Terminating", "ReplacingRootVolume", "RootVolumeReplaced")
        with suppress(_Failed):
            yield from self._until(
                lambda: not any(one.lifecycle_state.startswith(moving) for one in self.group.instance_states),
                "instances that are launching or terminating",
            )
        self._leave()
        self._end("Cancelled", "Cancelled due to user request.")

    def _leave(self) -> None:
        """Give the group back to itself."""
        for name in ("sandbox_recipe", "sandbox_surplus", "sandbox_wake"):
            self.group.__dict__.pop(name, None)
        try:
            launching.converge(self.group)
        except Exception as error:  # noqa: BLE001 - the refresh ends all the same, and says so
            self.reason = _words(error)

    def _end(self, status: str, reason: str) -> None:
        self.reason, self.ended, self.status = reason, now(), status
        self._tell(ENDS[status])

    def _tell(self, what: str, **more: str) -> None:
        detail = {"InstanceRefreshId": self.identifier, "AutoScalingGroupName": self.group.name, **more}
        tell(self.group, f"{EVENT} {what}", detail)

    def _take_over(self) -> None:
        """Make what the refresh was told to reach the group's own configuration."""
        if not self.desired:
            return
        group, policy = self.group, self.desired.get("MixedInstancesPolicy")
        group.mixed_instances_policy = policy
        group.launch_config, group.launch_configuration_name = None, None
        group._set_launch_configuration(None, self.desired.get("LaunchTemplate"), policy)  # noqa: SLF001 - moto's

    def _update(self, recipe: Recipe) -> Iterator[float]:
        """Bring the group up to ``recipe``, then its warm pool."""
        waiting = [member for member in self.group.instance_states if self._concerns(member, recipe)]
        pool = [member for member in warm_pool(self.group) if self._concerns(member, recipe)]
        self._live = Progress(total=len(waiting), left=len(waiting))
        self._pool = Progress(total=len(pool), left=len(pool))
        yield from self._replace(waiting, recipe)
        yield from self._replace_pool(pool)

    def _concerns(self, member: Member, recipe: Recipe) -> bool:
        """Tell whether an instance is to be brought up to date."""
        if "Terminating" in member.lifecycle_state:
            return False
        if self.preferences["StandbyInstances"] == "Ignore" and member.lifecycle_state == "Standby":
            return False
        if self.preferences["ScaleInProtectedInstances"] == "Ignore" and member.protected_from_scale_in:
            return False
        skips = self.preferences.get("SkipMatching") or self.status == "RollbackInProgress"
        return not (skips and matches(self.group, member, recipe))

    def _obstacle(self, member: Member) -> str:
        """Return why an instance cannot be replaced now, nothing when it can."""
        if member.protected_from_scale_in and self.preferences["ScaleInProtectedInstances"] == "Wait":
            return f"the instance {member.instance.id} is protected from scale in"
        if member.lifecycle_state == "Standby" and self.preferences["StandbyInstances"] == "Wait":
            return f"the instance {member.instance.id} is in standby"
        return ""

    def _replace(self, waiting: list[Member], recipe: Recipe) -> Iterator[float]:
        marks = [int(mark) for mark in self.preferences.get("CheckpointPercentages", ())] if not self.rollback else []
        last = self._goal(marks[-1]) if marks else self._live.total
        while (done := self._live.total - self._live.left) < last:
            self._check()
            yield from self._until(
                lambda: not is_suspended(self.group, "Launch", "Terminate", "InstanceRefresh"),
                "suspended processes to be resumed",
            )
            waiting = [member for member in waiting if member in self.group.instance_states]
            ready = [member for member in waiting if not self._obstacle(member)]
            if waiting and not ready:
                yield from self._until(partial(self._cleared, waiting), self._obstacle(waiting[0]))
                continue
            next_mark = self._goal(marks[0]) if marks else last
            size, down = self._batch()
            batch = ready[: max(1, min(size, next_mark - done))]
            if self.strategy == REPLACE_ROOT_VOLUME:
                batch = batch[: max(1, down)]
                yield from self._replace_roots(batch, recipe)
            else:
                yield from self._swap(batch, recipe, down)
            waiting = [member for member in waiting if member not in batch and member in self.group.instance_states]
            self._live.left = len(waiting)
            while marks and self._live.total - self._live.left >= self._goal(marks[0]):
                yield from self._checkpoint(marks.pop(0))

    def _goal(self, mark: int) -> int:
        """Return how many instances are up to date at a checkpoint."""
        return ceil(self._live.total * mark / WHOLE)

    def _cleared(self, waiting: Sequence[Member]) -> bool:
        here = [member for member in waiting if member in self.group.instance_states]
        return len(here) < len(waiting) or any(not self._obstacle(member) for member in here)

    def _checkpoint(self, mark: int) -> Iterator[float]:
        delay = int(self.preferences["CheckpointDelay"])
        self._tell("Checkpoint Reached", CheckpointPercentage=str(mark), CheckpointDelay=str(delay))
        if mark < WHOLE:
            yield from self._pause(delay)

    def _batch(self) -> tuple[int, int]:
        """Return how many to replace at once, and how many of these go before the new ones are in service.

        At least one, where the bounds leave no room: new first when the upper bound was given, else both at once.
        https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_RefreshPreferences.html
        """
        desired = int(self.group.desired_capacity)
        minimum, maximum = self.preferences["MinHealthyPercentage"], self.preferences["MaxHealthyPercentage"]
        above = ceil(desired * maximum / WHOLE) - desired
        below = desired - ceil(desired * minimum / WHOLE)
        if above + below > 0:
            return above + below, below
        return (1, 0) if self.exceeds else (1, 1)

    def _replace_roots(self, batch: Sequence[Member], recipe: Recipe) -> Iterator[float]:
        """Replace the root volumes of instances, which are out of service meanwhile."""
        for member in batch:
            root_volumes.replace(self.group, member, recipe)
        yield from self._in_service()

    def _swap(self, batch: Sequence[Member], recipe: Recipe, down: int) -> Iterator[float]:
        """Replace instances by new ones: the first ``down`` of them go at once, the others when the new ones serve."""
        group = self.group
        ahead = [member for member in batch[down:] if member.counted]
        group.sandbox_surplus = sum(member.weight for member in ahead)
        places = [self._place(member) for member in batch if member.counted]
        for member in batch:
            if member not in ahead:
                launching.terminate(group, member, OUT)
        for place in places:
            launching.launch(group, recipe, IN, where=place)
        yield from self._in_service()
        group.sandbox_surplus = 0
        for member in ahead:
            if member in group.instance_states:
                launching.terminate(group, member, OUT)
        launching.converge(group)

    def _in_service(self) -> Iterator[float]:
        """Wait until the group serves with what it shall have, and still does after the warm-up."""
        what = "new instances to come into service"
        yield from self._until(self._complete, what)
        yield from self._pause(self.warmup)
        yield from self._until(self._complete, what)

    def _complete(self) -> bool:
        coming = ("Pending", "ReplacingRootVolume", "RootVolumeReplaced")
        if any(member.lifecycle_state.startswith(coming) for member in self.group.instance_states):
            return False
        return serving_capacity(self.group) >= launching.wanted(self.group)

    def _place(self, member: Member) -> tuple[str | None, str] | None:
        """Return where the instance stood, if the group still goes there: the balance stays as it is."""
        group = self.group
        if member.availability_zone not in launching.open_zones(group):
            return None
        subnets = [subnet.id for subnet in launching.subnets_of(group)]
        if not subnets:
            return None, member.availability_zone
        return (member.instance.subnet_id, member.availability_zone) if member.instance.subnet_id in subnets else None

    def _replace_pool(self, waiting: list[Member]) -> Iterator[float]:
        """Replace the warm pool's instances, one after another."""
        for member in waiting:
            self._check()
            if member in warm_pool(self.group):
                launching.terminate(self.group, member, OUT)
                warm.adjust(self.group)
                yield from self._until(
                    lambda: all(one.lifecycle_state in WARM for one in warm_pool(self.group)),
                    "the warm pool's instances to be ready",
                )
            self._pool.left -= 1

    def _bake(self) -> Iterator[float]:
        seconds = int(self.preferences.get("BakeTime") or 0)
        if seconds:
            self.status = "Baking"
            self._tell("Started Baking")
            yield from self._pause(seconds)

    def _pause(self, seconds: float) -> Iterator[float]:
        """Wait until some time has passed; alarms are watched meanwhile."""
        end = CLOCK.now() + timedelta(seconds=seconds)
        while (left := (end - CLOCK.now()).total_seconds()) > 0:
            self._check()
            yield min(left, ALARM_SECONDS) if self._alarms() else left
        self._check()

    def _until(self, condition: Callable[[], bool], what: str) -> Iterator[float]:
        """Wait until something holds, which whoever brings it about tells by ``poke``.

        Raises:
            _Failed: When it does not hold in an hour.
        """
        end = CLOCK.now() + timedelta(seconds=PATIENCE)
        pause = ALARM_SECONDS if self._alarms() else CHECKED_AGAIN
        before = self.reason
        while not condition():
            self._check()
            left = (end - CLOCK.now()).total_seconds()
            if left <= 0:
                raise _Failed(f"an hour was not enough: {what}")
            self.reason = f"Waiting: {what}"
            yield min(left, pause)
        self.reason = before

    def _alarms(self) -> list[str]:
        wanted: list[str] = (self.preferences.get("AlarmSpecification") or {}).get("Alarms", [])
        return [] if self.rollback else wanted

    def _check(self) -> None:
        """Stop where somebody asked for it or an alarm says so."""
        if self._stop:
            raise _Stopped
        wanted = self._alarms()
        if not wanted:
            return
        from moto.cloudwatch.models import cloudwatch_backends  # noqa: PLC0415 - only with alarms

        alarms = cloudwatch_backends[self.group.account_id][self.group.region].alarms
        for name in wanted:
            if name in alarms and alarms[name].state_value == "ALARM":
                raise _Failed(f"the alarm {name} is in state ALARM")


ENDS: Final = {
    "Successful": "Succeeded",
    "Failed": "Failed",
    "Cancelled": "Cancelled",
    "RollbackSuccessful": "Rollback Succeeded",
    "RollbackFailed": "Rollback Failed",
}
"""How the event of each end is called.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/instance-refresh-eventbridge-events.html
"""


def warm_up(preferences: Mapping[str, Any]) -> float:
    """Return the seconds that a refresh waits after each instance: its own preference, else the sandbox's pace.

    AWS falls back on the group's DefaultInstanceWarmup and its grace period.  Here nobody waits for a software that
    does not run, unless the refresh itself asks for it.
    """
    asked = preferences.get("InstanceWarmup")
    return float(asked) if asked is not None and int(asked) > 0 else PACE.warmup


def _words(error: Exception) -> str:
    if isinstance(error, (LaunchError, ServiceException, _Failed)):
        return str(error)
    return f"the sandbox itself failed: {type(error).__name__}: {error}"


def refreshes(group: Any) -> list[Refresh]:
    """Return the refreshes of ``group``, the oldest first."""
    kept: list[Refresh] = group.__dict__.setdefault("sandbox_refreshes", [])
    return kept


def active_refresh(group: Any) -> Refresh | None:
    """Return the refresh of ``group`` that has not ended, if there is one."""
    return next((refresh for refresh in refreshes(group) if refresh.status in ACTIVE), None)
