"""AMIs from instances, snapshots and other AMIs: the operations of EC2's backend."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any, Final

from moto.ec2.models import ec2_backends
from moto.ec2.utils import generic_filter, random_ami_id

from cdk_ami.sandbox.ec2 import idempotency
from cdk_ami.sandbox.ec2.image import Image, Origin, Shape, vendor_images
from cdk_ami.sandbox.ec2.keys import UnusableKeyError, default_key, is_default_key, resolve_key
from cdk_ami.sandbox.ec2.naming import check_description, check_name, tags_by_type
from cdk_ami.sandbox.ec2.refusal import refusal
from cdk_ami.sandbox.ec2.snapshots import add_snapshot, encryption_key
from cdk_ami.sandbox.ec2.visibility import find_image, own_image, visible_images
from cdk_ami.sandbox.serial import LOCK

NEW: Final = frozenset({"sandbox_create_image", "sandbox_copy_image", "sandbox_register_image"})
"""Methods that the emulator's class must not have yet."""


class ImageOperations:
    """Methods for the emulator's ``AmiBackend``."""

    account_id: str
    region_name: str
    amis: dict[str, Image]

    def _load_amis(self) -> None:
        """Load nothing: the vendors' images are the same for everybody and are kept once."""

    def sandbox_create_image(self, request: dict[str, Any]) -> Image:
        """Make an AMI of an instance.  ``request`` is CreateImage's."""
        return _create_image(self, request)

    def sandbox_copy_image(self, request: dict[str, Any]) -> Image:
        """Copy an AMI from another Region or into another account.  ``request`` is CopyImage's."""
        with LOCK:
            image: Image | None = idempotency.known(self, "CopyImage", request)
            if image is None:
                image = _copy_image(self, request)
                idempotency.keep(self, "CopyImage", request, image)
            return image

    def sandbox_register_image(self, request: dict[str, Any]) -> Image:
        """Make an AMI of snapshots.  ``request`` is RegisterImage's."""
        return _register_image(self, request)

    def describe_images(
        self,
        ami_ids: list[str] | None = None,
        filters: dict[str, Any] | None = None,
        exec_users: list[str] | None = None,
        owners: list[str] | None = None,
    ) -> list[Image]:
        """Return what the account may see and the request selects."""
        if ami_ids:
            images = [find_image(self.region_name, self.account_id, image_id) for image_id in ami_ids]
        else:
            images = visible_images(self.region_name, self.account_id)
        if owners:
            wanted = {self.account_id if owner == "self" else owner for owner in owners}
            images = [image for image in images if image.owner_id in wanted or image.owner_alias in wanted]
        if exec_users:
            images = [image for image in images if _executable(image, exec_users, self.account_id)]
        return list(generic_filter(filters, images)) if filters else images

    def deregister_image(self, ami_id: str) -> None:
        """Take an AMI away.  Its snapshots stay."""
        image = own_image(self.region_name, self.account_id, ami_id)
        if image.protection != "disabled":
            raise refusal(
                "OperationNotPermitted", f"The image {ami_id} is protected from deregistration; switch that off first"
            )
        del self.amis[ami_id]


def _executable(image: Image, users: list[str], account: str) -> bool:
    for user in users:
        if user == "all" and image.sharing.public:
            return True
        if user == "self" and account in image.sharing.accounts:
            return True
        if user in image.sharing.accounts:
            return True
    return False


def _create_image(backend: Any, request: dict[str, Any]) -> Image:
    name = check_name(request.get("Name"), backend.amis)
    description = check_description(request.get("Description"))
    instance = backend.get_instance(request.get("InstanceId"))
    if instance.state not in {"running", "stopped", "stopping", "pending"}:
        raise refusal("IncorrectInstanceState", f"Instance '{instance.id}' is not 'running' or 'stopped'.")
    tags = tags_by_type(request.get("TagSpecifications", []), allowed=("image", "snapshot"))
    wanted = {mapping["DeviceName"]: mapping for mapping in request.get("BlockDeviceMappings", [])}
    image_id = random_ami_id()
    mappings = []
    for device, attached in instance.get_block_device_mapping:
        asked = wanted.pop(device, {})
        if "NoDevice" in asked:
            continue
        mappings.append(_snapshot_volume(backend, instance, device, attached, asked, image_id, tags))
    for device, asked in wanted.items():
        if "NoDevice" not in asked and "Ebs" in asked:
            mappings.append(_new_device(backend, device, asked["Ebs"]))
    source = _find_or_none(backend, instance.image_id)
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
        image_id,
        name=name,
        owner_id=backend.account_id,
        region=backend.region_name,
        description=description,
        shape=replace(shape),
        mappings=mappings,
        origin=Origin(
            image_id=instance.image_id,
            region=backend.region_name,
            owner_id=source.owner_id if source else None,
            instance_id=instance.id,
        ),
    )
    return _keep(backend, image, tags)


