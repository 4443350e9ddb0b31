"""Volumes and snapshots made one by one, with the key that encrypts them."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import InvalidSnapshotInUse
from moto.ec2.models import ec2_backends
from moto.ec2.models.elastic_block_store import Snapshot

from cdk_ami.sandbox.ec2.keys import default_key
from cdk_ami.sandbox.ec2.naming import tags_by_type
from cdk_ami.sandbox.ec2.refusal import refusal
from cdk_ami.sandbox.ec2.snapshots import add_snapshot, encryption_key


class StorageOperations:
    """Methods for the emulator's ``EBSBackend``."""

    account_id: str
    region_name: str
    snapshots: dict[str, Snapshot]
    amis: dict[str, Any]
    get_volume: Any

    def create_snapshot(
        self, volume_id: str, description: str, owner_id: str | None = None, from_ami: str | None = None
    ) -> Snapshot:
        """Make a snapshot that keeps the volume's size and key, whatever becomes of the volume."""
        del owner_id
        volume = self.get_volume(volume_id)
        return add_snapshot(
            self,
            size=volume.size,
            volume_id=volume.id,
            description=description or "",
            key=volume.kms_key_id if volume.encrypted else None,
            image_id=from_ami,
        )

    def delete_snapshot(self, snapshot_id: str) -> Snapshot:
        """Delete a snapshot that no AMI of the account holds."""
        holder = next((image.id for image in list(self.amis.values()) if snapshot_id in image.snapshot_ids), None)
        if holder is not None:
            raise InvalidSnapshotInUse(snapshot_id, holder)
        if snapshot_id not in self.snapshots:
            raise refusal("InvalidSnapshot.NotFound", f"The snapshot '{snapshot_id}' does not exist.")
        return self.snapshots.pop(snapshot_id)

    def _create_default_encryption_key(self) -> str:
        """Return the key that EBS uses when none is named."""
        self.default_kms_key_id = default_key(self.account_id, self.region_name)
        return self.default_kms_key_id


class StorageAnswers:
    """Methods for the emulator's ``ElasticBlockStore`` responses."""

    ec2_backend: Any
    _get_param: Any
    error_on_dryrun: Any

    def copy_snapshot(self) -> ActionResult:
        """Answer CopySnapshot: what is encrypted stays so, under a key of this Region."""
        self.error_on_dryrun()
        backend, region = self.ec2_backend, self._get_param("SourceRegion")
        source = ec2_backends[backend.account_id][region].get_snapshot(self._get_param("SourceSnapshotId"))
        ebs = {"Encrypted": self._get_param("Encrypted") or None, "KmsKeyId": self._get_param("KmsKeyId")}
        if source.encrypted and not ebs["KmsKeyId"]:
            ebs["Encrypted"] = True  # under the default key here: the source's does not leave its Region
        tags = tags_by_type(self._get_param("TagSpecifications", []), allowed=("snapshot",))
        copy = add_snapshot(
            backend,
            size=source.volume_size,
            description=self._get_param("Description") or f"[Copied {source.id} from {region}]",
            key=encryption_key(backend, ebs),
            tags=tags.get("snapshot"),
        )
        return ActionResult({"SnapshotId": copy.id, "Tags": copy.tag_set})
