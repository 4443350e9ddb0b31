"""What a role may do, as IAM's own simulator tells it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def denied(
    iam: Any, role: str, actions: Sequence[str], resources: Sequence[str], keys: Mapping[str, str] | None = None
) -> list[str]:
    """Return the actions that ``role`` is not allowed on every one of ``resources``.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html

    Args:
        iam: Client of the role's account.
        role: ARN of the role.
        actions: Actions to ask for.
        resources: ARNs or ``*``.
        keys: Values of condition keys, each a string.
    """
    entries = [
        {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}
        for key, value in (keys or {}).items()
    ]
    pages = iam.get_paginator("simulate_principal_policy").paginate(
        PolicySourceArn=role, ActionNames=list(actions), ResourceArns=list(resources), ContextEntries=entries
    )
    refused = {
        found["EvalActionName"]
        for page in pages
        for found in page["EvaluationResults"]
        if found["EvalDecision"] != "allowed"
    }
    return [action for action in actions if action in refused]
