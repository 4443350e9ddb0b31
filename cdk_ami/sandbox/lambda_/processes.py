"""Execution environments: child processes with a function's code unpacked, kept for the next invocation.

As in AWS, what a handler leaves in its module is there at the next invocation as long as the environment lives, and
another version, code or configuration is another environment.
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
"""

from __future__ import annotations

import atexit
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from queue import Empty, Queue
from threading import Lock, Thread
from typing import IO, Any, Final

from cdk_ami.sandbox.lambda_.bootstrap import END_OF_LOG

PROGRAM: Final = Path(__file__).with_name("bootstrap.py")

KEPT: Final = 4
"""Idle environments that are kept, the last used ones: each holds some 30 MB."""

INIT_SECONDS: Final = 30.0
"""How long the import of a function's module may take beside its time-out.  Lambda allows 10 s on its own machines."""

DRAIN_SECONDS: Final = 5.0
"""How long the rest of the log may take after an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """What an environment is made from; another code is another environment.

    Attributes:
        arn: The function with its version.
        handler: Such as ``index.handler``.
        archive: The deployment package, a zip archive.
        layers: Archives of the layers, the first one first on the path.
        variables: Environment variables, those of Lambda itself included.
    """

    arn: str
    handler: str
    archive: bytes
    layers: tuple[bytes, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)

    def fingerprint(self) -> str:
        """Return what tells this code from any other."""
        digest = sha256(json.dumps([self.arn, self.handler, sorted(self.variables.items())]).encode())
        for archive in (self.archive, *self.layers):
            digest.update(sha256(archive).digest())
        return digest.hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one invocation ended.

    Attributes:
        answer: ``{"result": text}`` or ``{"error": fault}``; None when the process ended without one.
        lines: What the handler printed.
        timed_out: Whether it was killed because it took too long.
        exit_status: Status of a process that ended by itself.
    """

    answer: Mapping[str, Any] | None
    lines: tuple[str, ...]
    timed_out: bool = False
    exit_status: int | None = None


class Environment:
    """One child process.

    Args:
        code: What it runs.
        credentials: Variables that let its calls be those of the function's role.
        stream: Name of its log stream.
    """

    def __init__(self, code: Code, credentials: Mapping[str, str], stream: str) -> None:
        self.fingerprint, self.stream = code.fingerprint(), stream
        task = unpack(code.archive)
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        path = [str(task)]
        for layer in (unpack(archive) for archive in code.layers):
            path += [str(layer / "python"), str(layer / "python" / "lib" / version / "site-packages")]
        self._process = subprocess.Popen(  # noqa: S603 - our own program; the code in it is the caller's
            [sys.executable, "-P", str(PROGRAM)],
            cwd=task,
            env={
                **{name: os.environ[name] for name in ("PATH", "HOME", "SYSTEMROOT") if name in os.environ},
                "LANG": "en_US.UTF-8",
                "TZ": ":UTC",
                "PYTHONPATH": os.pathsep.join(path),
                "PYTHONDONTWRITEBYTECODE": "1",
                "LAMBDA_TASK_ROOT": str(task),
                **code.variables,
                **credentials,
                "_HANDLER": code.handler,
                "AWS_LAMBDA_LOG_STREAM_NAME": stream,
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        self._used = False
        self._input: IO[str] = self._process.stdin  # type: ignore[assignment]  # it was asked for
        self._answers, self._lines = _queue(self._process.stdout), _queue(self._process.stderr)

    def invoke(self, request: Mapping[str, Any]) -> Outcome:
        """Return how the handler answers ``request``, which is killed after its number of ``seconds``."""
        patience = request["seconds"] + (0 if self._used else INIT_SECONDS)
        self._used = True
        try:
            self._input.write(f"{json.dumps(request)}\n")
            self._input.flush()
            line = self._answers.get(timeout=patience)
        except BrokenPipeError:
            line = None  # it ended while its module was imported
        except Empty:
            self.kill()
            return Outcome(answer=None, lines=self._drain(), timed_out=True)
        if line is None:
            self._process.wait()
            self._close()
            return Outcome(answer=None, lines=self._drain(), exit_status=self._process.returncode)
        return Outcome(answer=json.loads(line), lines=self._drain())

    def kill(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        self._close()

    def _close(self) -> None:
        with suppress(BrokenPipeError):  # what it was not told any more
            self._input.close()

    @property
    def alive(self) -> bool:
        """Whether it can take another invocation."""
        return self._process.poll() is None

    def _drain(self) -> tuple[str, ...]:
        lines = []
        deadline = time.monotonic() + DRAIN_SECONDS
        while (left := deadline - time.monotonic()) > 0:
            try:
                line = self._lines.get(timeout=left)
            except Empty:
                break  # a process of the handler's own holds the stream open
            if line is None or line == END_OF_LOG:
                break
            lines.append(line)
        return tuple(lines)


def _queue(stream: IO[str] | None) -> Queue[str | None]:
    """Return a queue of the stream's lines, None after the last."""
    queue: Queue[str | None] = Queue()

    def read() -> None:
        if stream is not None:
            with stream:
                for line in stream:
                    queue.put(line.removesuffix("\n"))
        queue.put(None)

    Thread(target=read, name="lambda stream", daemon=True).start()
    return queue


class Pool:
    """The idle environments of this process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._idle: list[Environment] = []
        self._busy: set[Environment] = set()

    def take(self, fingerprint: str) -> Environment | None:
        """Return an idle environment of a code, None when there is none."""
        with self._lock:
            for one in reversed(self._idle):
                if one.fingerprint == fingerprint and one.alive:
                    self._idle.remove(one)
                    self._busy.add(one)
                    return one
        return None

    def add(self, one: Environment) -> None:
        """Remember a new environment, which is at work."""
        with self._lock:
            self._busy.add(one)

    def give_back(self, one: Environment) -> None:
        """Keep an environment for the next invocation."""
        with self._lock:
            known = one in self._busy
            self._busy.discard(one)
            if known and one.alive:
                self._idle.append(one)
            surplus = self._idle[:-KEPT]
            self._idle = self._idle[-KEPT:]
        for old in surplus:
            old.kill()

    def stop(self) -> None:
        """End every environment, those at work too."""
        with self._lock:
            doomed = [*self._idle, *self._busy]
            self._idle, self._busy = [], set()
        for one in doomed:
            one.kill()


POOL: Final = Pool()


class _Unpacked:
    """Archives that were unpacked, each once."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._root: Path | None = None

    def folder(self, archive: bytes) -> Path:
        with self._lock:
            if self._root is None:
                self._root = Path(tempfile.mkdtemp(prefix="cdk-ami-sandbox-"))
                atexit.register(shutil.rmtree, self._root, ignore_errors=True)
            folder = self._root / sha256(archive).hexdigest()[:32]
            if not folder.exists():
                _extract(archive, folder)
            return folder


_UNPACKED: Final = _Unpacked()


def unpack(archive: bytes) -> Path:
    """Return the folder with the files of a zip archive; it lives as long as this process."""
    return _UNPACKED.folder(archive)


def _extract(archive: bytes, folder: Path) -> None:
    making = folder.with_suffix(".making")
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        for member in files.infolist():
            made = Path(files.extract(member, making))
            if mode := (member.external_attr >> 16) & 0o777:
                made.chmod(mode | (0o700 if made.is_dir() else 0o600))
    making.mkdir(exist_ok=True)  # an empty archive
    making.rename(folder)


atexit.register(POOL.stop)
