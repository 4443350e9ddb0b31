"""Keys and their aliases."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from cdk_ami.sandbox.cloudformation.resources.base import Context, Handler, Made, changed, handles

PENDING_DAYS: Final = 30
"""Days until a deleted key is gone.  https://docs.aws.amazon.com/kms/latest/APIReference/API_ScheduleKeyDeletion.html"""


@handles(
    "AWS::KMS::Key",
    "BypassPolicyLockoutSafetyCheck Description EnableKeyRotation Enabled KeyPolicy KeySpec KeyUsage MultiRegion "
    "PendingWindowInDays RotationPeriodInDays Tags",
    updates="Description EnableKeyRotation Enabled KeyPolicy PendingWindowInDays RotationPeriodInDays Tags",
)
class Key(Handler):
    """A key; deletion schedules it, as KMS does."""

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Make the key."""
        client = context.client("kms")
        options = {name: new[name] for name in ("Description", "KeySpec", "KeyUsage", "MultiRegion") if name in new}
        if "KeyPolicy" in new:
            options["Policy"] = json.dumps(new["KeyPolicy"])
        tags = [{"TagKey": tag["Key"], "TagValue": tag["Value"]} for tag in context.tags(new.get("Tags"))]
        key = client.create_key(Tags=tags, **options)["KeyMetadata"]
        context.began(key["KeyId"])
        self._switch(client, key["KeyId"], {}, new)
        return Made(physical_id=key["KeyId"], attributes={"Arn": key["Arn"], "KeyId": key["KeyId"]})

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:
        """Set what differs."""
        client = context.client("kms")
        differ = changed(old, new)
        if "Description" in differ:
            client.update_key_description(KeyId=physical_id, Description=new.get("Description", ""))
        if "KeyPolicy" in differ:
            client.put_key_policy(KeyId=physical_id, PolicyName="default", Policy=json.dumps(new["KeyPolicy"]))
        self._switch(client, physical_id, old, new)
        put, remove = context.retag(old.get("Tags"), new.get("Tags"))
        if put:
            tags = [{"TagKey": key, "TagValue": value} for key, value in put.items()]
            client.tag_resource(KeyId=physical_id, Tags=tags)
        if remove:
            client.untag_resource(KeyId=physical_id, TagKeys=remove)
        key = client.describe_key(KeyId=physical_id)["KeyMetadata"]
        return Made(physical_id=physical_id, attributes={"Arn": key["Arn"], "KeyId": physical_id})

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:
        """Schedule the key's deletion."""
        context.client("kms").schedule_key_deletion(
            KeyId=physical_id, PendingWindowInDays=int(properties.get("PendingWindowInDays", PENDING_DAYS))
        )

    def _switch(self, client: Any, key: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        if new.get("EnableKeyRotation", False) != old.get("EnableKeyRotation", False):
            if new.get("EnableKeyRotation"):
                days = (
                    {"RotationPeriodInDays": int(new["RotationPeriodInDays"])} if "RotationPeriodInDays" in new else {}
                )
                client.enable_key_rotation(KeyId=key, **days)
            else:
                client.disable_key_rotation(KeyId=key)
        if new.get("Enabled", True) != old.get("Enabled", True):
            (client.enable_key if new.get("Enabled", True) else client.disable_key)(KeyId=key)


@handles("AWS::KMS::Alias", "AliasName TargetKeyId")
class Alias(Handler):
    """A name for a key."""

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Make the alias."""
        context.client("kms").create_alias(AliasName=new["AliasName"], TargetKeyId=_key_id(new["TargetKeyId"]))
        return Made(physical_id=new["AliasName"])

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:  # noqa: ARG002
        """Point the alias at another key."""
        context.client("kms").update_alias(AliasName=physical_id, TargetKeyId=_key_id(new["TargetKeyId"]))
        return Made(physical_id=physical_id)

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Remove the alias."""
        context.client("kms").delete_alias(AliasName=physical_id)


def _key_id(key: str) -> str:
    return key.rpartition("/")[2] if key.startswith("arn:") else key
