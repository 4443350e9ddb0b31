"""What exists of one golden image in one Region: AMIs, the channels that name them, the instances that run them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from cdk_ami.naming import normalized
from cdk_ami.runtime.channels import USING_STATES, held_by_channel
from cdk_ami.runtime.regions import RegionClients

IMAGE_ARN_TAG: Final = "Ec2ImageBuilderArn"
"""Tag by which Image Builder marks the AMIs it makes and copies.
https://docs.aws.amazon.com/imagebuilder/latest/userguide/cross-account-dist.html"""

_IMAGE_ARN: Final = re.compile(r":image/(?P<image>[^/]+)/(?P<version>\d+\.\d+\.\d+)/(?P<build>\d+)$")
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html, read 2026-11-22
_FILTER_VALUES_MAX: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Ami:
    """One AMI of a golden image.

    Attributes:
        region: Region that holds it.
        image_id: AMI id.
        name: AMI name.
        version: Version and build of the image, such as ``1.0.0/1``.
        image_arn: ARN of the image resource that made it.
        state: State of the AMI.
        created: When it was made, in ISO 8601.
        encrypted: Whether every snapshot is encrypted.
        snapshots: Ids of its snapshots.
        source: The AMI it was built or copied from, as ``REGION/AMI``; empty when EC2 does not know.
        channels: Names of the channels that hold it.
    """

    region: str
    image_id: str
    name: str
    version: str
    image_arn: str
    state: str
    created: str
    encrypted: bool
    snapshots: tuple[str, ...]
    source: str
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One instance that runs an AMI of a golden image.

    Attributes:
        region: Region.
        zone: Availability Zone.
        instance_id: Instance id.
        image_id: The AMI it was launched from.
        version: Version and build of the image.
        state: State of the instance.
        group: Auto Scaling group it belongs to, empty for none.
        imdsv2: Whether the metadata service asks for a session token.
    """

    region: str
    zone: str
    instance_id: str
    image_id: str
    version: str
    state: str
    group: str
    imdsv2: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """All of one image in one Region.

    Attributes:
        amis: Oldest version first.
        instances: By zone.
        channels: Parameter name to AMI id.
    """

    amis: tuple[Ami, ...]
    instances: tuple[Instance, ...]
    channels: dict[str, str]


def take_inventory(clients: RegionClients, image: str) -> Holdings:
    """Return what exists of ``image`` in the Region of ``clients``.

    Costs three API calls for up to 200 AMIs, and one more for each further 200.
    """
    channels = held_by_channel(clients.ssm, image)
    amis = tuple(sorted(_amis(clients, image, channels), key=lambda ami: (_order(ami.version), ami.image_id)))
    versions = {ami.image_id: ami.version for ami in amis}
    instances = sorted(
        _instances(clients, versions), key=lambda instance: (instance.zone, instance.group, instance.instance_id)
    )
    return Holdings(amis=amis, instances=tuple(instances), channels=channels)


def _amis(clients: RegionClients, image: str, channels: dict[str, str]) -> Iterable[Ami]:
    pages = clients.ec2.get_paginator("describe_images").paginate(
        Owners=["self"], Filters=[{"Name": "tag-key", "Values": [IMAGE_ARN_TAG]}], IncludeDisabled=True
    )
    for found in (found for page in pages for found in page["Images"]):
        tags = {tag["Key"]: tag["Value"] for tag in found.get("Tags", ())}
        made_by = _IMAGE_ARN.search(tags.get(IMAGE_ARN_TAG, ""))
        if made_by is None or made_by["image"] != normalized(image):
            continue
        disks = [mapping["Ebs"] for mapping in found.get("BlockDeviceMappings", ()) if "Ebs" in mapping]
        yield Ami(
            region=clients.region,
            image_id=found["ImageId"],
            name=found.get("Name", ""),
            version=f"{made_by['version']}/{made_by['build']}",
            image_arn=tags[IMAGE_ARN_TAG],
            state=found["State"],
            created=found.get("CreationDate", ""),
            encrypted=bool(disks) and all(disk.get("Encrypted", False) for disk in disks),
            snapshots=tuple(disk["SnapshotId"] for disk in disks if "SnapshotId" in disk),
            source=_source(found),
            channels=tuple(
                sorted(name.rpartition("/")[2] for name, held in channels.items() if held == found["ImageId"])
            ),
        )


def _source(found: dict[str, Any]) -> str:
    if not found.get("SourceImageRegion"):
        return ""
    return f"{found['SourceImageRegion']}/{found.get('SourceImageId', '')}"


def _instances(clients: RegionClients, versions: dict[str, str]) -> Iterable[Instance]:
    image_ids = list(versions)
    for start in range(0, len(image_ids), _FILTER_VALUES_MAX):
        pages = clients.ec2.get_paginator("describe_instances").paginate(
            Filters=[
                {"Name": "image-id", "Values": image_ids[start : start + _FILTER_VALUES_MAX]},
                {"Name": "instance-state-name", "Values": list(USING_STATES)},
            ]
        )
        for page in pages:
            for reservation in page["Reservations"]:
                for found in reservation["Instances"]:
                    tags = {tag["Key"]: tag["Value"] for tag in found.get("Tags", ())}
                    yield Instance(
                        region=clients.region,
                        zone=found["Placement"]["AvailabilityZone"],
                        instance_id=found["InstanceId"],
                        image_id=found["ImageId"],
                        version=versions[found["ImageId"]],
                        state=found["State"]["Name"],
                        group=tags.get("aws:autoscaling:groupName", ""),
                        imdsv2=found.get("MetadataOptions", {}).get("HttpTokens") == "required",
                    )


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.split(r"[./]", version))
