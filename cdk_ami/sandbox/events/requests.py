"""What one can ask of the sandbox's events, beside AWS.

``GET /_sandbox/events/log`` tells the events since the last reset; ``/_sandbox/events/delivery`` tells and sets what
goes wrong with deliveries.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from cdk_ami.sandbox.control import ControlError
from cdk_ami.sandbox.events import bus
from cdk_ami.sandbox.events.delivery import FAULTS, failed
from cdk_ami.sandbox.events.faults import SETTINGS


def _log(_method: str, _asked: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"events": [{"bus": where.name, **event} for where, event in bus.seen()]}


def _delivery(method: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
    if method == "POST":
        for name, value in asked.items():
            _check(name, value)
        FAULTS.set(dict(asked))
    return {**FAULTS.shown(), "failed": failed()}


def _check(name: str, value: Any) -> None:
    if name not in SETTINGS:
        raise ControlError(f"a delivery takes {', '.join(SETTINGS)}, got {name}")
    kind = SETTINGS[name]
    fits = isinstance(value, bool) if kind is bool else isinstance(value, int | float) and not isinstance(value, bool)
    if not fits or (kind is int and not isinstance(value, int)) or value < 0 or (name == "lose" and value > 1):
        raise ControlError(f"{name} is {_WORDS[name]}, got {value!r}")


_WORDS: Final = {
    "duplicate": "how many times more each delivery is made",
    "delay": "seconds, 0 or more",
    "lose": "a share from 0 to 1",
    "lose_next": "how many of the next deliveries are lost",
    "reorder": "true or false",
    "seed": "a whole number",
}

ROUTES: Final[Mapping[str, Callable[[str, Mapping[str, Any]], Mapping[str, Any]]]] = {
    "events/delivery": _delivery,
    "events/log": _log,
}
"""The routes by their paths."""
