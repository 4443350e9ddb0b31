"""The file: a header in one line of JSON, then the pickle."""

from __future__ import annotations

import io
import json
import pickle
import platform
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import moto
from moto import backends
from moto.core.base_backend import BackendDict

from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.idle import idle
from cdk_ami.sandbox.state.pickling import Pickler, Unpickler

MAGIC: Final = "cdk-ami sandbox state"

FORMAT: Final = 1
"""Raised when files of before cannot be read any more."""


class StateError(ValueError):
    """State that cannot be saved or loaded; the message says why."""


def _header() -> dict[str, Any]:
    # The code of functions is written too, which only the same Python reads.
    return {"kind": MAGIC, "format": FORMAT, "moto": moto.__version__, "python": platform.python_version()}


def save(path: Path) -> None:
    """Write all that the sandbox holds.

    Raises:
        StateError: When something runs, or is of a kind that cannot be written.
    """
    if running := idle("GET", {"seconds": 0})["running"]:
        raise StateError(f"nothing can be saved while there runs {', '.join(running)}")
    if CLOCK.pending():
        raise StateError(f"nothing can be saved while {CLOCK.pending()} things wait for the clock, such as a schedule")
    written = io.BytesIO()
    held = [
        (service.service_name, account, region, backend.__dict__)
        for service in list(BackendDict._instances)  # noqa: SLF001 - moto tells nowhere else what is in use
        for account, region, backend in service.iter_backends()
    ]
    try:
        Pickler(written, protocol=pickle.DEFAULT_PROTOCOL).dump(
            {"held": held, "now": CLOCK.now().isoformat(), "speed": CLOCK.speed}
        )
    except Exception as error:  # pickle raises what it likes
        raise StateError(f"something cannot be saved: {type(error).__name__}: {error}") from error
    temporary = path.with_name(f"{path.name}.new")
    try:
        temporary.write_bytes(json.dumps(_header()).encode() + b"\n" + written.getvalue())
        temporary.replace(path)
    except OSError as error:
        raise StateError(f"{path} cannot be written: {error.strerror}") from error


def load(path: Path) -> None:
    """Forget everything and take up what a file holds.

    Raises:
        StateError: When it is no file of this sandbox, this emulator library and this Python.
    """
    try:
        first, _, body = path.read_bytes().partition(b"\n")
    except OSError as error:
        raise StateError(f"{path} cannot be read: {error.strerror}") from error
    try:
        header = json.loads(first)
    except ValueError:
        header = None
    if not isinstance(header, dict) or header.get("kind") != MAGIC:
        raise StateError(f"{path} is no state of a sandbox")
    if header != _header():
        own = _header()
        wrong = ", ".join(
            f"{name} {header.get(name)} instead of {own[name]}" for name in own if header.get(name) != own[name]
        )
        raise StateError(f"{path} was saved by {wrong}")
    from moto.moto_api._internal.models import moto_api_backend  # noqa: PLC0415 - replaced at the start

    moto_api_backend.reset()
    _take_up(body)


def _take_up(body: bytes) -> None:
    state = Unpickler(io.BytesIO(body)).load()
    for service, account, region, members in state["held"]:
        backends.get_backend(service)[account][region].__dict__ = members
    ahead = datetime.fromisoformat(state["now"]) - CLOCK.now()
    if ahead > timedelta(0):
        CLOCK.advance(ahead.total_seconds())
    CLOCK.run_at(state["speed"])


def answer(method: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
    """Save or load.

    Raises:
        StateError: When that is not possible.
    """
    if method != "POST" or len(asked) != 1 or not set(asked) <= {"save", "load"}:
        raise StateError(f"state takes save or load with a path, got {dict(asked)!r}")
    ((verb, path),) = asked.items()
    if not isinstance(path, str) or not Path(path).is_absolute():
        raise StateError(f"{verb} takes an absolute path, got {path!r}")
    (save if verb == "save" else load)(Path(path))
    return {verb: path}
