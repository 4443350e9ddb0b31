"""Which KMS key encrypts a volume or a snapshot, and whether it may."""

from __future__ import annotations

import re
from typing import Any, Final

from moto.kms import kms_backends

DEFAULT_ALIAS: Final = "alias/aws/ebs"
"""The key that EBS uses when none is named; AWS makes it in each Region on first use and it cannot be shared."""

_KEY_ARN: Final = re.compile(r"arn:[^:]+:kms:(?P<region>[^:]+):(?P<account>\d{12}):(?P<resource>(?:key|alias)/.+)")


class UnusableKeyError(Exception):
    """A key that does not exist where it is used, or cannot encrypt."""


def default_key(account: str, region: str) -> str:
    """Return the ARN of the Region's ``alias/aws/ebs`` key, which is made when it is not there yet."""
    kms = kms_backends[account][region]
    for key in list(kms.keys.values()):
        if DEFAULT_ALIAS in key.aliases:
            return str(key.arn)
    key = kms.create_key(
        policy="",
        key_usage="ENCRYPT_DECRYPT",
        key_spec="SYMMETRIC_DEFAULT",
        description="Default key that protects my EBS volumes when no other key is defined",
        tags=None,
    )
    key.key_manager = "AWS"
    kms.create_alias(key.id, DEFAULT_ALIAS)
    return str(key.arn)


def is_default_key(arn: str | None) -> bool:
    """Tell whether ``arn`` is an account's ``alias/aws/ebs`` key, which no other account can use."""
    match = _KEY_ARN.fullmatch(arn or "")
    if match is None:
        return False
    key = kms_backends[match["account"]][match["region"]].keys.get(match["resource"].removeprefix("key/"))
    return key is not None and DEFAULT_ALIAS in key.aliases


def resolve_key(account: str, region: str, key: str | None) -> str:
    """Return the ARN of the key that ``key`` names for a caller in ``account`` and ``region``.

    Args:
        account: The caller's account.
        region: Where the key is used; KMS keys do not leave their Region.
        key: Id, alias, or ARN of either; None for the Region's default key.

    Raises:
        UnusableKeyError: When there is no such key here, or it is disabled.
    """
    if not key or key == DEFAULT_ALIAS:
        return default_key(account, region)
    match = _KEY_ARN.fullmatch(key)
    if match and match["region"] != region:
        raise UnusableKeyError(f"the key {key} is in {match['region']}, not in {region}")
    owner, name = (match["account"], match["resource"]) if match else (account, key)
    found = _find(kms_backends[owner][region], name.removeprefix("key/"))
    if found is None:
        raise UnusableKeyError(f"the key {key} does not exist in {region}")
    if found.key_state != "Enabled":
        raise UnusableKeyError(f"the key {key} is {found.key_state}")
    return str(found.arn)


def _find(kms: Any, name: str) -> Any:
    if not name.startswith("alias/"):
        return kms.keys.get(name)
    return next((key for key in list(kms.keys.values()) if name in key.aliases), None)
