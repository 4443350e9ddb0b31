"""Reads and seeds channels."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from botocore.exceptions import ClientError

from cdk_ami.naming import channel_parameter

_READ_BACK_ATTEMPTS: Final = 30
_READ_BACK_SECONDS: Final = 1.0


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
