"""A root directory as a place: its own files, its own processes, this machine's network and kernel."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from cdk_ami.runtime.component.place import Line, PlaceError, in_working_directory

_INIT: Final = """
read pid rest < /proc/self/stat
for folder in proc dev; do
  [ -d "$0/$folder" ] && [ ! -L "$0/$folder" ] || { echo "/$folder is no folder" >&2; exit 1; }
done
mount -t proc proc "$0/proc" || exit
for device in null zero full random urandom; do
  [ ! -L "$0/dev/$device" ] || { echo "/dev/$device is a link" >&2; exit 1; }
  [ -c "$0/dev/$device" ] || { : > "$0/dev/$device" && mount --bind "/dev/$device" "$0/dev/$device"; } || exit
done
echo "$pid"
exec cat >/dev/null
"""
"""The first process of the namespaces: mounts what programs expect, tells its number here, and stays.

It ends, and everything with it, when the pipe from this process closes, however this process ended.  Links that a
component has put in its way are not followed: this script alone runs outside.
"""

_READY_SECONDS: Final = 10


class Chroot:
    """A root directory.

    Its processes have mount and process namespaces of their own where the machine grants them: they see only each
    other, and end with the place.  Without root rights they run as root of a user namespace, which can own no files
    but the caller's.

    Args:
        root: The directory.  It is changed, as an instance would be.
        owned: Whether the directory is a copy to be removed in the end.
        label: How the place is called; empty calls it ``chroot:`` and the directory.

    Attributes:
        label: How the place is called.
        home: Home directory of root.
        root: The directory, absolute.
    """

    def __init__(self, root: Path, *, owned: bool = False, label: str = "") -> None:
        self.root = root.resolve()
        self.label, self.home = label or f"chroot:{root}", "/root"
        self._owned = owned
        self._user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        self._init: subprocess.Popen[bytes] | None = None
        self._pid = 0

    @classmethod
    def copy_of(cls, root: Path, *, keep: bool = False) -> Self:
        """Return a place on a copy of ``root``, removed in the end unless it is to be kept.

        Raises:
            PlaceError: When ``root`` is no root directory, or cannot be copied.
        """
        check_root(root)
        return cls(copy_root(root), owned=not keep, label=f"chroot:{root}, a copy")

    def __enter__(self) -> Self:
        try:
            check_root(self.root)
            self._begin()
        except PlaceError:
            if self._owned:
                remove_root(self.root)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        if self._owned:
            remove_root(self.root)

    def line(self, command: Sequence[str], variables: Mapping[str, str]) -> Line:
        """Return the command, started in the directory as its root."""
        change = ["chroot", str(self.root), *in_working_directory(command)]
        if not self._pid:
            return Line(change, variables)
        user = ["--user", "--preserve-credentials"] if self._user else []
        enter = ["nsenter", "--target", str(self._pid), *user, "--mount", "--pid", "--"]
        return Line([*enter, *change], variables)

    def end(self) -> None:
        """Do nothing: the process group reaches all but what ends with the place."""

    def restart(self) -> None:
        """End all processes, and begin anew on the same files."""
        self._stop()
        self._begin()

    def _begin(self) -> None:
        unshare = ["unshare", *self._user, "--mount", "--pid", "--fork", "--kill-child"]
        self._init = subprocess.Popen(  # noqa: S603 - a fixed command of util-linux
            [*unshare, "/bin/sh", "-c", _INIT, str(self.root)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        output = self._init.stdout
        ready = select.select([output], [], [], _READY_SECONDS)[0] if output else []
        line = output.readline() if ready and output else b""
        if line.strip().isdigit():
            self._pid = int(line)
            return
        reason = self._leave_namespaces()
        if self._user:
            raise PlaceError(f"{self.label} needs root, or user namespaces, which this machine refuses: {reason}")
        # As root the directory alone is enough; processes then see those of this machine, if /proc is there at all.

    def _leave_namespaces(self) -> str:
        """End the first process and with it all others, and return what it said."""
        init, self._init, self._pid = self._init, None, 0
        if init is None or init.stdin is None or init.stdout is None or init.stderr is None:
            return ""
        init.stdin.close()
        try:
            # It has ended when everything in its namespaces has.
            init.wait(_READY_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(init.pid, signal.SIGKILL)
            init.wait()
        with init.stdout, init.stderr as said:
            return said.read().decode(errors="replace").strip()

    def _stop(self) -> None:
        if self._init is not None:
            self._leave_namespaces()
        else:
            _end_processes(self.root)


def _end_processes(root: Path) -> None:
    """End what runs with exactly this root, where no namespace holds it together."""
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (entry / "root").readlink() == root:
                os.kill(int(entry.name), signal.SIGKILL)


def check_root(root: Path) -> None:
    """Refuse what can be no root directory of a Linux system.

    Raises:
        PlaceError: With what is wrong and what to do.
    """
    if not root.is_dir():
        raise PlaceError(f"chroot:{root} is no directory; make one, such as by mmdebstrap")
    if root.resolve() == Path("/"):
        raise PlaceError("chroot:/ is this machine itself; say host, or name another directory")
    if not _within(root, "bin/sh"):
        raise PlaceError(f"chroot:{root} holds no /bin/sh; name the root directory of a Linux system")
    for tool in ("unshare", "nsenter", "chroot", "mount"):
        if shutil.which(tool, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is None:
            raise PlaceError(f"chroot:{root} needs {tool}, which this machine lacks; install util-linux and coreutils")


def _within(root: Path, path: str) -> bool:
    """Tell whether a path exists in a root directory, links seen as from inside of it by their text alone."""
    return any((root / base / path).exists() or (root / base / path).is_symlink() for base in ("", "usr"))


def copy_root(root: Path) -> Path:
    """Return a new directory with a copy of ``root``, sharing blocks where the file system can.

    Raises:
        PlaceError: When it cannot be copied.
    """
    target = Path(tempfile.mkdtemp(prefix="cdk-ami-root-"))
    copied = subprocess.run(  # noqa: S603 - a fixed command of coreutils
        ["cp", "--archive", "--one-file-system", "--reflink=auto", f"{root}/.", str(target)],  # noqa: S607 - same
        capture_output=True,
        text=True,
        check=False,
    )
    if copied.returncode:
        remove_root(target)
        raise PlaceError(f"chroot:{root} cannot be copied: {copied.stderr.strip().splitlines()[-1]}")
    return target


def remove_root(root: Path) -> None:
    """Remove a copy."""
    shutil.rmtree(root, ignore_errors=True)
