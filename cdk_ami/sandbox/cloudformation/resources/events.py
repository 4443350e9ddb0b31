"""Rules, event buses and archives of EventBridge."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cdk_ami.sandbox.cloudformation.resources.base import Context, Handler, Made, handles
from cdk_ami.sandbox.cloudformation.resources.mapping import shaped


@handles(
    "AWS::Events::Rule", "Description EventBusName EventPattern Name RoleArn ScheduleExpression State Tags Targets"
)
class Rule(Handler):
    """A rule with its targets."""

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Make the rule."""
        name = new.get("Name") or context.name(longest=64)
        context.client("events").put_rule(**self._rule(name, new), Tags=context.tags(new.get("Tags")))
        context.began(name)
        return self._targets(context, name, {}, new)

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:
        """Put the rule and its targets again."""
        client = context.client("events")
        name = physical_id.rpartition("|")[2]
        client.put_rule(**self._rule(name, new))
        made = self._targets(context, name, old, new)
        put, remove = context.retag(old.get("Tags"), new.get("Tags"))
        arn = made.attributes["Arn"]
        if put:
            client.tag_resource(ResourceARN=arn, Tags=[{"Key": key, "Value": value} for key, value in put.items()])
        if remove:
            client.untag_resource(ResourceARN=arn, TagKeys=remove)
        return made

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:
        """Remove the targets and the rule."""
        client = context.client("events")
        where = {"EventBusName": properties.get("EventBusName", "default")}
        name = physical_id.rpartition("|")[2]
        if ids := [target["Id"] for target in properties.get("Targets", ())]:
            client.remove_targets(Rule=name, Ids=ids, **where)
        client.delete_rule(Name=name, **where)

    def _rule(self, name: str, new: Mapping[str, Any]) -> dict[str, Any]:
        names = ("Description", "EventBusName", "RoleArn", "ScheduleExpression", "State")
        made = {key: new[key] for key in names if key in new}
        if "EventPattern" in new:
            pattern = new["EventPattern"]
            made["EventPattern"] = pattern if isinstance(pattern, str) else json.dumps(pattern)
        return {"Name": name, **made}

    def _targets(self, context: Context, name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:
        client = context.client("events")
        bus = new.get("EventBusName", "default")
        targets = shaped("events", "TargetList", new.get("Targets", []))
        ids = [target["Id"] for target in targets]
        if gone := [target["Id"] for target in old.get("Targets", ()) if target["Id"] not in ids]:
            client.remove_targets(Rule=name, EventBusName=bus, Ids=gone)
        if targets:
            client.put_targets(Rule=name, EventBusName=bus, Targets=targets)
        arn = client.describe_rule(Name=name, EventBusName=bus)["Arn"]
        physical_id = name if bus == "default" else f"{bus}|{name}"
        return Made(physical_id=physical_id, attributes={"Arn": arn, "RuleName": name})


@handles("AWS::Events::EventBus", "Description Name Tags", updates="Tags")
class EventBus(Handler):
    """An event bus of one's own."""

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Make the bus."""
        options = {"Description": new["Description"]} if "Description" in new else {}
        client = context.client("events")
        arn = client.create_event_bus(Name=new["Name"], Tags=context.tags(new.get("Tags")), **options)["EventBusArn"]
        return Made(physical_id=new["Name"], attributes={"Arn": arn, "Name": new["Name"]})

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:
        """Change the tags."""
        client = context.client("events")
        arn = context.arn("events", f"event-bus/{physical_id}")
        put, remove = context.retag(old.get("Tags"), new.get("Tags"))
        if put:
            client.tag_resource(ResourceARN=arn, Tags=[{"Key": key, "Value": value} for key, value in put.items()])
        if remove:
            client.untag_resource(ResourceARN=arn, TagKeys=remove)
        return Made(physical_id=physical_id, attributes={"Arn": arn, "Name": physical_id})

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Remove the bus."""
        context.client("events").delete_event_bus(Name=physical_id)


@handles("AWS::Events::Archive", "ArchiveName Description EventPattern RetentionDays SourceArn")
class Archive(Handler):
    """An archive of the events of a bus."""

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Make the archive."""
        name = new.get("ArchiveName") or context.name(longest=48)
        arn = context.client("events").create_archive(
            ArchiveName=name, EventSourceArn=new["SourceArn"], **self._options(new)
        )["ArchiveArn"]
        return Made(physical_id=name, attributes={"Arn": arn, "ArchiveName": name})

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:  # noqa: ARG002
        """Set everything again."""
        arn = context.client("events").update_archive(ArchiveName=physical_id, **self._options(new))["ArchiveArn"]
        return Made(physical_id=physical_id, attributes={"Arn": arn, "ArchiveName": physical_id})

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Remove the archive."""
        context.client("events").delete_archive(ArchiveName=physical_id)

    def _options(self, new: Mapping[str, Any]) -> dict[str, Any]:
        options = {name: new[name] for name in ("Description", "RetentionDays") if name in new}
        if "EventPattern" in new:
            pattern = new["EventPattern"]
            options["EventPattern"] = pattern if isinstance(pattern, str) else json.dumps(pattern)
        return options


@handles("AWS::Events::EventBusPolicy", "Action Condition EventBusName Principal Statement StatementId")
class EventBusPolicy(Handler):
    """One statement of the policy of a bus."""

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Put the statement."""
        bus, name = new.get("EventBusName", "default"), new["StatementId"]
        if "Statement" in new:
            statement = {**new["Statement"], "Sid": name}
            policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
            context.client("events").put_permission(EventBusName=bus, Policy=policy)
        else:
            members = {member: new[member] for member in ("Action", "Principal", "Condition") if member in new}
            context.client("events").put_permission(EventBusName=bus, StatementId=name, **members)
        return Made(physical_id=f"{bus}|{name}")

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:
        """Put the statement anew."""
        self.delete(context, physical_id, old)
        return self.create(context, new)

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:
        """Remove the statement."""
        context.client("events").remove_permission(
            EventBusName=properties.get("EventBusName", "default"), StatementId=physical_id.rpartition("|")[2]
        )
