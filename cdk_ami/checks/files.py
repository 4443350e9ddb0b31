"""Rules over the files that a component puts into an image."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Final

from cdk_ami.checks.rule import Problem, rule

_DOWNLOAD: Final = (
    "https://docs.aws.amazon.com/imagebuilder/latest/userguide/toe-action-modules.html#action-modules-s3download"
)
_CREATE: Final = (
    "https://docs.aws.amazon.com/imagebuilder/latest/userguide/toe-action-modules.html#action-modules-createfile"
)
_MODE: Final = r"0?[0-7]{3}"
_OWNER: Final = r"[a-z_][a-z0-9_.-]{0,31}"
_WINDOWS: Final = "Windows"


@rule("Files", source=_DOWNLOAD)
def files_given(files: Mapping[str, object]) -> Iterator[Problem]:
    """A component made of files has at least one, by where it goes."""
    if not isinstance(files, Mapping) or not files:
        yield Problem(problem="name no file", got=files, fix="give them as {'/etc/app.conf': 'files/app.conf'}")


@rule("FileDestination", source=_DOWNLOAD)
def file_destination(to: str, platform: str) -> Iterator[Problem]:
    """A file goes to an absolute path of the image's operating system, below its root."""
    path: PurePosixPath | PureWindowsPath = PureWindowsPath(to) if platform == _WINDOWS else PurePosixPath(to)
    example = "C:\\App\\app.conf" if platform == _WINDOWS else "/etc/app.conf"
    if not path.is_absolute() or to.startswith("\\\\"):
        yield Problem(problem=f"is no absolute path on {platform}", got=to, fix=f"write one such as {example}")
    elif ".." in path.parts or len(path.parts) == 1 or "\0" in to or "\n" in to:
        yield Problem(problem="is no place for a file", got=to, fix=f"write a plain path such as {example}")


@rule("FileSource", source=_DOWNLOAD)
def file_source(path: Path) -> Iterator[Problem]:
    """A file of an image is there when the template is built."""
    if not path.exists():
        near = get_close_matches(path.name, sorted(one.name for one in _siblings(path)), n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"create it, or mend the path (looked in {path.parent})"
        yield Problem(problem="does not exist", got=str(path), fix=hint)


@rule("FileMode", source=_CREATE)
def file_mode(mode: str | None, platform: str) -> Iterator[Problem]:
    """A file's mode is three octal digits, on Linux."""
    if mode is None:
        return
    if platform == _WINDOWS:
        yield Problem(problem="does not exist on Windows", got=mode, fix="leave it out")
    elif not isinstance(mode, str) or not re.fullmatch(_MODE, mode):
        yield Problem(problem="is no mode of a file", got=mode, fix="write it in octal digits, such as '0640'")


@rule("FileOwner", source=_CREATE)
def file_owner(owner: str, platform: str) -> Iterator[Problem]:
    """A file belongs to a user and a group by their names, on Linux."""
    if platform == _WINDOWS:
        if owner != "root":
            yield Problem(problem="does not exist on Windows", got=owner, fix="leave it out")
    elif not isinstance(owner, str) or not re.fullmatch(_OWNER, owner):
        yield Problem(problem="is no name of a user or group", got=owner, fix="name one, such as 'root'")


@rule("FileKind", source=_DOWNLOAD)
def file_kind(source: Path, top: Path, platform: str) -> Iterator[Problem]:
    """What goes into an image is a file, a directory, or on Linux a link inside its own directory."""
    if source.is_symlink() and source != top:
        inside = source.resolve().is_relative_to(top.resolve())
        if platform == _WINDOWS or not inside or source.readlink().is_absolute():
            yield Problem(
                problem="holds a link that leads out of it" if not inside else "holds a link that cannot come along",
                got=str(source),
                fix="put the file itself in its place",
            )
    elif not source.is_file() and not source.is_dir():
        yield Problem(problem="is neither file nor directory", got=str(source), fix="leave it out")


@rule("FilesOnce", source=_DOWNLOAD)
def files_once(paths: Sequence[str]) -> Iterator[Problem]:
    """Two files do not go to the same place."""
    for path, count in Counter(paths).items():
        if count > 1:
            yield Problem(problem=f"put {count} files in one place", got=path, fix="drop all but one of them")


def _siblings(path: Path) -> list[Path]:
    return list(path.parent.iterdir()) if path.parent.is_dir() else []
