"""The sandbox's time: the machine's, moved on by whoever does not want to wait, and faster where somebody says so.

What the services here do later (a schedule, a bake time, a cool-down) waits for this clock and never for the machine's.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from itertools import count
from threading import Condition, Event, RLock, Thread
from typing import Final

_LOG: Final = logging.getLogger("cdk_ami.sandbox")

_POLL_SECONDS: Final = 0.05
"""Machine seconds after which a sleeper looks again whether it was told to stop."""


@dataclass(slots=True, order=True)
class Call:
    """Something that is to be done at a time.

    Attributes:
        due: When, by the sandbox's clock.
        number: Order among those of one time.
        work: What to do.  It runs in the clock's thread, or in that of the caller who advances the clock.
        cancelled: Whether it is not wanted any more.
    """

    due: datetime
    number: int
    work: Callable[[], None] = field(compare=False)
    cancelled: bool = field(default=False, compare=False)

    def cancel(self) -> None:
        """Do not do it; nothing happens when it has been done."""
        self.cancelled = True


class Clock:
    """A clock that runs with the machine's, can be advanced, and never goes back but at a reset."""

    def __init__(self) -> None:
        self._changed = Condition(RLock())
        self._turn = RLock()  # one call at a time, in the order of their times
        self._calls: list[Call] = []
        self._numbers = count()
        self._speed = 1.0
        self._base, self._started = datetime.now(UTC), time.monotonic()
        self._thread: Thread | None = None
        self._settle: Callable[[], bool] = lambda: True

    def settle_by(self, settle: Callable[[], bool]) -> None:
        """Call ``settle`` while the clock is advanced, before and after each thing that falls due.

        What a thing sets off in other threads then begins at that thing's time and not at the end of the advance.

        Args:
            settle: Returns True when nothing that was set off goes on any more, False when it gave up waiting.
        """
        self._settle = settle

    def now(self) -> datetime:
        """Return the time, in UTC."""
        with self._changed:
            return self._base + timedelta(seconds=(time.monotonic() - self._started) * self._speed)

    @property
    def speed(self) -> float:
        """Seconds of the sandbox in a second of the machine; 1 unless somebody set another."""
        return self._speed

    def run_at(self, speed: float) -> None:
        """Run ``speed`` times as fast as the machine's clock from now on."""
        with self._changed:
            self._set(self.now())
            self._speed = speed
            self._changed.notify_all()

    def at(self, due: datetime, work: Callable[[], None]) -> Call:
        """Do ``work`` at ``due``, or at once when that has passed; return what cancels it."""
        with self._changed:
            call = Call(due, next(self._numbers), work)
            heappush(self._calls, call)
            if self._thread is None:
                self._thread = Thread(target=self._run, name="sandbox clock", daemon=True)
                self._thread.start()
            self._changed.notify_all()
            return call

    def after(self, seconds: float, work: Callable[[], None]) -> Call:
        """Do ``work`` in ``seconds``; return what cancels it."""
        return self.at(self.now() + timedelta(seconds=seconds), work)

    def sleep(self, seconds: float, stopped: Event | None = None) -> bool:
        """Return True when ``seconds`` have passed, False as soon as ``stopped`` is set."""
        end = self.now() + timedelta(seconds=seconds)
        with self._changed:
            while (left := (end - self.now()).total_seconds()) > 0:
                if stopped is not None and stopped.is_set():
                    return False
                patience = left / self._speed
                self._changed.wait(patience if stopped is None else min(patience, _POLL_SECONDS))
        return stopped is None or not stopped.is_set()

    def advance(self, seconds: float) -> None:
        """Move on by ``seconds``; what falls due on the way is done, each at its own time, before this returns.

        Sleepers wake; what they do then goes on in their own threads.
        """
        end = self.now() + timedelta(seconds=seconds)
        patient = self._settle()
        while (call := self._next_until(end)) is not None:
            self._do(call)
            patient = patient and self._settle()
        self._move_to(end)

    def pending(self) -> int:
        """Return how many things wait for their time."""
        with self._changed:
            return sum(not call.cancelled for call in self._calls)

    def reset(self) -> None:
        """Go back to the machine's time and speed, and forget what was to be done."""
        with self._changed:
            self._calls.clear()
            self._speed = 1.0
            self._set(datetime.now(UTC))
            self._changed.notify_all()

    def _set(self, now: datetime) -> None:
        self._base, self._started = now, time.monotonic()

    def _move_to(self, when: datetime) -> None:
        with self._changed:
            if when > self.now():
                self._set(when)
            self._changed.notify_all()

    def _next_until(self, end: datetime) -> Call | None:
        with self._changed:
            return heappop(self._calls) if self._calls and self._calls[0].due <= end else None

    def _do(self, call: Call) -> None:
        with self._turn:
            self._move_to(call.due)
            if call.cancelled:
                return
            try:
                call.work()
            except Exception:  # noqa: BLE001 - whatever it is, the log tells it
                # The next call must come all the same, and nobody waits for this one's outcome.
                _LOG.exception("the sandbox failed at what was due at %s", call.due.isoformat())

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._calls or self._calls[0].due > self.now():
                    left = (self._calls[0].due - self.now()).total_seconds() / self._speed if self._calls else None
                    self._changed.wait(left)
                call = heappop(self._calls)
            self._do(call)


CLOCK: Final = Clock()
"""The clock of this process."""
