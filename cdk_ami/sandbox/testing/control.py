"""Requests to the sandbox itself, from Python."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

# A network's proxy is passed by: the sandbox is on this machine.
_OPENER = build_opener(ProxyHandler({}))


class ControlRefusedError(ValueError):
    """A request to the sandbox itself that it refuses; the message says why."""


class Control:
    """Speaks to one sandbox.

    Args:
        endpoint: Where it serves, such as ``http://127.0.0.1:5000``.
    """

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint

    def post(self, name: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Change something and return what the sandbox tells of it."""
        return self._ask(Request(f"{self._endpoint}/_sandbox/{name}", data=json.dumps(asked).encode()))  # noqa: S310 - loopback

    def get(self, name: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the sandbox tells."""
        return self._ask(Request(f"{self._endpoint}/_sandbox/{name}?{urlencode(asked)}"))  # noqa: S310 - same

    def delete(self, name: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Take something away and return what the sandbox tells of it."""
        return self._ask(Request(f"{self._endpoint}/_sandbox/{name}?{urlencode(asked)}", method="DELETE"))  # noqa: S310 - same

    def reset(self) -> None:
        """Let the sandbox forget everything."""
        with _OPENER.open(Request(f"{self._endpoint}/moto-api/reset", method="POST")):  # noqa: S310 - same
            pass

    def _ask(self, request: Request) -> dict[str, Any]:
        try:
            with _OPENER.open(request) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except HTTPError as error:
            with error:
                raise ControlRefusedError(str(json.load(error)["error"])) from None


class Clock:
    """The sandbox's time: schedules, bake times and cool-downs follow it."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def now(self) -> datetime:
        """Return the time, in UTC."""
        return datetime.fromisoformat(self._control.get("clock", {})["now"])

    def advance(self, by: timedelta) -> datetime:
        """Move on, and return the time; what falls due on the way has been done then, or has begun."""
        return datetime.fromisoformat(self._control.post("clock", {"advance": by.total_seconds()})["now"])

    def speed(self, factor: float) -> None:
        """Run so many times as fast as the machine's clock."""
        self._control.post("clock", {"speed": factor})


@dataclass(frozen=True, slots=True, kw_only=True)
class CausedFault:
    """A fault in force.

    Attributes:
        id: Its name.
    """

    id: str
    _control: Control

    def end(self) -> None:
        """End it.  Requests and copies that it holds go on."""
        self._control.delete("faults", {"id": self.id})

    @property
    def struck(self) -> int:
        """How often it has struck."""
        found = self._control.get("faults", {})["faults"]
        return next((int(one["struck"]) for one in found if one["id"] == self.id), 0)


class Faults:
    """Makes things go wrong.

    What every method takes besides narrows a fault down, and goes as it is to ``POST /_sandbox/faults``: ``region``,
    ``account``, ``parameters`` that a request must have, ``callers`` (``outside``, ``engines`` or ``all``), ``first``
    so many times, ``skip`` so many before, ``probability`` with a ``seed``.
    """

    def __init__(self, control: Control) -> None:
        self._control = control

    def throttle(
        self, service: str, operation: str | None = None, *, rate: float | None = None, **narrowed: Any
    ) -> CausedFault:
        """Refuse what comes more often than ``rate`` times a second, or every call, in the service's own words."""
        return self._cause(service, operation, narrowed, throttle={} if rate is None else {"rate": rate})

    def fail(
        self, service: str, operation: str, code: str, message: str = "This error was asked for.", **narrowed: Any
    ) -> CausedFault:
        """Answer an operation with an error of that code; ``status`` sets its HTTP status, else the model's."""
        status = narrowed.pop("status", None)
        error = {"code": code, "message": message} | ({} if status is None else {"status": status})
        return self._cause(service, operation, narrowed, error=error)

    def delay(
        self, by: timedelta, service: str | None = None, operation: str | None = None, **narrowed: Any
    ) -> CausedFault:
        """Let answers take longer, by the sandbox's clock."""
        return self._cause(service, operation, narrowed, latency=by.total_seconds())

    def down(self, service: str | None = None, *, dropped: bool = False, **narrowed: Any) -> CausedFault:
        """Let a service, or with ``region`` alone a whole Region, be down: 503, or no answer at all."""
        return self._cause(service, None, narrowed, down="dropped" if dropped else "unavailable")

    def lose_answer(self, service: str, operation: str, **narrowed: Any) -> CausedFault:
        """Carry an operation out and drop the connection instead of answering."""
        return self._cause(service, operation, narrowed, lose_answer=True)

    def fail_copies(self, **narrowed: Any) -> CausedFault:
        """Let copies of AMIs that are begun from now on end ``failed``."""
        return self._cause(None, None, narrowed, copies="failed")

    def hold_copies(self, **narrowed: Any) -> CausedFault:
        """Keep copies of AMIs that are begun from now on ``pending`` until the fault is ended."""
        return self._cause(None, None, narrowed, copies="pending")

    def end(self) -> None:
        """End all faults."""
        self._control.delete("faults", {})

    def _cause(
        self, service: str | None, operation: str | None, narrowed: Mapping[str, Any], **kind: Any
    ) -> CausedFault:
        where = {name: value for name, value in (("service", service), ("operation", operation)) if value}
        return CausedFault(id=self._control.post("faults", {**where, **narrowed, **kind})["id"], _control=self._control)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotedCall:
    """One call of a service.

    Attributes:
        when: When, by the sandbox's clock.
        service: boto3's name of the service.
        operation: As the API names it.
        region: The Region.
        account: The account that was called.
        principal: ARN of the caller.
        role: ARN of the role that it was made with, None with an account's own keys.
        engine: Whether one of the sandbox's own services made it.
        parameters: What was asked, by the names of the API.
        status: HTTP status of the answer, 0 when the connection was dropped, None while there is none.
        error: The error code that was answered.
    """

    when: datetime
    service: str
    operation: str
    region: str
    account: str
    principal: str
    role: str | None
    engine: bool
    parameters: Mapping[str, Any]
    status: int | None
    error: str | None

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> NotedCall:
        """Return the call that the sandbox tells of."""
        members = {name: value for name, value in told.items() if name != "id"}
        return cls(**members | {"when": datetime.fromisoformat(told["when"])})
