"""Tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cdk_ami.sandbox.cloudformation.resources.base import Context, Handler, Made, changed, handles
from cdk_ami.sandbox.cloudformation.resources.mapping import api_parameters

LATER: Final = frozenset({"PointInTimeRecoverySpecification", "Tags", "TimeToLiveSpecification"})
"""Properties that are set by calls of their own once the table is there."""


@handles(
    "AWS::DynamoDB::Table",
    "AttributeDefinitions BillingMode DeletionProtectionEnabled GlobalSecondaryIndexes KeySchema "
    "LocalSecondaryIndexes PointInTimeRecoverySpecification ProvisionedThroughput TableClass TableName Tags "
    "TimeToLiveSpecification",
    updates="BillingMode DeletionProtectionEnabled PointInTimeRecoverySpecification ProvisionedThroughput Tags "
    "TimeToLiveSpecification",
)
class Table(Handler):
    """A table without streams and replicas."""

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Make the table."""
        name = new.get("TableName") or context.name(longest=255)
        own = {key: value for key, value in new.items() if key not in LATER}
        parameters = api_parameters("dynamodb", "CreateTable", {**own, "TableName": name})
        if tags := context.tags(new.get("Tags")):
            parameters["Tags"] = tags
        context.client("dynamodb").create_table(**parameters)
        context.began(name)
        return self._later(context, name, {}, new)

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:
        """Set what differs."""
        client = context.client("dynamodb")
        differ = changed(old, new) - LATER
        if differ:
            wanted = {key: new[key] for key in differ if key in new}
            client.update_table(**api_parameters("dynamodb", "UpdateTable", {**wanted, "TableName": physical_id}))
        made = self._later(context, physical_id, old, new)
        put, remove = context.retag(old.get("Tags"), new.get("Tags"))
        if put:
            tags = [{"Key": key, "Value": value} for key, value in put.items()]
            client.tag_resource(ResourceArn=made.attributes["Arn"], Tags=tags)
        if remove:
            client.untag_resource(ResourceArn=made.attributes["Arn"], TagKeys=remove)
        return made

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Remove the table."""
        context.client("dynamodb").delete_table(TableName=physical_id)

    def _later(self, context: Context, name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:
        client = context.client("dynamodb")
        differ = changed(old, new)
        if "TimeToLiveSpecification" in differ:
            wanted = new.get("TimeToLiveSpecification", {**old.get("TimeToLiveSpecification", {}), "Enabled": False})
            client.update_time_to_live(TableName=name, TimeToLiveSpecification=wanted)
        if "PointInTimeRecoverySpecification" in differ:
            wanted = new.get("PointInTimeRecoverySpecification", {"PointInTimeRecoveryEnabled": False})
            client.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification=wanted)
        return Made(physical_id=name, attributes={"Arn": context.arn("dynamodb", f"table/{name}")})
