"""Sends messages to topics and queues, in the order in which they were given, from a thread of its own.

Whoever gets one may call the sandbox at once, so that nothing is sent while its lock is held.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Final

from cdk_ami.sandbox.activity import ACTIVITY

_LOG: Final = logging.getLogger("cdk_ami.sandbox")
_WAITING: Final[SimpleQueue[tuple[Callable[[], object], object]]] = SimpleQueue()
_STARTING: Final = Lock()
_THREADS: Final[list[Thread]] = []


def later(tell: Callable[[], object]) -> None:
    """Call ``tell`` soon, after all that was given before; a failure is logged, since nobody waits for it."""
    with _STARTING:
        if not _THREADS:
            _THREADS.append(Thread(target=_run, name="sandbox auto scaling", daemon=True))
            _THREADS[0].start()
    _WAITING.put((tell, ACTIVITY.began("messages of Auto Scaling")))


def forget() -> None:
    """Tell nothing of what has not been told yet."""
    while not _WAITING.empty():
        ACTIVITY.ended(_WAITING.get()[1])


def _run() -> None:
    while True:
        tell, token = _WAITING.get()
        try:
            tell()
        except Exception as error:  # noqa: BLE001 - such as a topic that is gone: AWS drops the message as well
            _LOG.warning("Auto Scaling could not send a message: %s", error)
        finally:
            ACTIVITY.ended(token)
