"""Rules for names, descriptions and tags of AMIs and snapshots."""

from __future__ import annotations

import re
from typing import Any, Final

from cdk_ami.sandbox.ec2.image import Image
from cdk_ami.sandbox.ec2.refusal import refusal

AMI_NAME: Final = re.compile(r"[A-Za-z0-9()\[\] ./\-'@_]{3,128}")
"""https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateImage.html."""

DESCRIPTION_LIMIT: Final = 255
"""https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateImage.html."""


def check_name(name: str | None, images: dict[str, Image]) -> str:
    """Return the name of a new AMI of an account that has ``images`` in the Region."""
    if not name:
        raise refusal("MissingParameter", "The request must contain the parameter name")
    if not AMI_NAME.fullmatch(name):
        raise refusal(
            "InvalidAMIName.Malformed",
            "AMI names must be between 3 and 128 characters long, and may contain letters, numbers, "
            "'(', ')', '[', ']', ' ', '.', '/', '-', ''', '@' and '_'",
        )
    for image in list(images.values()):
        if image.name == name and image.state != "failed":
            raise refusal("InvalidAMIName.Duplicate", f"AMI name {name} is already in use by AMI {image.id}")
    return name


def check_description(description: str | None) -> str | None:
    """Return the description of a new AMI."""
    if description and len(description) > DESCRIPTION_LIMIT:
        raise refusal(
            "InvalidParameterValue", f"Character sets beyond ASCII or more than {DESCRIPTION_LIMIT} characters"
        )
    return description


def tags_by_type(specifications: list[dict[str, Any]], *, allowed: tuple[str, ...]) -> dict[str, dict[str, str]]:
    """Return tags by type of resource, of which only ``allowed`` ones may be named."""
    tags: dict[str, dict[str, str]] = {}
    for specification in specifications:
        kind = specification.get("ResourceType", "")
        if kind not in allowed:
            raise refusal(
                "InvalidParameterValue", f"'{kind}' is not a valid taggable resource type for this operation."
            )
        values = {tag["Key"]: tag.get("Value", "") for tag in specification.get("Tags", [])}
        for key in values:
            if key.lower().startswith("aws:"):
                raise refusal("InvalidParameterValue", f"Tag keys starting with 'aws:' are reserved, got {key}")
        tags.setdefault(kind, {}).update(values)
    return tags
