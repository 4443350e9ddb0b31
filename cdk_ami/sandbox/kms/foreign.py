"""Requests about keys of other accounts, which the emulator does not find, and grants, which it makes anew each time.

https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-modifying-external-accounts.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from moto.kms.exceptions import AccessDeniedException, NotFoundException
from moto.kms.models import KmsBackend, kms_backends
from moto.kms.responses import KmsResponse

from cdk_ami.sandbox import emulator
from cdk_ami.sandbox.iam.principals import principal_of
from cdk_ami.sandbox.kms import access

ACROSS: Final = frozenset({"CreateGrant", "DescribeKey", "ListGrants", "RetireGrant", "RevokeGrant"})
"""Operations that are answered here for a key of another account, where its policy allows it."""

_ARN: Final = re.compile(r"arn:[^:]+:kms:(?P<region>[^:]+):(?P<account>\d{12}):.+")


def install() -> None:
    """Let requests reach keys of other accounts, and a grant that is asked for twice be one."""
    emulator.replace_property(KmsResponse, "kms_backend", _backend)
    names = ("key_id", "grantee_principal", "operations", "name", "constraints", "retiring_principal")

    def create_grant(self: Any, *values: Any, **named: Any) -> tuple[str, str]:
        asked = dict(zip(names, values, strict=False)) | named
        made: tuple[str, str] = _same_grant(self, asked) or original(self, **asked)
        return made

    original = emulator.replace(KmsBackend, "create_grant", create_grant, takes=names)


def _backend(response: Any) -> Any:
    """Return where the key of a request is: in the caller's account, or in its owner's where it may use it."""
    own = kms_backends[response.current_account][response.region]
    request = json.loads(response.body or "{}")
    found = _ARN.fullmatch(str(request.get("KeyId") or ""))
    if found is None or found["account"] == response.current_account:
        return own
    action = response.headers.get("X-Amz-Target", "").rpartition(".")[2]
    if action not in ACROSS or found["region"] != response.region:
        raise NotFoundException(f"Key '{request['KeyId']}' does not exist")
    owner = kms_backends[found["account"]][response.region]
    try:
        key = owner.describe_key(request["KeyId"])
    except KeyError:
        raise NotFoundException(f"Key '{request['KeyId']}' does not exist") from None
    principal = principal_of(response)
    if action == "RetireGrant":
        _check_retiring(key, request.get("GrantId"), principal)
    elif not access.allows_call(key, principal, f"kms:{action}", grantee=request.get("GranteePrincipal")):
        raise AccessDeniedException(
            f"User: {principal} is not authorized to perform: kms:{action} on this resource because the resource does "
            "not exist in this Region, no resource-based policies allow access, or a resource-based policy explicitly "
            "denies access"
        )
    return owner


def _check_retiring(key: Any, grant_id: str | None, principal: str) -> None:
    """Let the account retire a grant that it is named in as the one to retire it.

    https://docs.aws.amazon.com/kms/latest/developerguide/grant-delete.html
    """
    grant = key.grants.get(grant_id)
    if grant is None:
        raise NotFoundException(f"Grant ID {grant_id} not found")
    if grant.retiring_principal not in {principal, access.account_root(principal)}:
        raise AccessDeniedException(
            f"User: {principal} is not authorized to perform: kms:RetireGrant on resource: {key.arn}"
        )


def _same_grant(backend: Any, asked: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return id and token of the grant that has the name and all the values of one that is asked for."""
    key_id = asked["key_id"]
    if key_id.startswith("alias/") or ":alias/" in key_id:
        raise NotFoundException(f"Invalid keyId '{key_id}'")
    for grant in list(backend.describe_key(key_id).grants.values()):
        if asked["name"] and all(getattr(grant, name) == value for name, value in asked.items() if name != "key_id"):
            return grant.id, grant.token
    return None
