"""Rules over the settings of an account: Allowed AMIs and block public access."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from cdk_ami.checks.rule import Problem, rule

_CRITERION: Final = "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ImageCriterionRequest.html"
_SNAPSHOTS: Final = "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_EnableSnapshotBlockPublicAccess.html"

SNAPSHOT_BLOCKS: Final = ("block-all-sharing", "block-new-sharing")
"""EC2 API_EnableSnapshotBlockPublicAccess.html, read 2026-11-28"""

CRITERIA_MAX: Final = 10
PROVIDERS_MAX: Final = 200
NAMES_MAX: Final = 50
"""Criteria of Allowed AMIs, and values of all of them together.  EC2 API_ImageCriterionRequest.html, read 2026-11-28"""

OWN_ONLY: Final = "none"
"""The provider that stands for no other account.  Same page."""

_ALIASES: Final = ("amazon", "aws-marketplace", "aws-backup-vault", OWN_ONLY)
_ACCOUNT: Final = re.compile(r"\d{12}")
_NAME: Final = re.compile(r"[A-Za-z0-9()\[\] ./\-'@_*?]{1,128}")


@rule("SnapshotBlock", source=_SNAPSHOTS)
def snapshot_block(state: str) -> Iterator[Problem]:
    """Snapshots are kept from the public all of them, or those that are shared from now on."""
    if state not in SNAPSHOT_BLOCKS:
        yield Problem(problem="is no way to block", got=state, fix=f"use {' or '.join(SNAPSHOT_BLOCKS)}")


@rule("AllowedImageCriteria", source=_CRITERION)
def criteria_count(count: int) -> Iterator[Problem]:
    """Allowed AMIs have 1 to 10 criteria here: without one, no AMI of anybody else is allowed."""
    if not 1 <= count <= CRITERIA_MAX:
        yield Problem(
            problem=f"holds {count} criteria",
            got=count,
            fix=f"give 1 to {CRITERIA_MAX}; providers=['{OWN_ONLY}'] allows the account's own AMIs only",
        )


@rule("AllowedImageValues", source=_CRITERION)
def values_count(providers: int, names: int) -> Iterator[Problem]:
    """All criteria together name at most 200 providers and 50 names."""
    for kind, count, most in (("providers", providers, PROVIDERS_MAX), ("names", names, NAMES_MAX)):
        if count > most:
            yield Problem(
                problem=f"name {count} {kind}", got=count, fix=f"name at most {most} in all criteria together"
            )


@rule("AllowedImageProvider", source=_CRITERION)
def provider(name: str) -> Iterator[Problem]:
    """A provider of AMIs is an account or one of AWS's names for providers."""
    if name not in _ALIASES and not _ACCOUNT.fullmatch(str(name)):
        yield Problem(
            problem="is no provider of AMIs",
            got=name,
            fix=f"give the 12 digits of an account, or one of {', '.join(_ALIASES)}",
        )


@rule("OwnImagesOnly", source=_CRITERION)
def own_only(providers: Sequence[str]) -> Iterator[Problem]:
    """The provider none stands alone."""
    if OWN_ONLY in providers and len(providers) > 1:
        yield Problem(
            problem=f"holds {OWN_ONLY} and others",
            got=list(providers),
            fix=f"drop {OWN_ONLY}: the account's own AMIs are always allowed",
        )


@rule("AllowedImageName", source=_CRITERION)
def name_pattern(name: str) -> Iterator[Problem]:
    """A pattern of AMI names has at most 128 of the characters of AMI names, and * and ?."""
    if not _NAME.fullmatch(str(name)):
        yield Problem(
            problem="is no pattern of AMI names",
            got=name,
            fix="use 1 to 128 letters, digits, blanks and ()[]./-'@_, with * and ? for what varies",
        )


@rule("AllowedImageAge", source=_CRITERION)
def days(count: int) -> Iterator[Problem]:
    """An age is not negative."""
    if count < 0:
        yield Problem(problem="is negative", got=count, fix="give whole days, 0 or more")
