"""Whether anything is still on its way: ``GET /_sandbox/idle?seconds=60`` answers when nothing is, or what is then."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from threading import Event
from typing import Any, Final

from moto.core.base_backend import BackendDict

from cdk_ami.sandbox.activity import ACTIVITY

PATIENCE_SECONDS: Final = 60.0
"""How long one waits who does not say."""

_POLL_SECONDS: Final = 0.02


def idle(_: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return, under ``running``, what still runs after so many seconds of the machine; nothing as soon as none does."""
    deadline = time.monotonic() + float(asked.get("seconds", PATIENCE_SECONDS))
    while True:
        running = _running()
        left = deadline - time.monotonic()
        if not running or left <= 0:
            return {"running": running}
        if ACTIVITY.idle(seconds=min(left, _POLL_SECONDS)) == ():
            Event().wait(_POLL_SECONDS)  # for a stack or a build, which tell no end


def _running() -> list[str]:
    return [*ACTIVITY.idle(seconds=0), *_of_services()]


def _of_services() -> Iterator[str]:
    for service in list(BackendDict._instances):  # noqa: SLF001 - moto tells nowhere else what is in use
        for _, _, backend in list(service.iter_backends()):
            if running := getattr(backend, "sandbox_running", None):
                yield from running()
