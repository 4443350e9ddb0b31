"""Scaling activities, and what others hear of them: events, and messages to topics.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-verify-scaling-activity.html and
https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-event-reference.html, read 2026-11-28
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

from cdk_ami.sandbox import clients
from cdk_ami.sandbox.autoscaling import telling
from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.events.emit import emit

SERVICE: Final = "AWS Auto Scaling"
"""How the service names itself in messages."""

TEST: Final = "autoscaling:TEST_NOTIFICATION"
"""The message by which a new target hears that it is one."""

KINDS: Final = {
    "Launch": "autoscaling:EC2_INSTANCE_LAUNCH",
    "Terminate": "autoscaling:EC2_INSTANCE_TERMINATE",
}
"""Notification types of what an activity does; ``_ERROR`` follows where it failed."""

ACTIVITIES_KEPT: Final = 2000
"""Activities that a Region keeps for an account.  AWS keeps those of six weeks."""


def now() -> datetime:
    """Return the sandbox's time, as the emulator's records hold it."""
    return CLOCK.now().replace(tzinfo=None)


def stamp(when: datetime) -> str:
    """Return a time as the service writes it."""
    return f"{when:%Y-%m-%dT%H:%M:%S}Z"


def at(words: str) -> str:
    """Return a sentence of a cause."""
    return f"At {stamp(now())} {words}"


def begin(group: Any, description: str, *causes: str, zone: str = "", subnet: str | None = None) -> dict[str, Any]:
    """Add an activity to ``group`` and return it, to be finished."""
    details = {"Subnet ID": subnet, "Availability Zone": zone}
    activity = {
        "ActivityId": str(uuid4()),
        "AutoScalingGroupName": group.name,
        "AutoScalingGroupARN": group.arn,
        "Description": description,
        "Cause": "  ".join(cause if cause.startswith("At ") else at(cause) for cause in causes if cause)[:1023],
        "StartTime": now(),
        "StatusCode": "InProgress",
        "Progress": 50,
        "Details": json.dumps({key: value for key, value in details.items() if value}),
    }
    kept = kept_activities(group.autoscaling_backend)
    kept.append(activity)
    del kept[:-ACTIVITIES_KEPT]
    return activity


def kept_activities(backend: Any) -> list[dict[str, Any]]:
    """Return the activities of an account in a Region, the oldest first."""
    kept: list[dict[str, Any]] = backend.__dict__.setdefault("sandbox_activities", [])
    return kept


def finish(
    group: Any,
    activity: dict[str, Any],
    what: str,
    *,
    instance_id: str | None = None,
    failure: str | None = None,
    origin: str = "EC2",
    destination: str = "AutoScalingGroup",
) -> None:
    """End an activity and tell everybody.

    Args:
        group: The group.
        activity: What ``begin`` returned.
        what: ``Launch``, ``Terminate`` or ``Detach``.
        instance_id: The instance that it was about; None when there came to be none.
        failure: Why it failed; None when it did not.
        origin: Where the instance came from.
        destination: Where it went.
    """
    activity |= {"EndTime": now(), "Progress": 100, "StatusCode": "Failed" if failure else "Successful"}
    if failure:
        activity["StatusMessage"] = failure[:255]
    detail = {
        "AutoScalingGroupName": group.name,
        "ActivityId": activity["ActivityId"],
        "RequestId": activity["ActivityId"],
        "Description": activity["Description"],
        "Cause": activity["Cause"],
        "StatusCode": "Failed" if failure else "InProgress",
        "StatusMessage": failure or "",
        "Details": json.loads(activity["Details"]),
        "StartTime": stamp(activity["StartTime"]),
        "EndTime": stamp(activity["EndTime"]),
        "EC2InstanceId": instance_id or "",
        "Origin": origin,
        "Destination": destination,
    }
    resources = [group.arn]
    if instance_id:
        resources.append(f"arn:aws:ec2:{group.region}:{group.account_id}:instance/{instance_id}")
    tell(group, f"EC2 Instance {what} {'Unsuccessful' if failure else 'Successful'}", detail, resources)
    if what in KINDS:
        _notify(group, KINDS[what] + ("_ERROR" if failure else ""), detail)


def tell(group: Any, detail_type: str, detail: dict[str, Any], resources: list[str] | None = None) -> None:
    """Put an event of a group on its account's event bus."""
    emit(group.region, group.account_id, "aws.autoscaling", detail_type, detail, resources or [group.arn])


def _notify(group: Any, event: str, detail: dict[str, Any]) -> None:
    for topic, kinds in notifications(group).items():
        if event in kinds:
            more = {"Progress": 100, "AutoScalingGroupARN": group.arn, **envelope(group, detail["RequestId"])}
            body = {**detail, **more, "Event": event}
            publish(group, topic, f"Auto Scaling: {event.partition(':')[2]} for group {group.name!r}", body)


def notifications(group: Any) -> dict[str, list[str]]:
    """Return the topics that hear of a group's activities, each with the types it hears of."""
    kept: dict[str, list[str]] = group.__dict__.setdefault("sandbox_notifications", {})
    return kept


def envelope(group: Any, request_id: str) -> dict[str, Any]:
    """Return what every message of a group holds."""
    return {
        "AccountId": group.account_id,
        "RequestId": request_id,
        "AutoScalingGroupName": group.name,
        "Service": SERVICE,
        "Time": f"{now():%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z",
    }


def test_message(group: Any) -> dict[str, Any]:
    """Return the message that a new target gets."""
    return {**envelope(group, str(uuid4())), "AutoScalingGroupARN": group.arn, "Event": TEST}


def publish(group: Any, target: str, subject: str, body: dict[str, Any]) -> None:
    """Send a message to a topic or a queue, by its ARN."""
    service, region, account, name = target.split(":", 5)[2:]
    text = json.dumps(body)
    own = group.account_id

    def send() -> None:
        if service == "sns":
            clients.client("sns", region, own).publish(TopicArn=target, Subject=subject[:100], Message=text)
        else:
            queues = clients.client("sqs", region, account)
            url = queues.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"]
            queues.send_message(QueueUrl=url, MessageBody=text)

    telling.later(send)
