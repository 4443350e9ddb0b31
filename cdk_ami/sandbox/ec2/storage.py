"""Volumes and snapshots made one by one, with the key that encrypts them."""

from __future__ import annotations

from typing import Any

from moto.ec2.models.elastic_block_store import Snapshot

from cdk_ami.sandbox.ec2.keys import default_key
from cdk_ami.sandbox.ec2.snapshots import add_snapshot


class StorageOperations:
    """Methods for the emulator's ``EBSBackend``."""

    account_id: str
    region_name: str
    snapshots: dict[str, Snapshot]
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

    def _create_default_encryption_key(self) -> str:
        """Return the key that EBS uses when none is named."""
        self.default_kms_key_id = default_key(self.account_id, self.region_name)
        return self.default_kms_key_id
