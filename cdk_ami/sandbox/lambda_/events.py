"""Events: invocations that nobody waits for, tried again, and reported to a destination.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async.html
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import datetime
from threading import Event, Thread
from typing import Any, Final

from cdk_ami.sandbox import clients
from cdk_ami.sandbox.activity import ACTIVITY
from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.lambda_.function import Answer, Function
from cdk_ami.sandbox.lambda_.running import run

_LOG: Final = logging.getLogger("cdk_ami.sandbox")

PAUSES: Final = (60.0, 120.0)
"""Seconds before the second attempt and before the third.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html, read 2026-11-28"""

_STOPPED: Final[list[Event]] = [Event()]
"""Set when the sandbox forgets everything; then there is a new one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """One event on its way to a function."""

    function: Function
    event: Any
    request_id: str
    since: datetime
    stopped: Event


def send(function: Function, event: Any, request_id: str) -> None:
    """Let ``function`` have ``event``, and return at once."""
    _begin(
        Queued(function=function, event=event, request_id=request_id, since=CLOCK.now(), stopped=_STOPPED[0]), attempt=1
    )


def stop() -> None:
    """Try nothing again of what is under way."""
    _STOPPED[0].set()
    _STOPPED[0] = Event()


def _begin(queued: Queued, attempt: int) -> None:
    token = ACTIVITY.began(f"event for {queued.function.name}")
    Thread(target=_attempt, args=(queued, attempt, token), name=f"event {queued.function.name}", daemon=True).start()


def _attempt(queued: Queued, attempt: int, token: object) -> None:
    try:
        answer = run(queued.function, queued.event, queued.request_id)
        if queued.stopped.is_set():
            return
        if not answer.failed:
            _report(queued, answer, attempt, "Success", queued.function.on_success)
        elif attempt <= queued.function.attempts:
            pause = PAUSES[attempt - 1]
            age = (CLOCK.now() - queued.since).total_seconds() + pause
            if age > queued.function.age_seconds:
                _failed(queued, answer, attempt, "EventAgeExceeded")
            else:
                CLOCK.after(pause, lambda: _begin(queued, attempt + 1))
        else:
            _failed(queued, answer, attempt, "RetriesExhausted")
    except Exception:  # noqa: BLE001 - nobody else would hear of it
        if not queued.stopped.is_set():
            _LOG.exception("the sandbox failed to deliver an event to %s", queued.function.arn)
    finally:
        ACTIVITY.ended(token)


def _failed(queued: Queued, answer: Answer, attempt: int, condition: str) -> None:
    _LOG.warning("%s failed at an event for good: %s", queued.function.name, answer.payload)
    if queued.function.dead_letters:
        fault = json.loads(answer.payload)
        _bury(queued, str(fault.get("errorMessage", "")))
    _report(queued, answer, attempt, condition, queued.function.on_failure)


def _bury(queued: Queued, message: str) -> None:
    attributes = {
        "RequestID": {"DataType": "String", "StringValue": queued.request_id},
        "ErrorCode": {"DataType": "Number", "StringValue": "200"},
        "ErrorMessage": {"DataType": "String", "StringValue": message[:1024] or "unknown"},
    }
    _put(queued.function, str(queued.function.dead_letters), json.dumps(queued.event), attributes)


def _report(queued: Queued, answer: Answer, attempt: int, condition: str, destination: str | None) -> None:
    """Tell a destination how an event ended.

    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    """
    if destination is None:
        return
    function = queued.function
    context = {"statusCode": 200, "executedVersion": function.version}
    record = {
        "version": "1.0",
        "timestamp": CLOCK.now().strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
        "requestContext": {
            "requestId": queued.request_id,
            "functionArn": f"{function.arn}:{function.version}",
            "condition": condition,
            "approximateInvokeCount": attempt,
        },
        "requestPayload": queued.event,
        "responseContext": {**context, "functionError": "Unhandled"} if answer.failed else context,
        "responsePayload": json.loads(answer.payload),
    }
    if ":events:" in destination:
        _emit(function, destination, record, "Failure" if answer.failed else "Success")
    else:
        _put(function, destination, json.dumps(record), {})


def _emit(function: Function, bus: str, record: dict[str, Any], outcome: str) -> None:
    entry = {
        "Source": "lambda",
        "DetailType": f"Lambda Function Invocation Result - {outcome}",
        "Detail": json.dumps(record),
        "EventBusName": bus,
        "Resources": [bus, record["requestContext"]["functionArn"]],
    }
    clients.client("events", bus.split(":")[3], function.account).put_events(Entries=[entry])


def _put(function: Function, target: str, text: str, attributes: dict[str, Any]) -> None:
    _, _, service, region, account, name = target.split(":", 5)
    client = clients.client(service, region, function.account)
    if service == "sqs":
        url = client.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"]
        client.send_message(QueueUrl=url, MessageBody=text, MessageAttributes=attributes)
    elif service == "sns":
        client.publish(TopicArn=target, Message=text, MessageAttributes=attributes)
    else:
        client.invoke(FunctionName=target, InvocationType="Event", Payload=text)
