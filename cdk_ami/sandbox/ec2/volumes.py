"""Volumes: those of a new instance, as its AMI holds them and the launch changes them, and those made one by one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final

from moto.ec2.models.elastic_block_store import Volume
from moto.ec2.utils import random_volume_id

from cdk_ami.sandbox.ec2 import fast_restore
from cdk_ami.sandbox.ec2.image import Image
from cdk_ami.sandbox.ec2.keys import UnusableKeyError, check_readable, encryption_key
from cdk_ami.sandbox.ec2.refusal import refusal
from cdk_ami.sandbox.ec2.snapshots import find_snapshot

INITIALIZATION_RATES: Final = range(100, 301)
"""MiB/s.  https://docs.aws.amazon.com/ebs/latest/userguide/initalize-volume.html."""

WITH_IOPS: Final = frozenset({"gp3", "io1", "io2"})
"""Volume types whose IOPS one sets.  https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_EbsBlockDevice.html."""


class HeldVolume(Volume):  # type: ignore[misc]
    """A volume that knows how it was filled, and whether its key could be used."""

    volume_initialization_rate: int | None = None
    fast_restored = False
    failed = False

    @property
    def status(self) -> str:
        """State in EC2's words."""
        return "error" if self.failed else str(super().status)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedVolume:
    """A volume to make.

    Attributes:
        device: Such as ``/dev/xvda``.
        size: GiB.
        volume_type: Such as ``gp3``.
        snapshot_id: What it is made of; None for a blank one.
        key: ARN of the key that encrypts it; None for no encryption.
        iops: Where the type has them.
        throughput: MiB/s, for gp3.
        delete: Whether it goes with its instance.
        rate: MiB/s at which its snapshot is read; None takes its time.
        failure: Why its key cannot be used, which shows once it is made; None when it can.
    """

    device: str
    size: int
    volume_type: str
    snapshot_id: str | None
    key: str | None
    iops: int | None
    throughput: int | None
    delete: bool
    rate: int | None
    failure: UnusableKeyError | None


