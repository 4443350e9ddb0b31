"""What an execution did, event by event."""

from __future__ import annotations

from datetime import datetime
from threading import Lock
from typing import Any

from cdk_ami.sandbox.clock import CLOCK


class History:
    """The events of one execution."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._events: list[dict[str, Any]] = []

    def add(self, kind: str, previous: int, **details: Any) -> int:
        """Add an event; return its id, which counts from 1."""
        with self._lock:
            event: dict[str, Any] = {
                "timestamp": CLOCK.now(),
                "type": kind,
                "id": len(self._events) + 1,
                "previousEventId": previous,
            }
            if name := _details_of(kind):
                event[name] = {key: value for key, value in details.items() if value is not None}
            self._events.append(event)
            return len(self._events)

    def events(self) -> list[dict[str, Any]]:
        """Return the events so far, oldest first."""
        with self._lock:
            return list(self._events)


def _details_of(kind: str) -> str | None:
    """Return the member of an event that holds its details, None where it has none."""
    if kind.endswith("StateEntered"):
        return "stateEnteredEventDetails"
    if kind.endswith("StateExited"):
        return "stateExitedEventDetails"
    if kind == "MapStateStarted":
        return "mapStateStartedEventDetails"
    if "State" in kind or kind == "LambdaFunctionStarted":
        return None
    return f"{kind[:1].lower()}{kind[1:]}EventDetails"


def milliseconds(when: datetime) -> int:
    """Return a time as milliseconds, as events of EventBridge carry it."""
    return int(when.timestamp() * 1000)
