"""Rules over accounts that receive AMIs: their roles, and the file that lists them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from cdk_ami.checks.rule import Problem, rule
from cdk_ami.limits import INLINE_POLICIES_MAX_CHARS, ROLE_ARN

_COPIES: Final = "https://docs.aws.amazon.com/imagebuilder/latest/userguide/cross-account-dist.html"


@rule("DeliveriesPresent", source=_COPIES)
def deliveries_present(images: Sequence[str]) -> Iterator[Problem]:
    """An account whose roles let builds in receives the copies of an image."""
    if not images:
        yield Problem(
            problem="is empty: no distribution copies into this account",
            got=list(images),
            fix="name the account in a Target's accounts; an account that only shares an AMI needs no role",
        )


@rule("SourceAccountElsewhere", source=_COPIES)
def source_elsewhere(source: str, account: str) -> Iterator[Problem]:
    """The roles of a target account are for builds of another account."""
    if source == account:
        yield Problem(
            problem="is the account of this stack, which needs no role for its own builds",
            got=source,
            fix="give the account that builds, and deploy this stack into one that receives",
        )


@rule("TargetRolesOnce", source=_COPIES)
def roles_once(account: str, taken: Sequence[str]) -> Iterator[Problem]:
    """An account has the two roles once, since Image Builder fixes their names."""
    if account in taken:
        yield Problem(
            problem="are two of one account, and the names of their roles are fixed by Image Builder",
            got=account,
            fix="give the deliveries of all images to one TargetAccountRole",
        )


@rule(
    "TrustedRole",
    source="https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html",
)
def trusted_role(arn: str, source: str) -> Iterator[Problem]:
    """A role that may take the distribution role is one of the account that builds."""
    found = re.fullmatch(ROLE_ARN, arn)
    if found is None:
        yield Problem(
            problem="is no ARN of a role", got=arn, fix="give one such as arn:aws:iam::123456789012:role/Promotion"
        )
    elif found["account"] != source:
        yield Problem(
            problem=f"is a role of {found['account']}, and the distribution role trusts {source} alone",
            got=arn,
            fix="name a role of the account that builds",
        )


@rule("RolePolicySize", source="https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html")
def policy_size(characters: int) -> Iterator[Problem]:
    """The inline policies of a role have at most 10,240 characters."""
    if characters > INLINE_POLICIES_MAX_CHARS:
        yield Problem(
            problem=f"need a policy of {characters:,} characters, and a role holds {INLINE_POLICIES_MAX_CHARS:,}",
            got=characters,
            fix="copy fewer images into the account, or share with its organizational unit instead",
        )
