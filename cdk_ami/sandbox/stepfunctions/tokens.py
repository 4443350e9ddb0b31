"""Task tokens: tasks that somebody outside answers.

https://docs.aws.amazon.com/step-functions/latest/dg/connect-to-resource.html#connect-wait-token, read 2026-11-28
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from datetime import datetime
from threading import Lock
from typing import Any, Final

from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.stepfunctions.errors import StateError, StepFunctionsError


class Task:
    """A task that waits for its answer.

    Attributes:
        token: Its token.
        beaten: When it last showed a sign of life.
        answer: The result, or the error, once it came.
    """

    def __init__(self) -> None:
        self.token = secrets.token_urlsafe(64)
        self.beaten: datetime = CLOCK.now()
        self.answer: tuple[Any] | StateError | None = None
        self._wake: Callable[[], None] = lambda: None

    def arm(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` at the answer and at each sign of life, and at once when the answer is there."""
        with _LOCK:
            self._wake = wake
            if self.answer is None:
                return
        wake()

    def beat(self) -> None:
        """Show a sign of life."""
        self.beaten = CLOCK.now()
        self._wake()

    def end(self, answer: tuple[Any] | StateError) -> None:
        """Answer the task; only the first answer counts."""
        with _LOCK:
            if self.answer is None:
                self.answer = answer
        self._wake()


def open_task() -> Task:
    """Return a new task that waits."""
    task = Task()
    with _LOCK:
        _TASKS[task.token] = task
    return task


def close_task(task: Task) -> None:
    """Forget a task: its answer would come too late."""
    with _LOCK:
        _TASKS.pop(task.token, None)
        _CLOSED.add(task.token)


def reset() -> None:
    """Forget all tasks."""
    with _LOCK:
        _TASKS.clear()
        _CLOSED.clear()


def find(token: str) -> Task:
    """Return the task that waits for the answer of a token.

    Raises:
        StepFunctionsError: When none does.
    """
    with _LOCK:
        found = _TASKS.get(token)
        closed = token in _CLOSED
    if found is not None and found.answer is None:
        return found
    if found is not None or closed:
        raise StepFunctionsError("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'")
    raise StepFunctionsError("InvalidToken", "Invalid Token: 'Invalid token'")


def result_of(output: str) -> tuple[Any]:
    """Return the result that SendTaskSuccess hands in.

    Raises:
        StepFunctionsError: When it is no JSON.
    """
    try:
        return (json.loads(output),)
    except json.JSONDecodeError as error:
        raise StepFunctionsError("InvalidOutput", f"Invalid JSON in output: {error}") from error


_LOCK: Final = Lock()
_TASKS: Final[dict[str, Task]] = {}
_CLOSED: Final[set[str]] = set()
