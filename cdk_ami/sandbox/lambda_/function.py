"""A function as an invocation sees it: plain data, taken from the emulator's record at the time of the call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

DEFAULT_ATTEMPTS: Final = 2
"""How often an event is tried again unless the function says otherwise.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html"""

DEFAULT_AGE_SECONDS: Final = 21_600
"""How old an event may become; same page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """One version of a function.

    Attributes:
        arn: The function without its version.
        version: A number or ``$LATEST``.
        invoked: The ARN that the caller named, with its version or alias.
        runtime: Such as ``python3.13``; None for a container image.
        seconds: Its time-out.
        archive: The deployment package.
        layers: Archives of its layers, in order.
        attempts: How often an event is tried again.
        age_seconds: How old an event may become.
        on_success: ARN of the destination of events that went well.
        on_failure: ARN of the destination of events that did not.
        dead_letters: ARN of the queue or topic that gets failed events as they were.
    """

    account: str
    region: str
    name: str
    arn: str
    version: str
    invoked: str
    runtime: str | None
    handler: str
    role: str
    seconds: float
    memory_mib: int
    variables: Mapping[str, str]
    archive: bytes
    log_group: str
    layers: tuple[bytes, ...] = ()
    attempts: int = DEFAULT_ATTEMPTS
    age_seconds: int = DEFAULT_AGE_SECONDS
    on_success: str | None = None
    on_failure: str | None = None
    dead_letters: str | None = None

    @property
    def runs_here(self) -> bool:
        """Whether the sandbox can run its code."""
        return (self.runtime or "").startswith("python")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an invocation ends in.

    Attributes:
        payload: JSON text.
        failed: Whether that is an error of the function.
        lines: What it has logged.
    """

    payload: str
    failed: bool = False
    lines: tuple[str, ...] = field(default_factory=tuple)
