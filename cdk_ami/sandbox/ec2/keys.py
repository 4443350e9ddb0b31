"""Which KMS key encrypts a volume or a snapshot, and whether it may."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from moto.kms import kms_backends

from cdk_ami.sandbox.ec2.refusal import refusal
from cdk_ami.sandbox.iam.principals import account_of
from cdk_ami.sandbox.kms import access

DEFAULT_ALIAS: Final = "alias/aws/ebs"
"""The key that EBS uses when none is named; AWS makes it in each Region on first use and it cannot be shared."""

_KEY_ARN: Final = re.compile(r"arn:[^:]+:kms:(?P<region>[^:]+):(?P<account>\d{12}):(?P<resource>(?:key|alias)/.+)")


class UnusableKeyError(Exception):
    """A key that does not exist where it is used, or that its user may not use.

    EC2 finds that out after it has answered: what was to be made with the key then fails.

    Attributes:
        code: What the record of an instance says that could not be launched for it.
    """

    def __init__(self, message: str, code: str = "Client.InternalError") -> None:
        super().__init__(message)
        self.code = code


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


def resolve_key(principal: str, region: str, key: str, actions: Iterable[str] = access.WRITE) -> str:
    """Return the ARN of the key that ``key`` names for ``principal`` in ``region``.

    Args:
        principal: ARN of who uses the key.
        region: Where the key is used; KMS keys do not leave their Region.
        key: Id, alias, or ARN of either.
        actions: What is done with the key.

    Raises:
        UnusableKeyError: When there is no such key here, it is disabled, or ``principal`` may not use it.
    """
    account = account_of(principal)
    if key == DEFAULT_ALIAS:
        return default_key(account, region)
    match = _KEY_ARN.fullmatch(key)
    if match and match["region"] != region:
        raise UnusableKeyError(f"the key {key} is in {match['region']}, not in {region}")
    owner, name = (match["account"], match["resource"]) if match else (account, key)
    found = _find(kms_backends[owner][region], name.removeprefix("key/"))
    if found is None:
        raise UnusableKeyError(f"the key {key} does not exist in {region}")
    if found.key_state != "Enabled":
        raise UnusableKeyError(f"the key {key} is {found.key_state}", "Client.InvalidKMSKey.InvalidState")
    if DEFAULT_ALIAS in found.aliases:
        if owner != account:
            raise UnusableKeyError(f"the key {key} is the default key of {owner}, which no other account can use")
        return str(found.arn)
    if why := access.refused(found, principal, actions):
        raise UnusableKeyError(f"the key {key} cannot be used: {why}")
    return str(found.arn)


def check_readable(principal: str, arn: str | None) -> None:
    """Check that ``principal`` can read what the key ``arn`` encrypts; None is no encryption.

    Raises:
        UnusableKeyError: When it cannot.
    """
    if arn is not None:
        resolve_key(principal, arn.split(":")[3], arn, access.READ)


def encryption_key(backend: Any, ebs: dict[str, Any], principal: str, *, inherited: str | None = None) -> str | None:
    """Return the ARN of the key for a volume or snapshot that ``ebs`` describes, or None for no encryption.

    Args:
        backend: The caller's EC2 in the Region.
        ebs: ``Encrypted`` and ``KmsKeyId`` as the request has them.
        principal: ARN of who asks.
        inherited: Key of the snapshot that the volume is made of: encrypted data stays encrypted.

    Raises:
        EC2ClientError: When the request contradicts itself.
        UnusableKeyError: When the key cannot be used.
    """
    if ebs.get("KmsKeyId") and ebs.get("Encrypted") is False:
        raise refusal(
            "InvalidParameterDependency", "The parameter KmsKeyId requires the parameter Encrypted to be set."
        )
    if inherited and ebs.get("Encrypted") is False:
        raise refusal("InvalidParameter", "An encrypted snapshot cannot give an unencrypted volume")
    region = backend.region_name
    if ebs.get("KmsKeyId"):
        return resolve_key(principal, region, ebs["KmsKeyId"])
    if ebs.get("Encrypted") or (backend.get_ebs_encryption_by_default() and not inherited):
        key = inherited or backend.default_kms_key_id or default_key(backend.account_id, region)
        return resolve_key(principal, region, key)
    return resolve_key(principal, region, inherited) if inherited else None


def _find(kms: Any, name: str) -> Any:
    if not name.startswith("alias/"):
        return kms.keys.get(name)
    return next((key for key in list(kms.keys.values()) if name in key.aliases), None)
