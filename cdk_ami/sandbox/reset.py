"""A reset first stops what runs: an operation that goes on would fill the empty sandbox again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from moto.core.base_backend import BackendDict, BaseBackend, backend_lock
from moto.moto_api._internal.models import MotoAPIBackend

from cdk_ami.sandbox import emulator
from cdk_ami.sandbox.access.guard import ENFORCED
from cdk_ami.sandbox.activity import ACTIVITY
from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.door.calls import CALLS
from cdk_ami.sandbox.faults.register import FAULTS
from cdk_ami.sandbox.imagebuilder.engine.machines import MACHINES

_ALSO: Final[list[Callable[[], None]]] = []


def also(forget: Callable[[], None]) -> None:
    """Call ``forget`` at every reset too, when the emulator has forgotten everything."""
    _ALSO.append(forget)


def _drop_backends() -> None:
    """Drop every backend.  The emulator would empty each before it drops it, and make new default networks for that."""
    with backend_lock:
        for service in BackendDict._instances:  # noqa: SLF001 - moto tells nowhere else what is in use
            for _, _, backend in list(service.iter_backends()):
                if type(backend).reset is not BaseBackend.reset:
                    backend.reset()  # it has something of its own to put away, such as files
            for account in service.values():
                account.clear()
            service.clear()
        BackendDict._instances.clear()  # noqa: SLF001 - same


def install() -> None:
    """Let services with a method ``stop`` come to rest before anything is forgotten."""

    def reset(self: Any) -> None:
        FAULTS.end()  # what they hold goes on, and ends
        ENFORCED.set(frozenset())
        # Not within the emulator's own reset, which holds a lock that the last calls of an operation need.
        for service in list(BackendDict._instances):  # noqa: SLF001 - moto tells nowhere else what is in use
            for _, _, backend in list(service.iter_backends()):
                if stop := getattr(backend, "sandbox_stop", None):
                    stop()
        _drop_backends()
        original(self)
        CLOCK.reset()
        ACTIVITY.reset()
        MACHINES.forget()
        for forget in _ALSO:
            forget()
        CALLS.clear()

    original = emulator.replace(MotoAPIBackend, "reset", reset, takes=())
