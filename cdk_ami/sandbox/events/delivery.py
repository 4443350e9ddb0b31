"""Deliveries: one event to one target, again when it fails for a while, and to the dead-letter queue when it fails.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html and
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html, read 2026-11-28
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from cdk_ami.sandbox import clients
from cdk_ami.sandbox.activity import ACTIVITY
from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.events.faults import Faults

_LOG: Final = logging.getLogger("cdk_ami.sandbox")

MAX_ATTEMPTS: Final = 185
MAX_AGE_SECONDS: Final = 86_400
"""How often and for how long EventBridge tries, where the target does not say."""

BACKOFF_SECONDS: Final = (1.0, 60.0)
"""First and longest pause between two tries.  EventBridge does not tell its own."""

_REMEMBERED: Final = 1_000


class DeliveryError(RuntimeError):
    """A target that did not take an event.

    Attributes:
        code: Code of the error, as the dead-letter queue gets it.
        passing: Whether another try may help.
    """

    def __init__(self, code: str, message: str, *, passing: bool = False) -> None:
        super().__init__(message)
        self.code, self.passing = code, passing


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event on its way to one target.

    Attributes:
        service: The service that delivers, such as ``events.amazonaws.com``.
        account: Account of the rule or schedule.
        region: Its Region.
        source_arn: Its ARN.
        target: The target, as PutTargets takes it.
        text: What the target gets.
        event: The whole event; empty for a schedule of EventBridge Scheduler.
        hops: How many buses the event has passed before this one.
        began: When the first try was made.
        tries: How many were made.
    """

    service: str = "events.amazonaws.com"
    account: str
    region: str
    source_arn: str
    target: Mapping[str, Any]
    text: str
    event: Mapping[str, Any] = field(default_factory=dict)
    hops: int = 0
    began: datetime = field(default_factory=CLOCK.now)
    tries: int = 0

    @property
    def name(self) -> str:
        """What this is, for people."""
        return f"{self.source_arn} to {self.target['Arn']}"


FAULTS: Final = Faults()
"""What goes wrong with the deliveries of this process."""

_FAILED: Final[deque[dict[str, Any]]] = deque(maxlen=_REMEMBERED)


def failed() -> list[dict[str, Any]]:
    """Return the deliveries that were given up or lost since the last reset, oldest first."""
    return list(_FAILED)


def reset() -> None:
    """Forget what failed, and let everything go well again."""
    _FAILED.clear()
    FAULTS.clear()


def send(delivery: Delivery) -> None:
    """Make a delivery, with whatever shall go wrong with it."""
    if FAULTS.is_lost():
        _give_up(delivery, "Lost", "the sandbox was told to lose it")
        return
    for _ in range(1 + FAULTS.duplicate):
        if wait := FAULTS.wait():
            ACTIVITY.soon(wait, delivery.name, lambda: attempt(delivery))
        else:
            attempt(delivery)


def attempt(delivery: Delivery) -> None:
    """Try once; arrange what follows when it fails."""
    from cdk_ami.sandbox.events import targets  # noqa: PLC0415 - it needs the names of this module

    try:
        targets.deliver(delivery)
    except DeliveryError as error:
        _failed(delivery, error)
    except ClientError as error:
        found = error.response["Error"]
        passing = error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500 or "Throttl" in found["Code"]  # noqa: PLR2004 - HTTP
        _failed(delivery, DeliveryError(found["Code"], found["Message"], passing=passing))
    except BotoCoreError as error:
        _failed(delivery, DeliveryError("InternalError", str(error), passing=True))


def _failed(delivery: Delivery, error: DeliveryError) -> None:
    policy = delivery.target.get("RetryPolicy") or {}
    tries = delivery.tries + 1
    wait = min(BACKOFF_SECONDS[0] * 2 ** min(delivery.tries, 10), BACKOFF_SECONDS[1])
    age = timedelta(seconds=policy.get("MaximumEventAgeInSeconds", MAX_AGE_SECONDS))
    if not error.passing:
        _give_up(delivery, error.code, str(error))
    elif tries > policy.get("MaximumRetryAttempts", MAX_ATTEMPTS):
        _give_up(delivery, error.code, str(error), exhausted="MaximumRetryAttempts")
    elif CLOCK.now() + timedelta(seconds=wait) - delivery.began > age:
        _give_up(delivery, error.code, str(error), exhausted="MaximumEventAgeInSeconds")
    else:
        ACTIVITY.soon(wait, delivery.name, lambda: attempt(replace(delivery, tries=tries)))


def _give_up(delivery: Delivery, code: str, message: str, *, exhausted: str | None = None) -> None:
    _LOG.warning("not delivered: %s: %s: %s", delivery.name, code, message)
    queue = (delivery.target.get("DeadLetterConfig") or {}).get("Arn")
    _FAILED.append(
        {
            "source": delivery.source_arn,
            "target": delivery.target["Arn"],
            "event": delivery.event.get("id"),
            "code": code,
            "message": message,
            "tries": delivery.tries,
        }
    )
    if queue is None or code == "Lost":
        return
    told = {
        "RULE_ARN": delivery.source_arn,
        "TARGET_ARN": delivery.target["Arn"],
        "ERROR_CODE": code,
        "ERROR_MESSAGE": message or code,
        "RETRY_ATTEMPTS": str(delivery.tries),
        **({"EXHAUSTED_RETRY_CONDITION": exhausted} if exhausted else {}),
    }
    _, _, _, region, account, name = queue.split(":", 5)
    sqs = clients.client("sqs", region, account)
    try:
        sqs.send_message(
            QueueUrl=sqs.get_queue_url(QueueName=name)["QueueUrl"],
            MessageBody=delivery.text,
            MessageAttributes={key: {"DataType": "String", "StringValue": value} for key, value in told.items()},
        )
    except (ClientError, BotoCoreError) as error:
        _LOG.warning("the dead-letter queue %s took nothing: %s", queue, error)
