"""Mends of the emulator's CloudWatch Logs: its time is the sandbox's.

It refuses lines that are two hours ahead of the machine's clock, which the sandbox's own clock often is.
"""

from datetime import datetime

from moto.logs import models

from cdk_ami.sandbox import emulator
from cdk_ami.sandbox.clock import CLOCK


def install() -> None:
    """Let log groups, streams and lines be stamped by the sandbox's clock."""
    emulator.replace(models, "utcnow", _utcnow, takes=())


def _utcnow() -> datetime:
    return CLOCK.now().replace(tzinfo=None)
