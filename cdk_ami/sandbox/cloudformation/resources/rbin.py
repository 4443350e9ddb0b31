"""Rules of the Recycle Bin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cdk_ami.sandbox.cloudformation.resources.base import Context, Handler, Made, changed, handles


@handles(
    "AWS::Rbin::Rule",
    "Description ExcludeResourceTags LockConfiguration ResourceTags ResourceType RetentionPeriod Tags",
)
class Rule(Handler):
    """A retention rule; its ARN is its physical id."""

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Make the rule."""
        lock = {"LockConfiguration": _lock(new)} if new.get("LockConfiguration") else {}
        made = context.client("rbin").create_rule(
            ResourceType=new["ResourceType"], Tags=context.tags(new.get("Tags")), **_settings(new), **lock
        )
        return _made(made)

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:
        """Unlock, change and lock, each where the template says so; a locked rule refuses its change."""
        client, differ = context.client("rbin"), changed(old, new)
        identifier = physical_id.rpartition("/")[2]
        if "LockConfiguration" in differ and not new.get("LockConfiguration"):
            client.unlock_rule(Identifier=identifier)
        if differ - {"LockConfiguration", "Tags"}:
            # An empty list takes tags away, an absent one would leave them.
            settings: dict[str, Any] = {"Description": ""}
            settings |= {name: [] for name in ("ResourceTags", "ExcludeResourceTags") if name in differ}
            client.update_rule(Identifier=identifier, **{**settings, **_settings(new)})
        if "LockConfiguration" in differ and new.get("LockConfiguration"):
            client.lock_rule(Identifier=identifier, LockConfiguration=_lock(new))
        put, remove = context.retag(old.get("Tags"), new.get("Tags"))
        if put:
            tags = [{"Key": key, "Value": value} for key, value in put.items()]
            client.tag_resource(ResourceArn=physical_id, Tags=tags)
        if remove:
            client.untag_resource(ResourceArn=physical_id, TagKeys=remove)
        return _made(client.get_rule(Identifier=identifier))

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Remove the rule."""
        context.client("rbin").delete_rule(Identifier=physical_id.rpartition("/")[2])


def _settings(new: Mapping[str, Any]) -> dict[str, Any]:
    period = new["RetentionPeriod"]
    settings = {name: new[name] for name in ("Description", "ResourceTags", "ExcludeResourceTags") if name in new}
    days = {
        "RetentionPeriodValue": int(period["RetentionPeriodValue"]),
        "RetentionPeriodUnit": period["RetentionPeriodUnit"],
    }
    return {**settings, "RetentionPeriod": days}


def _lock(new: Mapping[str, Any]) -> dict[str, Any]:
    delay = new["LockConfiguration"]
    return {
        "UnlockDelay": {
            "UnlockDelayValue": int(delay["UnlockDelayValue"]),
            "UnlockDelayUnit": delay["UnlockDelayUnit"],
        }
    }


def _made(rule: Mapping[str, Any]) -> Made:
    attributes = {"Arn": rule["RuleArn"], "Identifier": rule["Identifier"], "LockState": rule["LockState"]}
    return Made(physical_id=rule["RuleArn"], attributes=attributes)
