"""Roles that let the service work in another account: there, trusting, and with what the work needs.

Policies are read for their actions and resources.  Conditions are taken as met: what they ask for (a tag, an account)
is in the request that the service makes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cdk_ami.sandbox.imagebuilder.engine.plan import Place
from cdk_ami.sandbox.imagebuilder.engine.session import SERVICE, Session, StepError

Need = tuple[str, str]
"""An action, and the resource it is for; an empty one stands for any."""


def assume(session: Session, place: Place, role: str, needs: Sequence[Need], *, principals: frozenset[str]) -> None:
    """Take a role of another account.

    Args:
        session: Calls of the build.
        place: The other account.
        role: Name of the role.
        needs: What the work there needs.
        principals: Who takes the role; the trust policy must name one of them.

    Raises:
        StepError: When the role is missing there, trusts others, or does not allow something that is needed.
    """
    where = f"the role {role}"
    key = (place.account, role)
    if key not in session.memo:
        try:
            found = session.call("iam", "get_role", at=place, RoleName=role)["Role"]
        except StepError as error:
            raise StepError(
                place, f"sts:AssumeRole is not possible: {where} does not exist in {place.account}"
            ) from error
        if not trusts(found["AssumeRolePolicyDocument"], principals):
            raise StepError(place, f"sts:AssumeRole is not allowed: {where} does not trust {_words(principals)}")
        session.call("sts", "assume_role", RoleArn=found["Arn"], RoleSessionName="EC2ImageBuilder")
        session.act_by(place.account, found["Arn"], taken_by_service=SERVICE in principals)
        session.memo[key] = list(_statements(session, place, role))
    for action, resource in needs:
        if not allows(session.memo[key], action, resource):
            on = f" on {resource}" if resource else ""
            raise StepError(place, f"AccessDenied: {where} of {place.account} does not allow {action}{on}")


def trusts(policy: Any, principals: frozenset[str]) -> bool:
    """Tell whether a trust policy lets one of the principals take its role."""
    return any(
        statement.get("Effect") == "Allow" and _principals(statement) & {*principals, "*"}
        for statement in _listed(_document(policy).get("Statement"))
    )


def account_principals(account: str) -> frozenset[str]:
    """Return the names under which a trust policy names a whole account."""
    return frozenset({account, f"arn:aws:iam::{account}:root"})


def allows(statements: Sequence[Mapping[str, Any]], action: str, resource: str) -> bool:
    """Tell whether statements of policies allow an action, on a resource if one is given."""
    met = [statement for statement in statements if _covers(statement, action, resource)]
    return bool(met) and all(statement.get("Effect") == "Allow" for statement in met)


def _covers(statement: Mapping[str, Any], action: str, resource: str) -> bool:
    if "NotAction" in statement:
        meant = not any(_matches(pattern, action.lower()) for pattern in _lowered(statement["NotAction"]))
    else:
        meant = any(_matches(pattern, action.lower()) for pattern in _lowered(statement.get("Action")))
    if not meant:
        return False
    if not resource:
        # Without a resource only a refusal of everything counts as one.
        return statement.get("Effect") == "Allow" or "*" in _listed(statement.get("Resource"))
    if "NotResource" in statement:
        return not any(_matches(pattern, resource) for pattern in _listed(statement["NotResource"]))
    return any(_matches(pattern, resource) for pattern in _listed(statement.get("Resource")))


def _statements(session: Session, place: Place, role: str) -> Iterator[Mapping[str, Any]]:
    for name in session.call("iam", "list_role_policies", at=place, RoleName=role)["PolicyNames"]:
        answer = session.call("iam", "get_role_policy", at=place, RoleName=role, PolicyName=name)
        yield from _listed(_document(answer["PolicyDocument"]).get("Statement"))
    for attached in session.call("iam", "list_attached_role_policies", at=place, RoleName=role)["AttachedPolicies"]:
        arn = attached["PolicyArn"]
        policy = session.call("iam", "get_policy", at=place, PolicyArn=arn)["Policy"]
        answer = session.call(
            "iam", "get_policy_version", at=place, PolicyArn=arn, VersionId=policy["DefaultVersionId"]
        )
        yield from _listed(_document(answer["PolicyVersion"]["Document"]).get("Statement"))


def _principals(statement: Mapping[str, Any]) -> set[str]:
    named = statement.get("Principal") or {}
    if isinstance(named, str):
        return {named}
    return {str(found) for kind in ("AWS", "Service") for found in _listed(named.get(kind))}


def _document(policy: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(policy) if isinstance(policy, str) else policy
    return found


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _lowered(value: Any) -> list[str]:
    return [str(item).lower() for item in _listed(value)]


def _matches(pattern: Any, text: str) -> bool:
    written = re.escape(str(pattern)).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(written, text) is not None


def _words(principals: frozenset[str]) -> str:
    return min(principals, key=len)
