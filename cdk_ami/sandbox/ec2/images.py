"""AMIs from instances, snapshots and other AMIs."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, Final

from moto.ec2.models import ec2_backends
from moto.ec2.utils import random_ami_id

from cdk_ami.sandbox.ec2.call import Answer, Call, Operation, select
from cdk_ami.sandbox.ec2.image import FILTERS, Image, Origin, Shape
from cdk_ami.sandbox.ec2.keys import UnusableKeyError, check_readable, encryption_key, is_default_key
from cdk_ami.sandbox.ec2.naming import check_description, check_name, tags_by_type
from cdk_ami.sandbox.ec2.notices import tell_image_when_ready
from cdk_ami.sandbox.ec2.refusal import refusal
from cdk_ami.sandbox.ec2.snapshots import add_snapshot, can_use, check_copies, copy_seconds
from cdk_ami.sandbox.ec2.visibility import find_image, known_image, visible_images
from cdk_ami.sandbox.pace import PACE

Tags = Mapping[str, dict[str, str]]


class ImageOperations:
    """Methods for the emulator's ``AmiBackend``, which its own code calls."""

    account_id: str
    region_name: str
    amis: dict[str, Image]

    def _load_amis(self) -> None:
        """Load nothing: the vendors' images are the same for everybody and are kept once."""

    def describe_images(
        self,
        ami_ids: list[str] | None = None,
        filters: dict[str, Any] | None = None,
        exec_users: list[str] | None = None,
        owners: list[str] | None = None,
    ) -> list[Image]:
        """Return what the account may see and the request selects."""
        del exec_users
        if ami_ids:
            images = [find_image(self.region_name, self.account_id, image_id) for image_id in ami_ids]
        else:
            images = visible_images(self.region_name, self.account_id)
        if owners:
            named = {self.account_id if owner == "self" else owner for owner in owners}
            images = [image for image in images if image.owner_id in named or image.owner_alias in named]
        wanted = {name: [values] if isinstance(values, str) else values for name, values in (filters or {}).items()}
        return select(images, wanted, FILTERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Capture:
    """What the snapshots of a new AMI have in common."""

    call: Call
    instance: Any
    image_id: str
    tags: Tags
    failure: str | None


def create_image(call: Call) -> Answer:
    """Answer CreateImage.

    The instance is rebooted unless asked not to, which shows nowhere, for nothing boots here.
    """
    backend = call.backend
    name = check_name(call.get("Name"), backend.amis)
    description = check_description(call.get("Description"))
    instance = backend.get_instance(call.need("InstanceId"))
    if instance.state not in {"running", "stopped", "stopping", "pending"}:
        raise refusal("IncorrectInstanceState", f"Instance '{instance.id}' is not 'running' or 'stopped'.")
    if call.get("SnapshotLocation"):
        raise refusal(
            "UnsupportedOperation", "SnapshotLocation is for Local Zones and Outposts, which the sandbox has not"
        )
    tags = tags_by_type(call.get("TagSpecifications", []), allowed=("image", "snapshot"))
    wanted = {mapping["DeviceName"]: mapping for mapping in call.get("BlockDeviceMappings", [])}
    capture = _Capture(
        call=call,
        instance=instance,
        image_id=random_ami_id(),
        tags=tags,
        failure=_unreadable(call, instance),
    )
    mappings = []
    for device, attached in instance.get_block_device_mapping:
        asked = wanted.pop(device, {})
        if "NoDevice" not in asked:
            mappings.append(_snapshot_volume(capture, device, attached, asked))
    for device, asked in wanted.items():
        if "NoDevice" not in asked and "Ebs" in asked:
            mappings.append(_new_device(call, device, asked["Ebs"]))
    source = known_image(call.region, call.account, instance.image_id)
    shape = (
        source.shape
        if source
        else Shape(
            architecture=instance.architecture,
            windows=instance.platform == "windows",
            root_device_name=instance.root_device_name,
        )
    )
    image = Image(
        backend,
        capture.image_id,
        name=name,
        owner_id=call.account,
        region=call.region,
        description=description,
        shape=replace(shape, boot_mode=call.get("BootModeOverride", shape.boot_mode)),
        mappings=mappings,
        origin=Origin(
            image_id=instance.image_id,
            region=call.region,
            owner_id=source.owner_id if source else None,
            instance_id=instance.id,
        ),
        seconds=PACE.image,
        failure=capture.failure,
        watermarks=dict(source.watermarks) if source else None,
    )
    return _keep(backend, image, tags)


def _unreadable(call: Call, instance: Any) -> str | None:
    """Return why a volume of an instance cannot be read, which fails the AMI later; None when all can."""
    for _, attached in instance.get_block_device_mapping:
        volume = call.backend.get_volume(attached.volume_id)
        try:
            check_readable(call.caller, volume.kms_key_id if volume.encrypted else None)
        except UnusableKeyError as error:
            return f"Given key ID is not accessible: {error}"
    return None


def _snapshot_volume(capture: _Capture, device: str, attached: Any, asked: dict[str, Any]) -> dict[str, Any]:
    volume = capture.call.backend.get_volume(attached.volume_id)
    ebs = asked.get("Ebs", {})
    for key, actual in (("VolumeSize", volume.size), ("Encrypted", volume.encrypted)):
        if key in ebs and ebs[key] != actual:
            raise refusal(
                "InvalidBlockDeviceMapping",
                f"{key} of {device} cannot be changed when an image is made of an instance; only "
                "DeleteOnTermination can",
            )
    snapshot = add_snapshot(
        capture.call.backend,
        size=volume.size,
        volume_id=volume.id,
        description=f"Created by CreateImage({capture.instance.id}) for {capture.image_id}",
        key=volume.kms_key_id if volume.encrypted else None,
        image_id=capture.image_id,
        tags=capture.tags.get("snapshot"),
        seconds=PACE.image,
        failure=capture.failure,
    )
    return _mapping(
        device,
        snapshot,
        volume_type=volume.volume_type,
        iops=volume.iops,
        throughput=volume.throughput,
        delete=ebs.get("DeleteOnTermination", attached.delete_on_termination),
    )


def _new_device(call: Call, device: str, ebs: dict[str, Any]) -> dict[str, Any]:
    if ebs.get("SnapshotId"):
        snapshot = call.backend.get_snapshot(ebs["SnapshotId"])
        if ebs.get("Encrypted") not in (None, snapshot.encrypted):
            raise refusal("InvalidBlockDeviceMapping", f"Encryption of {device} follows its snapshot {snapshot.id}")
        if int(ebs.get("VolumeSize") or snapshot.volume_size) < snapshot.volume_size:
            raise refusal(
                "InvalidBlockDeviceMapping",
                f"Volume of size {ebs['VolumeSize']}GB is smaller than snapshot '{snapshot.id}', "
                f"expect size>= {snapshot.volume_size}GB",
            )
        mapping = _mapping(
            device,
            snapshot,
            volume_type=ebs.get("VolumeType", "gp2"),
            iops=ebs.get("Iops"),
            throughput=ebs.get("Throughput"),
            delete=ebs.get("DeleteOnTermination", True),
        )
        mapping["Ebs"]["VolumeSize"] = int(ebs.get("VolumeSize") or snapshot.volume_size)
        return mapping
    if not ebs.get("VolumeSize"):
        raise refusal("MissingParameter", f"The request must contain the size or the snapshotId of {device}")
    blank = {"VolumeType": "gp2", "DeleteOnTermination": True} | ebs
    encrypted = bool(ebs.get("Encrypted") or call.backend.get_ebs_encryption_by_default())
    return {"DeviceName": device, "Ebs": blank | {"Encrypted": encrypted}}


def _mapping(
    device: str, snapshot: Any, *, volume_type: str, iops: int | None, throughput: int | None, delete: bool
) -> dict[str, Any]:
    ebs = {
        "DeleteOnTermination": delete,
        "Encrypted": snapshot.encrypted,
        "Iops": iops if volume_type in {"gp3", "io1", "io2"} else None,
        "SnapshotId": snapshot.id,
        "Throughput": throughput if volume_type == "gp3" else None,
        "VolumeSize": snapshot.volume_size,
        "VolumeType": volume_type,
    }
    return {"DeviceName": device, "Ebs": {key: value for key, value in ebs.items() if value is not None}}


def copy_image(call: Call) -> Answer:
    """Answer CopyImage: from another Region, from another account, or under another key."""
    backend, region, source_id = call.backend, call.need("SourceRegion"), call.need("SourceImageId")
    for parameter in ("DestinationOutpostArn", "DestinationAvailabilityZone", "DestinationAvailabilityZoneId"):
        if call.get(parameter):
            raise refusal("UnsupportedOperation", f"The sandbox has no Outposts and no Local Zones: {parameter}")
    if not dict.__contains__(ec2_backends[call.account], region):
        check_region(backend, region)
    source = find_image(region, call.account, source_id)
    if source.state != "available":
        raise refusal("InvalidAMIID.Unavailable", f"The image ID '{source_id}' is not available: it is {source.state}")
    snapshots = [snapshot_of(source, snapshot_id) for snapshot_id in source.snapshot_ids]
    if not all(snapshot is None or can_use(snapshot, call.account) for snapshot in snapshots):
        raise refusal("InvalidRequest", "You do not have permission to access the storage of this ami")
    name = check_name(call.get("Name"), backend.amis)
    tags = tags_by_type(call.get("TagSpecifications", []), allowed=("image", "snapshot"))
    if call.get("KmsKeyId") and not call.get("Encrypted"):
        raise refusal(
            "InvalidParameterDependency", "The parameter KmsKeyId requires the parameter Encrypted to be set."
        )
    seconds = copy_seconds(PACE.image, call.get("SnapshotCopyCompletionDurationMinutes"))
    check_copies(backend, len(source.snapshot_ids))
    if call.get("CopyImageTags") and source.owner_id == call.account:
        own = {tag["key"]: tag["value"] for tag in source.get_tags() if not tag["key"].startswith("aws:")}
        tags["image"] = own | tags.get("image", {})
    image_id = random_ami_id()
    mappings, failure = _copy_mappings(call, source, image_id, tags, seconds)
    image = Image(
        backend,
        image_id,
        name=name,
        owner_id=call.account,
        region=call.region,
        description=check_description(call.get("Description")) or f"[Copied {source_id} from {region}] {source.name}",
        shape=replace(source.shape),
        mappings=mappings,
        origin=Origin(image_id=source_id, region=region, owner_id=source.owner_id),
        failure=failure,
        seconds=seconds,
        watermarks=dict(source.watermarks),
    )
    return _keep(backend, image, tags)


def check_region(backend: Any, region: str) -> None:
    """Refuse a Region that does not exist, or is of another partition."""
    if region not in {each.name for each in backend.describe_regions()}:
        raise refusal("InvalidParameterValue", f"Invalid value '{region}' for sourceRegion: it is no Region from here")


def _copy_mappings(
    call: Call, source: Image, image_id: str, tags: Tags, seconds: float
) -> tuple[list[dict[str, Any]], str | None]:
    """Copy the snapshots of ``source``.  A key that cannot be used fails the copy later, as EC2 does it."""
    mappings: list[dict[str, Any]] = []
    for mapping in source.mappings:
        copied = deepcopy(mapping)
        mappings.append(copied)
        ebs = copied.get("Ebs", {})
        if not ebs.get("SnapshotId"):
            continue
        held = snapshot_of(source, ebs["SnapshotId"])
        encrypted = held is not None and held.encrypted
        if held is not None and encrypted and call.account != source.owner_id and is_default_key(held.kms_key_id):
            return [], f"Snapshot {held.id} is encrypted with a default key, which no other account can use"
        try:
            check_readable(call.caller, held.kms_key_id if held is not None and encrypted else None)
            wanted = {"Encrypted": bool(encrypted or call.get("Encrypted")) or None, "KmsKeyId": call.get("KmsKeyId")}
            key = encryption_key(call.backend, wanted, call.caller)
        except UnusableKeyError as error:
            return [], f"Given key ID is not accessible: {error}"
        snapshot = add_snapshot(
            call.backend,
            size=held.volume_size if held is not None else ebs["VolumeSize"],
            description=f"Copied for DestinationAmi {image_id} from SourceAmi {source.id} "
            f"for SourceSnapshot {ebs['SnapshotId']}",
            key=key,
            image_id=image_id,
            tags=tags.get("snapshot"),
            seconds=seconds,
            copied=True,
            minutes=call.get("SnapshotCopyCompletionDurationMinutes"),
        )
        ebs |= {"SnapshotId": snapshot.id, "Encrypted": snapshot.encrypted}
    return mappings, None


def snapshot_of(image: Image, snapshot_id: str) -> Any:
    """Return a snapshot that holds a volume of an AMI; None for those of the vendors' images, which are no records."""
    return image.ec2_backend.snapshots.get(snapshot_id) if image.ec2_backend is not None else None


def register_image(call: Call) -> Answer:
    """Answer RegisterImage: an AMI of snapshots that are there already."""
    backend = call.backend
    name = check_name(call.get("Name"), backend.amis)
    tags = tags_by_type(call.get("TagSpecifications", []), allowed=("image", "snapshot"))
    if call.get("ImageLocation"):
        raise refusal("UnsupportedOperation", "The sandbox has no instance store AMIs: imageLocation")
    root = call.get("RootDeviceName")
    devices = {mapping["DeviceName"]: mapping for mapping in call.get("BlockDeviceMappings", [])}
    if not root:
        raise refusal("MissingParameter", "The request must contain the parameter rootDeviceName")
    if not devices.get(root, {}).get("Ebs", {}).get("SnapshotId"):
        raise refusal("InvalidBlockDeviceMapping", f"The root device {root} needs the snapshot to start from")
    for device, mapping in devices.items():
        if mapping.get("Ebs", {}).get("Encrypted") is not None:
            raise refusal("InvalidBlockDeviceMapping", f"Encryption of {device} follows its snapshot")
    shape = Shape(
        architecture=call.get("Architecture", "i386"),
        root_device_name=root,
        boot_mode=call.get("BootMode"),
        imds_support=call.get("ImdsSupport"),
        virtualization_type=call.get("VirtualizationType", "paravirtual"),
        ena_support=bool(call.get("EnaSupport", False)),
        tpm_support=call.get("TpmSupport"),
        uefi_data=call.get("UefiData"),
    )
    if shape.tpm_support and shape.boot_mode != "uefi":
        raise refusal("InvalidParameterCombination", "TpmSupport needs the boot mode uefi")
    mappings = [_new_device(call, device, devices[device].get("Ebs", {})) for device in devices]
    held = [backend.get_snapshot(each["Ebs"]["SnapshotId"]) for each in mappings if "SnapshotId" in each["Ebs"]]
    for snapshot in held:
        if snapshot.status != "completed":
            raise refusal("IncorrectState", f"The snapshot {snapshot.id} is {snapshot.status}")
    image = Image(
        backend,
        random_ami_id(),
        name=name,
        owner_id=call.account,
        region=call.region,
        description=check_description(call.get("Description")),
        shape=shape,
        mappings=mappings,
        seconds=PACE.image,
    )
    for snapshot in held:
        snapshot.from_ami = image.id
    return _keep(backend, image, tags)


def _keep(backend: Any, image: Image, tags: Tags) -> Answer:
    backend.amis[image.id] = image
    image.add_tags(tags.get("image", {}))
    tell_image_when_ready(image)
    return {"ImageId": image.id}


OPERATIONS: Final[dict[str, Operation]] = {
    "CopyImage": copy_image,
    "CreateImage": create_image,
    "RegisterImage": register_image,
}
