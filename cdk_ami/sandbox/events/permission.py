"""Whether a resource's own policy lets a service of AWS act on it; pure.

Only what such policies are made of is read; a condition by an operator or key that is not known here denies.
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html, read 2026-11-28
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final


def allows(policy: str | None, *, service: str, action: str, resource: str, source_arn: str, account: str) -> bool:
    """Tell whether ``policy`` lets ``service`` do ``action`` on ``resource``.

    Args:
        policy: The policy's JSON text; None is no policy.
        service: Such as ``events.amazonaws.com``.
        action: Such as ``sqs:SendMessage``.
        resource: ARN of the resource that has the policy.
        source_arn: ARN of what the service acts for, such as a rule.
        account: Account of that.
    """
    # Services reach one another by TLS.
    keys = {"aws:sourcearn": source_arn, "aws:sourceaccount": account, "aws:securetransport": "true"}
    effects = {
        statement.get("Effect")
        for statement in _listed((json.loads(policy) if policy else {}).get("Statement", []))
        if _is_meant(statement.get("Principal"), service)
        and any(_like(wanted.lower(), action.lower()) for wanted in _listed(statement.get("Action", [])))
        and any(_like(wanted, resource) for wanted in _listed(statement.get("Resource", "*")))
        and _holds(statement.get("Condition") or {}, keys)
    }
    return "Allow" in effects and "Deny" not in effects


def trusts(policy: str, *, service: str) -> bool:
    """Tell whether a role's trust policy lets ``service`` assume it."""
    return any(
        statement.get("Effect") == "Allow"
        and _is_meant(statement.get("Principal"), service)
        and "sts:assumerole" in {action.lower() for action in _listed(statement.get("Action", []))}
        for statement in _listed(json.loads(policy).get("Statement", []))
    )


def _is_meant(principal: Any, service: str) -> bool:
    if principal == "*":
        return True
    if not isinstance(principal, Mapping):
        return False
    return service in _listed(principal.get("Service", [])) or "*" in _listed(principal.get("AWS", []))


def _holds(condition: Mapping[str, Any], keys: Mapping[str, str]) -> bool:
    return all(
        name in _OPERATORS
        and key.lower() in keys
        and any(_OPERATORS[name](str(wanted), keys[key.lower()]) for wanted in _listed(values))
        for name, tests in condition.items()
        for key, values in tests.items()
    )


def _like(wanted: str, value: str) -> bool:
    parts = ({"*": ".*", "?": "."}.get(part, re.escape(part)) for part in re.split(r"([*?])", wanted))
    return re.fullmatch("".join(parts), value, re.DOTALL) is not None


def _equal(wanted: str, value: str) -> bool:
    return wanted == value


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


_OPERATORS: Final[dict[str, Callable[[str, str], bool]]] = {
    "StringEquals": _equal,
    "StringLike": _like,
    "ArnEquals": _like,
    "ArnLike": _like,
    "Bool": lambda wanted, value: wanted.lower() == value,
}
"""Operators of conditions; in both that compare ARNs wildcards hold."""
