"""Where a component runs: something that starts processes.  Files are read and written by processes too.

So a step reaches exactly what its place reaches: no link in a root directory leads out of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, Protocol, Self

PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where commands are looked for, as on a fresh instance: nothing of this machine's own setup leaks in."""

WORKING_DIRECTORY: Final = "/tmp"  # noqa: S108 - the service's own default on Linux
"""Directory that steps start in.
https://docs.aws.amazon.com/imagebuilder/latest/APIReference/API_CreateImageRecipe.html"""


class PlaceError(RuntimeError):
    """A place that cannot be had, with what to do about it."""


class Line(NamedTuple):
    """What this machine starts to run a command in a place.

    Attributes:
        command: The command line.
        environment: Its environment.
    """

    command: list[str]
    environment: Mapping[str, str]


class Place(Protocol):
    """Where steps run.

    Attributes:
        label: How it was named, such as ``chroot:/srv/root``.
        home: Home directory of its processes.
    """

    label: str
    home: str

    def __enter__(self) -> Self:
        """Make it ready.

        Raises:
            PlaceError: When it cannot be had.
        """
        ...

    def __exit__(self, *_: object) -> None:
        """End what still runs in it, and remove what was made for it."""
        ...

    def line(self, command: Sequence[str], variables: Mapping[str, str]) -> Line:
        """Return what runs ``command`` there in an environment of exactly ``variables``."""
        ...

    def end(self) -> None:
        """End the process that was started last, where its process group here does not reach it."""
        ...

    def restart(self) -> None:
        """Do as a reboot does: end all that runs in it, keep its files."""
        ...


def environment(place: Place, more: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the processes in ``place``: that of a fresh instance, and ``more``."""
    return {"PATH": PATH, "HOME": place.home, "LANG": "C.UTF-8", "TERM": "dumb", **more}


def in_working_directory(command: Sequence[str]) -> list[str]:
    """Return ``command``, started in the directory that steps start in."""
    return ["/bin/sh", "-c", 'cd "$0" 2>/dev/null || cd / || exit; exec "$@"', WORKING_DIRECTORY, *command]
