"""An AMI as the sandbox keeps it, a vendor's or an account's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final

from moto.ec2.models.core import TaggedEC2Resource

from cdk_ami.sandbox import catalog
from cdk_ami.sandbox.clock import CLOCK

COOLDOWN: Final = timedelta(hours=24)
"""How long protection from deregistration outlives being switched off, where it was asked for.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ami-deregistration-protection.html
"""

MILLISECONDS: Final = "%Y-%m-%dT%H:%M:%S.000Z"
"""How EC2 writes a time that its model calls text."""


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
    tpm_support: str | None = None
    uefi_data: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Watermark:
    """A mark that goes with an AMI into everything that is made of it.

    Attributes:
        key: ``accountId:watermarkName``.
        image_id: The AMI that it was put on.
        region: That AMI's Region.
        image_created: When that AMI was made.
        attached: When it was put there.
    """

    key: str
    image_id: str
    region: str
    image_created: datetime
    attached: datetime

    def describe(self) -> dict[str, Any]:
        """Return the mark in EC2's words."""
        return {
            "WatermarkKey": self.key,
            "SourceImageId": self.image_id,
            "SourceImageRegion": self.region,
            "SourceImageCreationTime": self.image_created,
            "WatermarkCreationTime": self.attached,
        }


@dataclass(slots=True, kw_only=True)
class Protection:
    """Whether an AMI is safe from deregistration, and until when if that was switched off."""

    enabled: bool = False
    with_cooldown: bool = False
    until: datetime | None = None

    def switch_on(self, *, with_cooldown: bool) -> None:
        """Protect from now on."""
        self.enabled, self.with_cooldown, self.until = True, with_cooldown, None

    def switch_off(self) -> None:
        """Protect no longer, or for another day where a cool-down was asked for."""
        if self.enabled and self.with_cooldown:
            self.until = CLOCK.now() + COOLDOWN
        self.enabled, self.with_cooldown = False, False

    @property
    def holds(self) -> bool:
        """Tell whether the AMI cannot be deregistered now."""
        return self.enabled or (self.until is not None and CLOCK.now() < self.until)

    @property
    def word(self) -> str:
        """State in EC2's words."""
        if not self.enabled:
            return "disabled"
        return "enabled-with-cooldown" if self.with_cooldown else "enabled-without-cooldown"


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
        seconds: float = 0.0,
        sharing: Sharing | None = None,
        watermarks: dict[str, Watermark] | None = None,
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
        self.created = created or CLOCK.now().replace(tzinfo=None)
        self.ready_at = self.created.replace(tzinfo=UTC) + timedelta(seconds=seconds)
        self.sharing = sharing or Sharing()
        self.watermarks = watermarks or {}
        self.disabled = False
        self.deprecated_at: datetime | None = None
        self.protection = Protection()
        self.last_launched: datetime | None = None

    product_code = ""
    """Code of the Marketplace's product that it is, empty for none."""

    subscribers: tuple[str, ...] = ()
    """Accounts that have subscribed to it."""

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
        if CLOCK.now() < self.ready_at:
            return "pending"
        if self.failure:
            return "failed"
        return "disabled" if self.disabled else "available"

    @property
    def deprecated(self) -> bool:
        """Tell whether the AMI's deprecation date has passed."""
        return self.deprecated_at is not None and self.deprecated_at <= CLOCK.now()

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
            "DeprecationTime": self.deprecated_at and self.deprecated_at.strftime(MILLISECONDS),
            "Description": self.description,
            "EnaSupport": self.shape.ena_support,
            "Hypervisor": "xen",
            "ImageId": self.id,
            "ImageLocation": f"{self.owner_alias or self.owner_id}/{self.name}",
            "ImageOwnerAlias": self.owner_alias,
            "ImageType": "machine",
            "ImageWatermarks": [mark.describe() for mark in self.watermarks.values()],
            "ImdsSupport": self.shape.imds_support,
            "BootMode": self.shape.boot_mode,
            "Name": self.name,
            "OwnerId": self.owner_id,
            "Platform": self.platform,
            "ProductCodes": [{"ProductCodeId": self.product_code, "ProductCodeType": "marketplace"}]
            if self.product_code
            else [],
            "PlatformDetails": "Windows" if self.shape.windows else "Linux/UNIX",
            "Public": self.sharing.public,
            "RootDeviceName": self.root_device_name,
            "RootDeviceType": "ebs",
            "SriovNetSupport": "simple",
            "State": self.state,
            "TpmSupport": self.shape.tpm_support,
            "UsageOperation": "RunInstances:0002" if self.shape.windows else "RunInstances",
            "VirtualizationType": self.virtualization_type,
        }
        if self.state == "failed":
            record["StateReason"] = {"Code": "Client.CopyFailed", "Message": self.failure}
        if own:
            record |= {
                "DeregistrationProtection": self.protection.word,
                "LastLaunchedTime": self.last_launched and self.last_launched.strftime(MILLISECONDS),
                "SourceImageId": self.origin.image_id,
                "SourceImageRegion": self.origin.region,
                "SourceInstanceId": self.origin.instance_id,
                "Tags": [{"Key": tag["key"], "Value": tag["value"]} for tag in self.get_tags()],
            }
        return {key: value for key, value in record.items() if value is not None and value != []}


