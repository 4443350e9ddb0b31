"""Mends of the emulator's CloudTrail: LookupEvents tells the management events that the sandbox's door has noted.

The CDK command line asks for them after a failed deployment, to explain it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

from moto.cloudtrail.responses import CloudTrailResponse
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult

from cdk_ami.sandbox import emulator
from cdk_ami.sandbox.door import callers
from cdk_ami.sandbox.door.calls import CALLS, Call
from cdk_ami.sandbox.door.wire import SERVICES

MOST: Final = 50
"""Events on a page.  https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html"""

READING: Final = ("BatchGet", "Describe", "Get", "Head", "List", "Lookup", "Query", "Scan", "Select")
"""How the names of operations begin that change nothing."""

DATA: Final = frozenset({"s3:GetObject", "s3:HeadObject", "s3:PutObject", "s3:DeleteObject", "lambda:Invoke"})
"""Operations on data, which no trail looks up.
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/logging-data-events-with-cloudtrail.html"""


class CloudTrailError(ServiceException):  # type: ignore[misc]
    """An error of the service; ``code`` is the name of its shape."""


class _Events:
    current_account: str
    region: str
    body: str

    def lookup_events(self) -> ActionResult:
        """Answer LookupEvents, newest first."""
        asked = json.loads(self.body or "{}")
        most = asked.get("MaxResults", MOST)
        if not 1 <= most <= MOST:
            raise CloudTrailError("InvalidMaxResultsException", f"MaxResults is from 1 to {MOST}, got {most}.")
        wanted = {one["AttributeKey"]: one["AttributeValue"] for one in asked.get("LookupAttributes", ())}
        if len(wanted) > 1:
            raise CloudTrailError("InvalidLookupAttributesException", "There can be one lookup attribute only.")
        if wanted.keys() & {"ResourceName", "ResourceType"}:
            raise CloudTrailError("InvalidLookupAttributesException", "The sandbox does not look up by resources.")
        found = _told(self.current_account, self.region, wanted, asked)
        start = int(asked.get("NextToken") or 0)
        page = list(islice(found, start, start + most + 1))
        answer: dict[str, Any] = {"Events": page[:most]}
        if len(page) > most:
            answer["NextToken"] = str(start + most)
        return ActionResult(answer)


def _told(account: str, region: str, wanted: Mapping[str, str], asked: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    since, until = (None if asked.get(name) is None else _time(asked[name]) for name in ("StartTime", "EndTime"))
    for call in reversed(list(CALLS.matching({"account": account, "region": region}))):
        if f"{call.asked.service}:{call.asked.operation}" in DATA or call.status is None:
            continue
        if (since is not None and call.when < since) or (until is not None and call.when > until):
            continue
        event = _event(call)
        if all(event.get(name) == value for name, value in wanted.items()):
            yield event


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _event(call: Call) -> dict[str, Any]:
    asked, role = call.asked, callers.role_of(call.asked)
    signer = next((signed for signed, name in SERVICES.items() if name == asked.service), asked.service)
    reading = asked.operation.startswith(READING)
    event = {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "AssumedRole" if role else "Root",
            "arn": callers.principal_of(asked),
            "accountId": asked.account,
            "accessKeyId": asked.access_key,
            **({"sessionContext": {"sessionIssuer": {"type": "Role", "arn": role}}} if role else {}),
        },
        "eventTime": call.when.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": f"{signer}.amazonaws.com",
        "eventName": asked.operation,
        "awsRegion": asked.region,
        "sourceIPAddress": "127.0.0.1",
        "requestParameters": asked.parameters or None,
        "eventID": call.id,
        "readOnly": reading,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": asked.account,
        **({"errorCode": call.code} if call.code else {}),
    }
    return {
        "EventId": call.id,
        "EventName": asked.operation,
        "ReadOnly": str(reading).lower(),
        "AccessKeyId": asked.access_key,
        "EventTime": call.when,
        "EventSource": event["eventSource"],
        "Username": callers.principal_of(asked).rpartition("/")[2] if role else "root",
        "Resources": [],
        "CloudTrailEvent": json.dumps(event, default=str),
    }


def install() -> None:
    """Add the operations that the emulator lacks."""
    emulator.graft(CloudTrailResponse, _Events, new=frozenset({"lookup_events"}))
