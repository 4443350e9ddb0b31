"""Mends of the emulator's CloudWatch: alarms that look at their metric by the sandbox's clock, tell and act."""

from __future__ import annotations

from moto.cloudwatch.models import Alarm, CloudWatchBackend

from cdk_ami.sandbox import emulator, reset
from cdk_ami.sandbox.cloudwatch import alarms


def install() -> None:
    """Put the methods into the emulator's classes."""
    alarms.ORIGINAL.update(emulator.graft(CloudWatchBackend, alarms.AlarmOperations))
    alarms.ORIGINAL["put_metric_alarm"] = emulator.replace(
        CloudWatchBackend, "put_metric_alarm", alarms.put_metric_alarm, takes=("name",)
    )
    emulator.graft(Alarm, alarms.AlarmMends)
    reset.also(alarms.reset)
