"""Reads and seeds channels, and tells what they hold and have held."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from cdk_ami.naming import channel_parameter

if TYPE_CHECKING:
    from cdk_ami.runtime.regions import RegionClients

_READ_BACK_ATTEMPTS: Final = 30
_READ_BACK_SECONDS: Final = 1.0


# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeImageReferences.html, read 2026-11-28
_REFERRED_AT_ONCE: Final = 10

USING_STATES: Final = ("pending", "running", "stopping", "stopped")
"""States of instances that use their AMI: one that is terminated is told of for an hour and is nobody's."""

_KINDS: Final = {"ec2:Instance": "instance", "ec2:LaunchTemplate": "launch template"}
"""What uses an AMI, as people call it.  Other parameters and recipes name it without using it."""

_WHICH: Final[Mapping[str, Any]] = {
    "ec2:Instance": {"ResourceTypeOptions": [{"OptionName": "state-name", "OptionValues": list(USING_STATES)}]}
}
"""Left out, instances of every state count, the terminated too.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ResourceTypeOption.html"""

_BUILD: Final = re.compile(r":image/[^/]+/(?P<build>\d+\.\d+\.\d+/\d+)$")
GONE: Final = "gone"
"""State of an AMI that cannot be found any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What one channel holds in one Region.

    Attributes:
        region: The Region.
        channel: Name of the channel.
        ami: AMI id.
        build: Version and build of the image, such as ``1.0.0/1``; empty where the AMI does not tell.
        state: State of the AMI, ``gone`` when there is none.
        created: When the AMI was made, in ISO 8601; empty when it is gone.
        since: When the channel was moved to it, in ISO 8601.
        by: ARN of who moved it.
        tier: Tier of the parameter: only one of the tier ``Advanced`` can be shared.
        users: What runs or launches the AMI in this account, by kind: ``{"instance": 3, "launch template": 1}``.
    """

    region: str
    channel: str
    ami: str
    build: str
    state: str
    created: str
    since: str
    by: str
    tier: str
    users: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One version of a channel.

    Attributes:
        region: The Region.
        version: Version of the parameter.
        at: When it was written, in ISO 8601.
        by: ARN of who wrote it.
        ami: AMI id that the channel held from then on.
        build: Version and build of the image; empty where the AMI is gone or does not tell.
        came_from: AMI id that it held before; empty for the first version.
        why: What the writer noted; empty for nothing.
    """

    region: str
    version: int
    at: str
    by: str
    ami: str
    build: str
    came_from: str
    why: str


class ChannelError(RuntimeError):
    """A channel that could not be read or written, with what to do about it."""


def held_by_channel(ssm: Any, image: str) -> dict[str, str]:
    """Return the channels of ``image`` in one Region: parameter name to AMI id."""
    pages = ssm.get_paginator("get_parameters_by_path").paginate(Path=channel_parameter(image, ""))
    return {found["Name"]: found["Value"] for page in pages for found in page["Parameters"]}


def read_channel(ssm: Any, image: str, channel: str) -> str | None:
    """Return the AMI id that the channel holds, None when the channel does not exist."""
    try:
        value: str = ssm.get_parameter(Name=channel_parameter(image, channel))["Parameter"]["Value"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ParameterNotFound":
            return None
        raise
    return value


def seed_channel(
    ssm: Any, image: str, channel: str, ami: str, *, sleep: Callable[[float], object] = time.sleep
) -> bool:
    """Create a channel that does not exist yet, pointing at ``ami``; return whether it was created.

    A channel that already holds ``ami`` is left as it is.  The service checks a value of this data type after it has
    answered, so the value is read back until it stands.
    https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-ec2-aliases.html

    Raises:
        ChannelError: When the channel holds another AMI, or the value is not accepted.
    """
    held = read_channel(ssm, image, channel)
    if held == ami:
        return False
    name = channel_parameter(image, channel)
    if held is not None:
        raise ChannelError(f"{name} exists and holds {held}; only a channel that does not exist can be seeded")
    ssm.put_parameter(
        Name=name,
        Value=ami,
        Type="String",
        DataType="aws:ec2:image",
        Description=f"Channel {channel} of the golden image {image}",
    )
    for attempt in range(_READ_BACK_ATTEMPTS):
        if read_channel(ssm, image, channel) == ami:
            return True
        if attempt + 1 < _READ_BACK_ATTEMPTS:
            sleep(_READ_BACK_SECONDS)
    raise ChannelError(f"{name} does not hold {ami}: the AMI does not exist in this Region, or is not shared with it")


def look(clients: RegionClients, image: str, channel: str | None = None) -> tuple[Held, ...]:
    """Return what the channels of ``image``, or the one called ``channel``, hold in the Region of ``clients``."""
    values = held_by_channel(clients.ssm, image)
    if channel is not None:
        wanted = channel_parameter(image, channel)
        values = {name: value for name, value in values.items() if name == wanted}
    if not values:
        return ()
    amis, users, written = amis_by_id(clients.ec2, values.values()), _users(clients.ec2, values.values()), {}
    for name in values:
        written[name] = _described(clients.ssm, name)
    return tuple(
        Held(
            region=clients.region,
            channel=name.rpartition("/")[2],
            ami=ami,
            build=build_of(amis.get(ami)),
            state=amis[ami]["State"] if ami in amis else GONE,
            created=amis.get(ami, {}).get("CreationDate", ""),
            since=_text(written[name].get("LastModifiedDate")),
            by=written[name].get("LastModifiedUser", ""),
            tier=written[name].get("Tier", ""),
            users=dict(users.get(ami, {})),
        )
        for name, ami in values.items()
    )


def recall(clients: RegionClients, image: str, channel: str) -> tuple[Move, ...]:
    """Return the versions of a channel in one Region, the newest first; none when it does not exist.

    Parameter Store keeps the last hundred.
    https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-versions.html
    """
    pages = clients.ssm.get_paginator("get_parameter_history").paginate(Name=channel_parameter(image, channel))
    try:
        versions = [found for page in pages for found in page["Parameters"]]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ParameterNotFound":
            return ()
        raise
    amis = amis_by_id(clients.ec2, [found["Value"] for found in versions])
    moves = []
    before: dict[str, Any] = {}
    for found in versions:
        note = found.get("Description", "")
        moves.append(
            Move(
                region=clients.region,
                version=found["Version"],
                at=_text(found["LastModifiedDate"]),
                by=found.get("LastModifiedUser", ""),
                ami=found["Value"],
                build=build_of(amis.get(found["Value"])),
                came_from=before.get("Value", ""),
                # A description stays until somebody writes another one, so one that stays is no note on this move.
                why="" if note == before.get("Description") else note,
            )
        )
        before = found
    return tuple(reversed(moves))


def amis_by_id(ec2: Any, image_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return those AMIs that there are; asked for by a filter, because an id that is gone would be an error."""
    wanted = sorted(set(image_ids))
    pages = ec2.get_paginator("describe_images").paginate(
        Filters=[{"Name": "image-id", "Values": wanted}], IncludeDisabled=True, IncludeDeprecated=True
    )
    return {found["ImageId"]: found for page in pages for found in page["Images"]}


