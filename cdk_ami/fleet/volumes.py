"""Volumes of running instances, laid over those of the AMI."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from aws_cdk import aws_ec2 as ec2

from cdk_ami.checks import volumes as rules
from cdk_ami.errors import Faults

if TYPE_CHECKING:
    from cdk_ami.recipe.volume import Volume

_ROOT_DEVICE_FIX: Final = (
    "pass root_device to machine_image(), '/dev/xvda' for Amazon Linux and Debian, '/dev/sda1' for Ubuntu and Windows"
)


def find_volume_faults(volumes: Sequence[Volume], *, root_device: str | None, faults: Faults) -> None:
    """Record in ``faults`` what AWS would refuse.

    Args:
        volumes: The volumes; one without a device is the root volume.
        root_device: Root device of the image, None where it is not known.
        faults: The call's faults.
    """
    for index, volume in enumerate(volumes):
        prop = f"volumes[{index}]"
        if volume.device is None:
            if root_device is None:
                faults.add(f"{prop}.device", "is unknown for the root volume", got=None, fix=_ROOT_DEVICE_FIX)
            faults.check(f"{prop}.type", rules.root_volume_type(volume.type))
        else:
            faults.check(f"{prop}.device", rules.device_name(volume.device))
            faults.check(f"{prop}.size_gib", rules.extra_volume_size(volume.device, volume.size_gib))
        faults.check(f"{prop}.type", rules.volume_type(volume.type))
        faults.check(f"{prop}.size_gib", rules.volume_size(volume.type, volume.size_gib))
        faults.check(f"{prop}.iops", rules.volume_iops(volume.type, volume.iops))
        faults.check(f"{prop}.iops", rules.volume_iops_per_gib(volume.type, volume.size_gib, volume.iops))
        faults.check(f"{prop}.throughput_mib", rules.volume_throughput(volume.type, volume.throughput_mib, volume.iops))
        has_key = volume.kms_key is not None
        faults.check(f"{prop}.kms_key", rules.volume_key(encrypted=volume.encrypted, has_key=has_key))
    faults.check("volumes", rules.devices_once([volume.device or root_device or "" for volume in volumes]))


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
                kms_key_id=None if volume.kms_key is None else volume.kms_key.key_arn,
                delete_on_termination=volume.delete_on_termination,
            ),
        )
        for volume in volumes
    ]
    if root_device is not None and all(volume.device is not None for volume in volumes):
        ebs = shape.EbsProperty(encrypted=True, volume_type="gp3", delete_on_termination=True)
        mappings.insert(0, shape.BlockDeviceMappingProperty(device_name=root_device, ebs=ebs))
    return mappings
