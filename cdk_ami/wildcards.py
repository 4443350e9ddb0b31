"""Statements with wildcards: how they are written, and how they are explained to a checker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aws_cdk import Acknowledgment, Validations

from cdk_ami.checks.rule import is_token
from cdk_ami.home import stack_of

if TYPE_CHECKING:
    from aws_cdk import aws_iam as iam


def wildcards(document: Mapping[str, Any]) -> list[str]:
    """Return the resources of a policy document that hold a wildcard, in its order, each once."""
    resources = (statement["Resource"] for statement in document["Statement"])
    found = (one for named in resources for one in ([named] if isinstance(named, str) else named) if "*" in one)
    return list(dict.fromkeys(found))


def acknowledge_wildcards(role: iam.CfnRole, document: Mapping[str, Any], *, reason: str) -> None:
    """Tell cdk-nag why ``role`` holds each resource with a wildcard in ``document``; nothing when there is none.

    Args:
        role: The role.
        document: Its policy document.
        reason: Why the wildcards stand.
    """
    found = wildcards(document)
    if not found:
        return
    resolved = stack_of(role).resolve(found) if is_token(found) else found
    Validations.of(role).acknowledge(
        *(Acknowledgment(id=f"AwsSolutions-IAM5[Resource::{plain_arn(arn)}]", reason=reason) for arn in resolved)
    )


def plain_arn(arn: Any) -> str:
    """Return ``arn``, resolved to CloudFormation, as cdk-nag writes it: references in angle brackets."""
    match arn:
        case str():
            return arn
        case {"Ref": str(name)}:
            return f"<{name}>"
        case {"Fn::GetAtt": [str(name), str(attribute)]}:
            return f"<{name}.{attribute}>"
        case {"Fn::Join": [str(separator), list(parts)]}:
            return separator.join(plain_arn(part) for part in parts)
        case _:
            return str(arn)
