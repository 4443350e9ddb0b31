"""The command ``cdk-ami sandbox``: a local AWS on this machine, for tries, tests and CI."""

from __future__ import annotations

import errno
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event
from types import FrameType
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from cdk_ami.sandbox.server import Sandbox

HOST: Final = "127.0.0.1"
"""The only address that the sandbox listens on."""

DEFAULT_PORT: Final = 5000
"""Port that the server takes when none is named."""

NOT_FOUND: Final = 127
"""Exit code of a command that does not exist, as in every shell."""

NOT_RUNNABLE: Final = 126
"""Exit code of a command that exists and cannot be run."""

_FORWARDED: Final = (signal.SIGINT, signal.SIGTERM)


@click.command(context_settings={"help_option_names": ["-h", "--help"], "allow_interspersed_args": False})
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=None,
    help=f"Port on 127.0.0.1; 0 takes a free one.  [default: {DEFAULT_PORT}, or a free one with a command]",
)
@click.option("--region", default="us-east-1", show_default=True, help="Region that the environment names.")
@click.option("--env", "print_environment", is_flag=True, help="Print the variables to export, and start nothing.")
@click.option(
    "--run-components",
    metavar="PLACE",
    help="Run the components of builds for real, on copies of chroot:DIR or docker:IMAGE.",
)
@click.option(
    "--state",
    type=click.Path(dir_okay=False, resolve_path=True, path_type=Path),
    help="File that is taken up when it is there, and written at the end.  Use only files of your own: it is a pickle.",
)
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def sandbox(
    port: int | None,
    region: str,
    *,
    print_environment: bool,
    run_components: str | None,
    state: Path | None,
    command: Sequence[str],
) -> None:
    """Run a local AWS: EC2, Image Builder, CloudFormation, Auto Scaling and more, in one process on 127.0.0.1.

    Nothing leaves this machine and nothing costs anything.  Everything is forgotten when it stops, unless --state names
    a file.  The account is 123456789012; any keys will do.

    \b
    Serve until interrupted; the line "ready http://127.0.0.1:PORT" says when:
        cdk-ami sandbox
    In a second terminal, point every AWS tool at it, then work as usual:
        eval "$(cdk-ami sandbox --env)"
        npx cdk bootstrap && npx cdk deploy --all
        aws ec2 describe-images --owners self
    Or run one command against a fresh one, with its environment set and its exit code handed on:
        cdk-ami sandbox -- make test
        cdk-ami sandbox -- aws ec2 describe-images --owners amazon

    Builds note the steps of their components and run none.  With --run-components=chroot:DIR or docker:IMAGE, DIR or
    IMAGE stands for whatever AMI a first build starts from: build and validate phases run on a copy of it, the test
    phase and later builds on what was left behind, and a step that fails fails the build.

    AMIs and instances are ready at once.  CDK_AMI_SANDBOX_IMAGE_SECONDS and CDK_AMI_SANDBOX_WARMUP_SECONDS make AMIs
    and instance refreshes take their time.
    """
    if print_environment:
        if command:
            raise click.UsageError("--env starts nothing, so it takes no command")
        for name, value in _variables(f"http://{HOST}:{DEFAULT_PORT if port is None else port}", region).items():
            click.echo(f"export {name}={shlex.quote(value)}")
    elif command:
        sys.exit(_run(command, port or 0, region, run_components, state))
    else:
        sys.exit(_serve(DEFAULT_PORT if port is None else port, run_components, state))


def _serve(port: int, run_components: str | None, state: Path | None) -> int:
    stopped = Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopped.set()

    for number in _FORWARDED:
        signal.signal(number, stop)
    with _open(port, run_components) as serving:
        _take_up(state)
        click.echo(f"ready {serving.endpoint}")
        sys.stdout.flush()
        stopped.wait()
        return _leave(state)


def _take_up(state: Path | None) -> None:
    """Load a state that was left before."""
    if state is None or not state.exists():
        return
    from cdk_ami.sandbox.state.file import StateError, load  # noqa: PLC0415 - imports the emulator

    try:
        load(state)
    except StateError as error:
        raise click.ClickException(str(error)) from error


def _leave(state: Path | None) -> int:
    """Save the state, and return the exit code."""
    if state is None:
        return 0
    from cdk_ami.sandbox.state.file import StateError, save  # noqa: PLC0415 - imports the emulator

    try:
        save(state)
    except StateError as error:
        click.echo(f"Error: {error}", err=True)
        return 1
    return 0


def _run(command: Sequence[str], port: int, region: str, run_components: str | None, state: Path | None) -> int:
    """Run ``command`` against a fresh sandbox and return its exit code."""
    if shutil.which(command[0]) is None and not os.path.exists(command[0]):  # noqa: PTH110 - a word, not yet a path
        click.echo(f"cdk-ami sandbox: {command[0]}: command not found", err=True)
        return NOT_FOUND
    running: list[subprocess.Popen[bytes]] = []

    def forward(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT and sys.stdin.isatty():
            return  # the terminal has sent it to the command too
        for child in running:
            with suppress(ProcessLookupError):
                child.send_signal(number)

    with _open(port, run_components) as serving:
        _take_up(state)
        # Before the command starts: a signal right after its first word must reach it.
        for number in _FORWARDED:
            signal.signal(number, forward)
        try:
            child = subprocess.Popen(  # noqa: S603 - running the user's command is the point
                list(command), env={**os.environ, **_variables(serving.endpoint, region)}
            )
        except OSError as error:
            click.echo(f"cdk-ami sandbox: {command[0]}: {error.strerror}", err=True)
            return NOT_RUNNABLE
        running.append(child)
        code = child.wait()
        left = _leave(state)
    return (code or left) if code >= 0 else 128 - code


def _open(port: int, run_components: str | None) -> Sandbox:
    """Return a sandbox, not yet started, or say plainly why there is none."""
    _check_port(port)
    try:
        from cdk_ami.runtime.component.place import PlaceError  # noqa: PLC0415 - keeps --help quick
        from cdk_ami.runtime.component.where import WhereError  # noqa: PLC0415 - same
        from cdk_ami.sandbox.mismatch import EmulatorMismatchError  # noqa: PLC0415 - the extra may be missing
        from cdk_ami.sandbox.server import Sandbox  # noqa: PLC0415 - same

        try:
            return Sandbox(port, run_components=run_components)
        except WhereError as error:
            raise click.UsageError(f"--run-components {error}") from error
        except (EmulatorMismatchError, PlaceError) as error:
            raise click.ClickException(str(error)) from error
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "cdk_ami":
            raise
        raise click.ClickException(
            f"the sandbox needs the package {error.name}, which is not installed; run pip install 'cdk-ami[sandbox]'"
        ) from error


def _check_port(port: int) -> None:
    """Refuse a port that cannot be had, before the emulator takes its second to load."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                problem = f"port {port} is in use; name another by --port, or take a free one by --port 0"
            else:
                problem = f"port {port} cannot be opened: {error.strerror}"
            raise click.ClickException(problem) from error


def _variables(endpoint: str, region: str) -> dict[str, str]:
    from cdk_ami.sandbox.environment import variables  # noqa: PLC0415 - keeps --help quick

    return variables(endpoint, region=region)
