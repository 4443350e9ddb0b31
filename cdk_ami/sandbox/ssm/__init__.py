"""Mends of the emulator's Parameter Store: the vendors' public parameters, and values checked as AMI ids."""

from __future__ import annotations

from moto.ssm.models import ParameterDict, SimpleSystemManagerBackend

from cdk_ami.sandbox import emulator
from cdk_ami.sandbox.ssm import parameters


def install() -> None:
    """Put the methods into the emulator's classes."""
    parameters.ORIGINAL.update(emulator.graft(ParameterDict, parameters.PublicParameters))
    parameters.ORIGINAL.update(emulator.graft(SimpleSystemManagerBackend, parameters.ParameterOperations))
