"""Names that several parts must agree on."""

from __future__ import annotations

from typing import Final

ENTRY_CHANNEL: Final = "latest"
"""The channel that distribution writes in every target; promotion moves the others."""


def normalized(name: str) -> str:
    """Return the form of an Image Builder name that its ARN holds: names with one form are one name.

    https://docs.aws.amazon.com/imagebuilder/latest/APIReference/API_CreateImageRecipe.html
    """
    return name.lower().replace(" ", "-").replace("_", "-")


def channel_parameter(image: str, channel: str = ENTRY_CHANNEL) -> str:
    """Return the name of the SSM parameter that is the channel ``channel`` of the image ``image``."""
    return f"/imagebuilder/{image}/{channel}"


def log_group(image: str) -> str:
    """Return the log group that the builds of the image ``image`` write, by the service's own rule.

    https://docs.aws.amazon.com/imagebuilder/latest/userguide/monitor-cwlogs.html
    """
    return f"/aws/imagebuilder/{image}"
