"""Mends of the emulator's Parameter Store: public parameters, values checked as AMI ids, sharing, events."""

from __future__ import annotations

from moto.ssm.models import ParameterDict, SimpleSystemManagerBackend

from cdk_ami.sandbox import emulator, reset
from cdk_ami.sandbox.ssm import checks, parameters, sharing, writers


def install() -> None:
    """Put the methods into the emulator's classes."""
    parameters.ORIGINAL.update(emulator.graft(ParameterDict, parameters.PublicParameters))
    parameters.ORIGINAL.update(
        emulator.graft(SimpleSystemManagerBackend, parameters.ParameterOperations, new=parameters.NEW)
    )
    sharing.install()
    writers.install()
    reset.also(checks.reset)
