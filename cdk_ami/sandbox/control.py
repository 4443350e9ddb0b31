"""What one can ask of the sandbox itself, beside AWS: JSON over HTTP at ``/_sandbox/``.

``GET /_sandbox/clock`` tells the time, ``POST /_sandbox/clock`` with ``{"advance": SECONDS}`` or ``{"speed": FACTOR}``
changes it.  ``/_sandbox/faults`` causes, tells and ends faults, ``/_sandbox/calls`` tells what was asked of
the services, ``/_sandbox/iam`` enforces the policies of roles.  ``/_sandbox/imagebuilder/findings`` plants findings of
scans, ``/_sandbox/imagebuilder/lifecycle`` runs a lifecycle policy.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl

from cdk_ami.sandbox.access import guard
from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.faults import requests
from cdk_ami.sandbox.idle import idle
from cdk_ami.sandbox.state import file as state

PREFIX: Final = "/_sandbox/"
"""Where the sandbox's own requests go; no service of AWS has such a path."""

Answer = Mapping[str, Any]


class ControlError(ValueError):
    """A request to the sandbox itself that cannot be followed."""


def _clock(method: str, asked: Answer) -> Answer:
    if method == "POST":
        unknown = sorted(set(asked) - {"advance", "speed"})
        if unknown or not asked:
            raise ControlError(f"the clock takes advance or speed, got {unknown or 'nothing'}")
        if "speed" in asked:
            CLOCK.run_at(_positive(asked, "speed"))
        if "advance" in asked:
            CLOCK.advance(_positive(asked, "advance"))
    return {"now": CLOCK.now().isoformat(), "speed": CLOCK.speed}


def _positive(asked: Answer, name: str) -> float:
    value = asked[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise ControlError(f"{name} is a number above 0, got {value!r}")
    return float(value)


def _findings(method: str, asked: Answer) -> Answer:
    from cdk_ami.sandbox.imagebuilder.control import plant_findings  # noqa: PLC0415 - it imports the emulator

    return plant_findings(method, asked)


def _lifecycle(method: str, asked: Answer) -> Answer:
    from cdk_ami.sandbox.imagebuilder.control import run_lifecycle  # noqa: PLC0415 - it imports the emulator

    return run_lifecycle(method, asked)


def _products(method: str, asked: Answer) -> Answer:
    from cdk_ami.sandbox.ec2.products import make_product  # noqa: PLC0415 - it imports the emulator

    return make_product(method, asked)


def _quotas(method: str, asked: Answer) -> Answer:
    from cdk_ami.sandbox.servicequotas import change  # noqa: PLC0415 - it imports the emulator

    return change(method, asked)


ROUTES: Final[dict[str, Callable[[str, Answer], Answer]]] = {
    "calls": requests.calls,
    "clock": _clock,
    "ec2/products": _products,
    "faults": requests.faults,
    "iam": guard.answer,
    "imagebuilder/findings": _findings,
    "imagebuilder/lifecycle": _lifecycle,
    "idle": idle,
    "quotas": _quotas,
    "state": state.answer,
}
"""What answers each path behind the prefix, given the method and what was asked."""


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer, as a WSGI application, a request to the sandbox itself."""
    try:
        status, answer = HTTPStatus.OK, _answer(environ)
    except ValueError as error:  # a ControlError, one of an area's own kind, or what is no JSON
        status, answer = HTTPStatus.BAD_REQUEST, {"error": str(error)}
    text = json.dumps(answer).encode()
    start_response(
        f"{status.value} {status.phrase}", [("Content-Type", "application/json"), ("Content-Length", str(len(text)))]
    )
    return [text]


def _answer(environ: dict[str, Any]) -> Answer:
    name = environ["PATH_INFO"].removeprefix(PREFIX)
    asked = json.loads(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)) or b"{}")
    asked = asked or dict(parse_qsl(environ.get("QUERY_STRING", "")))
    if name not in ROUTES:
        raise ControlError(f"there is no {PREFIX}{name}, only {', '.join(sorted(ROUTES))}")
    if not isinstance(asked, dict):
        raise ControlError(f"the body is a JSON object, got {asked!r}")
    return ROUTES[name](environ["REQUEST_METHOD"], asked)
