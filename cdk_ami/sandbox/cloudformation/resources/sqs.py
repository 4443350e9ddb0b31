"""Queues and their policies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from cdk_ami.sandbox.cloudformation.intrinsics import as_text
from cdk_ami.sandbox.cloudformation.resources.base import Context, Handler, Made, handles

ATTRIBUTES: Final = (
    "ContentBasedDeduplication",
    "DeduplicationScope",
    "DelaySeconds",
    "FifoQueue",
    "FifoThroughputLimit",
    "KmsDataKeyReusePeriodSeconds",
    "KmsMasterKeyId",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "ReceiveMessageWaitTimeSeconds",
    "RedriveAllowPolicy",
    "RedrivePolicy",
    "SqsManagedSseEnabled",
    "VisibilityTimeout",
)
"""Properties that are attributes of the same name."""


def _attributes(new: Mapping[str, Any]) -> dict[str, str]:
    return {
        name: json.dumps(new[name]) if isinstance(new[name], dict) else as_text(new[name])
        for name in ATTRIBUTES
        if name in new
    }


@handles("AWS::SQS::Queue", f"QueueName Tags {' '.join(ATTRIBUTES)}")
class Queue(Handler):
    """A queue."""

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Make the queue."""
        suffix = ".fifo" if new.get("FifoQueue") else ""
        name = new.get("QueueName") or context.name(longest=80 - len(suffix)) + suffix
        attributes = {key: value for key, value in _attributes(new).items() if (key, value) != ("FifoQueue", "false")}
        client = context.client("sqs")
        url = client.create_queue(QueueName=name, Attributes=attributes, tags=context.tag_map(new.get("Tags")))[
            "QueueUrl"
        ]
        return self._made(context, url)

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:
        """Set the attributes again."""
        client = context.client("sqs")
        attributes = {key: value for key, value in _attributes(new).items() if key != "FifoQueue"}
        if attributes:
            client.set_queue_attributes(QueueUrl=physical_id, Attributes=attributes)
        put, remove = context.retag(old.get("Tags"), new.get("Tags"))
        if put:
            client.tag_queue(QueueUrl=physical_id, Tags=put)
        if remove:
            client.untag_queue(QueueUrl=physical_id, TagKeys=remove)
        return self._made(context, physical_id)

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Remove the queue."""
        context.client("sqs").delete_queue(QueueUrl=physical_id)

    def _made(self, context: Context, url: str) -> Made:
        name = url.rpartition("/")[2]
        attributes = {"Arn": context.arn("sqs", name), "QueueName": name, "QueueUrl": url}
        return Made(physical_id=url, attributes=attributes)


@handles("AWS::SQS::QueuePolicy", "PolicyDocument Queues")
class QueuePolicy(Handler):
    """One policy on several queues."""

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Put the policy."""
        self._put(context, new["Queues"], json.dumps(new["PolicyDocument"]))
        return Made(physical_id=context.name())

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:
        """Put the policy again and take it from the queues it left."""
        self._put(context, [url for url in old["Queues"] if url not in new["Queues"]], "")
        self._put(context, new["Queues"], json.dumps(new["PolicyDocument"]))
        return Made(physical_id=physical_id)

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Remove the policy."""
        self._put(context, properties["Queues"], "")

    def _put(self, context: Context, urls: list[str], policy: str) -> None:
        for url in urls:
            context.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
