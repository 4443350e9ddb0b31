"""The WSGI application in front of all services."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final

from cdk_ami.sandbox import answers
from cdk_ami.sandbox.access import guard
from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.door import wire
from cdk_ami.sandbox.door.asked import Asked
from cdk_ami.sandbox.door.calls import CALLS, Call
from cdk_ami.sandbox.faults import codes, copies
from cdk_ami.sandbox.faults.codes import Refusal
from cdk_ami.sandbox.faults.register import FAULTS, Armed

OWN: Final = ("/_sandbox/", "/moto-api", "/favicon.ico")
"""Paths that belong to no service."""

_KEPT: Final = 2_048
"""Bytes of an error's body that are kept to tell its code."""

Start = Callable[..., Any]
Application = Callable[[dict[str, Any], Start], Iterable[bytes]]


class DroppedError(ConnectionResetError):
    """The connection was closed instead of an answer; the server takes it as the caller's own doing."""


class Door:
    """Lets requests through to ``application``, which serves them, and notes each.

    Args:
        application: What answers.
    """

    def __init__(self, application: Application) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        """Answer a request."""
        if environ["PATH_INFO"].startswith(OWN):
            return self._application(environ, start_response)
        asked = Asked(environ)
        call = CALLS.begin(asked)
        try:
            return self._answer(asked, call, environ, start_response)
        except DroppedError:
            call.status = 0
            raise
        finally:
            CALLS.end(call)

    def _answer(self, asked: Asked, call: Call, environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        lost, copy = False, None  # what the request meets after the service has heard of it
        for armed in FAULTS.striking(asked) if FAULTS.all() else ():
            if refusal := _strike(armed, asked, environ):
                return _refuse(asked, refusal, call, start_response)
            lost = lost or armed.fault.lose_answer
            copy = armed if armed.fault.copies else copy
        if refusal := guard.refusal(asked):
            return _refuse(asked, refusal, call, start_response)
        answer = self._pass(call, environ, start_response)
        if copy is not None:
            answer = list(answer)
            copies.meet(copy, asked, b"".join(answer))
        guard.passed(asked)
        if lost:
            for _ in answer:
                pass
            _drop(environ)
        return answer

    def _pass(self, call: Call, environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
            call.status = int(status[:3])
            if call.status >= HTTPStatus.BAD_REQUEST:
                call.error = next((value for name, value in headers if name.lower() == "x-amzn-errortype"), "")
            return start_response(status, headers, *exc_info)

        answer = self._application(environ, start)
        if call.status is None or call.status < HTTPStatus.BAD_REQUEST:
            return answer
        body = list(answer)
        if close := getattr(answer, "close", None):
            close()
        call.failure = b"".join(body)[:_KEPT]
        return body


def _strike(armed: Armed, asked: Asked, environ: dict[str, Any]) -> Refusal | None:
    """Let a fault do what it does before the service hears of the request; return the error it answers, if any."""
    fault = armed.fault
    if fault.latency is not None:
        CLOCK.sleep(fault.latency, armed.ended)
    if fault.down == "dropped":
        _drop(environ)
    if fault.down is not None:
        return codes.unavailable(asked.service)
    if fault.throttle is not None:
        return codes.throttled(asked.service)
    if fault.error is not None:
        code = str(fault.error["code"])
        status = fault.error.get("status") or codes.status_of(asked.service, code)
        return Refusal(code, str(fault.error.get("message", "This error was asked for.")), int(status))
    return None


def _refuse(asked: Asked, refusal: Refusal, call: Call, start_response: Start) -> Iterable[bytes]:
    headers, body = answers.plain(refusal.code, refusal.message, protocol=wire.protocol_of(asked.service))
    text = body.encode()
    call.status, call.error = refusal.status, refusal.code
    phrase = HTTPStatus(refusal.status).phrase if refusal.status in set(HTTPStatus) else "Refused"
    start_response(f"{refusal.status} {phrase}", [*headers.items(), ("Content-Length", str(len(text)))])
    return [text]


def _drop(environ: dict[str, Any]) -> None:
    """Close the connection.

    Raises:
        DroppedError: Always; the server then goes on with other requests.
    """
    with suppress(OSError):  # the caller may have gone by itself
        environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    raise DroppedError
