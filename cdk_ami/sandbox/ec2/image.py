"""An AMI as the sandbox keeps it, a vendor's or an account's own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from moto.ec2.models.core import TaggedEC2Resource

from cdk_ami.sandbox import catalog
from cdk_ami.sandbox.ec2.refusal import refusal
from cdk_ami.sandbox.pace import PACE


@dataclass(slots=True, kw_only=True)
class Origin:
    """Where an AMI comes from: the AMI it was made of, and the instance when one lay between."""

    image_id: str | None = None
    region: str | None = None
    owner_id: str | None = None
    instance_id: str | None = None


@dataclass(slots=True, kw_only=True)
class Shape:
    """What an AMI hands on to AMIs made of it."""

    architecture: str = "x86_64"
    windows: bool = False
    root_device_name: str = "/dev/xvda"
    boot_mode: str | None = None
    imds_support: str | None = None
    virtualization_type: str = "hvm"
    ena_support: bool = True


@dataclass(slots=True, kw_only=True)
class Sharing:
    """Who else may see and launch an AMI."""

    accounts: list[str] = field(default_factory=list)
    organizations: list[str] = field(default_factory=list)
    units: list[str] = field(default_factory=list)
    public: bool = False

    def permissions(self) -> list[dict[str, str]]:
        """Return the launch permissions in EC2's words."""
        return [
            *([{"Group": "all"}] if self.public else []),
            *({"UserId": account} for account in self.accounts),
            *({"OrganizationArn": arn} for arn in self.organizations),
            *({"OrganizationalUnitArn": arn} for arn in self.units),
        ]

    def change(self, permission: dict[str, str], *, add: bool) -> None:
        """Add or remove one launch permission."""
        if "Group" in permission:
            self.public = add
            return
        for key, held in (
            ("UserId", self.accounts),
            ("OrganizationArn", self.organizations),
            ("OrganizationalUnitArn", self.units),
        ):
            value = permission.get(key)
            if value is None:
                continue
            if add and value not in held:
                held.append(value)
            elif not add and value in held:
                held.remove(value)

    def clear(self) -> None:
        """Take every permission back."""
        self.accounts, self.organizations, self.units, self.public = [], [], [], False


class Image(TaggedEC2Resource):  # type: ignore[misc]
    """One AMI in one Region."""

    def __init__(
        self,
        backend: Any,
        image_id: str,
        *,
        name: str,
        owner_id: str,
        region: str,
        shape: Shape,
        mappings: list[dict[str, Any]],
        description: str | None = None,
        owner_alias: str | None = None,
        origin: Origin | None = None,
        failure: str | None = None,
        created: datetime | None = None,
        sharing: Sharing | None = None,
    ) -> None:
        self.ec2_backend = backend
        self.id = image_id
        self.name = name
        self.owner_id = owner_id
        self.owner_alias = owner_alias
        self.region = region
        self.shape = shape
        self.mappings = mappings
        self.description = description
        self.origin = origin or Origin()
        self.failure = failure
        self.created = created or datetime.now(UTC).replace(tzinfo=None)
        self.ready_at = 0.0 if owner_alias or backend is None else time.monotonic() + PACE.image
        self.sharing = sharing or Sharing()
        self.disabled = False
        self.deprecated_at: str | None = None
        self.protection: str = "disabled"
        self.last_launched: datetime | None = None

    # Names that the emulator's own code reads.
    kernel_id = None
    hypervisor = "xen"
    image_type = "machine"
    root_device_type = "ebs"

    @property
    def platform(self) -> str | None:
        """``windows``, or None for every other platform."""
        return "windows" if self.shape.windows else None

    @property
    def architecture(self) -> str:
        """Processor, such as ``x86_64``."""
        return self.shape.architecture

    @property
    def virtualization_type(self) -> str:
        """``hvm`` in all but very old images."""
        return self.shape.virtualization_type

    @property
    def root_device_name(self) -> str:
        """Such as ``/dev/xvda``."""
        return self.shape.root_device_name

    @property
    def state(self) -> str:
        """State in EC2's words, by the clock."""
        if time.monotonic() < self.ready_at:
            return "pending"
        if self.failure:
            return "failed"
        return "disabled" if self.disabled else "available"

    @property
    def deprecated(self) -> bool:
        """Tell whether the AMI's deprecation date has passed."""
        return self.deprecated_at is not None and self.deprecated_at <= datetime.now(UTC).isoformat()

    @property
    def snapshot_ids(self) -> list[str]:
        """Snapshots that hold the AMI's volumes."""
        return [mapping["Ebs"]["SnapshotId"] for mapping in self.mappings if mapping.get("Ebs", {}).get("SnapshotId")]

    def get_tags(self) -> list[dict[str, str]]:
        """Return the owner's tags; a vendor's images have none."""
        return [] if self.ec2_backend is None else list(super().get_tags())

    def describe(self, viewer: str) -> dict[str, Any]:
        """Return the AMI's record as ``viewer``, an account, sees it: tags and lineage are for the owner."""
        own = viewer == self.owner_id
        record: dict[str, Any] = {
            "Architecture": self.architecture,
            "BlockDeviceMappings": deepcopy(self.mappings),
            "CreationDate": self.created,
            "DeprecationTime": self.deprecated_at,
            "Description": self.description,
            "EnaSupport": self.shape.ena_support,
            "Hypervisor": "xen",
            "ImageId": self.id,
            "ImageLocation": f"{self.owner_alias or self.owner_id}/{self.name}",
            "ImageOwnerAlias": self.owner_alias,
            "ImageType": "machine",
            "ImdsSupport": self.shape.imds_support,
            "BootMode": self.shape.boot_mode,
            "Name": self.name,
            "OwnerId": self.owner_id,
            "Platform": self.platform,
            "PlatformDetails": "Windows" if self.shape.windows else "Linux/UNIX",
            "Public": self.sharing.public,
            "RootDeviceName": self.root_device_name,
            "RootDeviceType": "ebs",
            "SriovNetSupport": "simple",
            "State": self.state,
            "UsageOperation": "RunInstances:0002" if self.shape.windows else "RunInstances",
            "VirtualizationType": self.virtualization_type,
        }
        if self.state == "failed":
            record["StateReason"] = {"Code": "Client.CopyFailed", "Message": self.failure}
        if own:
            record |= {
                "DeregistrationProtection": self.protection,
                "LastLaunchedTime": self.last_launched and self.last_launched.isoformat(timespec="milliseconds") + "Z",
                "SourceImageId": self.origin.image_id,
                "SourceImageRegion": self.origin.region,
                "SourceInstanceId": self.origin.instance_id,
                "Tags": [{"Key": tag["key"], "Value": tag["value"]} for tag in self.get_tags()],
            }
        return {key: value for key, value in record.items() if value is not None and value != []}

    def get_filter_value(self, filter_name: str, method_name: str | None = None) -> Any:
        """Return what a filter of DescribeImages compares with."""
        if filter_name in _FILTERS:
            return _FILTERS[filter_name](self)
        if filter_name.startswith("block-device-mapping."):
            return _mapping_values(self, filter_name.partition(".")[2])
        if filter_name.startswith("tag"):
            return super().get_filter_value(filter_name, method_name)
        raise refusal("InvalidParameterValue", f"The filter '{filter_name}' is invalid")


