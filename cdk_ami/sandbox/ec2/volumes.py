"""The volumes of a new instance: what its AMI holds, as the launch changes it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from moto.ec2.models.elastic_block_store import Volume
from moto.ec2.utils import random_volume_id

from cdk_ami.sandbox.ec2.image import Image
from cdk_ami.sandbox.ec2.keys import is_default_key
from cdk_ami.sandbox.ec2.refusal import refusal
from cdk_ami.sandbox.ec2.snapshots import encryption_key


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
    """

    device: str
    size: int
    volume_type: str
    snapshot_id: str | None
    key: str | None
    iops: int | None
    throughput: int | None
    delete: bool


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


def plan_volumes(backend: Any, image: Image, overrides: Sequence[dict[str, Any]]) -> list[PlannedVolume]:
    """Return the volumes of an instance launched from ``image``.

    Raises:
        EC2ClientError: When a mapping asks for what its snapshot or its key does not allow.
    """
    mappings = merge_mappings(image.mappings, _without_image_encryption(image, overrides))
    return [
        _plan(backend, image, mapping["DeviceName"], mapping["Ebs"])
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
        if "Ebs" in mapping
    ]
    return [*neutral, *overrides]


def _plan(backend: Any, image: Image, device: str, ebs: dict[str, Any]) -> PlannedVolume:
    snapshot_id = ebs.get("SnapshotId")
    smallest, inherited = 1, None
    if snapshot_id:
        smallest, inherited = _held(backend, image, snapshot_id)
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
    return PlannedVolume(
        device=device,
        size=size,
        volume_type=volume_type,
        snapshot_id=snapshot_id,
        key=encryption_key(backend, ebs, inherited=inherited),
        iops=iops if volume_type in {"gp3", "io1", "io2"} else None,
        throughput=throughput if volume_type == "gp3" else None,
        delete=bool(ebs.get("DeleteOnTermination", True)),
    )


def _held(backend: Any, image: Image, snapshot_id: str) -> tuple[int, str | None]:
    """Return the size and the key of a snapshot: the AMI's, or one of the caller's own."""
    for mapping in image.mappings:
        if mapping.get("Ebs", {}).get("SnapshotId") == snapshot_id and image.ec2_backend is None:
            return mapping["Ebs"]["VolumeSize"], None
    owner = image.ec2_backend if image.ec2_backend and snapshot_id in image.snapshot_ids else backend
    snapshot = owner.snapshots.get(snapshot_id)
    if snapshot is None:
        raise refusal("InvalidSnapshot.NotFound", f"The snapshot '{snapshot_id}' does not exist.")
    if owner.account_id != backend.account_id and snapshot.encrypted and is_default_key(snapshot.kms_key_id):
        raise refusal(
            "InvalidKMSKey.InvalidState",
            f"The snapshot {snapshot_id} is encrypted with the default key of {owner.account_id}, which no other "
            "account can use",
        )
    return snapshot.volume_size, snapshot.kms_key_id if snapshot.encrypted else None


def attach_volumes(backend: Any, instance: Any, planned: Sequence[PlannedVolume], tags: dict[str, str]) -> None:
    """Make the planned volumes in the instance's zone and attach them."""
    zone = backend.get_zone_by_name(instance.placement.zone)
    for plan in planned:
        volume = Volume(
            backend,
            volume_id=random_volume_id(),
            size=plan.size,
            zone=zone,
            snapshot_id=plan.snapshot_id,
            encrypted=plan.key is not None,
            kms_key_id=plan.key,
            volume_type=plan.volume_type,
            iops=plan.iops,
            throughput=plan.throughput,
        )
        backend.volumes[volume.id] = volume
        volume.add_tags(tags)
        backend.attach_volume(volume.id, instance.id, plan.device, plan.delete)
