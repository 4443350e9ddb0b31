"""The history of stacks: each change of a status is an event with a time of its own."""

from __future__ import annotations

from typing import Final
from uuid import uuid4

from cdk_ami.sandbox.cloudformation.state import Clock, Event, Record, Stack

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
        stack.status, stack.reason = status, reason

    def resource(self, stack: Stack, record: Record, status: str, reason: str | None = None) -> None:
        """Set the status of a resource."""
        event = self._event(stack, record, status, reason, None)
        record.status, record.reason, record.changed = status, reason, event.time
        stack.events.append(event)

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
            token=token,
        )
