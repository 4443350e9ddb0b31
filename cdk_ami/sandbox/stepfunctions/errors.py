"""Errors: those a state ends with, and those the service answers with."""

from __future__ import annotations

from typing import Any, Final

from moto.core.exceptions import ServiceException

NEVER_CAUGHT: Final = frozenset({"States.Runtime", "States.DataLimitExceeded"})
"""Errors that ``States.ALL`` does not mean.

https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html, read 2026-11-28
"""


class StateError(Exception):
    """A state that failed, by the error's name and its cause."""

    def __init__(self, error: str, cause: str) -> None:
        super().__init__(f"{error}: {cause}")
        self.error, self.cause = error, cause

    def matches(self, names: list[str]) -> bool:
        """Tell whether one of the names of a retrier or catcher means this error."""
        if self.error in names:
            return True
        if "States.TaskFailed" in names and self.error not in {"States.Timeout", *NEVER_CAUGHT}:
            return True
        return "States.ALL" in names and self.error not in NEVER_CAUGHT

    def shown(self) -> dict[str, Any]:
        """Return the error as a catcher hands it on."""
        return {"Error": self.error, "Cause": self.cause}


class FailedError(StateError):
    """What a Fail state ends with: nothing catches it in the state itself."""


class HaltedError(Exception):
    """The execution was stopped, timed out or forgotten; its threads end."""


class StepFunctionsError(ServiceException):  # type: ignore[misc]
    """An answer other than success; ``code`` is the name of an error shape."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
