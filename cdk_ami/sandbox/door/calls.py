"""What was asked of the sandbox, so that a test can look at it: ``GET /_sandbox/calls``, ``DELETE`` forgets it.

A call is kept as it came; what it asked is read when somebody looks.  The oldest go when there are too many.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterator, Mapping
from datetime import datetime
from threading import Lock
from typing import Any, Final
from uuid import uuid4

from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.door import callers
from cdk_ami.sandbox.door.asked import Asked

MOST: Final = 10_000
"""Calls that are kept."""

MOST_BYTES: Final = 32 * 1024 * 1024
"""Bytes of their bodies, all together."""

LARGEST: Final = 64 * 1024
"""Bytes of the largest body that is kept; parameters of larger ones are not told."""

_CODE: Final = re.compile(rb"<Code>([^<]+)</Code>")


class Call:
    """One request and what became of it.

    Attributes:
        id: Its name, in the form of a UUID.
        asked: The request.
        when: When it came, by the sandbox's clock.
        status: HTTP status of the answer, None while there is none, 0 when the connection was dropped instead.
        failure: The answer's body, when it was an error.
        error: Its code by the answer's header.
    """

    __slots__ = ("asked", "error", "failure", "id", "status", "when")

    def __init__(self, asked: Asked) -> None:
        self.id = str(uuid4())
        self.asked = asked
        self.when: datetime = CLOCK.now()
        self.status: int | None = None
        self.failure = b""
        self.error = ""

    @property
    def code(self) -> str | None:
        """The error code that was answered, None when it was none."""
        if self.status == 0:
            return "ConnectionDropped"
        if self.status is None or self.status < 400:  # noqa: PLR2004 - the first status of an error
            return None
        found = _CODE.search(self.failure)
        code = self.error or (found[1].decode() if found else _json_code(self.failure)) or str(self.status)
        return code.rpartition("#")[2].partition(":")[0]

    def told(self) -> dict[str, Any]:
        """Return the call as data."""
        asked = self.asked
        return {
            "id": self.id,
            "when": self.when.isoformat(),
            "service": asked.service,
            "operation": asked.operation,
            "region": asked.region,
            "account": asked.account,
            "principal": callers.principal_of(asked),
            "role": callers.role_of(asked),
            "engine": asked.engine,
            "parameters": asked.parameters,
            "status": self.status,
            "error": self.code,
        }


def _json_code(body: bytes) -> str:
    try:
        found = json.loads(body)
    except ValueError:
        return ""
    return str(found.get("__type") or found.get("code") or "") if isinstance(found, dict) else ""


class Calls:
    """The calls of this process, oldest first."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: deque[Call] = deque()
        self._bytes = 0

    def begin(self, asked: Asked) -> Call:
        """Keep a call; the caller sets what became of it."""
        call = Call(asked)
        with self._lock:
            self._kept.append(call)
            self._bytes += len(asked.body)
            while len(self._kept) > MOST or (self._bytes > MOST_BYTES and len(self._kept) > 1):
                self._bytes -= len(self._kept.popleft().asked.body)
        return call

    def end(self, call: Call) -> None:
        """Let go of what is too large to be kept."""
        if len(call.asked.body) > LARGEST:
            with self._lock:
                self._bytes -= len(call.asked.body)
                call.asked.let_go()

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._kept.clear()
            self._bytes = 0

    def matching(self, wanted: Mapping[str, Any]) -> Iterator[Call]:
        """Yield the calls that have all of the wanted attributes, oldest first."""
        with self._lock:
            kept = list(self._kept)
        for call in kept:
            if all(str(getattr(call.asked, name)) == str(value) for name, value in wanted.items()):
                yield call


CALLS: Final = Calls()
"""The calls of this process."""
