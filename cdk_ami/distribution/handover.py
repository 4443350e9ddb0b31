"""One AMI on its way through one distribution configuration: how the two are known together; pure.

A distribution of the same AMI by the same configuration is the same delivery, whoever starts it, a state machine or a
person: it has one client token, and the AMI carries a tag that names the image resource of it.  So a second start
finds the first one instead of copying again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from cdk_ami.naming import scoped_name

DELIVERY_TAG: Final = "cdk-ami:delivery:"
"""Beginning of the tag of a source AMI that names the image resource by which it is distributed.  Tags of a public or
shared AMI are seen by the account that set them alone.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html"""

FINGERPRINT_TAG: Final = "cdk-ami:fingerprint"
"""Tag of a distribution configuration: what its contents were when it was synthesized."""

ROLE_TAG: Final = "cdk-ami:execution-role"
"""Tag of a distribution configuration: ARN of the role that distributes by it."""

BUILD_VARIABLE: Final = "AMI_ID"
"""Exported variable of a CodeBuild build that holds the AMI it has made."""

GOOD: Final = ("AVAILABLE", "DEPRECATED")
"""States of an image resource whose AMIs are where they belong.
https://docs.aws.amazon.com/imagebuilder/latest/APIReference/API_ImageState.html"""

BAD: Final = ("FAILED", "CANCELLED")
"""States from which ``RetryImage`` goes on.
https://docs.aws.amazon.com/imagebuilder/latest/APIReference/API_RetryImage.html"""

GONE: Final = ("DELETED", "DISABLED")
"""States of an image resource whose AMIs nobody launches any more."""

_TAG_KEY_MAX: Final = 128


def delivery_token(ami: str, configuration_arn: str, fingerprint: str) -> str:
    """Return the client token of a delivery, 64 characters: as many as a token may have.

    ``token_formula`` is the same in a state machine.
    """
    return hashlib.sha256(f"{ami}|{configuration_arn}|{fingerprint}".encode()).hexdigest()


def delivery_tag(configuration_name: str) -> str:
    """Return the key of the tag by which a source AMI remembers its delivery."""
    return f"{DELIVERY_TAG}{scoped_name(configuration_name, limit=_TAG_KEY_MAX - len(DELIVERY_TAG))}"


def delivery_note(token: str, image_arn: str) -> str:
    """Return the value of that tag."""
    return f"{token} {image_arn}"


def delivery_noted(note: str, token: str) -> str | None:
    """Return the image resource that a tag names, None where it is of another delivery."""
    known, _, arn = note.partition(" ")
    return arn if known == token and arn else None


def contents_fingerprint(contents: Any) -> str:
    """Return what stands for the contents of a distribution configuration, 32 characters."""
    text = json.dumps(contents, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def token_formula(ami_path: str, configuration_arn: str, fingerprint: str) -> str:
    """Return the intrinsic function of a state machine that makes the client token.

    Args:
        ami_path: Path of the AMI id in the state's input.
        configuration_arn: ARN of the distribution configuration.
        fingerprint: What stands for its contents.
    """
    return f"States.Hash(States.Format('{{}}|{configuration_arn}|{fingerprint}', {ami_path}), 'SHA-256')"


def fingerprint_of(configuration: Mapping[str, Any]) -> str:
    """Return what stands for the contents of a configuration that ``GetDistributionConfiguration`` described."""
    known: str | None = (configuration.get("tags") or {}).get(FINGERPRINT_TAG)
    return known or contents_fingerprint(configuration.get("distributions"))