def _snapshot_volume(  # noqa: PLR0917 - all of it is needed
    backend: Any,
    instance: Any,
    device: str,
    attached: Any,
    asked: dict[str, Any],
    image_id: str,
    tags: dict[str, dict[str, str]],
) -> dict[str, Any]:
    volume = backend.get_volume(attached.volume_id)
    ebs = asked.get("Ebs", {})
    for key, actual in (("VolumeSize", volume.size), ("Encrypted", volume.encrypted)):
        if key in ebs and ebs[key] != actual:
            raise refusal(
                "InvalidBlockDeviceMapping",
                f"{key} of {device} cannot be changed when an image is made of an instance; only "
                "DeleteOnTermination can",
            )
    snapshot = add_snapshot(
        backend,
        size=volume.size,
        volume_id=volume.id,
        description=f"Created by CreateImage({instance.id}) for {image_id}",
        key=volume.kms_key_id if volume.encrypted else None,
        image_id=image_id,
        tags=tags.get("snapshot"),
    )
    return _mapping(
        device,
        snapshot,
        volume_type=volume.volume_type,
        iops=volume.iops,
        throughput=volume.throughput,
        delete=ebs.get("DeleteOnTermination", attached.delete_on_termination),
    )


def _new_device(backend: Any, device: str, ebs: dict[str, Any]) -> dict[str, Any]:
    if ebs.get("SnapshotId"):
        snapshot = backend.get_snapshot(ebs["SnapshotId"])
        return _mapping(
            device,
            snapshot,
            volume_type=ebs.get("VolumeType", "gp2"),
            iops=ebs.get("Iops"),
            throughput=ebs.get("Throughput"),
            delete=ebs.get("DeleteOnTermination", True),
        )
    if not ebs.get("VolumeSize"):
        raise refusal("MissingParameter", f"The request must contain the size or the snapshotId of {device}")
    key = encryption_key(backend, ebs)
    blank = {"VolumeType": "gp2", "DeleteOnTermination": True} | ebs | {"Encrypted": key is not None}
    blank.pop("KmsKeyId", None)
    return {"DeviceName": device, "Ebs": blank}


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


def _copy_image(backend: Any, request: dict[str, Any]) -> Image:
    region, source_id = request.get("SourceRegion"), request.get("SourceImageId")
    if not region or not source_id:
        missing = "sourceRegion" if not region else "sourceImageId"
        raise refusal("MissingParameter", f"The request must contain the parameter {missing}")
    if region not in ec2_backends[backend.account_id]:
        raise refusal("InvalidParameterValue", f"Invalid value '{region}' for sourceRegion.")
    source = find_image(region, backend.account_id, source_id)
    if source.state != "available":
        raise refusal("InvalidAMIID.Unavailable", f"The image ID '{source_id}' is not available: it is {source.state}")
    name = check_name(request.get("Name"), backend.amis)
    tags = tags_by_type(request.get("TagSpecifications", []), allowed=("image", "snapshot"))
    if request.get("KmsKeyId") and not request.get("Encrypted"):
        raise refusal(
            "InvalidParameterDependency", "The parameter KmsKeyId requires the parameter Encrypted to be set."
        )
    if request.get("CopyImageTags") and source.owner_id == backend.account_id:
        own = {tag["key"]: tag["value"] for tag in source.get_tags() if not tag["key"].startswith("aws:")}
        tags["image"] = own | tags.get("image", {})
    image_id = random_ami_id()
    mappings, failure = _copy_mappings(backend, source, request, image_id, tags)
    image = Image(
        backend,
        image_id,
        name=name,
        owner_id=backend.account_id,
        region=backend.region_name,
        description=check_description(request.get("Description"))
        or f"[Copied {source_id} from {region}] {source.name}",
        shape=replace(source.shape),
        mappings=mappings,
        origin=Origin(image_id=source_id, region=region, owner_id=source.owner_id),
        failure=failure,
    )
    return _keep(backend, image, tags)


