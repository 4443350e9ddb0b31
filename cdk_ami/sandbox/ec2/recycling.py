"""The Recycle Bin: deregistered AMIs and deleted snapshots that a rule keeps for a while.

https://docs.aws.amazon.com/ebs/latest/userguide/recycle-bin.html
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.ec2.call import Answer, Call, Operation
from cdk_ami.sandbox.ec2.image import Image
from cdk_ami.sandbox.ec2.naming import check_name
from cdk_ami.sandbox.ec2.refusal import refusal
from cdk_ami.sandbox.ec2.snapshots import HeldSnapshot
from cdk_ami.sandbox.rbin.models import rbin_backends


@dataclass(frozen=True, slots=True, kw_only=True)
class Binned:
    """Something in the bin, and when it came and goes."""

    thing: Any
    entered: datetime
    leaves: datetime


def bin_image(backend: Any, image: Image) -> None:
    """Put a deregistered AMI into the bin when a rule says so; else it is gone, and its tags with it."""
    _keep_or_drop(backend, image, "EC2_IMAGE")


def bin_snapshot(backend: Any, snapshot: HeldSnapshot) -> None:
    """Put a deleted snapshot into the bin when a rule says so; else it is gone, and its tags with it."""
    _keep_or_drop(backend, snapshot, "EBS_SNAPSHOT")


def _keep_or_drop(backend: Any, thing: Any, kind: str) -> None:
    tags = {tag["key"]: tag["value"] for tag in thing.get_tags()}
    days = rbin_backends[backend.account_id][backend.region_name].retention(kind, tags)
    if days is None:
        backend.tags.pop(thing.id, None)
        return
    now = CLOCK.now()
    _bin(backend)[thing.id] = Binned(thing=thing, entered=now, leaves=now + timedelta(days=days))


def _bin(backend: Any) -> dict[str, Binned]:
    """Return what is in the bin now; what has been there long enough goes first."""
    # The backend's own dictionary, so that a reset empties it too.
    held: dict[str, Binned] = backend.__dict__.setdefault("sandbox_bin", {})
    now = CLOCK.now()
    for gone in [each for each in held if held[each].leaves <= now]:
        del held[gone]
        backend.tags.pop(gone, None)
    return held


def _in_bin(call: Call, prefix: str, wanted: list[str], missing: str) -> list[Binned]:
    held = {name: each for name, each in _bin(call.backend).items() if name.startswith(prefix)}
    for name in wanted:
        if name not in held:
            raise refusal(missing, f"{name} is not in the Recycle Bin")
    return [each for name, each in held.items() if not wanted or name in wanted]


def list_images_in_recycle_bin(call: Call) -> Answer:
    """Answer ListImagesInRecycleBin."""
    found = _in_bin(call, "ami-", call.get("ImageIds", []), "InvalidAMIID.NotFound")
    records = [
        {
            "ImageId": each.thing.id,
            "Name": each.thing.name,
            **_stay(each),
        }
        for each in found
    ]
    return call.page("Images", records)


def list_snapshots_in_recycle_bin(call: Call) -> Answer:
    """Answer ListSnapshotsInRecycleBin."""
    found = _in_bin(call, "snap-", call.get("SnapshotIds", []), "InvalidSnapshot.NotFound")
    records = [
        {
            "SnapshotId": each.thing.id,
            "VolumeId": each.thing.volume_id,
            **_stay(each),
        }
        for each in found
    ]
    return call.page("Snapshots", records)


def _stay(held: Binned) -> dict[str, Any]:
    return {
        "Description": held.thing.description,
        "RecycleBinEnterTime": held.entered,
        "RecycleBinExitTime": held.leaves,
    }


def restore_image_from_recycle_bin(call: Call) -> Answer:
    """Answer RestoreImageFromRecycleBin: the AMI is back as it was, once all of its snapshots are."""
    (held,) = _in_bin(call, "ami-", [call.need("ImageId")], "InvalidAMIID.NotFound")
    image, backend = held.thing, call.backend
    binned = [each for each in image.snapshot_ids if each in _bin(backend)]
    if binned:
        raise refusal("InvalidSnapshot.NotFound", f"Restore the snapshots {', '.join(binned)} of {image.id} first")
    lost = [each for each in image.snapshot_ids if each not in backend.snapshots]
    if lost:
        raise refusal("InvalidSnapshot.NotFound", f"The snapshots {', '.join(lost)} of {image.id} are gone")
    check_name(image.name, backend.amis)
    del _bin(backend)[image.id]
    backend.amis[image.id] = image
    return {"Return": True}


def restore_snapshot_from_recycle_bin(call: Call) -> Answer:
    """Answer RestoreSnapshotFromRecycleBin."""
    (held,) = _in_bin(call, "snap-", [call.need("SnapshotId")], "InvalidSnapshot.NotFound")
    snapshot: HeldSnapshot = held.thing
    del _bin(call.backend)[snapshot.id]
    call.backend.snapshots[snapshot.id] = snapshot
    record = snapshot.describe()
    members = (
        "Description",
        "Encrypted",
        "OwnerId",
        "Progress",
        "SnapshotId",
        "StartTime",
        "State",
        "VolumeId",
        "VolumeSize",
    )
    return {name: record[name] for name in members if name in record}


OPERATIONS: Final[dict[str, Operation]] = {
    "ListImagesInRecycleBin": list_images_in_recycle_bin,
    "ListSnapshotsInRecycleBin": list_snapshots_in_recycle_bin,
    "RestoreImageFromRecycleBin": restore_image_from_recycle_bin,
    "RestoreSnapshotFromRecycleBin": restore_snapshot_from_recycle_bin,
}
