"""Image producers: the state machines that distribute what others have made."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cdk_ami.checks.rule import Problem, rule

EXECUTION_SECONDS_MAX: Final = 365 * 24 * 3600
"""Longest life of an execution.  https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html"""


@rule("Patience", source="https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html")
def patience(seconds: int) -> Iterator[Problem]:
    """An execution of a state machine waits a year at most."""
    if not 0 < seconds <= EXECUTION_SECONDS_MAX:
        yield Problem(problem="is no time to wait", got=f"{seconds} s", fix="give more than none and at most 365 days")
