"""Fast snapshot restore: snapshots whose volumes are full at once in chosen zones.

https://docs.aws.amazon.com/ebs/latest/userguide/ebs-fast-snapshot-restore.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.ec2.call import Answer, Call, Operation
from cdk_ami.sandbox.ec2.refusal import refusal
from cdk_ami.sandbox.ec2.snapshots import find_snapshot
from cdk_ami.sandbox.pace import PACE

SNAPSHOT_LIMIT: Final = 5
"""Snapshots with fast restore in a Region.  https://docs.aws.amazon.com/general/latest/gr/ebs-service.html."""

LARGEST_GIB: Final = 16 * 1024
"""https://docs.aws.amazon.com/ebs/latest/userguide/ebs-fast-snapshot-restore.html."""

STEPS: Final = (("enabling", 0), ("optimizing", 1), ("enabled", 2))
"""States on the way up, and how many times the pace of an image it takes to get there."""

STEPS_DOWN: Final = (("disabling", 0), ("disabled", 1))
"""States on the way down."""


@dataclass(slots=True, kw_only=True)
class FastRestore:
    """Fast restore of one snapshot in one zone."""

    snapshot_id: str
    zone: str
    zone_id: str
    owner: str
    began: datetime
    ended: datetime | None = None

    def times(self) -> dict[str, datetime]:
        """Return when each state was or will be reached."""
        up = {state: self.began + timedelta(seconds=steps * PACE.image) for state, steps in STEPS}
        if self.ended is None:
            return up
        down = {state: self.ended + timedelta(seconds=steps * PACE.image) for state, steps in STEPS_DOWN}
        return {**{state: when for state, when in up.items() if when <= self.ended}, **down}

    @property
    def state(self) -> str:
        """State in EC2's words, by the clock."""
        now = CLOCK.now()
        return [state for state, when in self.times().items() if when <= now][-1]

    def describe(self) -> dict[str, Any]:
        """Return the record."""
        now = CLOCK.now()
        return {
            "SnapshotId": self.snapshot_id,
            "AvailabilityZone": self.zone,
            "AvailabilityZoneId": self.zone_id,
            "OwnerId": self.owner,
            "State": self.state,
            "StateTransitionReason": "Client.UserInitiated"
            if self.state in {"enabling", "disabling"}
            else "Client.UserInitiated - Lifecycle state transition",
            **{f"{state.capitalize()}Time": when for state, when in self.times().items() if when <= now},
        }


FILTERS: Final[Mapping[str, Callable[[FastRestore], Any]]] = {
    "availability-zone": lambda held: held.zone,
    "availability-zone-id": lambda held: held.zone_id,
    "owner-id": lambda held: held.owner,
    "snapshot-id": lambda held: held.snapshot_id,
    "state": lambda held: held.state,
}
"""https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeFastSnapshotRestores.html."""


def is_enabled(backend: Any, snapshot_id: str | None, zone: str) -> bool:
    """Tell whether a volume of a snapshot is full at once in a zone."""
    found = _held(backend).get((snapshot_id or "", zone))
    return found is not None and found.state == "enabled"


def _held(backend: Any) -> dict[tuple[str, str], FastRestore]:
    # The backend's own dictionary, so that a reset forgets it too.
    held: dict[tuple[str, str], FastRestore] = backend.__dict__.setdefault("sandbox_fast_restores", {})
    return held


def _zones(call: Call) -> list[Any]:
    names, ids = call.get("AvailabilityZones", []), call.get("AvailabilityZoneIds", [])
    if bool(names) == bool(ids):
        raise refusal("InvalidParameterCombination", "Name zones by AvailabilityZones or by AvailabilityZoneIds")
    zones = call.backend.describe_availability_zones()
    found = [zone for zone in zones if zone.name in names or zone.zone_id in ids]
    if len(found) != len({*names, *ids}):
        raise refusal("InvalidParameterValue", f"Invalid availability zone: {names or ids}")
    return found


def enable_fast_snapshot_restores(call: Call) -> Answer:
    """Answer EnableFastSnapshotRestores: each snapshot in each zone, or why not."""
    held, done, failed = _held(call.backend), [], []
    zones = _zones(call)
    for snapshot_id in call.need("SourceSnapshotIds"):
        snapshot = find_snapshot(call.region, call.account, snapshot_id)
        others = {each.snapshot_id for each in held.values() if each.state != "disabled"} - {snapshot_id}
        if len(others) >= SNAPSHOT_LIMIT:
            failed.append(_failure(snapshot_id, zones, "FastSnapshotRestoreLimitExceeded", "Too many snapshots"))
            continue
        if snapshot.status != "completed" or snapshot.volume_size > LARGEST_GIB:
            failed.append(_failure(snapshot_id, zones, "InvalidSnapshot.InvalidState", f"It is {snapshot.status}"))
            continue
        for zone in zones:
            found = held.get((snapshot_id, zone.name))
            if found is None or found.ended is not None:
                found = FastRestore(
                    snapshot_id=snapshot_id,
                    zone=zone.name,
                    zone_id=zone.zone_id,
                    owner=call.account,
                    began=CLOCK.now(),
                )
                held[snapshot_id, zone.name] = found
            done.append(found.describe())
    return {"Successful": done, "Unsuccessful": failed}


def disable_fast_snapshot_restores(call: Call) -> Answer:
    """Answer DisableFastSnapshotRestores."""
    held, done, failed = _held(call.backend), [], []
    zones = _zones(call)
    for snapshot_id in call.need("SourceSnapshotIds"):
        for zone in zones:
            found = held.get((snapshot_id, zone.name))
            if found is None or found.state == "disabled":
                message = "Fast snapshot restore is not enabled"
                failed.append(_failure(snapshot_id, [zone], "InvalidFastSnapshotRestoreState", message))
                continue
            found.ended = found.ended or CLOCK.now()
            done.append(found.describe())
    return {"Successful": done, "Unsuccessful": failed}


def _failure(snapshot_id: str, zones: list[Any], code: str, message: str) -> dict[str, Any]:
    return {
        "SnapshotId": snapshot_id,
        "FastSnapshotRestoreStateErrors": [
            {
                "AvailabilityZone": zone.name,
                "AvailabilityZoneId": zone.zone_id,
                "Error": {"Code": code, "Message": message},
            }
            for zone in zones
        ],
    }


def describe_fast_snapshot_restores(call: Call) -> Answer:
    """Answer DescribeFastSnapshotRestores."""
    found = call.select(_held(call.backend).values(), FILTERS)
    return call.page("FastSnapshotRestores", [each.describe() for each in found])


OPERATIONS: Final[dict[str, Operation]] = {
    "DescribeFastSnapshotRestores": describe_fast_snapshot_restores,
    "DisableFastSnapshotRestores": disable_fast_snapshot_restores,
    "EnableFastSnapshotRestores": enable_fast_snapshot_restores,
}
