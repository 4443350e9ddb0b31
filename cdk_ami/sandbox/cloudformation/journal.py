"""The history of stacks: each change of a status is an event with a time of its own."""

from __future__ import annotations

import logging
from typing import Final
from uuid import uuid4

from botocore.exceptions import ClientError

from cdk_ami.sandbox import clients
from cdk_ami.sandbox.cloudformation.state import Clock, Event, Record, Stack
from cdk_ami.sandbox.events.emit import emit

_LOG: Final = logging.getLogger("cdk_ami.sandbox")

STACK_TYPE: Final = "AWS::CloudFormation::Stack"


class Journal:
    """Sets statuses and writes them down.

    Args:
        clock: Gives each event its own millisecond.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def stack(self, stack: Stack, status: str, reason: str | None = None, token: str | None = None) -> None:
        """Set the status of a stack."""
        one = Record(logical_id=stack.name, physical_id=stack.arn, type=STACK_TYPE, changed=stack.created)
        event = self._event(stack, one, status, reason, token)
        stack.events.append(event)
        _notify(stack, event)
        stack.status, stack.reason = status, reason
        _tell(stack, event)

    def resource(self, stack: Stack, record: Record, status: str, reason: str | None = None) -> None:
        """Set the status of a resource."""
        event = self._event(stack, record, status, reason, None)
        record.status, record.reason, record.changed = status, reason, event.time
        stack.events.append(event)
        _notify(stack, event)

    def _event(self, stack: Stack, record: Record, status: str, reason: str | None, token: str | None) -> Event:
        return Event(
            event_id=str(uuid4()),
            operation_id=stack.operation_id,
            logical_id=record.logical_id,
            physical_id=record.physical_id,
            type=record.type,
            status=status,
            reason=reason,
            time=self.clock.now(),
            token=token or stack.token,
        )


def _tell(stack: Stack, event: Event) -> None:
    """Emit the event of a stack's new status.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/event-detail-stack-status-change.html
    """
    detail = {
        "stack-id": stack.arn,
        "status-details": {"status": event.status, "status-reason": event.reason or ""},
        "client-request-token": event.token or "",
    }
    emit(stack.region, stack.account, "aws.cloudformation", "CloudFormation Stack Status Change", detail, [stack.arn])


def _notify(stack: Stack, event: Event) -> None:
    """Publish an event to the topics that the stack notifies.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html
    """
    topics = stack.definition.notification_arns if stack.definition else ()
    lines = {
        "StackId": stack.arn,
        "Timestamp": event.time.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
        "EventId": event.event_id,
        "LogicalResourceId": event.logical_id,
        "Namespace": stack.account,
        "PhysicalResourceId": event.physical_id,
        "ResourceStatus": event.status,
        "ResourceStatusReason": event.reason or "",
        "ResourceType": event.type,
        "StackName": stack.name,
    }
    for topic in topics:
        try:
            clients.client("sns", topic.split(":")[3], stack.account).publish(
                TopicArn=topic,
                Subject="AWS CloudFormation Notification",
                Message="".join(f"{name}='{value}'\n" for name, value in lines.items()),
            )
        except ClientError as error:
            # A lost notification never stops a deployment.
            _LOG.warning("stack %s could not notify %s: %s", stack.name, topic, error)
