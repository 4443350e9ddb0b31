"""What an action gets: its inputs, the place, and the time it has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

from cdk_ami.checks.documents import as_text
from cdk_ami.runtime.component import process
from cdk_ami.runtime.component.aws import Aws
from cdk_ami.runtime.component.outcome import Outcome
from cdk_ami.runtime.component.place import Place, environment

Outputs = list[dict[str, str]]
"""What an action leaves: a mapping for each entry of its inputs, or one."""


class ActionError(Exception):
    """An action that failed; the message says what and why."""


class RebootError(Exception):
    """An action that asks for a restart of its place.

    Attributes:
        again: Whether the step runs again afterwards, as it does when a script asked for the restart.
    """

    def __init__(self, *, again: bool) -> None:
        super().__init__("reboot")
        self.again = again


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of an action.

    Attributes:
        inputs: The step's inputs, expressions replaced.
        place: Where it runs.
        limits: When it must end.
        hear: Told each line that its processes print.
        aws: The AWS it reaches.
        run_document: Runs another document in the same place: its text, phases and parameters, and what to call it.
    """

    inputs: Any
    place: Place
    limits: process.Limits
    hear: process.Hear
    aws: Aws
    run_document: Callable[[str, Sequence[str], Mapping[str, str], str], Outcome]

    def entries(self) -> list[dict[str, Any]]:
        """Return inputs that are a list of mappings."""
        return [dict(entry) for entry in self.inputs]

    def note(self, text: str) -> None:
        """Tell something of the runner's own."""
        self.hear("note", text)

    def start(
        self,
        command: Sequence[str],
        *,
        stdin: bytes | IO[bytes] = b"",
        into: IO[bytes] | None = None,
        quiet: bool = False,
    ) -> process.Finished:
        """Run a command in the place and return how it ended."""
        line = self.place.line(command, environment(self.place, self.aws.variables))
        return process.run(
            line.command,
            environment=line.environment,
            limits=self.limits,
            hear=None if quiet else self.hear,
            stdin=stdin,
            into=into,
            end=self.place.end,
        )

    def shell(
        self, script: str, *arguments: str, stdin: bytes | IO[bytes] = b"", into: IO[bytes] | None = None
    ) -> bytes:
        """Run a small script of the runner's own and return what it wrote.

        Raises:
            ActionError: When it fails, with what it said.
        """
        done = self.start(["/bin/sh", "-c", script, "sh", *arguments], stdin=stdin, into=into, quiet=True)
        if done.code:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            raise ActionError(said[-1] if said else f"exit code {done.code}")
        return done.stdout


def text_of(entry: Mapping[str, Any], key: str, default: str = "") -> str:
    """Return an input as text."""
    return as_text(entry[key]) if entry.get(key) is not None else default


def flag_of(entry: Mapping[str, Any], key: str, *, default: bool) -> bool:
    """Return an input as a truth, which may be written as text.

    Raises:
        ActionError: When it is none.
    """
    value = text_of(entry, key, "true" if default else "false").lower()
    if value not in ("true", "false"):
        raise ActionError(f"{key} is true or false, got {value!r}")
    return value == "true"
