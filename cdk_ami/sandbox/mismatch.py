"""The error of an emulator library that the sandbox was not made for."""

from __future__ import annotations


class EmulatorMismatchError(RuntimeError):
    """The installed moto is not one that the sandbox was made for."""
