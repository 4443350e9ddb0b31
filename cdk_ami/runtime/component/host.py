"""This machine itself as a place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from cdk_ami.runtime.component.place import Line, in_working_directory


class Host:
    """This machine: what a step does here stays.

    Attributes:
        label: ``host``.
        home: Home directory of the user.
    """

    def __init__(self) -> None:
        self.label, self.home = "host", str(Path.home())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave everything: what a step left running is the machine's."""

    def line(self, command: Sequence[str], variables: Mapping[str, str]) -> Line:
        """Return the command as it is, started where steps start."""
        return Line(in_working_directory(command), variables)

    def end(self) -> None:
        """Do nothing: the process group reaches all."""

    def restart(self) -> None:
        """Do nothing: a machine is not restarted for a try."""
