"""Mends of the emulator's EventBridge Scheduler: schedules that fire by the sandbox's clock."""

from __future__ import annotations

from moto.scheduler.models import EventBridgeSchedulerBackend

from cdk_ami.sandbox import emulator
from cdk_ami.sandbox.scheduler import schedules


def install() -> None:
    """Put the methods into the emulator's class."""
    schedules.ORIGINAL.update(emulator.graft(EventBridgeSchedulerBackend, schedules.ScheduleOperations))
