"""A container as a place, by the command line of Docker, or of Podman under its name."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from typing import Final, Self

from cdk_ami.runtime.component.place import WORKING_DIRECTORY, Line, PlaceError

_PID_FILE: Final = "/tmp/.cdk-ami-step"  # noqa: S108 - in the container, for the runner alone
_STAY: Final = "while :; do sleep 3600; done"
_NOTED: Final = f'echo "$0 $$" > {_PID_FILE}; exec "$@"'
"""Notes the number of a command and of its process, and becomes it."""

_END: Final = f"""
for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  number=; read number pid < {_PID_FILE}
  if [ "$number" = "$0" ]; then kill -s KILL -- "-$pid" || kill -s KILL "$pid"; exit; fi
  sleep 0.2
done
"""
"""Ends the command of a number, which may not have begun when its time is over already."""


class Docker:
    """A container of an image, started once and removed in the end.

    Args:
        image: The image, such as ``amazonlinux:2023``.
        host_network: Whether the container shares this machine's network: a local AWS listens on its loopback address.
        keep: Whether the container stays in the end, to be looked into.

    Attributes:
        label: ``docker:`` and the image.
        home: Home directory of root.
        container: Id of the container, empty until it runs.
    """

    def __init__(self, image: str, *, host_network: bool = False, keep: bool = False) -> None:
        self.label, self.home = f"docker:{image}", "/root"
        self.container = ""
        self._image, self._host_network, self._keep = image, host_network, keep
        self._commands = 0

    def __enter__(self) -> Self:
        if shutil.which("docker") is None:
            raise PlaceError(
                f"{self.label} needs the command docker, which this machine lacks; install it, or use chroot"
            )
        network = ["--network", "host"] if self._host_network else []
        started = self._docker(
            "run", "--detach", "--init", *network, "--user", "0", "--entrypoint", "/bin/sh", self._image, "-c", _STAY
        )
        self.container = started.split()[-1]
        return self

    def __exit__(self, *_: object) -> None:
        if self.container and not self._keep:
            self._docker("rm", "--force", "--volumes", self.container)

    def line(self, command: Sequence[str], variables: Mapping[str, str]) -> Line:
        """Return the command line that runs ``command`` in the container; credentials stay off it."""
        secret = {name: value for name, value in variables.items() if name.startswith("AWS_")}
        options = ["--interactive", "--user", "0", "--workdir", WORKING_DIRECTORY]
        for name, value in variables.items():
            options += ["--env", name if name in secret else f"{name}={value}"]
        self._commands += 1
        inner = ["/bin/sh", "-c", _NOTED, str(self._commands), *command]
        # The command line finds its engine by this machine's own environment.
        return Line(["docker", "exec", *options, self.container, *inner], {**os.environ, **secret})

    def end(self) -> None:
        """End the last process in the container: ending the command line here leaves it alone."""
        self._docker("exec", "--user", "0", self.container, "/bin/sh", "-c", _END, str(self._commands), check=False)

    def restart(self) -> None:
        """Restart the container."""
        self._docker("restart", "--time", "0", self.container)

    def save(self, name: str) -> None:
        """Save the container's files as an image."""
        self._docker("commit", self.container, name)

    def _docker(self, *arguments: str, check: bool = True) -> str:
        return docker(self.label, *arguments, check=check)


def docker(label: str, *arguments: str, check: bool = True) -> str:
    """Call Docker and return what it printed.

    Raises:
        PlaceError: When it refuses.
    """
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)  # noqa: S603, S607 - Docker's command line
    if check and done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise PlaceError(f"{label}: docker {arguments[0]}: {said[-1]}")
    return done.stdout
