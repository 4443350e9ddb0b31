"""Client tokens: the same token and the same request give the same answer, another request is refused."""

from __future__ import annotations

import json
from typing import Any

from cdk_ami.sandbox.ec2.refusal import refusal


def known(backend: Any, operation: str, request: dict[str, Any]) -> Any:
    """Return what the request's ``ClientToken`` gave before, or None.

    Raises:
        EC2ClientError: IdempotentParameterMismatch, when the token was used with other parameters.
    """
    entry = _tokens(backend).get((operation, request.get("ClientToken")))
    if entry is None:
        return None
    if entry[0] != _fingerprint(request):
        raise refusal(
            "IdempotentParameterMismatch",
            f"The client token {request['ClientToken']} was used before with other parameters",
        )
    return entry[1]


def keep(backend: Any, operation: str, request: dict[str, Any], result: Any) -> None:
    """Remember what a request gave, when it has a token."""
    if request.get("ClientToken"):
        _tokens(backend)[operation, request["ClientToken"]] = (_fingerprint(request), result)


def _tokens(backend: Any) -> dict[tuple[str, str | None], tuple[str, Any]]:
    # The backend's own dictionary, so that a reset forgets the tokens too.
    tokens: dict[tuple[str, str | None], tuple[str, Any]] = backend.__dict__.setdefault("_sandbox_tokens", {})
    return tokens


def _fingerprint(request: dict[str, Any]) -> str:
    return json.dumps(request, sort_keys=True, default=str)
