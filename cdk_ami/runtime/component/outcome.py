"""How a run went, step by step; pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple, Protocol


class Status(StrEnum):
    """How a step ended."""

    SUCCESS = "success"
    FAILED = "failed"
    IGNORED = "failure ignored"
    SKIPPED = "skipped"
    NOT_RUN = "not run"


class StepOutcome(NamedTuple):
    """How one step went.

    Attributes:
        phase: Name of its phase.
        name: Its name.
        action: Its action.
        status: How it ended.
        seconds: How long it took, all attempts together.
        attempts: How often it was tried.
        reboots: How often it restarted the place.
        message: Why it failed or was skipped; empty otherwise.
        outputs: What it left for later steps, one mapping for each entry of its inputs or round of its loop.
        lines: The end of what it printed.
    """

    phase: str
    name: str
    action: str
    status: Status
    seconds: float = 0.0
    attempts: int = 0
    reboots: int = 0
    message: str = ""
    outputs: tuple[Mapping[str, str], ...] = ()
    lines: tuple[str, ...] = ()


class Outcome(NamedTuple):
    """How a run went.

    Attributes:
        document: Name of the document, or of its file.
        place: Where it ran.
        steps: Its steps, in order.
        seconds: How long it took.
    """

    document: str
    place: str
    steps: tuple[StepOutcome, ...]
    seconds: float

    @property
    def failure(self) -> StepOutcome | None:
        """The first step that failed the run, None when it succeeded."""
        return next((step for step in self.steps if step.status is Status.FAILED), None)

    @property
    def status(self) -> str:
        """The document's status: ``failed``, ``success``, or ``success with ignored failure``."""
        if self.failure:
            return "failed"
        ignored = any(step.status is Status.IGNORED for step in self.steps)
        return "success with ignored failure" if ignored else "success"

    def count(self, status: Status) -> int:
        """Return how many steps ended so."""
        return sum(step.status is status for step in self.steps)


class Listener(Protocol):
    """Who is told of a run while it goes on."""

    def step_started(self, phase: str, name: str, action: str) -> None:
        """Hear that a step begins."""
        ...

    def line(self, stream: str, text: str) -> None:
        """Hear a line of ``stdout`` or ``stderr``, or the runner's own ``note``."""
        ...

    def step_ended(self, outcome: StepOutcome) -> None:
        """Hear how a step ended."""
        ...


class Silence:
    """A listener that does nothing with what it hears."""

    def step_started(self, phase: str, name: str, action: str) -> None:
        """Do nothing."""

    def line(self, stream: str, text: str) -> None:
        """Do nothing."""

    def step_ended(self, outcome: StepOutcome) -> None:
        """Do nothing."""
