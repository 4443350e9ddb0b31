"""Volumes of running instances, laid over those of the AMI."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aws_cdk import aws_ec2 as ec2

from cdk_ami.errors import Faults
from cdk_ami.recipe.volume import Volume, check_volumes

_ROOT_DEVICE_FIX: Final = (
    "pass root_device to machine_image(), '/dev/xvda' for Amazon Linux and Debian, '/dev/sda1' for Ubuntu and Windows"
)


def find_volume_faults(
    volumes: Sequence[Volume], *, root_device: str | None, region: str | None, faults: Faults
) -> None:
    """Record in ``faults`` what AWS would refuse.

    Args:
        volumes: The volumes; one without a device is the root volume.
        root_device: Root device of the image, None where it is not known.
        region: Region of the volumes, None where no volume names a key.
        faults: The call's faults.
    """
    if root_device is None:
        for index, volume in enumerate(volumes):
            if volume.device is None:
                faults.add(f"volumes[{index}].device", "is unknown for the root volume", got=None, fix=_ROOT_DEVICE_FIX)
    check_volumes(faults, volumes, root_device=root_device or "", launched=True, region=region)


def volume_mappings(
    volumes: Sequence[Volume], *, root_device: str | None
) -> list[ec2.CfnLaunchTemplate.BlockDeviceMappingProperty]:
    """Return the block device mappings of a launch template.

    A root device that is known gets an encrypted gp3 volume even where none was asked for: what is left out of its
    mapping, the size for one, comes from the AMI.

    Args:
        volumes: The volumes, checked before.
        root_device: Root device of the image, None where it is not known.
    """
    shape = ec2.CfnLaunchTemplate
    mappings = [
        shape.BlockDeviceMappingProperty(
            device_name=volume.device or root_device,
            ebs=shape.EbsProperty(
                encrypted=volume.encrypted,
                volume_type=volume.type,
                volume_size=volume.size_gib,
                iops=volume.iops,
                throughput=volume.throughput_mib,
                volume_initialization_rate=volume.initialization_rate_mib,
                kms_key_id=_key_id(volume),
                delete_on_termination=volume.delete_on_termination,
            ),
        )
        for volume in volumes
    ]
    if root_device is not None and all(volume.device not in {None, root_device} for volume in volumes):
        ebs = shape.EbsProperty(encrypted=True, volume_type="gp3", delete_on_termination=True)
        mappings.insert(0, shape.BlockDeviceMappingProperty(device_name=root_device, ebs=ebs))
    return mappings


def is_root_encrypted(volumes: Sequence[Volume], *, root_device: str | None) -> bool:
    """Tell whether the root volume is encrypted by its launch template.

    Args:
        volumes: The volumes.
        root_device: Root device of the image, None where it is not known.
    """
    return root_device is not None and all(
        volume.encrypted for volume in volumes if volume.device in {None, root_device}
    )


def _key_id(volume: Volume) -> str | None:
    key = volume.kms_key
    return key if key is None or isinstance(key, str) else key.key_ref.key_arn
