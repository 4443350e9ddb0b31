"""Snapshots as AMIs hold them: size, encryption and key, how far they are, and who else may use them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import Any, Final

from moto.ec2.models import ec2_backends
from moto.ec2.models.elastic_block_store import Snapshot
from moto.ec2.utils import random_snapshot_id

from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.ec2.image import MILLISECONDS
from cdk_ami.sandbox.ec2.notices import tell_snapshot_when_ready
from cdk_ami.sandbox.ec2.refusal import refusal

COPIED_VOLUME: Final = "vol-ffffffff"
"""Volume id that EC2 shows for a snapshot that was not made of a volume here.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Snapshot.html
"""

COPIES_AT_ONCE: Final = 20
"""Snapshot copies under way to one Region.  https://docs.aws.amazon.com/general/latest/gr/ebs-service.html."""

COPY_STEP_MINUTES: Final = 15
"""https://docs.aws.amazon.com/ebs/latest/userguide/time-based-copies.html."""

COPY_LONGEST_MINUTES: Final = 48 * 60
"""Same page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceVolume:
    """What remains of a volume in its snapshot, whatever becomes of the volume."""

    id: str
    size: int
    encrypted: bool = False


class HeldSnapshot(Snapshot):  # type: ignore[misc]
    """A snapshot that takes its time.

    Attributes:
        ready_at: When it is completed, or has failed.
        failure: Why it fails; None when it does not.
        copied: Whether it is a copy, which counts against the Region's quota while it is under way.
        minutes: How long the copy may take, when that was asked for.
    """

    def __init__(
        self,
        backend: Any,
        source: SourceVolume,
        *,
        description: str,
        key: str | None,
        image_id: str | None,
        seconds: float,
        failure: str | None,
        copied: bool,
        minutes: int | None,
    ) -> None:
        super().__init__(
            backend,
            random_snapshot_id(),
            source,
            description,
            encrypted=key is not None,
            kms_key_id=key,
            from_ami=image_id,
        )
        self.start_time = CLOCK.now().replace(tzinfo=None)
        self.ready_at = self.start_time.replace(tzinfo=UTC) + timedelta(seconds=seconds)
        self.failure = failure
        self.copied = copied
        self.minutes = minutes

    @property
    def status(self) -> str:
        """State in EC2's words, by the clock."""
        if CLOCK.now() < self.ready_at:
            return "pending"
        return "error" if self.failure else "completed"

    @status.setter
    def status(self, value: str) -> None:
        """Let the emulator set what it likes: the clock knows better."""

    @property
    def progress(self) -> str:
        """How much of it is there."""
        if self.status != "pending":
            return "100%" if self.status == "completed" else ""
        whole = (self.ready_at - self.start_time.replace(tzinfo=UTC)).total_seconds()
        return f"{100 - round(100 * (self.ready_at - CLOCK.now()).total_seconds() / whole)}%"

    def describe(self) -> dict[str, Any]:
        """Return the snapshot's record."""
        done = self.status == "completed"
        record = {
            "CompletionDurationMinutes": self.minutes,
            "CompletionTime": self.ready_at if done else None,
            "Description": self.description,
            "Encrypted": self.encrypted,
            "KmsKeyId": self.kms_key_id,
            "OwnerId": self.owner_id,
            "Progress": self.progress,
            "SnapshotId": self.id,
            "StartTime": self.start_time,
            "State": self.status,
            "StateMessage": self.failure if self.status == "error" else None,
            "StorageTier": self.storage_tier,
            "Tags": [{"Key": tag["key"], "Value": tag["value"]} for tag in self.get_tags()],
            "TransferType": ("time-based" if self.minutes else "standard") if self.copied else None,
            "VolumeId": self.volume_id,
            "VolumeSize": self.volume_size,
        }
        return {name: value for name, value in record.items() if value is not None}