def _users(ec2: Any, image_ids: Iterable[str]) -> dict[str, Counter[str]]:
    wanted = sorted(set(image_ids))
    counted: dict[str, Counter[str]] = {}
    for start in range(0, len(wanted), _REFERRED_AT_ONCE):
        own = _own(ec2, wanted[start : start + _REFERRED_AT_ONCE])
        if not own:
            continue
        pages = ec2.get_paginator("describe_image_references").paginate(
            ImageIds=own, ResourceTypes=[{"ResourceType": kind, **_WHICH.get(kind, {})} for kind in _KINDS]
        )
        for found in (found for page in pages for found in page["ImageReferences"]):
            counted.setdefault(found["ImageId"], Counter())[_KINDS[found["ResourceType"]]] += 1
    return counted


def _own(ec2: Any, image_ids: list[str]) -> list[str]:
    """Return those AMIs that the account owns: references of others' are not told."""
    pages = ec2.get_paginator("describe_images").paginate(
        Owners=["self"], Filters=[{"Name": "image-id", "Values": image_ids}], IncludeDisabled=True
    )
    return [found["ImageId"] for page in pages for found in page["Images"]]


def _described(ssm: Any, name: str) -> dict[str, Any]:
    chosen = [{"Key": "Name", "Option": "Equals", "Values": [name]}]
    pages = ssm.get_paginator("describe_parameters").paginate(ParameterFilters=chosen)
    found: list[dict[str, Any]] = [found for page in pages for found in page["Parameters"]]
    return found[0] if found else {}


def build_of(found: Mapping[str, Any] | None) -> str:
    """Return version and build of an AMI's image, as its tag tells; empty when it does not."""
    tags = {tag["Key"]: tag["Value"] for tag in (found or {}).get("Tags", ())}
    match = _BUILD.search(tags.get("Ec2ImageBuilderArn", ""))
    return match["build"] if match else ""


def _text(when: datetime | None) -> str:
    return when.isoformat(timespec="seconds") if when else ""