_FILTERS: Final[dict[str, Callable[[Image], Any]]] = {
    "architecture": lambda image: image.architecture,
    "creation-date": lambda image: image.created.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
    "description": lambda image: image.description or "",
    "ena-support": lambda image: image.shape.ena_support,
    "hypervisor": lambda _: "xen",
    "image-id": lambda image: image.id,
    "image-type": lambda _: "machine",
    "is-public": lambda image: image.sharing.public,
    "name": lambda image: image.name,
    "owner-alias": lambda image: image.owner_alias or "",
    "owner-id": lambda image: image.owner_id,
    "platform": lambda image: image.platform or "",
    "product-code": lambda _: "",
    "root-device-name": lambda image: image.root_device_name,
    "root-device-type": lambda _: "ebs",
    "source-image-id": lambda image: image.origin.image_id or "",
    "source-image-region": lambda image: image.origin.region or "",
    "source-instance-id": lambda image: image.origin.instance_id or "",
    "state": lambda image: image.state,
    "virtualization-type": lambda image: image.virtualization_type,
}


def _mapping_values(image: Image, name: str) -> list[str]:
    keys = {
        "device-name": lambda mapping: mapping["DeviceName"],
        "snapshot-id": lambda mapping: mapping.get("Ebs", {}).get("SnapshotId"),
        "volume-size": lambda mapping: mapping.get("Ebs", {}).get("VolumeSize"),
        "volume-type": lambda mapping: mapping.get("Ebs", {}).get("VolumeType"),
        "encrypted": lambda mapping: str(mapping.get("Ebs", {}).get("Encrypted", False)).lower(),
        "delete-on-termination": lambda mapping: str(mapping.get("Ebs", {}).get("DeleteOnTermination", True)).lower(),
    }
    if name not in keys:
        raise refusal("InvalidParameterValue", f"The filter 'block-device-mapping.{name}' is invalid")
    return [str(value) for value in map(keys[name], image.mappings) if value is not None]


@cache
def vendor_images(region: str) -> dict[str, Image]:
    """Return the public images of ``region`` by id.  Nobody can change them, so they outlive every reset."""
    created = datetime.fromisoformat(catalog.RELEASED).replace(tzinfo=None)
    return {ami.image_id: _vendor_image(ami, created) for ami in catalog.public_amis(region)}


def _vendor_image(ami: catalog.PublicAmi, created: datetime) -> Image:
    source = ami.source
    return Image(
        None,
        ami.image_id,
        name=ami.name,
        owner_id=source.owner,
        owner_alias=ami.owner_alias,
        region=ami.region,
        description=ami.description,
        shape=Shape(
            architecture=source.architecture.value,
            windows=ami.windows,
            root_device_name=source.root_device,
            boot_mode=_boot_mode(source.architecture.value, windows=ami.windows),
            imds_support="v2.0" if source.family == "amazon-linux" and source.version == "2023" else None,
        ),
        mappings=[
            {
                "DeviceName": source.root_device,
                "Ebs": {
                    "DeleteOnTermination": True,
                    "Encrypted": False,
                    "SnapshotId": ami.snapshot_id,
                    "VolumeSize": source.root_gib,
                    "VolumeType": "gp2" if source.version in {"2", "22.04"} else "gp3",
                },
            }
        ],
        created=created,
        sharing=Sharing(public=True),
    )


def _boot_mode(architecture: str, *, windows: bool) -> str | None:
    if windows:
        return None
    return "uefi" if architecture == "arm64" else "uefi-preferred"


def all_images(region: str, backends: Any) -> Iterator[Image]:
    """Yield every image of ``region``: the vendors', then those of each account."""
    yield from vendor_images(region).values()
    for account in sorted(dict.keys(backends)):
        regions = backends[account]
        if dict.__contains__(regions, region):
            yield from list(regions[region].amis.values())
