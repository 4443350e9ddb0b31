"""Rules over the volumes of a build instance and of the AMI made from it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from cdk_ami.checks.names import IB
from cdk_ami.checks.rule import Problem, is_token, rule
from cdk_ami.limits import VOLUME_GIB, VOLUME_IOPS, VOLUME_RATE_MIB, VOLUME_THROUGHPUT_MIB

_EBS: Final = f"{IB}API_EbsInstanceBlockDeviceSpecification.html"
_TYPES_PAGE: Final = "https://docs.aws.amazon.com/ebs/latest/userguide/ebs-volume-types.html"
_DEVICES: Final = "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/device_naming.html"
_DEVICE: Final = r"(?:/dev/(?:sd[a-z](?:1[0-5]|[1-9])?|xvd[a-z]{1,2}[0-9]?|nvme[0-9]+n1)|xvd[a-z]{1,2})"


class VolumeType(NamedTuple):
    """What EBS says of a volume type.

    Attributes:
        gib: Smallest and largest size in GiB, within what Image Builder accepts.
        iops: Smallest and largest IOPS that can be provisioned, or None where they cannot.
        iops_per_gib: Most IOPS for each GiB, or 0.
        bootable: Whether a root volume may have this type.
    """

    gib: tuple[int, int]
    iops: tuple[int, int] | None = None
    iops_per_gib: int = 0
    bootable: bool = True


VOLUME_TYPES: Final = {
    "gp3": VolumeType(gib=(1, 16_000), iops=(3_000, 64_000), iops_per_gib=500),
    "gp2": VolumeType(gib=(1, 16_000)),
    "io1": VolumeType(gib=(4, 16_000), iops=(100, 64_000), iops_per_gib=50),
    "io2": VolumeType(gib=(4, 16_000), iops=(100, 64_000), iops_per_gib=1_000),
    "st1": VolumeType(gib=(125, 16_000), bootable=False),
    "sc1": VolumeType(gib=(125, 16_000), bootable=False),
    "standard": VolumeType(gib=(1, 1_024)),
}
"""EBS volume types.  https://docs.aws.amazon.com/ebs/latest/userguide/ebs-volume-types.html, read on 2026-11-22"""

_GP3_MIB_PER_IOPS: Final = 0.25
_GP3_IOPS_DEFAULT: Final = 3_000


@rule("DeviceName", source=_DEVICES)
def device_name(name: str) -> Iterator[Problem]:
    """A device has a name that EC2 accepts."""
    if not re.fullmatch(_DEVICE, name):
        yield Problem(problem="is no device name", got=name, fix="write it as /dev/sdf or /dev/xvdf")


@rule("DevicesOnce", source=_DEVICES)
def devices_once(names: Sequence[str]) -> Iterator[Problem]:
    """Each volume has a device of its own; /dev/sdf and /dev/xvdf are one device."""
    seen: dict[str, int] = {}
    for index, name in enumerate(names):
        key = name.removeprefix("/dev/").replace("xvd", "sd", 1)
        if key in seen:
            yield Problem(
                problem=f"has the device of volume {seen[key]}",
                got=name,
                fix="give each volume its own device",
                at=f"[{index}].device",
            )
        seen.setdefault(key, index)


@rule("VolumeType", source=_EBS)
def volume_type(name: str) -> Iterator[Problem]:
    """A volume has a type of EBS."""
    if name not in VOLUME_TYPES:
        yield Problem(problem="is no EBS volume type", got=name, fix=f"use one of {', '.join(VOLUME_TYPES)}")


@rule("VolumeSize", source=_EBS)
def volume_size(type_name: str, gib: int | None) -> Iterator[Problem]:
    """A volume's size lies within what its type and Image Builder allow."""
    low, high = VOLUME_TYPES[type_name].gib if type_name in VOLUME_TYPES else VOLUME_GIB
    if gib is not None and not _whole_within(gib, low, high):
        yield Problem(
            problem=f"is no size of a {type_name} volume", got=gib, fix=f"give whole GiB from {low} to {high:,}"
        )


