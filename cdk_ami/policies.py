"""IAM policies as plain documents: statements, and who may take a role."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

_VERSION: Final = "2012-10-17"

INSTANCES: Final[dict[str, Any]] = {
    "Version": _VERSION,
    "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}],
}
"""Instances take the role.  EC2 sends no source account to compare.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/iam-roles-for-amazon-ec2.html"""


def policy(statements: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the policy document of ``statements``."""
    return {"Version": _VERSION, "Statement": list(statements)}


def allow(
    sid: str, actions: Sequence[str], resources: Sequence[str], *, condition: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return a statement that allows ``actions`` on ``resources``.

    Args:
        sid: Id of the statement, letters and digits.
        actions: Actions, at least one.
        resources: ARNs or ``*``, at least one.
        condition: When it holds.  Default: always.
    """
    statement: dict[str, Any] = {
        "Sid": sid,
        "Effect": "Allow",
        "Action": _one_or_all(actions),
        "Resource": _one_or_all(resources),
    }
    return statement | {"Condition": condition} if condition else statement


def service_trust(account: str, *services: str) -> dict[str, Any]:
    """Return the trust policy of a role that services take for resources of ``account`` alone.

    Args:
        account: The account.
        services: Principals, such as ``states.amazonaws.com``, at least one.
    """
    statement = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"Service": _one_or_all(services)},
        "Condition": {"StringEquals": {"aws:SourceAccount": account}},
    }
    return policy([statement])


def _one_or_all(values: Sequence[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else list(values)
