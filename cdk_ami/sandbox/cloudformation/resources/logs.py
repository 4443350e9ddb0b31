"""Log groups."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cdk_ami.sandbox.cloudformation.resources.base import Context, Handler, Made, changed, handles
from cdk_ami.sandbox.cloudformation.resources.mapping import api_parameters


@handles(
    "AWS::Logs::LogGroup",
    "KmsKeyId LogGroupClass LogGroupName RetentionInDays Tags",
    updates="KmsKeyId RetentionInDays Tags",
)
class LogGroup(Handler):
    """A log group."""

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Make the group."""
        client = context.client("logs")
        name = new.get("LogGroupName") or context.name(longest=512)
        options: dict[str, Any] = {"tags": tags} if (tags := context.tag_map(new.get("Tags"))) else {}
        if "KmsKeyId" in new:
            options["kmsKeyId"] = new["KmsKeyId"]
        if new.get("LogGroupClass", "STANDARD") != "STANDARD":
            options["logGroupClass"] = new["LogGroupClass"]
        client.create_log_group(logGroupName=name, **options)
        context.began(name)
        if "RetentionInDays" in new:
            client.put_retention_policy(logGroupName=name, retentionInDays=int(new["RetentionInDays"]))
        return self._made(context, name)

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:
        """Set what differs."""
        client = context.client("logs")
        differ = changed(old, new)
        if "RetentionInDays" in differ:
            if "RetentionInDays" in new:
                client.put_retention_policy(logGroupName=physical_id, retentionInDays=int(new["RetentionInDays"]))
            else:
                client.delete_retention_policy(logGroupName=physical_id)
        if "KmsKeyId" in differ:
            if "KmsKeyId" in new:
                client.associate_kms_key(logGroupName=physical_id, kmsKeyId=new["KmsKeyId"])
            else:
                client.disassociate_kms_key(logGroupName=physical_id)
        put, remove = context.retag(old.get("Tags"), new.get("Tags"))
        if put:
            client.tag_log_group(logGroupName=physical_id, tags=put)
        if remove:
            client.untag_log_group(logGroupName=physical_id, tags=remove)
        return self._made(context, physical_id)

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Remove the group."""
        context.client("logs").delete_log_group(logGroupName=physical_id)

    def _made(self, context: Context, name: str) -> Made:
        return Made(physical_id=name, attributes={"Arn": context.arn("logs", f"log-group:{name}:*")})


@handles("AWS::Logs::ResourcePolicy", "PolicyDocument PolicyName")
class ResourcePolicy(Handler):
    """What other services may do with the log groups of the account."""

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Put the policy."""
        document = new["PolicyDocument"]
        text = document if isinstance(document, str) else json.dumps(document)
        context.client("logs").put_resource_policy(policyName=new["PolicyName"], policyDocument=text)
        return Made(physical_id=new["PolicyName"])

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:  # noqa: ARG002
        """Put the policy again."""
        return self.create(context, new)

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Remove the policy."""
        context.client("logs").delete_resource_policy(policyName=physical_id)


@handles("AWS::Logs::MetricFilter", "FilterName FilterPattern LogGroupName MetricTransformations")
class MetricFilter(Handler):
    """A filter that is kept and counts nothing: no line becomes a metric here."""

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Put the filter."""
        return self._put(context, new.get("FilterName") or context.name(longest=512), new)

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:  # noqa: ARG002
        """Put the filter again."""
        return self._put(context, physical_id, new)

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:
        """Remove the filter."""
        client = context.client("logs")
        client.delete_metric_filter(logGroupName=properties["LogGroupName"], filterName=physical_id)

    def _put(self, context: Context, name: str, new: Mapping[str, Any]) -> Made:
        parameters = api_parameters("logs", "PutMetricFilter", {**new, "FilterName": name})
        context.client("logs").put_metric_filter(**parameters)
        return Made(physical_id=name)
