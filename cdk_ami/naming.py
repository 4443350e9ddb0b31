"""Names that several parts must agree on."""

from __future__ import annotations

import hashlib
import re
from typing import Final

from cdk_ami.checks.rule import is_token

ENTRY_CHANNEL: Final = "latest"
"""The channel that distribution writes in every target; promotion moves the others."""

IMAGE_TAG: Final = "cdk-ami:image"
"""Tag of AMIs and image resources that says which image they are builds of."""


def normalized(name: str) -> str:
    """Return the form of an Image Builder name that its ARN holds: names with one form are one name.

    A CDK token stays as it is.

    https://docs.aws.amazon.com/imagebuilder/latest/APIReference/API_CreateImageRecipe.html
    """
    return name if is_token(name) else name.lower().replace(" ", "-").replace("_", "-")


def channel_parameter(image: str, channel: str = ENTRY_CHANNEL) -> str:
    """Return the name of the SSM parameter that is the channel ``channel`` of the image ``image``.

    Image Builder takes ``Web Server`` and ``web-server`` for one name, so both have the same channels.
    """
    return f"/imagebuilder/{normalized(image)}/{channel}"


def log_group(image: str) -> str:
    """Return the log group that the builds of the image ``image`` write, by the service's own rule.

    https://docs.aws.amazon.com/imagebuilder/latest/userguide/monitor-cwlogs.html
    """
    return f"/aws/imagebuilder/{normalized(image)}"


def scoped_name(*parts: str, limit: int = 126) -> str:
    """Return one name for an Image Builder resource that is as unique as ``parts`` are together.

    Lower case, digits and hyphens: the form that is its own normal form.  A name past ``limit`` is cut, and a hash of
    the whole takes the place of the rest.  A CDK token stays as it is.
    """
    whole = "-".join(part for part in parts if part)
    if is_token(whole):
        return whole
    name = re.sub(r"[^a-z0-9]+", "-", whole.lower()).strip("-")
    if len(name) <= limit:
        return name
    digest = hashlib.sha256(whole.encode()).hexdigest()[:8]
    return f"{name[: limit - len(digest) - 1].rstrip('-')}-{digest}"


def pascal(name: str) -> str:
    """Return ``name`` as a construct id: ``CloudwatchAgent`` for ``cloudwatch agent``."""
    return "".join(word[0].upper() + word[1:] for word in re.findall(r"[A-Za-z0-9]+", name))
