"""Instance refreshes: one thread each, that really launches and terminates."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import ceil
from threading import Event, Thread
from typing import Any, Final
from uuid import uuid4

from moto.autoscaling.models import InstanceState
from moto.core.exceptions import ServiceException

from cdk_ami.sandbox.autoscaling import launching
from cdk_ami.sandbox.autoscaling.launching import LaunchError, Recipe
from cdk_ami.sandbox.ec2.launch import merge_request
from cdk_ami.sandbox.ec2.parameters import resolve_image_id
from cdk_ami.sandbox.pace import PACE
from cdk_ami.sandbox.serial import LOCK

ACTIVE: Final = frozenset({"Pending", "InProgress", "Cancelling", "RollbackInProgress", "Baking"})
"""States of a refresh that has not ended.

https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_InstanceRefresh.html
"""


class _Stopped(Exception):  # noqa: N818 - not an error: somebody asked for it
    """The refresh was cancelled, or its group is gone."""


class _Failed(Exception):  # noqa: N818 - becomes a state, never leaves the thread
    """The refresh cannot go on."""


@dataclass(slots=True, kw_only=True, eq=False)
class Refresh:
    """One refresh of one group."""

    group: Any
    preferences: dict[str, Any]
    desired: dict[str, Any]
    minimum: int
    maximum: int
    identifier: str = field(default_factory=lambda: str(uuid4()))
    status: str = "Pending"
    reason: str = ""
    percent: int = 0
    to_update: int = 0
    started: datetime = field(default_factory=lambda: datetime.now(UTC).replace(tzinfo=None))
    ended: datetime | None = None
    rollback_reason: str = ""
    _stop: Event = field(default_factory=Event)
    _roll_back: bool = False

    def start(self) -> None:
        """Begin, in a thread of its own."""
        Thread(target=self._run, name=f"instance-refresh-{self.group.name}", daemon=True).start()

    def cancel(self, *, roll_back: bool = False) -> None:
        """Stop before the next instance; ``roll_back`` puts back what was replaced."""
        self._roll_back = roll_back
        self.status = "RollbackInProgress" if roll_back else "Cancelling"
        self._stop.set()

    def describe(self) -> dict[str, Any]:
        """Return the refresh's record."""
        record = {
            "AutoScalingGroupName": self.group.name,
            "DesiredConfiguration": self.desired or None,
            "EndTime": self.ended,
            "InstanceRefreshId": self.identifier,
            "InstancesToUpdate": self.to_update,
            "PercentageComplete": self.percent,
            "Preferences": self.preferences,
            "ProgressDetails": {
                "LivePoolProgress": {"PercentageComplete": self.percent, "InstancesToUpdate": self.to_update}
            },
            "StartTime": self.started,
            "Status": self.status,
            "StatusReason": self.reason or None,
            "Strategy": "Rolling",
        }
        if self.rollback_reason:
            record["RollbackDetails"] = {"RollbackReason": self.rollback_reason, "RollbackStartTime": self.ended}
        return {key: value for key, value in record.items() if value is not None}

    def _run(self) -> None:
        """Walk through the refresh; whatever goes wrong becomes a state, since nobody reads a thread's errors."""
        before: Recipe | None = None
        try:
            with LOCK:
                before = launching.recipe_of(self.group)
                self.status = "Cancelling" if self._stop.is_set() else "InProgress"
            self._replace(launching.recipe_of(self.group, self.desired))
            self._take_over()
            self._end("Successful", "")
        except _Stopped:
            if self._roll_back and before is not None:
                self._return(before, "The rollback was asked for")
            else:
                self._end("Cancelled", "Cancelled due to user request.")
        except Exception as error:  # noqa: BLE001 - or the refresh, and the stack that waits for it, would never end
            reason = _words(error)
            if self.preferences.get("AutoRollback") and before is not None:
                self._return(before, reason)
            else:
                self._refill()
                self._end("Failed", f"Instance Refresh has failed: {reason}")

    def _return(self, before: Recipe, reason: str) -> None:
        self.status, self.rollback_reason = "RollbackInProgress", reason
        self._stop.clear()
        try:
            with LOCK:
                launching.fill(self.group, self._missing())
            self._replace(before)
        except Exception as error:  # noqa: BLE001 - as above
            self._end("RollbackFailed", f"{reason}; the rollback failed: {_words(error)}")
        else:
            self._end("RollbackSuccessful", reason)

    def _end(self, status: str, reason: str) -> None:
        with LOCK:  # a request to cancel holds it from its look at the state to its change
            self.reason, self.ended = reason, datetime.now(UTC).replace(tzinfo=None)
            self.status = status

    def _refill(self) -> None:
        with suppress(ServiceException), LOCK:
            launching.fill(self.group, self._missing())

    def _missing(self) -> int:
        if not self._group_exists():
            return 0
        return max(0, int(self.group.desired_capacity) - len(self.group.active_instances()))

    def _group_exists(self) -> bool:
        return self.group.autoscaling_backend.__dict__.get("autoscaling_groups", {}).get(self.group.name) is self.group

    def _take_over(self) -> None:
        """Make what the refresh was told to reach the group's own configuration."""
        if not self.desired:
            return
        with LOCK:
            group, policy = self.group, self.desired.get("MixedInstancesPolicy")
            group.mixed_instances_policy = policy
            group.launch_config, group.launch_configuration_name = None, None
            group._set_launch_configuration(None, self.desired.get("LaunchTemplate"), policy)  # noqa: SLF001 - moto's

    def _replace(self, recipe: Recipe) -> None:
        """Replace, in batches, every instance that ``recipe`` would launch differently."""
        with LOCK:
            waiting = self._to_replace(recipe)
        total = self.to_update = len(waiting)
        while waiting:
            self._check()
            size, before = self._batch()
            batch, waiting = waiting[:size], waiting[size:]
            self._replace_batch(batch, recipe, launch_first=before)
            self.to_update = len(waiting)
            self.percent = 100 * (total - len(waiting)) // total
        self.percent = 100

    def _batch(self) -> tuple[int, bool]:
        """Return how many to replace at once, and whether the new ones come first.

        At least one, as Auto Scaling does it when the bounds leave no room.
        """
        desired = self.group.desired_capacity
        above = ceil(desired * self.maximum / 100) - desired
        if above > 0:
            return above, True
        return max(1, desired - ceil(desired * self.minimum / 100)), False

    def _replace_batch(self, batch: list[InstanceState], recipe: Recipe, *, launch_first: bool) -> None:
        with LOCK:
            present = [state for state in batch if state in self.group.instance_states]
            if not launch_first:
                for state in present:
                    launching.terminate(self.group, state)
            for state in present:
                launching.launch(self.group, recipe, where=self._place(state))
        self._stop.wait(PACE.warmup)
        if launch_first:
            with LOCK:
                for state in present:
                    launching.terminate(self.group, state)

    def _place(self, state: InstanceState) -> tuple[str | None, str] | None:
        """Return where the instance stood, if the group still goes there: the balance stays as it is."""
        subnets = [subnet.id for subnet in launching.subnets_of(self.group)]
        if subnets:
            return (state.instance.subnet_id, state.availability_zone) if state.instance.subnet_id in subnets else None
        return (None, state.availability_zone) if state.availability_zone in self.group.availability_zones else None

    def _to_replace(self, recipe: Recipe) -> list[InstanceState]:
        skip = self.preferences.get("SkipMatching") or self.status == "RollbackInProgress"
        chosen = []
        for state in self.group.instance_states:
            if skip and self._matches(state, recipe):
                continue
            if state.protected_from_scale_in and self.preferences.get("ScaleInProtectedInstances", "Wait") != "Refresh":
                if self.preferences.get("ScaleInProtectedInstances", "Wait") == "Wait":
                    raise _Failed(f"the instance {state.instance.id} is protected from scale in")
                continue
            if state.lifecycle_state == "Standby" and self.preferences.get("StandbyInstances", "Wait") != "Terminate":
                if self.preferences.get("StandbyInstances", "Wait") == "Wait":
                    raise _Failed(f"the instance {state.instance.id} is in standby")
                continue
            chosen.append(state)
        return chosen

    def _matches(self, state: InstanceState, recipe: Recipe) -> bool:
        """Tell whether an instance is just what ``recipe`` would launch."""
        request = launching.launch_request(self.group, recipe, None, None)
        merged, version = merge_request(self.group.ec2_backend, request)
        held = getattr(state.instance, "sandbox_version", None)
        if _numbered(held) != _numbered(version):
            return False
        return bool(
            state.instance.image_id == resolve_image_id(self.group.ec2_backend, merged.get("ImageId", ""))
            and state.instance.instance_type == merged.get("InstanceType", state.instance.instance_type)
        )

    def _check(self) -> None:
        if self._stop.is_set() or not self._group_exists():
            raise _Stopped
        wanted = self.preferences.get("AlarmSpecification", {}).get("Alarms", [])
        if not wanted or self.status == "RollbackInProgress":
            return
        from moto.cloudwatch.models import cloudwatch_backends  # noqa: PLC0415 - only with alarms

        alarms = cloudwatch_backends[self.group.account_id][self.group.region].alarms
        for name in wanted:
            if name in alarms and alarms[name].state_value == "ALARM":
                raise _Failed(f"the alarm {name} is in state ALARM")


def _words(error: Exception) -> str:
    if isinstance(error, (LaunchError, ServiceException, _Failed)):
        return str(error)
    if isinstance(error, _Stopped):
        return "it was stopped"
    return f"the sandbox itself failed: {type(error).__name__}: {error}"


def _numbered(version: Any) -> tuple[str, int] | None:
    return None if version is None else (version.template.id, version.number)


def refreshes(group: Any) -> list[Refresh]:
    """Return the refreshes of ``group``, the oldest first."""
    kept: list[Refresh] = group.__dict__.setdefault("sandbox_refreshes", [])
    return kept


def active_refresh(group: Any) -> Refresh | None:
    """Return the refresh of ``group`` that has not ended, if there is one."""
    return next((refresh for refresh in refreshes(group) if refresh.status in ACTIVE), None)
