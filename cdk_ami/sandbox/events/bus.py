"""Events on their way: taken in at once, matched and delivered by one thread in the order in which they came."""

from __future__ import annotations

import logging
import uuid
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any, Final

from cdk_ami.sandbox.activity import ACTIVITY
from cdk_ami.sandbox.clock import CLOCK

_LOG: Final = logging.getLogger("cdk_ami.sandbox")

REMEMBERED: Final = 10_000
"""How many of the newest events the sandbox remembers for tests that ask what happened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BusAt:
    """One event bus: its account, Region and name."""

    account: str
    region: str
    name: str = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class OnItsWay:
    """One event that was taken in.

    Attributes:
        bus: Where it was put.
        event: The whole event.
        token: What notes it as work that runs.
        hops: How many buses it has passed already.
        rule: The only rule that is meant, for an event of its schedule; None lets every rule see it.
    """

    bus: BusAt
    event: Mapping[str, Any]
    token: object
    hops: int = 0
    rule: Any = None


def stamp(when: datetime) -> str:
    """Return a time as events carry it."""
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def envelope(
    *,
    region: str,
    account: str,
    source: str,
    detail_type: str,
    detail: Any,
    resources: Sequence[str] = (),
    when: datetime | None = None,
) -> dict[str, Any]:
    """Return a new event as rules and targets see it.

    https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html
    """
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": detail_type,
        "source": source,
        "account": account,
        "time": stamp(when or CLOCK.now()),
        "region": region,
        "resources": list(resources),
        "detail": detail,
    }


def publish(bus: BusAt, event: Mapping[str, Any], *, hops: int = 0, rule: Any = None) -> None:
    """Take an event in; it is delivered later, by the thread of the bus."""
    token = ACTIVITY.began(f"event {event['detail-type']} of {event['source']}")
    with _LOCK:
        _SEEN.append((bus, event))
        if not _THREADS:
            _THREADS.append(Thread(target=_run, name="sandbox events", daemon=True))
            _THREADS[0].start()
    _QUEUE.put(OnItsWay(bus=bus, event=event, token=token, hops=hops, rule=rule))


def seen() -> list[tuple[BusAt, Mapping[str, Any]]]:
    """Return the events since the last reset, oldest first."""
    with _LOCK:
        return list(_SEEN)


def reset() -> None:
    """Forget what happened and what is on its way."""
    with _LOCK:
        _SEEN.clear()
    while not _QUEUE.empty():
        _QUEUE.get()


def _run() -> None:
    from cdk_ami.sandbox.events import routing  # noqa: PLC0415 - imports the emulator, which the callers of emit make

    while True:
        one = _QUEUE.get()
        try:
            routing.route(one)
        except Exception:  # noqa: BLE001 - whatever it is, the log tells it; the next event must pass
            _LOG.exception("the sandbox failed to deliver %s", one.event)
        finally:
            ACTIVITY.ended(one.token)


_LOCK: Final = Lock()
_QUEUE: Final[SimpleQueue[OnItsWay]] = SimpleQueue()
_SEEN: Final[deque[tuple[BusAt, Mapping[str, Any]]]] = deque(maxlen=REMEMBERED)
_THREADS: Final[list[Thread]] = []