def merge_mappings(*layers: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return block device mappings by device, each layer over the one before; ``NoDevice`` takes a device away."""
    merged: dict[str, dict[str, Any]] = {}
    for layer in layers:
        for mapping in layer:
            device = mapping["DeviceName"]
            if "NoDevice" in mapping:
                merged[device] = {"DeviceName": device, "NoDevice": ""}
            else:
                before = merged.get(device, {})
                ebs = {**before.get("Ebs", {}), **mapping.get("Ebs", {})}
                merged[device] = {"DeviceName": device, **({"Ebs": deepcopy(ebs)} if ebs else {})}
    return list(merged.values())


def plan_volumes(
    backend: Any, image: Image, overrides: Sequence[dict[str, Any]], principal: str
) -> list[PlannedVolume]:
    """Return the volumes of an instance launched from ``image`` by ``principal``.

    Raises:
        EC2ClientError: When a mapping asks for what its snapshot does not allow.
    """
    mappings = merge_mappings(image.mappings, _without_image_encryption(image, overrides))
    return [
        plan_volume(backend, mapping["DeviceName"], mapping["Ebs"], principal, image=image)
        for mapping in mappings
        if "NoDevice" not in mapping and "Ebs" in mapping
    ]


def _without_image_encryption(image: Image, overrides: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Let ``Encrypted`` of an AMI's mapping, which describes its snapshot, not count as a wish of the request."""
    asked = {mapping["DeviceName"]: mapping.get("Ebs", {}) for mapping in overrides}
    neutral = [
        {
            "DeviceName": mapping["DeviceName"],
            "Ebs": {"Encrypted": asked.get(mapping["DeviceName"], {}).get("Encrypted")},
        }
        for mapping in image.mappings
        if mapping.get("Ebs", {}).get("SnapshotId")
    ]
    return [*neutral, *overrides]


def plan_volume(
    backend: Any, device: str, ebs: dict[str, Any], principal: str, *, image: Image | None = None
) -> PlannedVolume:
    """Return the volume that ``ebs`` describes.

    Args:
        backend: The caller's EC2 in the Region.
        device: Where it is attached, for messages.
        ebs: The members of a block device mapping.
        principal: ARN of who asks.
        image: The AMI whose snapshots may be used beside those that the caller can use himself.

    Raises:
        EC2ClientError: When the request asks for what EC2 does not make.
    """
    snapshot_id = ebs.get("SnapshotId")
    smallest, inherited = _held(backend, image, snapshot_id) if snapshot_id else (1, None)
    size = int(ebs.get("VolumeSize") or (smallest if snapshot_id else 0))
    if not size:
        raise refusal("MissingParameter", f"The request must contain the size or the snapshotId of {device}")
    if size < smallest:
        raise refusal(
            "InvalidBlockDeviceMapping",
            f"Volume of size {size}GB is smaller than snapshot '{snapshot_id}', expect size>= {smallest}GB",
        )
    volume_type = ebs.get("VolumeType") or "gp2"
    iops, throughput = ebs.get("Iops"), ebs.get("Throughput")
    if volume_type in {"io1", "io2"} and not iops:
        raise refusal("MissingParameter", f"The request must contain the parameter iops for {volume_type} volumes")
    if volume_type == "gp3":
        iops, throughput = iops or 3000, throughput or 125
    check_rate(ebs)
    key, failure = None, None
    try:
        check_readable(principal, inherited)
        key = encryption_key(backend, ebs, principal, inherited=inherited)
    except UnusableKeyError as error:
        failure = error
    return PlannedVolume(
        device=device,
        size=size,
        volume_type=volume_type,
        snapshot_id=snapshot_id,
        key=key,
        iops=iops if volume_type in WITH_IOPS else None,
        throughput=throughput if volume_type == "gp3" else None,
        delete=bool(ebs.get("DeleteOnTermination", True)),
        rate=ebs.get("VolumeInitializationRate"),
        failure=failure,
    )


def check_rate(ebs: dict[str, Any]) -> None:
    """Refuse a rate of initialization that EC2 does not offer.

    Raises:
        EC2ClientError: InvalidParameterValue.
    """
    rate = ebs.get("VolumeInitializationRate")
    if rate is not None and int(rate) not in INITIALIZATION_RATES:
        raise refusal(
            "InvalidParameterValue",
            f"The volume initialization rate is {INITIALIZATION_RATES[0]} to {INITIALIZATION_RATES[-1]} MiB/s, "
            f"got {rate}",
        )


def _held(backend: Any, image: Image | None, snapshot_id: str) -> tuple[int, str | None]:
    """Return the size and the key of a snapshot: the AMI's, or one that the caller can use."""
    if image is not None and image.ec2_backend is None:
        for mapping in image.mappings:
            if mapping.get("Ebs", {}).get("SnapshotId") == snapshot_id:
                return mapping["Ebs"]["VolumeSize"], None
    snapshot = None
    if image is not None and image.ec2_backend is not None and snapshot_id in image.snapshot_ids:
        snapshot = image.ec2_backend.snapshots.get(snapshot_id)
    if snapshot is None:
        snapshot = find_snapshot(backend.region_name, backend.account_id, snapshot_id)
    if snapshot.status != "completed":
        raise refusal("IncorrectState", f"The snapshot {snapshot_id} is {snapshot.status}")
    return snapshot.volume_size, snapshot.kms_key_id if snapshot.encrypted else None


def make_volume(backend: Any, zone: str, plan: PlannedVolume, tags: dict[str, str]) -> HeldVolume:
    """Make a planned volume in a zone."""
    volume = HeldVolume(
        backend,
        volume_id=random_volume_id(),
        size=plan.size,
        zone=backend.get_zone_by_name(zone),
        snapshot_id=plan.snapshot_id,
        encrypted=plan.key is not None,
        kms_key_id=plan.key,
        volume_type=plan.volume_type,
        iops=plan.iops,
        throughput=plan.throughput,
    )
    volume.volume_initialization_rate = plan.rate
    volume.fast_restored = fast_restore.is_enabled(backend, plan.snapshot_id, zone)
    volume.failed = plan.failure is not None
    backend.volumes[volume.id] = volume
    volume.add_tags(tags)
    return volume


def attach_volumes(backend: Any, instance: Any, planned: Sequence[PlannedVolume], tags: dict[str, str]) -> None:
    """Make the planned volumes in the instance's zone and attach them."""
    for plan in planned:
        volume = make_volume(backend, instance.placement.zone, plan, tags)
        backend.attach_volume(volume.id, instance.id, plan.device, plan.delete)
