"""Volumes of the build instance, which become those of the AMI."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cdk_ami.checks import volumes as rules
from cdk_ami.checks.distribution import kms_key, kms_key_region
from cdk_ami.errors import Faults

if TYPE_CHECKING:
    from aws_cdk import aws_imagebuilder as imagebuilder
    from aws_cdk.interfaces.aws_kms import IKeyRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """One EBS volume of the AMI.

    Attributes:
        size_gib: Size in GiB, 1 to 16,000.  None keeps the source's size; an additional volume must say.
        type: EBS volume type.  ``gp3`` is the cheapest SSD type: about 20 % less than ``gp2`` for each GiB.
        iops: Provisioned IOPS.  None takes the baseline: 3,000 for gp3, included in its price.
        throughput_mib: Throughput in MiB/s, gp3 only.  None takes the baseline of 125, included in the price.
        kms_key: Key that encrypts the volume in the build's Region, or its ARN or alias ARN.  None takes the key of
            the distribution's target in that Region, and without one the account's default EBS key, which cannot be
            shared.
        device: Name of the device, such as ``/dev/sdf``.  None means the source's root device.
        encrypted: Whether the volume is encrypted.  Only an AMI that is sold must not be.
        delete_on_termination: Whether the volume goes with its instance.  Keeping it keeps its cost.
        initialization_rate_mib: MiB/s, 100 to 300, at which the volume of a launched instance is filled from its
            snapshot; fleets only, and only for volumes of the AMI.  None: in the background and as blocks are first
            read, at no cost; a rate is charged for each launch, by the full size of the snapshot.

    https://docs.aws.amazon.com/imagebuilder/latest/APIReference/API_EbsInstanceBlockDeviceSpecification.html
    """

    size_gib: int | None = None
    type: str = "gp3"
    iops: int | None = None
    throughput_mib: int | None = None
    kms_key: IKeyRef | str | None = None
    device: str | None = None
    encrypted: bool = True
    delete_on_termination: bool = True
    initialization_rate_mib: int | None = None


def with_root(volumes: Sequence[Volume]) -> tuple[Volume, ...]:
    """Return ``volumes`` with the root volume first, an encrypted gp3 one of the source's size if none is given."""
    if any(volume.device is None for volume in volumes):
        return tuple(sorted(volumes, key=lambda volume: volume.device is not None))
    return (Volume(), *volumes)


def with_key(volumes: Sequence[Volume], key: IKeyRef | str | None, *, root_device: str) -> Sequence[Volume]:
    """Return ``volumes``, a root volume among them, each encrypted one that names no key with ``key``.

    Args:
        volumes: The volumes as the user gave them, whose order stays.
        key: Key of the build's Region; None leaves the volumes as they are.
        root_device: Name of the source's root device.
    """
    if key is None:
        return volumes
    rooted = any(volume.device in (None, root_device) for volume in volumes)
    return tuple(
        replace(volume, kms_key=key) if volume.encrypted and volume.kms_key is None else volume
        for volume in (volumes if rooted else (*volumes, Volume()))
    )


def encryption_keys(volumes: Sequence[Volume], *, root_device: str) -> tuple[IKeyRef | str | None, ...]:
    """Return the key of each encrypted volume of an AMI, the root volume first; None for the default key."""
    return tuple(volume.kms_key for volume in _rooted(volumes, root_device) if volume.encrypted)


def check_volumes(
    faults: Faults,
    volumes: Sequence[Volume],
    *,
    root_device: str,
    prop: str = "volumes",
    launched: bool = False,
    region: str | None = None,
) -> None:
    """Record what AWS would refuse about ``volumes``.

    Args:
        faults: Where the faults go.
        volumes: The volumes as the user gave them.
        root_device: Name of the source's root device.
        prop: Name of the property that holds them.
        launched: Whether they are those of launched instances, and not of a build.
        region: Region of the volumes, whose keys alone encrypt them.  Default: not known.
    """
    for index, volume in enumerate(volumes):
        at = f"{prop}[{index}]"
        faults.check(f"{at}.type", rules.volume_type(volume.type))
        faults.check(f"{at}.size_gib", rules.volume_size(volume.type, volume.size_gib))
        faults.check(f"{at}.iops", rules.volume_iops(volume.type, volume.iops))
        faults.check(f"{at}.iops", rules.volume_iops_per_gib(volume.type, volume.size_gib, volume.iops))
        faults.check(f"{at}.throughput_mib", rules.volume_throughput(volume.type, volume.throughput_mib, volume.iops))
        key = _key_id(volume.kms_key)
        if key is not None:
            faults.check(f"{at}.kms_key", kms_key(key))
        if key is not None and region is not None:
            faults.check(f"{at}.kms_key", kms_key_region(key, region))
        faults.check(f"{at}.kms_key", rules.volume_key(encrypted=volume.encrypted, has_key=volume.kms_key is not None))
        rate = volume.initialization_rate_mib
        faults.check(f"{at}.initialization_rate_mib", rules.volume_rate(rate, launched=launched))
        if volume.device is None or volume.device == root_device:
            faults.check(f"{at}.type", rules.root_volume_type(volume.type))
        else:
            faults.check(f"{at}.device", rules.device_name(volume.device))
            faults.check(f"{at}.size_gib", rules.extra_volume_size(volume.device, volume.size_gib))
    faults.check(prop, rules.devices_once([volume.device or root_device for volume in volumes]))


def render_volumes(
    volumes: Sequence[Volume], *, root_device: str
) -> list[imagebuilder.CfnImageRecipe.InstanceBlockDeviceMappingProperty]:
    """Return the block device mappings of a recipe: the root volume first, also when no volume names it.

    Args:
        volumes: Checked volumes.
        root_device: Name of the source's root device.
    """
    from aws_cdk import aws_imagebuilder as imagebuilder  # noqa: PLC0415 - the value object is plain data

    recipe = imagebuilder.CfnImageRecipe
    return [
        recipe.InstanceBlockDeviceMappingProperty(
            device_name=volume.device or root_device,
            ebs=recipe.EbsInstanceBlockDeviceSpecificationProperty(
                delete_on_termination=volume.delete_on_termination,
                encrypted=volume.encrypted,
                iops=volume.iops,
                kms_key_id=_key_id(volume.kms_key),
                throughput=volume.throughput_mib,
                volume_size=volume.size_gib,
                volume_type=volume.type,
            ),
        )
        for volume in _rooted(volumes, root_device)
    ]


def _key_id(key: IKeyRef | str | None) -> str | None:
    return key if key is None or isinstance(key, str) else key.key_ref.key_arn


def _rooted(volumes: Sequence[Volume], root_device: str) -> tuple[Volume, ...]:
    if any(volume.device == root_device for volume in volumes):
        return tuple(sorted(volumes, key=lambda volume: volume.device != root_device))
    return with_root(volumes)
