"""Mends of the emulator's Systems Manager."""

from __future__ import annotations


def install() -> None:
    """Change nothing yet: the emulator's own behaviour is right where the sandbox uses it."""
