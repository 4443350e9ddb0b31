"""Channels of one place: read, moved, moved back.  No step waits, each may be repeated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from botocore.exceptions import ClientError

from cdk_ami.naming import channel_parameter
from cdk_ami.runtime.promotion.decide import Found, VerdictError, place_name

IMAGE_ARN_TAG: Final = "Ec2ImageBuilderArn"
"""https://docs.aws.amazon.com/imagebuilder/latest/userguide/cross-account-dist.html"""

WRITE_EVERY: Final = 6
"""A value that does not stand after so many looks is written again: what the service checks late may be lost."""

LOOKS: Final = 18
"""After so many looks a value is given up."""

RESTORE_LOOKS: Final = 60
"""The same for a channel that is moved back."""

SETTLED_AFTER: Final = 3
"""A channel that was deleted must be seen absent after so many looks: a write answered before may stand later."""


def held(ssm: Any, name: str) -> tuple[str, int]:
    """Return value and version of a parameter, or an empty text and 0."""
    try:
        found = ssm.get_parameter(Name=name)["Parameter"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ParameterNotFound":
            return "", 0
        raise
    return found["Value"], int(found["Version"])


def look(ssm: Any, ec2: Any, place: Mapping[str, Any], *, image: str, source: str, target: str) -> Found:
    """Return what both channels of a place hold, and whether the source's AMI is there."""
    ami = held(ssm, channel_parameter(image, source))[0]
    before = held(ssm, channel_parameter(image, target))[0]
    state, build = describe(ec2, ami) if ami else ("", "")
    return Found(place=place, source=ami, held=before, state=state, build=build)


def describe(ec2: Any, ami: str) -> tuple[str, str]:
    """Return the state of an AMI and the ARN of its build; empty when it is not there."""
    try:
        images = ec2.describe_images(ImageIds=[ami])["Images"]
    except ClientError as error:
        if error.response["Error"]["Code"] in {"InvalidAMIID.NotFound", "InvalidAMIID.Unavailable"}:
            return "", ""
        raise
    if not images:
        return "", ""
    tags = {tag["Key"]: tag["Value"] for tag in images[0].get("Tags", ())}
    return images[0]["State"], tags.get(IMAGE_ARN_TAG, "")


def move(ssm: Any, change: Mapping[str, Any], *, image: str, note: str, attempt: int) -> dict[str, Any]:
    """Write a channel unless it stands, and tell whether it stands.

    The service answers before it has checked the value, so the next look decides.
    https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-ec2-aliases.html

    Raises:
        VerdictError: When somebody else has moved it, or it has not stood for too long.
    """
    name = channel_parameter(image, change["channel"])
    value, version = held(ssm, name)
    if value == change["ami"]:
        return {"stands": True, "attempt": attempt, "version": version}
    where = place_name(change)
    if value != change["before"]:
        raise VerdictError(f"{name} in {where} was moved to {value or 'nothing'} by somebody else")
    if attempt >= LOOKS:
        raise VerdictError(f"{name} in {where} still holds {value or 'nothing'}: {change['ami']} was not accepted")
    if attempt % WRITE_EVERY == 0:
        write(ssm, name, change["ami"], note)
        value, version = held(ssm, name)
    return {"stands": value == change["ami"], "attempt": attempt + 1, "version": version}


def restore(
    ssm: Any, change: Mapping[str, Any], *, image: str, note: str, attempt: int, base: int, force: bool
) -> dict[str, Any]:
    """Move a channel back to what it held before, or delete it when it did not exist, and tell whether that stands.

    A channel that somebody else has moved since is left alone.

    Args:
        ssm: Client of Systems Manager in the place.
        change: What was moved.
        image: Name of the image.
        note: Description of the new version.
        attempt: How often it was looked at.
        base: Version that the first look found, below 0 for the first look itself.
        force: Whether to write even where the channel seems unmoved, because a write that has been answered may stand
            later.

    Raises:
        VerdictError: When it cannot be moved back.
    """
    name = channel_parameter(image, change["channel"])
    value, version = held(ssm, name)
    base = version if base < 0 else base
    answer = {"attempt": attempt + 1, "base": base, "stands": True}
    if value not in {change["ami"], change["before"]} or change["ami"] == change["before"]:
        return answer
    if value == change["before"] and (not force or version > base):
        return answer
    if not value:
        return {**answer, "stands": attempt >= SETTLED_AFTER}
    if attempt >= RESTORE_LOOKS:
        raise VerdictError(f"{name} in {place_name(change)} could not be moved back from {value} to {change['before']}")
    if not change["before"]:
        delete(ssm, name)
    elif attempt % WRITE_EVERY == 0:
        write(ssm, name, change["before"], note)
    value, version = held(ssm, name)
    return {**answer, "stands": bool(value) and value == change["before"] and version > base}


def write(ssm: Any, name: str, ami: str, note: str) -> None:
    """Write a channel."""
    ssm.put_parameter(Name=name, Value=ami, Type="String", DataType="aws:ec2:image", Overwrite=True, Description=note)


def delete(ssm: Any, name: str) -> None:
    """Delete a channel that may be gone."""
    try:
        ssm.delete_parameter(Name=name)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ParameterNotFound":  # deleted by the attempt before
            raise
