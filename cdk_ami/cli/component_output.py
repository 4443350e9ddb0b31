"""How `cdk-ami component run` shows a run: lines while it goes on, a table in the end."""

from __future__ import annotations

from typing import Final

import click

from cdk_ami.cli.output import print_table
from cdk_ami.runtime.component.outcome import Outcome, Status, StepOutcome

_MARKS: Final = {"stdout": "|", "stderr": "!", "note": "#"}
"""What stands before a line: the step's output, its errors, the runner's own words."""

_ORDER: Final = (Status.SUCCESS, Status.FAILED, Status.IGNORED, Status.SKIPPED, Status.NOT_RUN)


class LiveOutput:
    """A listener that prints what it hears, each line with its step before it.

    Args:
        err: Whether to print on standard error, which leaves standard output to JSON.
    """

    def __init__(self, *, err: bool = False) -> None:
        self._err, self._step = err, ""

    def step_started(self, phase: str, name: str, action: str) -> None:
        """Print the step and its action."""
        self._step = f"{phase}/{name}"
        self._print(f"{self._step} > {action}")

    def line(self, stream: str, text: str) -> None:
        """Print the line."""
        self._print(f"{self._step} {_MARKS[stream]} {text}")

    def step_ended(self, outcome: StepOutcome) -> None:
        """Print how the step ended."""
        why = f": {outcome.message}" if outcome.message else ""
        took = "" if outcome.status is Status.NOT_RUN else f" in {outcome.seconds:.2f} s"
        self._print(f"{outcome.phase}/{outcome.name} = {outcome.status}{took}{why}")

    def _print(self, text: str) -> None:
        click.echo(text, err=self._err)


def print_outcome(outcome: Outcome) -> None:
    """Print the table of all steps, and one line that says it all."""
    click.echo()
    print_table(
        f"{outcome.document} in {outcome.place}",
        ["Phase", "Step", "Action", "Result", "Seconds", "Attempts", "Why"],
        [
            [
                step.phase,
                step.name,
                step.action,
                step.status,
                f"{step.seconds:.2f}",
                str(step.attempts),
                step.message,
            ]
            for step in outcome.steps
        ],
    )
    counts = [f"{number} {status}" for status in _ORDER if (number := outcome.count(status))]
    click.echo(f"{outcome.status} in {outcome.seconds:.2f} s: {', '.join(counts)}")
