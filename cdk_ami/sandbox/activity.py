"""What the sandbox is doing at this moment, so that whoever caused it can wait for the end of it.

Work that somebody started and that goes on by itself (an event on its way, an execution, a value being checked) is
noted here while it runs.  Work that waits for the clock, or for an answer from outside, is not: only the caller can end
that wait.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition
from typing import Final

from cdk_ami.sandbox.clock import CLOCK


class Activity:
    """The pieces of work that run."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._running: dict[object, str] = {}

    def began(self, what: str) -> object:
        """Note that ``what`` runs; return what ends it."""
        token = object()
        with self._changed:
            self._running[token] = what
        return token

    def ended(self, token: object) -> None:
        """Note the end; nothing happens when that was noted already or forgotten in a reset."""
        with self._changed:
            self._running.pop(token, None)
            self._changed.notify_all()

    @contextmanager
    def running(self, what: str) -> Iterator[None]:
        """Note ``what`` for the length of a block."""
        token = self.began(what)
        try:
            yield
        finally:
            self.ended(token)

    def soon(self, seconds: float, what: str, work: Callable[[], None]) -> None:
        """Do ``work`` in another thread, in ``seconds`` by the clock; with 0 it counts as running until it is done."""
        token = self.began(what) if seconds <= 0 else None

        def do() -> None:
            try:
                if token is None:
                    with self.running(what):
                        work()
                else:
                    work()
            finally:
                self.ended(token)

        CLOCK.after(seconds, do)

    def idle(self, *, seconds: float) -> tuple[str, ...]:
        """Return nothing as soon as nothing runs, or what still runs after so many seconds of the machine."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while self._running and (left := deadline - time.monotonic()) > 0:
                self._changed.wait(left)
            return tuple(sorted(self._running.values()))

    def reset(self) -> None:
        """Forget everything."""
        with self._changed:
            self._running.clear()
            self._changed.notify_all()


ACTIVITY: Final = Activity()
"""The work of this process."""

SETTLE_SECONDS: Final = 5.0
"""How long the clock, while it is advanced, waits for the work that it set off."""

CLOCK.settle_by(lambda: not ACTIVITY.idle(seconds=SETTLE_SECONDS))
