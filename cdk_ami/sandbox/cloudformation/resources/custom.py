"""Custom resources: a function or a topic is asked, and answers at an address of the sandbox.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Event
from typing import Any, Final
from uuid import uuid4

from botocore.exceptions import ClientError

from cdk_ami.sandbox import clients, control
from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.cloudformation.errors import ResourceError
from cdk_ami.sandbox.cloudformation.intrinsics import as_text
from cdk_ami.sandbox.cloudformation.resources.base import CUSTOM_TYPE, Context, Handler, Made, handles

TIMEOUT_SECONDS: Final = 3600
"""How long CloudFormation waits for an answer unless the resource says otherwise, and the longest that it can say."""

MAX_ANSWER_BYTES: Final = 4096
"""Largest answer; same page."""

PATH: Final = "custom-resource/"
"""Where answers are put, behind the prefix of the sandbox's own requests."""


@dataclass(slots=True)
class _Answer:
    """What was put at the address of one request, or why nothing will be."""

    arrived: Event = field(default_factory=Event)
    body: Mapping[str, Any] = field(default_factory=dict)


_WAITING: Final[dict[str, _Answer]] = {}


def abandon() -> None:
    """Wait for no answer any more: the sandbox is about to forget everything."""
    for answer in list(_WAITING.values()):
        answer.body = {"Status": "FAILED", "Reason": "the sandbox was reset"}
        answer.arrived.set()


@handles(CUSTOM_TYPE, "ServiceTimeout ServiceToken")
class Custom(Handler):
    """Whatever stands behind a service token."""

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Ask for the resource."""
        answer = self._ask(context, "Create", new)
        physical_id = answer.get("PhysicalResourceId")
        if answer["Status"] == "FAILED":
            # Also what has failed is asked to be deleted.
            context.began(str(physical_id or context.name()))
            raise _failure(answer)
        if not physical_id:
            raise ResourceError("Invalid PhysicalResourceId")
        return _made(str(physical_id), answer)

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:
        """Ask for a change; another physical id in the answer is a replacement."""
        if old.get("ServiceToken") != new.get("ServiceToken"):
            raise ResourceError("Modifying service token is not allowed.")
        answer = self._ask(context, "Update", new, PhysicalResourceId=physical_id, OldResourceProperties=_as_texts(old))
        if answer["Status"] == "FAILED":
            raise _failure(answer)
        return _made(str(answer.get("PhysicalResourceId") or physical_id), answer)

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:
        """Ask for the end of the resource."""
        answer = self._ask(context, "Delete", properties, PhysicalResourceId=physical_id)
        if answer["Status"] == "FAILED":
            raise _failure(answer)

    def _ask(self, context: Context, kind: str, properties: Mapping[str, Any], **more: Any) -> Mapping[str, Any]:
        request_id = str(uuid4())
        route = f"{PATH}{request_id}"
        answer = _WAITING[request_id] = _Answer()

        def put(_: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
            answer.body = body
            answer.arrived.set()
            return {}

        control.ROUTES[route] = put
        event = {
            "RequestType": kind,
            "ServiceToken": properties["ServiceToken"],
            "ResponseURL": f"{clients.endpoint()}{control.PREFIX}{route}",
            "StackId": context.stack_id,
            "RequestId": request_id,
            "LogicalResourceId": context.logical_id,
            "ResourceType": context.type,
            "ResourceProperties": _as_texts(properties),
            **more,
        }
        try:
            _send(context, str(properties["ServiceToken"]), event)
            if CLOCK.sleep(float(properties.get("ServiceTimeout", TIMEOUT_SECONDS)), answer.arrived):
                if kind == "Create":
                    context.began(context.name())  # it may be there all the same
                raise ResourceError(
                    "CloudFormation did not receive a response from your Custom Resource. "
                    f"Please check your logs for requestId [{request_id}]."
                )
        finally:
            del control.ROUTES[route], _WAITING[request_id]
        return _checked(answer.body)


def _send(context: Context, token: str, event: Mapping[str, Any]) -> None:
    service, region = (*token.split(":"), "", "", "", "")[2:4]
    text = json.dumps(event)
    try:
        client = clients.client(service, region, context.account) if service in {"lambda", "sns"} else None
        if client is None or region != context.region:
            raise ResourceError(
                f"Invalid service token {token}: the ARN of a function or a topic of {context.region} is expected"
            )
        if service == "sns":
            client.publish(TopicArn=token, Subject="AWS CloudFormation custom resource request", Message=text)
        else:
            client.invoke(FunctionName=token, InvocationType="Event", Payload=text)
    except ClientError as error:
        # Not an error of the resource itself, whose absence would pass for its deletion.
        raise ResourceError(str(error)) from error


def _checked(body: Mapping[str, Any]) -> Mapping[str, Any]:
    if len(json.dumps(body).encode()) > MAX_ANSWER_BYTES:
        raise ResourceError("Response object is too long.")
    if body.get("Status") not in {"SUCCESS", "FAILED"}:
        raise ResourceError(f"Invalid response status {body.get('Status')!r}: SUCCESS or FAILED is expected")
    if not isinstance(body.get("Data") or {}, Mapping):
        raise ResourceError("Invalid response: Data is expected to be an object")
    return body


def _failure(answer: Mapping[str, Any]) -> ResourceError:
    return ResourceError(
        "Received response status [FAILED] from custom resource. Message returned: "
        f"{answer.get('Reason') or 'none'} (RequestId: {answer.get('RequestId', 'unknown')})"
    )


def _made(physical_id: str, answer: Mapping[str, Any]) -> Made:
    return Made(physical_id=physical_id, attributes=dict(answer.get("Data") or {}))


def _as_texts(value: Any) -> Any:
    """Return properties as a custom resource gets them: numbers and truths are text."""
    if isinstance(value, Mapping):
        return {key: _as_texts(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_texts(item) for item in value]
    return as_text(value)