FILTERS: Final[Mapping[str, Callable[[HeldSnapshot], Any]]] = {
    "description": lambda snapshot: snapshot.description,
    "encrypted": lambda snapshot: snapshot.encrypted,
    "owner-alias": lambda _: None,
    "owner-id": lambda snapshot: snapshot.owner_id,
    "progress": lambda snapshot: snapshot.progress,
    "snapshot-id": lambda snapshot: snapshot.id,
    "start-time": lambda snapshot: snapshot.start_time.strftime(MILLISECONDS),
    "status": lambda snapshot: snapshot.status,
    "storage-tier": lambda snapshot: snapshot.storage_tier,
    "tag-key": lambda snapshot: [tag["key"] for tag in snapshot.get_tags()],
    "tag-value": lambda snapshot: [tag["value"] for tag in snapshot.get_tags()],
    "tag:": lambda snapshot: {tag["key"]: tag["value"] for tag in snapshot.get_tags()},
    "transfer-type": lambda snapshot: snapshot.describe().get("TransferType"),
    "volume-id": lambda snapshot: snapshot.volume_id,
    "volume-size": lambda snapshot: snapshot.volume_size,
}
"""https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSnapshots.html."""


def add_snapshot(
    backend: Any,
    *,
    size: int,
    description: str,
    volume_id: str = COPIED_VOLUME,
    key: str | None = None,
    image_id: str | None = None,
    tags: dict[str, str] | None = None,
    seconds: float = 0.0,
    failure: str | None = None,
    copied: bool = False,
    minutes: int | None = None,
) -> HeldSnapshot:
    """Make a snapshot in ``backend``, encrypted when there is a ``key``, an ARN; see HeldSnapshot for the rest."""
    snapshot = HeldSnapshot(
        backend,
        SourceVolume(id=volume_id, size=size, encrypted=key is not None),
        description=description,
        key=key,
        image_id=image_id,
        seconds=seconds,
        failure=failure,
        copied=copied,
        minutes=minutes,
    )
    backend.snapshots[snapshot.id] = snapshot
    snapshot.add_tags(tags or {})
    tell_snapshot_when_ready(snapshot)
    return snapshot


def copy_seconds(pace: float, minutes: int | None) -> float:
    """Return how long a copy takes: what all copies take, and no longer than was asked for.

    Raises:
        EC2ClientError: InvalidParameterValue, when ``minutes`` is no duration that EC2 offers.
    """
    if minutes is None:
        return pace
    if minutes % COPY_STEP_MINUTES or not COPY_STEP_MINUTES <= minutes <= COPY_LONGEST_MINUTES:
        raise refusal(
            "InvalidParameterValue",
            f"The completion duration must be a multiple of {COPY_STEP_MINUTES} minutes up to "
            f"{COPY_LONGEST_MINUTES}, got {minutes}",
        )
    return min(pace, minutes * 60.0)


def check_copies(backend: Any, more: int) -> None:
    """Refuse ``more`` snapshot copies to a Region that has too many under way.

    Raises:
        EC2ClientError: ResourceLimitExceeded.
    """
    under_way = sum(each.copied and each.status == "pending" for each in list(backend.snapshots.values()))
    if under_way + more > COPIES_AT_ONCE:
        raise refusal(
            "ResourceLimitExceeded",
            f"Too many snapshot copies in progress. The limit is {COPIES_AT_ONCE} for this destination region.",
        )


def all_snapshots(region: str) -> Iterator[HeldSnapshot]:
    """Yield the snapshots of every account in ``region``."""
    for account in sorted(dict.keys(ec2_backends)):
        if dict.__contains__(ec2_backends[account], region):
            yield from list(ec2_backends[account][region].snapshots.values())


def can_use(snapshot: HeldSnapshot, account: str) -> bool:
    """Tell whether ``account`` may see a snapshot, copy it and make volumes of it."""
    if snapshot.owner_id == account or account in snapshot.create_volume_permission_userids:
        return True
    blocked = getattr(snapshot.ec2_backend, "sandbox_public_snapshots", None) == "block-all-sharing"
    return "all" in snapshot.create_volume_permission_groups and not blocked


def find_snapshot(region: str, account: str, snapshot_id: str) -> HeldSnapshot:
    """Return the snapshot with this id, which ``account`` must be able to use.

    Raises:
        EC2ClientError: InvalidSnapshotID.Malformed or InvalidSnapshot.NotFound.
    """
    if not snapshot_id.startswith("snap-"):
        raise refusal("InvalidSnapshotID.Malformed", f"The snapshot ID '{snapshot_id}' is not valid.")
    own: HeldSnapshot | None = ec2_backends[account][region].snapshots.get(snapshot_id)
    if own is not None:
        return own
    for snapshot in all_snapshots(region):
        if snapshot.id == snapshot_id and can_use(snapshot, account):
            return snapshot
    raise refusal("InvalidSnapshot.NotFound", f"The snapshot '{snapshot_id}' does not exist.")
