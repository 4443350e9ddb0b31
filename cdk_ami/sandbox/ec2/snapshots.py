"""Snapshots as AMIs hold them, with size, encryption and key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from moto.ec2.models.elastic_block_store import Snapshot
from moto.ec2.utils import random_snapshot_id

from cdk_ami.sandbox.ec2.keys import UnusableKeyError, default_key, resolve_key
from cdk_ami.sandbox.ec2.refusal import refusal

COPIED_VOLUME: Final = "vol-ffffffff"
"""Volume id that EC2 shows for a snapshot that was not made of a volume here.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Snapshot.html
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceVolume:
    """What remains of a volume in its snapshot, whatever becomes of the volume."""

    id: str
    size: int
    encrypted: bool = False


def add_snapshot(
    backend: Any,
    *,
    size: int,
    description: str,
    volume_id: str = COPIED_VOLUME,
    key: str | None = None,
    image_id: str | None = None,
    tags: dict[str, str] | None = None,
) -> Snapshot:
    """Make a snapshot in ``backend``, encrypted when there is a ``key``, an ARN."""
    snapshot = Snapshot(
        backend,
        random_snapshot_id(),
        SourceVolume(id=volume_id, size=size, encrypted=key is not None),
        description,
        encrypted=key is not None,
        kms_key_id=key,
        from_ami=image_id,
    )
    backend.snapshots[snapshot.id] = snapshot
    snapshot.add_tags(tags or {})
    return snapshot


def encryption_key(backend: Any, ebs: dict[str, Any], *, inherited: str | None = None) -> str | None:
    """Return the ARN of the key for a volume that ``ebs`` describes, or None for no encryption.

    Args:
        backend: The caller's EC2 in the Region.
        ebs: ``Encrypted`` and ``KmsKeyId`` as the request has them.
        inherited: Key of the snapshot that the volume is made of: encrypted data stays encrypted.

    Raises:
        EC2ClientError: When the request contradicts itself or the key cannot be used.
    """
    if ebs.get("KmsKeyId") and ebs.get("Encrypted") is False:
        raise refusal(
            "InvalidParameterDependency", "The parameter KmsKeyId requires the parameter Encrypted to be set."
        )
    if inherited and ebs.get("Encrypted") is False:
        raise refusal("InvalidParameter", "An encrypted snapshot cannot give an unencrypted volume")
    account, region = backend.account_id, backend.region_name
    if ebs.get("KmsKeyId"):
        try:
            return resolve_key(account, region, ebs["KmsKeyId"])
        except UnusableKeyError as error:
            raise refusal("InvalidKMSKey.InvalidState", f"The KMS key cannot be used: {error}") from error
    if ebs.get("Encrypted") or (backend.get_ebs_encryption_by_default() and not inherited):
        return backend.default_kms_key_id or inherited or default_key(account, region)
    return inherited
