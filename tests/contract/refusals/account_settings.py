"""Bad inputs to guards of accounts: what is blocked, and which AMIs of others are allowed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import aws_cdk as cdk

from cdk_ami import AccountGuard, ImageCriterion
from tests.contract.refusals.row import Row

Call = Callable[[cdk.Stack], object]


def guard(**options: Any) -> Call:
    """Return the call that makes the guard ``S/Guard``."""
    return lambda stack: AccountGuard(stack, "Guard", **options)


def allowing(**criterion: Any) -> Call:
    """Return the call that makes a guard with one criterion."""
    return guard(allowed_images=[ImageCriterion(**criterion)])


ROWS = (
    Row("a guard sets nothing", guard(), "S/Guard", "AccountGuard", None, "at least one setting"),
    Row(
        "a guard opens snapshots",
        guard(block_public_snapshots="unblocked"),
        "S/Guard",
        "block_public_snapshots",
        "unblocked",
        "block-all-sharing",
        "SnapshotBlock",
    ),
    Row(
        "Allowed AMIs are enforced without a criterion",
        guard(enforce_allowed_images=True),
        where="S/Guard",
        prop="enforce_allowed_images",
        got=True,
        fix="give allowed_images",
    ),
    Row(
        "Allowed AMIs have no criterion",
        guard(allowed_images=[]),
        "S/Guard",
        "allowed_images",
        0,
        "providers=['none']",
        "AllowedImageCriteria",
    ),
    Row(
        "a criterion asks for nothing", allowing(), "S/Guard", "allowed_images[0]", "ImageCriterion()", "name providers"
    ),
    Row(
        "criteria name 201 providers",
        allowing(providers=[f"{number:012}" for number in range(201)]),
        "S/Guard",
        "allowed_images",
        201,
        "at most 200",
        "AllowedImageValues",
    ),
    Row(
        "a provider is a name of no account",
        allowing(providers=["canonical"]),
        "S/Guard",
        "allowed_images[0].providers[0]",
        "canonical",
        "12 digits",
        "AllowedImageProvider",
    ),
    Row(
        "nobody and somebody are allowed",
        allowing(providers=["none", "amazon"]),
        "S/Guard",
        "allowed_images[0].providers",
        ["none", "amazon"],
        "drop none",
        "OwnImagesOnly",
    ),
    Row(
        "a pattern of names has a dollar",
        allowing(names=["web-$*"]),
        "S/Guard",
        "allowed_images[0].names[0]",
        "web-$*",
        "letters, digits",
        "AllowedImageName",
    ),
    Row(
        "allowed AMIs are made in the future",
        allowing(max_age_days=-1),
        "S/Guard",
        "allowed_images[0].max_age_days",
        -1,
        "0 or more",
        "AllowedImageAge",
    ),
)