def _copy_mappings(
    backend: Any, source: Image, request: dict[str, Any], image_id: str, tags: dict[str, dict[str, str]]
) -> tuple[list[dict[str, Any]], str | None]:
    """Copy the snapshots of ``source``.  A key that cannot be used fails the copy later, as EC2 does it."""
    account = backend.account_id
    mappings: list[dict[str, Any]] = []
    for mapping in source.mappings:
        copied = deepcopy(mapping)
        mappings.append(copied)
        ebs = copied.get("Ebs", {})
        if not ebs.get("SnapshotId"):
            continue
        held = _snapshot_of(source, ebs["SnapshotId"])
        if held is not None and held.encrypted and account != source.owner_id and is_default_key(held.kms_key_id):
            return [], f"Snapshot {held.id} is encrypted with a default key, which no other account can use"
        try:
            key = _key_of_copy(backend, request, encrypted=bool(held and held.encrypted))
        except UnusableKeyError as error:
            return [], f"Given key ID is not accessible: {error}"
        snapshot = add_snapshot(
            backend,
            size=ebs["VolumeSize"],
            description=f"Copied for DestinationAmi {image_id} from SourceAmi {source.id} "
            f"for SourceSnapshot {ebs['SnapshotId']}",
            key=key,
            image_id=image_id,
            tags=tags.get("snapshot"),
        )
        ebs |= {"SnapshotId": snapshot.id, "Encrypted": snapshot.encrypted}
    return mappings, None


def _key_of_copy(backend: Any, request: dict[str, Any], *, encrypted: bool) -> str | None:
    account, region = backend.account_id, backend.region_name
    if request.get("KmsKeyId"):
        return resolve_key(account, region, request["KmsKeyId"])
    if encrypted or request.get("Encrypted") or backend.get_ebs_encryption_by_default():
        return backend.default_kms_key_id or default_key(account, region)
    return None


def _snapshot_of(image: Image, snapshot_id: str) -> Any:
    return image.ec2_backend.snapshots.get(snapshot_id) if image.ec2_backend is not None else None


def _register_image(backend: Any, request: dict[str, Any]) -> Image:
    name = check_name(request.get("Name"), backend.amis)
    tags = tags_by_type(request.get("TagSpecifications", []), allowed=("image", "snapshot"))
    root = request.get("RootDeviceName")
    devices = {mapping["DeviceName"]: mapping for mapping in request.get("BlockDeviceMappings", [])}
    if not root:
        raise refusal("MissingParameter", "The request must contain the parameter rootDeviceName")
    if not devices.get(root, {}).get("Ebs", {}).get("SnapshotId"):
        raise refusal("InvalidBlockDeviceMapping", f"The root device {root} needs the snapshot to start from")
    if devices[root]["Ebs"].get("Encrypted"):
        raise refusal("InvalidBlockDeviceMapping", "Encryption of an image follows its snapshots")
    image = Image(
        backend,
        random_ami_id(),
        name=name,
        owner_id=backend.account_id,
        region=backend.region_name,
        description=check_description(request.get("Description")),
        shape=Shape(
            architecture=request.get("Architecture", "i386"),
            root_device_name=root,
            boot_mode=request.get("BootMode"),
            imds_support=request.get("ImdsSupport"),
            virtualization_type=request.get("VirtualizationType", "paravirtual"),
            ena_support=bool(request.get("EnaSupport", False)),
        ),
        mappings=[_new_device(backend, device, devices[device].get("Ebs", {})) for device in devices],
    )
    for snapshot_id in image.snapshot_ids:
        backend.snapshots[snapshot_id].from_ami = image.id
    return _keep(backend, image, tags)


def _keep(backend: Any, image: Image, tags: dict[str, dict[str, str]]) -> Image:
    backend.amis[image.id] = image
    image.add_tags(tags.get("image", {}))
    return image


def _find_or_none(backend: Any, image_id: str) -> Image | None:
    image = backend.amis.get(image_id) or vendor_images(backend.region_name).get(image_id)
    if image is not None:
        return image
    shared = visible_images(backend.region_name, backend.account_id)
    return next((candidate for candidate in shared if candidate.id == image_id), None)
