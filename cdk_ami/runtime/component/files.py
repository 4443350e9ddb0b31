"""Files of a place, by small scripts that any Linux system can run: a POSIX shell and coreutils.

Wildcards are those of the service: ``*`` in the last part of a path.
https://docs.aws.amazon.com/imagebuilder/latest/userguide/toe-action-modules.html, read 2026-11-28
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from posixpath import basename, dirname, join
from typing import IO, Final, Literal, NamedTuple

from cdk_ami.runtime.component.call import ActionError, Call

Kind = Literal["file", "folder", ""]

_KIND: Final = 'if [ -d "$1" ]; then printf folder; elif [ -e "$1" ]; then printf file; fi'
_LIST: Final = r"""
walk() {
  for item in "$1"/* "$1"/.[!.]* "$1"/..?*; do
    if [ -d "$item" ]; then
      printf 'folder %s\0' "$item"
      if [ "$deep" = yes ] && [ ! -L "$item" ]; then walk "$item"; fi
    elif [ -e "$item" ] || [ -L "$item" ]; then
      printf 'file %s\0' "$item"
    fi
  done
}
[ -d "$1" ] || { echo "$1 is no folder" >&2; exit 1; }
[ -r "$1" ] && [ -x "$1" ] || { echo "$1 cannot be read" >&2; exit 1; }
deep=$2
walk "${1%/}"
"""


class Entry(NamedTuple):
    """Something in a folder."""

    kind: str
    path: str


class Files:
    """The files of the place that a call runs in."""

    def __init__(self, call: Call) -> None:
        self._call = call

    def kind(self, path: str) -> str:
        """Return ``file``, ``folder`` or nothing, links followed."""
        return self._call.shell(_KIND, path).decode()

    def is_link(self, path: str) -> bool:
        """Tell whether a path is a symbolic link, which may lead nowhere."""
        return self._call.shell('if [ -L "$1" ]; then printf yes; fi', path) == b"yes"

    def has_binary(self, name: str) -> bool:
        """Tell whether the shell finds a command."""
        return self._call.shell('if command -v -- "$1" >/dev/null 2>&1; then printf yes; fi', name) == b"yes"

    def digest(self, path: str, algorithm: str) -> str | None:
        """Return the hash of a file, None when there is no such file."""
        if self.kind(path) != "file":
            return None
        found = hashlib.new(algorithm)
        with self.copy_of(path) as file:
            while block := file.read(1 << 20):
                found.update(block)
        return found.hexdigest()

    def entries(self, folder: str, *, deep: bool = False) -> list[Entry]:
        """Return what is in a folder, by path; ``deep`` goes into folders, but not through links.

        Raises:
            ActionError: When there is no such folder.
        """
        listed = self._call.shell(_LIST, folder, "yes" if deep else "no").decode(errors="surrogateescape")
        found = [Entry(*item.split(" ", 1)) for item in listed.split("\0") if item]
        return sorted(found, key=lambda entry: entry.path)

    def matching(self, path: str, kind: str) -> list[str]:
        """Return what a path with or without wildcards names.

        Raises:
            ActionError: When it names nothing without a wildcard, or something of another kind.
        """
        plain = path.rstrip("/") or "/"
        if "*" in dirname(plain):
            raise ActionError(f"{path} has a wildcard before its last part")
        if "*" in basename(plain):
            wanted = wildcard(basename(plain))
            parent = dirname(plain) or "."
            return [
                entry.path
                for entry in self.entries(parent)
                if entry.kind == kind and wanted.fullmatch(basename(entry.path))
            ]
        found = self.kind(plain)
        if found != kind:
            raise ActionError(f"{path} {f'is a {found}, no {kind}' if found else 'does not exist'}")
        return [plain]

    def read(self, path: str) -> bytes:
        """Return what a file holds.

        Raises:
            ActionError: When it cannot be read.
        """
        return self._call.shell('[ -d "$1" ] && { echo "$1 is a folder" >&2; exit 1; }; cat -- "$1"', path)

    @contextmanager
    def copy_of(self, path: str) -> Iterator[IO[bytes]]:
        """Open a copy of a file.

        Raises:
            ActionError: When it cannot be read.
        """
        with tempfile.TemporaryFile() as file:
            self._call.shell('cat -- "$1"', path, into=file)
            file.seek(0)
            yield file

    def write(self, path: str, content: bytes | IO[bytes]) -> None:
        """Write a file, over one that is there.

        Raises:
            ActionError: When it cannot be written.
        """
        self._call.shell('[ -d "$1" ] && { echo "$1 is a folder" >&2; exit 1; }; cat > "$1"', path, stdin=content)

    def append(self, path: str, content: bytes) -> None:
        """Add to the end of a file."""
        self._call.shell('cat >> "$1"', path, stdin=content)

    def make_folder(self, path: str) -> None:
        """Make a folder and those above it, where they are missing."""
        self._call.shell('mkdir -p -- "$1"', path)

    def make_parent(self, path: str) -> None:
        """Make the folder that a path stands in, where it is missing."""
        if parent := dirname(path.rstrip("/")):
            self.make_folder(parent)

    def destination(self, source: str, destination: str, *, several: bool) -> str:
        """Return where ``source`` goes: into a destination that ends with ``/`` or is a folder, else to that name.

        Raises:
            ActionError: When several sources would go to one name.
        """
        if destination.endswith("/"):
            return join(destination, basename(source))
        if self.kind(destination) == "folder":
            return join(destination, basename(source))
        if several:
            raise ActionError(f"several match {source!r} and its like; end the destination {destination} with /")
        return destination

    def do(self, *command: str) -> None:
        """Run a command of coreutils.

        Raises:
            ActionError: When it fails.
        """
        self._call.shell('exec "$@"', *command)


def wildcard(pattern: str) -> re.Pattern[str]:
    """Return a pattern in which only ``*`` stands for something else, any part of a name."""
    return re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)
