"""The faults that are in force, and which of them strikes a request."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import count
from random import Random
from threading import Event, Lock
from typing import Any, Final

from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.door.asked import Asked
from cdk_ami.sandbox.faults.fault import Fault


class Bucket:
    """So many requests a second by the sandbox's clock, and no more than so many at once."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate, self._burst = rate, burst
        self._left = burst
        self._at: datetime = CLOCK.now()

    def take(self) -> bool:
        """Return whether one more may pass."""
        now = CLOCK.now()
        self._left = min(self._burst, self._left + max((now - self._at).total_seconds(), 0.0) * self._rate)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Armed:
    """A fault in force.

    Attributes:
        id: By which it can be ended.
        fault: What it is.
        struck: How often it has struck.
        ended: Set when it has been ended.
    """

    def __init__(self, number: int, fault: Fault) -> None:
        self.id = f"fault-{number}"
        self.fault = fault
        self.struck = 0
        self.ended = Event()
        self._seen = 0
        self._releases: list[Callable[[], None]] = []
        self._dice = Random(fault.seed)  # noqa: S311 - repeatable on purpose
        throttle = fault.throttle or {}
        rate = throttle.get("rate")
        self._bucket = None if rate is None else Bucket(rate, throttle.get("burst", max(rate, 1)))

    def strikes(self) -> bool:
        """Return whether it strikes the next request that it matches, and count that."""
        self._seen += 1
        if self._seen <= self.fault.skip or (self.fault.first is not None and self.struck >= self.fault.first):
            return False
        if self.fault.probability < 1 and self._dice.random() >= self.fault.probability:
            return False
        if self._bucket is not None and self._bucket.take():
            return False
        self.struck += 1
        return True

    def at_end(self, release: Callable[[], None]) -> None:
        """Call ``release`` when it is ended, or at once when it has been."""
        self._releases.append(release)
        if self.ended.is_set():
            self.end()

    def end(self) -> None:
        """Let go what it holds."""
        self.ended.set()
        while self._releases:
            self._releases.pop()()

    def told(self) -> dict[str, Any]:
        """Return it as data."""
        return {"id": self.id, **self.fault.told(), "struck": self.struck}


class Faults:
    """The faults in force, in the order in which they were asked for."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._armed: tuple[Armed, ...] = ()
        self._numbers = count(1)

    def add(self, fault: Fault) -> Armed:
        """Put a fault in force."""
        with self._lock:
            armed = Armed(next(self._numbers), fault)
            self._armed = (*self._armed, armed)
            return armed

    def end(self, fault_id: str | None = None) -> list[Armed]:
        """End the fault of that id, or all, and return what was ended; requests that it held go on."""
        with self._lock:
            ended = [armed for armed in self._armed if fault_id in {None, armed.id}]
            self._armed = tuple(armed for armed in self._armed if armed not in ended)
        for armed in ended:
            armed.end()
        return ended

    def all(self) -> tuple[Armed, ...]:
        """Return the faults in force."""
        return self._armed

    def striking(self, asked: Asked) -> Iterator[Armed]:
        """Yield the faults that strike a request, each counted when it is reached."""
        for armed in self._armed:
            if armed.fault.matches(asked):
                with self._lock:
                    strikes = armed.strikes()
                if strikes:
                    yield armed


FAULTS: Final = Faults()
"""The faults of this process."""
