"""One process of a step: heard line by line while it runs, ended with all its children when its time is over."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import IO, Final, NamedTuple

Hear = Callable[[str, str], None]
"""Takes a stream's name and a line of it."""

_POLL_SECONDS: Final = 0.05
_SILENCE_SECONDS: Final = 0.5
"""How long an output must be silent until it is left to what an ended process has left in the background."""


class Limits(NamedTuple):
    """When a process must end though it has not.

    Attributes:
        deadline: Monotonic time, None for no limit.
        stopped: Set when the run is to stop.
    """

    deadline: float | None = None
    stopped: Event | None = None

    @property
    def left(self) -> float | None:
        """Seconds until the deadline, None without one."""
        return None if self.deadline is None else self.deadline - time.monotonic()

    def check(self) -> None:
        """Raise when it is time to end.

        Raises:
            StepTimeoutError: When the deadline has passed.
            RunStoppedError: When the run is to stop.
        """
        if self.stopped is not None and self.stopped.is_set():
            raise RunStoppedError
        if self.left is not None and self.left <= 0:
            raise StepTimeoutError


class StepTimeoutError(Exception):
    """The time of a step is over."""


class RunStoppedError(Exception):
    """Somebody stopped the run."""


class Finished(NamedTuple):
    """How a process ended.

    Attributes:
        code: Its exit code; 128 and the signal's number when a signal ended it, as shells count.
        stdout: What it wrote on its standard output, unless that went into a file.
        stderr: What it wrote on its standard error.
    """

    code: int
    stdout: bytes
    stderr: bytes


def run(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    limits: Limits,
    hear: Hear | None = None,
    stdin: bytes | IO[bytes] = b"",
    into: IO[bytes] | None = None,
    end: Callable[[], None] = lambda: None,
) -> Finished:
    """Run a command in a process group of its own and return how it ended.

    Args:
        command: The command line, of this machine.
        environment: All of its environment.
        limits: When it must end.
        hear: Told each line as it comes; None tells nobody.
        stdin: What it reads.
        into: File that its standard output goes to, instead of being kept.
        end: Ends what the process group does not reach, such as a process in a container.

    Raises:
        StepTimeoutError: When it did not end in time, and was ended.
        RunStoppedError: When the run was stopped, and the process ended.
    """
    limits.check()
    with _readable(stdin) as source:
        process = subprocess.Popen(  # noqa: S603 - running what a document says is the point
            list(command),
            env=dict(environment),
            stdin=source,
            stdout=into or subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    streams = [_Stream("stderr", process.stderr, hear)]
    if into is None:
        streams.insert(0, _Stream("stdout", process.stdout, hear))
    try:
        code = _wait(process, limits)
    except BaseException:
        _end(process, end)
        raise
    for stream in streams:
        stream.wait()
    kept = {stream.name: stream.kept() for stream in streams}
    return Finished(code if code >= 0 else 128 - code, kept.get("stdout", b""), kept["stderr"])


@contextmanager
def _readable(stdin: bytes | IO[bytes]) -> Iterator[IO[bytes]]:
    if not isinstance(stdin, bytes):
        yield stdin
        return
    with tempfile.TemporaryFile() as file:
        file.write(stdin)
        file.seek(0)
        yield file


def _wait(process: subprocess.Popen[bytes], limits: Limits) -> int:
    while True:
        limits.check()
        patience = limits.left
        if limits.stopped is not None:
            patience = _POLL_SECONDS if patience is None else min(patience, _POLL_SECONDS)
        with suppress(subprocess.TimeoutExpired):
            return process.wait(patience)


def _end(process: subprocess.Popen[bytes], end: Callable[[], None]) -> None:
    end()
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


class _Stream:
    """Reads one output of a process in a thread of its own, which ends when nobody can write to it any more."""

    def __init__(self, name: str, pipe: IO[bytes] | None, hear: Hear | None) -> None:
        if pipe is None:
            raise TypeError("the process has no pipe")
        self.name, self._pipe, self._hear = name, pipe, hear
        self._lines: list[bytes] = []
        self._thread = Thread(target=self._read, name=f"{name} of a step", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Return at the end of the output, or when it is held open by something that says nothing."""
        seen, silent_since = -1, time.monotonic()
        while self._thread.is_alive():
            self._thread.join(_POLL_SECONDS)
            if seen != len(self._lines) or self._holds_more():
                seen, silent_since = len(self._lines), time.monotonic()
            elif time.monotonic() - silent_since > _SILENCE_SECONDS:
                break
        # What comes later comes from something in the background, and belongs to no step.
        self._hear = None

    def _holds_more(self) -> bool:
        """Tell whether something waits to be read, which a busy machine has not come to yet."""
        with suppress(OSError, ValueError):  # closed at its end just now
            return bool(select.select([self._pipe], [], [], 0)[0])
        return True

    def kept(self) -> bytes:
        return b"".join(self._lines)

    def _read(self) -> None:
        with self._pipe:
            for line in self._pipe:
                self._lines.append(line)
                if (hear := self._hear) is not None:
                    hear(self.name, line.decode(errors="replace").rstrip("\r\n"))
