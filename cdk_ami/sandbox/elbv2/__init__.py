"""Mends of the emulator's load balancers: the health of a target is that of the instance behind it."""

from __future__ import annotations

from moto.elbv2.models import FakeTargetGroup

from cdk_ami.sandbox import emulator
from cdk_ami.sandbox.elbv2 import targets


def install() -> None:
    """Put the method into the emulator's class."""
    targets.ORIGINAL.update(emulator.graft(FakeTargetGroup, targets.TargetMends))