@rule("VolumeIops", source=_EBS)
def volume_iops(type_name: str, iops: int | None) -> Iterator[Problem]:
    """IOPS are provisioned for gp3, io1 and io2 only, must be for io1 and io2, and lie within the type's range."""
    limits = VOLUME_TYPES[type_name].iops if type_name in VOLUME_TYPES else VOLUME_IOPS
    if iops is None:
        if type_name in {"io1", "io2"}:
            yield Problem(problem=f"is missing for an {type_name} volume", got=None, fix="say how many")
    elif limits is None:
        yield Problem(problem=f"cannot be set for a {type_name} volume", got=iops, fix="leave it out, or use gp3")
    elif not _whole_within(iops, *limits):
        yield Problem(
            problem=f"is out of range for a {type_name} volume",
            got=iops,
            fix=f"give a whole number from {limits[0]:,} to {limits[1]:,}",
        )


@rule("VolumeIopsPerGib", source=_TYPES_PAGE)
def volume_iops_per_gib(type_name: str, gib: int | None, iops: int | None) -> Iterator[Problem]:
    """IOPS stay within what the volume's size carries."""
    kind = VOLUME_TYPES.get(type_name)
    if kind is None or not kind.iops_per_gib or gib is None or iops is None:
        return
    # gp3 has its baseline at every size.
    most = max(gib * kind.iops_per_gib, _GP3_IOPS_DEFAULT if type_name == "gp3" else 0)
    if iops > most:
        needed = -(-iops // kind.iops_per_gib)
        yield Problem(
            problem=f"is more than the {most:,} that {gib} GiB of {type_name} carry",
            got=iops,
            fix=f"give at least {needed:,} GiB, or fewer IOPS",
        )


@rule("VolumeThroughput", source=_EBS)
def volume_throughput(type_name: str, throughput_mib: int | None, iops: int | None) -> Iterator[Problem]:
    """Throughput is set for gp3 only, from 125 to 1,000 MiB/s, and at most a quarter of the IOPS."""
    if throughput_mib is None:
        return
    low, high = VOLUME_THROUGHPUT_MIB
    if type_name != "gp3":
        yield Problem(
            problem=f"cannot be set for a {type_name} volume", got=throughput_mib, fix="leave it out, or use gp3"
        )
    elif not _whole_within(throughput_mib, low, high):
        yield Problem(
            problem="is out of range", got=throughput_mib, fix=f"give a whole number from {low} to {high:,} MiB/s"
        )
    elif throughput_mib > (iops or _GP3_IOPS_DEFAULT) * _GP3_MIB_PER_IOPS:
        yield Problem(
            problem=f"is more than {iops or _GP3_IOPS_DEFAULT:,} IOPS carry",
            got=throughput_mib,
            fix=f"set iops to {int(throughput_mib / _GP3_MIB_PER_IOPS):,} or more",
        )


@rule("RootVolumeType", source=_TYPES_PAGE)
def root_volume_type(type_name: str) -> Iterator[Problem]:
    """A root volume is no hard disk."""
    kind = VOLUME_TYPES.get(type_name)
    if kind is not None and not kind.bootable:
        yield Problem(problem="cannot be a root volume", got=type_name, fix="use gp3 for the root volume")


@rule("ExtraVolumeSize", source=f"{IB}API_InstanceBlockDeviceMapping.html")
def extra_volume_size(device: str | None, gib: int | None) -> Iterator[Problem]:
    """A volume beside the root volume has a size: no snapshot lends it one."""
    if device is not None and gib is None:
        yield Problem(problem="is missing for an additional volume", got=None, fix="say how many GiB it has")


@rule("VolumeRate", source="https://docs.aws.amazon.com/ebs/latest/userguide/initalize-volume.html")
def volume_rate(rate_mib: int | None, *, launched: bool) -> Iterator[Problem]:
    """A rate of initialization is 100 to 300 MiB/s, and given to the volumes of launches."""
    low, high = VOLUME_RATE_MIB
    if rate_mib is None:
        return
    if not launched:
        fix = "give it to the volumes of a fleet"
        yield Problem(problem="is for volumes that a launch makes of an AMI only", got=rate_mib, fix=fix)
    elif not _whole_within(rate_mib, low, high):
        yield Problem(problem="is out of range", got=rate_mib, fix=f"give {low} to {high} MiB/s, or leave it out")


@rule("VolumeKey", source=_EBS)
def volume_key(*, encrypted: bool, has_key: bool) -> Iterator[Problem]:
    """A key encrypts an encrypted volume."""
    if has_key and not encrypted:
        yield Problem(
            problem="is given for a volume that is not encrypted",
            got="kms_key",
            fix="set encrypted=True, or drop the key",
        )


def _whole_within(value: object, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and (is_token(value) or low <= value <= high)
