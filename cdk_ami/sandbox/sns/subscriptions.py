"""What a topic does with a message for each of its subscribers.

https://docs.aws.amazon.com/sns/latest/dg/subscribe-sqs-queue-to-sns-topic.html and
https://docs.aws.amazon.com/sns/latest/dg/sns-lambda-as-subscriber.html, read 2026-11-28
"""

from __future__ import annotations

import copy
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError
from moto.sqs.models import sqs_backends

from cdk_ami.sandbox import clients
from cdk_ami.sandbox.activity import ACTIVITY
from cdk_ami.sandbox.events.permission import allows

_LOG: Final = logging.getLogger("cdk_ami.sandbox")

ORIGINAL: Final[dict[str, Callable[..., Any]]] = {}
"""The emulator's own methods, by name."""

SERVICE: Final = "sns.amazonaws.com"
"""The service that delivers."""

_WORDS: Final = {"sqs": "sqs:SendMessage", "lambda": "lambda:InvokeFunction"}
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


class SubscriptionMends:
    """Methods for the emulator's ``Subscription``."""

    account_id: str
    protocol: str
    endpoint: str
    topic: Any
    attributes: dict[str, Any]
    arn: str
    _filter_policy_matcher: Any
    _parse_message_structure: Callable[[str, str], str]
    get_post_data: Callable[..., dict[str, Any]]

    def publish(  # noqa: PLR0917 - moto's signature
        self,
        message: str,
        message_id: str,
        subject: str | None = None,
        message_attributes: dict[str, Any] | None = None,
        group_id: str | None = None,
        deduplication_id: str | None = None,
        message_structure: str | None = None,
    ) -> None:
        """Hand a message on, where the subscriber lets the topic in; nothing leaves this machine."""
        if self.protocol in {"http", "https"} and urlsplit(self.endpoint).hostname not in _LOOPBACK:
            _LOG.warning("the sandbox calls no %s", self.endpoint)
            return
        if self.protocol == "lambda":
            if self._filter_policy_matcher is None or self._filter_policy_matcher.matches(message_attributes, message):
                text = self._parse_message_structure(message, "lambda") if message_structure == "json" else message
                _invoke(self, self.get_post_data(text, message_id, subject, message_attributes=message_attributes))
            return
        if self.protocol == "sqs" and not self._lets_in(_queue_policy(self)):
            return
        twin = copy.copy(self)
        if str(self.attributes.get("RawMessageDelivery")).lower() == "false":
            twin.attributes = {name: value for name, value in self.attributes.items() if name != "RawMessageDelivery"}
        ORIGINAL["publish"](
            twin,
            message=message,
            message_id=message_id,
            subject=subject,
            message_attributes=message_attributes,
            group_id=group_id,
            deduplication_id=deduplication_id,
            message_structure=message_structure,
        )

    def _lets_in(self, policy: str | None) -> bool:
        resource = ":".join(self.endpoint.split(":")[:7])
        action = _WORDS[self.protocol]
        if allows(
            policy,
            service=SERVICE,
            action=action,
            resource=resource,
            source_arn=self.topic.arn,
            account=self.topic.arn.split(":")[4],
        ):
            return True
        _LOG.warning("not delivered: the policy of %s does not let %s do %s", resource, SERVICE, action)
        return False


NEW: Final = frozenset({"_lets_in"})
"""Methods that the emulator lacks."""


def _queue_policy(subscription: Any) -> str | None:
    _, _, _, region, account, name = subscription.endpoint.split(":", 5)
    queue = sqs_backends[account][region].queues.get(name)
    found = None if queue is None else queue.policy
    return json.dumps(found) if isinstance(found, Mapping) else found


def _invoke(subscription: Any, told: Mapping[str, Any]) -> None:
    """Let Lambda have the message as its event, and return at once."""
    record = {
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": subscription.arn,
        "Sns": {"MessageAttributes": {}, "Subject": None, **told},
    }
    _, _, _, region, account, *_ = subscription.endpoint.split(":")

    def invoke() -> None:
        client = clients.client("lambda", region, account)
        try:
            if subscription._lets_in(_function_policy(client, subscription.endpoint)):  # noqa: SLF001 - a method of ours
                client.invoke(
                    FunctionName=subscription.endpoint,
                    InvocationType="Event",
                    Payload=json.dumps({"Records": [record]}).encode(),
                )
        except (ClientError, BotoCoreError) as error:
            _LOG.warning("not delivered to %s: %s", subscription.endpoint, error)

    ACTIVITY.soon(0, f"message for {subscription.endpoint}", invoke)


def _function_policy(client: Any, function: str) -> str | None:
    try:
        return str(client.get_policy(FunctionName=function)["Policy"])
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        return None
