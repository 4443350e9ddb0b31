"""Mends of the emulator's S3: bucket policies that ask for TLS do not shut the sandbox out.

The emulator reads a statement's conditions as never met, so that the usual "deny what is not TLS", which the bootstrap
bucket has as well, denies everything.  The sandbox stands in for services that are reached by TLS only.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, Final

from moto.s3.models import FakeBucket

from cdk_ami.sandbox import emulator
from cdk_ami.sandbox.s3 import notices

TRANSPORT_KEYS: Final = frozenset({"aws:securetransport", "s3:tlsversion"})
"""Condition keys about how a request travelled.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/amazon-s3-policy-keys.html"""

_ORIGINAL: Final[dict[str, Callable[..., Any]]] = {}


def install() -> None:
    """Let buckets judge requests as if they had come by TLS."""
    _ORIGINAL["get_permission"] = emulator.replace(
        FakeBucket, "get_permission", _get_permission, takes=("action", "resource")
    )
    notices.install()


def _get_permission(self: Any, action: str, resource: str) -> Any:
    # A stand-in instead of the bucket: several requests may ask at once.
    return _ORIGINAL["get_permission"](SimpleNamespace(policy=_without_transport(self.policy)), action, resource)


def _without_transport(policy: bytes | str | None) -> bytes | None:
    if not policy:
        return None
    document = json.loads(policy)
    statements = document.get("Statement", [])
    statements = statements if isinstance(statements, list) else [statements]
    kept = [statement for statement in statements if not _is_about_transport(statement)]
    return json.dumps({**document, "Statement": kept}).encode() if kept else None


def _is_about_transport(statement: Mapping[str, Any]) -> bool:
    keys = {key.lower() for condition in statement.get("Condition", {}).values() for key in condition}
    return statement.get("Effect") == "Deny" and bool(keys) and keys <= TRANSPORT_KEYS