def _devices(name: str, default: Any = None) -> Callable[[Image], list[Any]]:
    return lambda image: [mapping["Ebs"].get(name, default) for mapping in image.mappings if "Ebs" in mapping]


FILTERS: Final[Mapping[str, Callable[[Image], Any]]] = {
    "architecture": lambda image: image.architecture,
    "block-device-mapping.delete-on-termination": _devices("DeleteOnTermination", default=True),
    "block-device-mapping.device-name": lambda image: [mapping["DeviceName"] for mapping in image.mappings],
    "block-device-mapping.encrypted": _devices("Encrypted", default=False),
    "block-device-mapping.snapshot-id": _devices("SnapshotId"),
    "block-device-mapping.volume-size": _devices("VolumeSize"),
    "block-device-mapping.volume-type": _devices("VolumeType"),
    "boot-mode": lambda image: image.shape.boot_mode,
    "creation-date": lambda image: image.created.strftime(MILLISECONDS),
    "description": lambda image: image.description,
    "ena-support": lambda image: image.shape.ena_support,
    "hypervisor": lambda _: "xen",
    "image-id": lambda image: image.id,
    "image-type": lambda _: "machine",
    "image-watermark.source-image-id": lambda image: [mark.image_id for mark in image.watermarks.values()],
    "image-watermark.source-image-region": lambda image: [mark.region for mark in image.watermarks.values()],
    "image-watermark.watermark-key": lambda image: list(image.watermarks),
    "is-public": lambda image: image.sharing.public,
    "kernel-id": lambda _: None,
    "manifest-location": lambda image: f"{image.owner_alias or image.owner_id}/{image.name}",
    "name": lambda image: image.name,
    "owner-alias": lambda image: image.owner_alias,
    "owner-id": lambda image: image.owner_id,
    "platform": lambda image: image.platform,
    "product-code": lambda _: None,
    "product-code.type": lambda _: None,
    "ramdisk-id": lambda _: None,
    "root-device-name": lambda image: image.root_device_name,
    "root-device-type": lambda _: "ebs",
    "source-image-id": lambda image: image.origin.image_id,
    "source-image-region": lambda image: image.origin.region,
    "source-instance-id": lambda image: image.origin.instance_id,
    "sriov-net-support": lambda _: "simple",
    "state": lambda image: image.state,
    "state-reason-code": lambda image: "Client.CopyFailed" if image.state == "failed" else None,
    "state-reason-message": lambda image: image.failure if image.state == "failed" else None,
    "tag-key": lambda image: [tag["key"] for tag in image.get_tags()],
    "tag-value": lambda image: [tag["value"] for tag in image.get_tags()],
    "tag:": lambda image: {tag["key"]: tag["value"] for tag in image.get_tags()},
    "virtualization-type": lambda image: image.virtualization_type,
}
"""https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeImages.html."""


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
