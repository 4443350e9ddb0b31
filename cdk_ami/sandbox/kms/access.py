"""Whether a key's policy or one of its grants lets somebody use it through EC2."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

from moto.organizations.models import organizations_backends

from cdk_ami.sandbox.iam.principals import account_of

READ: Final = ("kms:Decrypt", "kms:CreateGrant")
"""What EC2 does with the key of a snapshot that it reads, on behalf of its caller.

https://docs.aws.amazon.com/ebs/latest/userguide/ebs-encryption-requirements.html
"""

WRITE: Final = ("kms:GenerateDataKeyWithoutPlaintext", "kms:CreateGrant")
"""What EC2 does with the key that encrypts a new volume or snapshot."""

SERVICE_LINKED: Final = "/aws-service-role/"
"""Path of the roles that belong to a service.  Their policies hold nothing for keys, so a key must name them itself.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/key-policy-requirements-EBS-encryption.html
"""

_OPERATORS: Final[dict[str, Callable[[str, str], bool]]] = {
    "StringEquals": lambda value, wanted: value == wanted,
    "StringEqualsIgnoreCase": lambda value, wanted: value.lower() == wanted.lower(),
    "StringLike": fnmatchcase,
    "ArnEquals": fnmatchcase,
    "ArnLike": fnmatchcase,
    "Bool": lambda value, wanted: value == wanted.lower(),
}
_OPPOSITES: Final = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
}


def refused(key: Any, principal: str, actions: Iterable[str]) -> str | None:
    """Return the first of ``actions`` that ``principal`` may not do with ``key``, a key of the emulator's, or None.

    Policies of identities are kept and not enforced here, so a key policy that leaves the decision to an account's own
    policies lets everybody of the account in.
    """
    context = _context(key, principal)
    statements = _statements(key.policy)
    for action in actions:
        matching = [
            statement["Effect"] for statement in statements if _applies(statement, key, principal, action, context)
        ]
        if "Deny" in matching or ("Allow" not in matching and not _granted(key, principal, action)):
            return action
    return None


def _granted(key: Any, principal: str, action: str) -> bool:
    operation = action.removeprefix("kms:")
    return any(
        operation in grant.operations and grant.grantee_principal in {principal, _root_of(principal)}
        for grant in list(key.grants.values())
    )


def _root_of(principal: str) -> str:
    return f"{principal.rsplit(':', 1)[0]}:root"


def _context(key: Any, principal: str) -> dict[str, str]:
    account = account_of(principal)
    context = {
        "kms:ViaService": f"ec2.{key.region}.amazonaws.com",
        "kms:CallerAccount": account,
        "kms:GrantIsForAWSResource": "true",
        "aws:PrincipalAccount": account,
        "aws:PrincipalArn": principal,
        "aws:RequestedRegion": key.region,
    }
    if organization := _organization(account):
        context["aws:PrincipalOrgID"] = organization
    return context


def _organization(account: str) -> str | None:
    master, partition = organizations_backends.master_accounts.get(account, (account, "aws"))
    organization = organizations_backends[master][partition].org
    return None if organization is None else str(organization.id)


def _statements(policy: str | None) -> list[dict[str, Any]]:
    found = json.loads(policy or "{}").get("Statement", [])
    return found if isinstance(found, list) else [found]


def _applies(statement: Mapping[str, Any], key: Any, principal: str, action: str, context: Mapping[str, str]) -> bool:
    return (
        _names_principal(statement, principal)
        and _names_action(statement, action)
        and any(fnmatchcase(key.arn, pattern) for pattern in _listed(statement.get("Resource", "*")))
        and _holds(statement.get("Condition", {}), context)
    )


def _names_principal(statement: Mapping[str, Any], principal: str) -> bool:
    if "NotPrincipal" in statement:
        return not _among(statement["NotPrincipal"], principal)
    return _among(statement.get("Principal", {}), principal)


def _among(element: Any, principal: str) -> bool:
    if element == "*":
        return True
    named = _listed(element.get("AWS", [])) if isinstance(element, dict) else []
    if SERVICE_LINKED in principal:
        return not {"*", principal}.isdisjoint(named)
    return not {"*", principal, account_of(principal), _root_of(principal)}.isdisjoint(named)


def _names_action(statement: Mapping[str, Any], action: str) -> bool:
    if "NotAction" in statement:
        return not _any_action(statement["NotAction"], action)
    return _any_action(statement.get("Action", []), action)


def _any_action(patterns: Any, action: str) -> bool:
    return any(fnmatchcase(action.lower(), pattern.lower()) for pattern in _listed(patterns))


def _holds(condition: Mapping[str, Mapping[str, Any]], context: Mapping[str, str]) -> bool:
    return all(
        _compare(operator, context.get(name), [str(value) for value in _listed(wanted)])
        for operator, tests in condition.items()
        for name, wanted in tests.items()
    )


def _compare(operator: str, value: str | None, wanted: list[str]) -> bool:
    """Compare as IAM does; an operator that is not known here never holds."""
    operator = operator.removeprefix("ForAnyValue:").removeprefix("ForAllValues:")
    if operator == "Null":
        return (value is None) == (wanted[0].lower() == "true")
    optional = operator.endswith("IfExists")
    operator = operator.removesuffix("IfExists")
    opposite = _OPPOSITES.get(operator)
    if value is None:
        return optional or opposite is not None
    test = _OPERATORS.get(opposite or operator)
    if test is None:
        return False
    return any(test(value, each) for each in wanted) == (opposite is None)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
