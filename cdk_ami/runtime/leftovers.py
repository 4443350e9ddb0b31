"""What a golden image leaves behind on purpose when its stacks are gone, and how it is removed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from botocore.exceptions import ClientError

from cdk_ami.naming import channel_parameter, normalized
from cdk_ami.runtime.inventory import take_inventory
from cdk_ami.runtime.regions import RegionClients

_KINDS: Final = ("channel", "record", "image", "ami", "snapshot")
"""In the order of removal: nothing may point at what is about to go."""

_REFERENCES_MAX: Final = 10
"""AMIs in one DescribeImageReferences, read 2026-11-22.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeImageReferences.html"""

_ALREADY_GONE: Final = frozenset(
    {"InvalidAMIID.NotFound", "InvalidAMIID.Unavailable", "InvalidSnapshot.NotFound", "ParameterNotFound"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """One thing that remains.

    Attributes:
        region: Region.
        kind: ``channel``, ``record`` (what promotions have written down), ``image`` (an Image Builder image resource),
            ``ami`` or ``snapshot``.
        name: Parameter name, ARN or id.
        about: What it belongs to: of a channel and a snapshot the AMI, of the others version and build.
        used_by: Instances that run it and launch templates that name it; something in use is never removed.
        built_in: Region that built it, where that is known.
    """

    region: str
    kind: str
    name: str
    about: str
    used_by: tuple[str, ...] = ()
    built_in: str = ""


def find_leftovers(clients: RegionClients, image: str) -> tuple[Leftover, ...]:
    """Return what remains of ``image`` in one Region, in the order in which it can be removed."""
    holdings = take_inventory(clients, image)
    users: dict[str, list[str]] = {}
    for instance in holdings.instances:
        users.setdefault(instance.image_id, []).append(instance.instance_id)
    for image_id, template in _launch_templates(clients.ec2, [ami.image_id for ami in holdings.amis]):
        users.setdefault(image_id, []).append(template)

    def found() -> Iterator[Leftover]:
        for name, held in holdings.channels.items():
            yield Leftover(region=clients.region, kind="channel", name=name, about=held, used_by=_users(users, held))
        yield from _records(clients, image)
        for arn in _image_resources(clients.imagebuilder, image):
            version = arn.partition(":image/")[2].partition("/")[2]
            yield Leftover(region=clients.region, kind="image", name=arn, about=version, built_in=clients.region)
        for ami in holdings.amis:
            used = _users(users, ami.image_id)
            yield Leftover(
                region=clients.region,
                kind="ami",
                name=ami.image_id,
                about=ami.version,
                used_by=used,
                built_in=ami.image_arn.split(":")[3],
            )
            for snapshot in ami.snapshots:
                yield Leftover(region=clients.region, kind="snapshot", name=snapshot, about=ami.image_id, used_by=used)

    return tuple(sorted(found(), key=lambda left: (_KINDS.index(left.kind), left.name)))


def find_pipelines(clients: RegionClients, image: str) -> tuple[str, ...]:
    """Return the ARNs of the pipelines in one Region that still build ``image``: its stack stands."""
    pages = clients.imagebuilder.get_paginator("list_image_pipelines").paginate(
        filters=[{"name": "name", "values": [image]}]
    )
    return tuple(
        found["arn"]
        for page in pages
        for found in page["imagePipelineList"]
        if normalized(found["name"]) == normalized(image)
    )


def building_regions(found: Mapping[str, Sequence[Leftover]]) -> tuple[str, ...]:
    """Return the Regions that built what was found, in order: image resources and the tags of copies name them."""
    return tuple(sorted({left.built_in for leftovers in found.values() for left in leftovers if left.built_in}))


def keep_lineage(found: Mapping[str, Sequence[Leftover]]) -> dict[str, tuple[Leftover, ...]]:
    """Mark the image resources whose AMIs are in use in any Region: they alone know where such an AMI came from."""
    users: dict[str, set[str]] = {}
    for left in (left for leftovers in found.values() for left in leftovers):
        if left.kind == "ami":
            users.setdefault(left.about, set()).update(left.used_by)

    def marked(left: Leftover) -> Leftover:
        return replace(left, used_by=tuple(sorted(users.get(left.about, ())))) if left.kind == "image" else left

    return {region: tuple(marked(left) for left in leftovers) for region, leftovers in found.items()}


def remove_leftovers(clients: RegionClients, leftovers: Sequence[Leftover]) -> Iterator[Leftover]:
    """Remove ``leftovers`` of one Region that nothing uses, in order, yielding each when it is gone.

    Deregistering an AMI is final unless a Recycle Bin rule matches it.  What is gone already counts as removed, so a
    broken run can be repeated.
    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/deregister-ami.html
    """
    for left in leftovers:
        if left.used_by:
            continue
        try:
            _remove(clients, left)
        except ClientError as error:
            if error.response["Error"]["Code"] not in _ALREADY_GONE:
                raise
        yield left


def _remove(clients: RegionClients, left: Leftover) -> None:
    match left.kind:
        case "channel" | "record":
            clients.ssm.delete_parameter(Name=left.name)
        case "image":
            clients.imagebuilder.delete_image(imageBuildVersionArn=left.name)
        case "ami":
            clients.ec2.deregister_image(ImageId=left.name)
        case "snapshot":
            clients.ec2.delete_snapshot(SnapshotId=left.name)


def _records(clients: RegionClients, image: str) -> Iterator[Leftover]:
    """Yield the parameters that promotions and rollbacks have left: the lock, and how the last of them ended.

    Those that name state machines belong to stacks, which delete them; while one stands, it uses the others.
    """
    path = channel_parameter(image, "promotion")
    pages = clients.ssm.get_paginator("get_parameters_by_path").paginate(Path=path, Recursive=True)
    found = {one["Name"]: one["Value"] for page in pages for one in page["Parameters"]}
    machines = {name: value for name, value in found.items() if name.startswith(f"{path}/machines/")}
    for name in found.keys() - machines.keys():
        used = tuple(sorted(machines.values()))
        yield Leftover(region=clients.region, kind="record", name=name, about="promotions", used_by=used)


def _launch_templates(ec2: Any, image_ids: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield each AMI that a launch template of the account names, with the template's id.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeImageReferences.html
    """
    for start in range(0, len(image_ids), _REFERENCES_MAX):
        pages = ec2.get_paginator("describe_image_references").paginate(
            ImageIds=list(image_ids[start : start + _REFERENCES_MAX]),
            ResourceTypes=[{"ResourceType": "ec2:LaunchTemplate"}],
        )
        for page in pages:
            for found in page["ImageReferences"]:
                yield found["ImageId"], found["Arn"].rpartition("/")[2]


def _image_resources(imagebuilder: Any, image: str) -> list[str]:
    """Return the ARNs of every build of every version of ``image``."""
    versions = imagebuilder.get_paginator("list_images").paginate(
        owner="Self", filters=[{"name": "name", "values": [image]}]
    )
    arns = [
        version["arn"]
        for page in versions
        for version in page["imageVersionList"]
        if normalized(version["name"]) == normalized(image)
    ]
    return sorted(
        build["arn"]
        for arn in arns
        for page in imagebuilder.get_paginator("list_image_build_versions").paginate(imageVersionArn=arn)
        for build in page["imageSummaryList"]
    )


def _users(users: dict[str, list[str]], image_id: str) -> tuple[str, ...]:
    return tuple(sorted(users.get(image_id, ())))
