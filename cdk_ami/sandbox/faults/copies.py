"""What is to become of the copy of an AMI that a request begins: the door says it, EC2 asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import local
from typing import Final

from cdk_ami.sandbox.faults.register import Armed

FAILURE: Final = "Internal error: the copy failed because somebody asked for that"
"""The reason that a copy which was made to fail tells."""

_HERE: Final = local()


@contextmanager
def decided(armed: Armed | None) -> Iterator[None]:
    """Let the request that this thread answers meet a fault of copies, or none."""
    _HERE.armed = armed
    try:
        yield
    finally:
        _HERE.armed = None


def failure() -> str | None:
    """Return why the copy that this thread begins fails, None when it does not."""
    armed = _current()
    return FAILURE if armed is not None and armed.fault.copies == "failed" else None


def hold() -> Armed | None:
    """Return the fault that keeps the copy that this thread begins pending until ``ended`` is set, None when none."""
    armed = _current()
    return armed if armed is not None and armed.fault.copies == "pending" else None


def _current() -> Armed | None:
    found: Armed | None = getattr(_HERE, "armed", None)
    return found
