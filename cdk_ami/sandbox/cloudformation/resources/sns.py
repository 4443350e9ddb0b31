"""Topics, their policies and subscriptions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from cdk_ami.sandbox.cloudformation.intrinsics import as_text
from cdk_ami.sandbox.cloudformation.resources.base import Context, Handler, Made, changed, handles

TOPIC_ATTRIBUTES: Final = (
    "ContentBasedDeduplication",
    "DisplayName",
    "FifoTopic",
    "KmsMasterKeyId",
    "SignatureVersion",
)
"""Properties of a topic that are attributes of the same name."""

SUBSCRIPTION_ATTRIBUTES: Final = (
    "DeliveryPolicy",
    "FilterPolicy",
    "FilterPolicyScope",
    "RawMessageDelivery",
    "RedrivePolicy",
)
"""Properties of a subscription that are attributes of the same name."""


def _text(value: Any) -> str:
    return json.dumps(value) if isinstance(value, dict | list) else as_text(value)


def _subscribe(client: Any, topic: str, one: Mapping[str, Any]) -> str:
    attributes = {name: _text(one[name]) for name in SUBSCRIPTION_ATTRIBUTES if name in one}
    return str(
        client.subscribe(
            TopicArn=topic,
            Protocol=one["Protocol"],
            Endpoint=one.get("Endpoint", ""),
            Attributes=attributes,
            ReturnSubscriptionArn=True,
        )["SubscriptionArn"]
    )


@handles("AWS::SNS::Topic", f"Subscription Tags TopicName {' '.join(TOPIC_ATTRIBUTES)}")
class Topic(Handler):
    """A topic with the subscriptions in its own definition."""

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Make the topic."""
        client = context.client("sns")
        suffix = ".fifo" if new.get("FifoTopic") else ""
        name = new.get("TopicName") or context.name(longest=256 - len(suffix)) + suffix
        attributes = {key: _text(new[key]) for key in TOPIC_ATTRIBUTES if key in new}
        arn = client.create_topic(Name=name, Attributes=attributes, Tags=context.tags(new.get("Tags")))["TopicArn"]
        context.began(arn)
        for one in new.get("Subscription", ()):
            _subscribe(client, arn, one)
        return self._made(arn)

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:
        """Set what differs."""
        client = context.client("sns")
        for name in sorted(changed(old, new) & set(TOPIC_ATTRIBUTES)):
            client.set_topic_attributes(
                TopicArn=physical_id, AttributeName=name, AttributeValue=_text(new.get(name, ""))
            )
        before, after = old.get("Subscription", []), new.get("Subscription", [])
        for one in client.list_subscriptions_by_topic(TopicArn=physical_id)["Subscriptions"]:
            this = {"Protocol": one["Protocol"], "Endpoint": one["Endpoint"]}
            if this in before and this not in after:
                client.unsubscribe(SubscriptionArn=one["SubscriptionArn"])
        for one in after:
            if one not in before:
                _subscribe(client, physical_id, one)
        put, remove = context.retag(old.get("Tags"), new.get("Tags"))
        if put:
            tags = [{"Key": key, "Value": value} for key, value in put.items()]
            client.tag_resource(ResourceArn=physical_id, Tags=tags)
        if remove:
            client.untag_resource(ResourceArn=physical_id, TagKeys=remove)
        return self._made(physical_id)

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Remove the topic."""
        context.client("sns").delete_topic(TopicArn=physical_id)

    def _made(self, arn: str) -> Made:
        return Made(physical_id=arn, attributes={"TopicArn": arn, "TopicName": arn.rpartition(":")[2]})


@handles("AWS::SNS::TopicPolicy", "PolicyDocument Topics")
class TopicPolicy(Handler):
    """One policy on several topics."""

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Put the policy."""
        self._put(context, new["Topics"], new["PolicyDocument"])
        return Made(physical_id=context.name())

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:
        """Put the policy again and take it from the topics it left."""
        self._reset(context, [arn for arn in old["Topics"] if arn not in new["Topics"]])
        self._put(context, new["Topics"], new["PolicyDocument"])
        return Made(physical_id=physical_id)

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Give the topics the policy of a new topic: they cannot be without."""
        self._reset(context, properties["Topics"])

    def _put(self, context: Context, topics: list[str], document: Any) -> None:
        for arn in topics:
            context.client("sns").set_topic_attributes(
                TopicArn=arn, AttributeName="Policy", AttributeValue=json.dumps(document)
            )

    def _reset(self, context: Context, topics: list[str]) -> None:
        for arn in topics:
            statement = {
                "Effect": "Allow",
                "Principal": {"AWS": "*"},
                "Action": ["sns:Publish", "sns:Subscribe"],
                "Resource": arn,
                "Condition": {"StringEquals": {"AWS:SourceOwner": context.account}},
            }
            self._put(context, [arn], {"Version": "2008-10-17", "Statement": [statement]})


@handles("AWS::SNS::Subscription", f"Endpoint Protocol TopicArn {' '.join(SUBSCRIPTION_ATTRIBUTES)}")
class Subscription(Handler):
    """One subscription."""

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Subscribe."""
        arn = _subscribe(context.client("sns"), new["TopicArn"], new)
        return Made(physical_id=arn, attributes={"Arn": arn})

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:
        """Set the attributes that differ."""
        client = context.client("sns")
        for name in sorted(changed(old, new) & set(SUBSCRIPTION_ATTRIBUTES)):
            client.set_subscription_attributes(
                SubscriptionArn=physical_id, AttributeName=name, AttributeValue=_text(new.get(name, {}))
            )
        return Made(physical_id=physical_id, attributes={"Arn": physical_id})

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Unsubscribe."""
        context.client("sns").unsubscribe(SubscriptionArn=physical_id)
