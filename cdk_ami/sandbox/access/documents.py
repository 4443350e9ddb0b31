"""Judges one need by policy documents.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from cdk_ami.sandbox.access.conditions import Context, UndecidedError, met, pattern

_VARIABLE: Final = re.compile(r"\$\{([^}]+)\}")
_LITERAL: Final = {"*": "*", "?": "?", "$": "$"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """One permission that a request needs.

    Attributes:
        action: Such as ``ec2:RunInstances``.
        resource: ARN of what it is done to, ``*`` where the action knows no resources or they cannot be told.
        keys: Values of condition keys, in lower case, that this need alone has.
    """

    action: str
    resource: str = "*"
    keys: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who needs it.

    Attributes:
        account: The account.
        arns: The ARNs by which a policy may name it: of the role, of its session.
        service: The service that acts, such as ``lambda.amazonaws.com``.
    """

    account: str
    arns: tuple[str, ...] = ()
    service: str | None = None


class Verdict(Enum):
    """What policies say of a need."""

    DENIED = "denied"
    ALLOWED = "allowed"
    DELEGATED = "allowed to the account, whose own policies decide"
    SILENT = "nothing said"


def judge(
    documents: Iterable[Mapping[str, Any]], need: Need, context: Context, principal: Principal | None = None
) -> Verdict:
    """Return what policies say of a need; those of resources judge by their principals, so ``principal`` is given.

    Raises:
        UndecidedError: When a statement that matters cannot be judged.
    """
    verdict = Verdict.SILENT
    for statement in (one for document in documents for one in statements(document)):
        named = Verdict.ALLOWED if principal is None else _named(statement, principal)
        if named is None or not _is_about(statement, need, context, whole=principal is not None):
            continue
        if not met(statement.get("Condition") or {}, context):
            continue
        if statement["Effect"] == "Deny":
            return Verdict.DENIED
        if verdict is not Verdict.ALLOWED:
            verdict = named
    return verdict


def statements(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the statements of a document."""
    yield from _many(document.get("Statement", []))


def read(document: Any) -> Mapping[str, Any]:
    """Return a document that came as text or as data."""
    found: Mapping[str, Any] = json.loads(document) if isinstance(document, str) else document
    return found


def _many(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else [value]


def _is_about(statement: Mapping[str, Any], need: Need, context: Context, *, whole: bool) -> bool:
    if "NotAction" in statement:
        acts = not _any(statement["NotAction"], need.action, ignore_case=True)
    else:
        acts = _any(statement.get("Action", []), need.action, ignore_case=True)
    if not acts:
        return False
    if "NotResource" in statement:
        return not _any(_filled(statement["NotResource"], context), need.resource)
    if "Resource" not in statement:
        return whole  # the policy of a resource is about that resource
    return _any(_filled(statement["Resource"], context), need.resource)


def _any(patterns: Any, value: str, *, ignore_case: bool = False) -> bool:
    return any(pattern(str(one), ignore_case=ignore_case).fullmatch(value) for one in _many(patterns))


def _filled(resources: Any, context: Context) -> list[str]:
    return [_VARIABLE.sub(lambda found: _value(found[1], context), str(one)) for one in _many(resources)]


def _value(variable: str, context: Context) -> str:
    key, _, default = variable.partition(",")
    if key.strip() in _LITERAL:
        return _LITERAL[key.strip()]
    values = context(key.strip())
    if values:
        return values[0]
    return default.strip().strip("'") if default else "\0"  # matches nothing


def _named(statement: Mapping[str, Any], principal: Principal) -> Verdict | None:
    if "NotPrincipal" in statement:
        raise UndecidedError("NotPrincipal")
    named = statement.get("Principal", {})
    if named == "*":
        return Verdict.ALLOWED
    if principal.service is not None and principal.service in _many(named.get("Service", [])):
        return Verdict.ALLOWED
    found = None
    for one in _many(named.get("AWS", [])) if principal.arns or principal.service is None else ():
        if one == "*" or one in principal.arns:
            return Verdict.ALLOWED
        if one in {principal.account, f"arn:aws:iam::{principal.account}:root"}:
            found = Verdict.DELEGATED
    return found
