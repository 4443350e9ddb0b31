"""Files and directories of the project that a component puts into an image.

They travel as one archive without compression, with fixed times and an order of its own: the same files make the same
archive on every machine, so its checksum can stand in the component's document.
"""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, Final, NamedTuple

from cdk_ami.checks import files as rules
from cdk_ami.checks.rule import is_token
from cdk_ami.errors import Faults
from cdk_ami.recipe import actions
from cdk_ami.recipe.builder import ComponentDocument, Phase, Step
from cdk_ami.source.platform import Platform

_TIME: Final = 315_532_800
"""1980-01-01, the first time that a zip archive can say."""

_ZIP_TIME: Final = (1980, 1, 1, 0, 0, 0)
_LINUX_FOLDER: Final = "/var/tmp/cdk-ami"  # noqa: S108 - on the instance, in a folder that only root can enter
_WINDOWS_FOLDER: Final = "C:\\ProgramData\\cdk-ami"


@dataclass(frozen=True, slots=True)
class ImageFile:
    """A file or directory that goes into an image, and whose it becomes there.

    Attributes:
        source: The file, or a directory with all that is in it.
        owner: User who owns it; must be there when it comes.  Default: ``root``.
        group: Group that owns it.  Default: the one called like the owner.
        mode: Mode of the files in octal digits, such as ``0640``; directories can be entered by whoever may read them.
            Default: ``0755`` for what is executable here, ``0644`` for the rest.
    """

    source: str | Path
    owner: str = "root"
    group: str | None = None
    mode: str | None = None


class Entry(NamedTuple):
    """One file, directory or link of an archive.

    Attributes:
        path: Its place in the archive.
        source: File to read, None for directories and links.
        link: What a link points to, empty for anything else.
        mode: Its mode.
        owner: Name of its owner.
        group: Name of its group.
    """

    path: str
    source: Path | None
    link: str
    mode: int
    owner: str
    group: str


class Archive(NamedTuple):
    """The files of a component as they will be uploaded.

    Attributes:
        entries: What is in it, in order.
        platform: Operating system, which picks the kind of archive.
        digest: SHA-256 of the archive, in hexadecimal digits.
    """

    entries: tuple[Entry, ...]
    platform: Platform
    digest: str

    @property
    def suffix(self) -> str:
        """Ending of the archive's name."""
        return ".zip" if self.platform is Platform.WINDOWS else ".tar"

    @property
    def placeholder(self) -> str:
        """What stands in a document for the archive's S3 URI until a stack knows it."""
        return f"s3://cdk-ami-archive/{self.digest}{self.suffix}"

    def write(self, path: Path) -> None:
        """Write the archive to the file ``path``."""
        with path.open("wb") as file:
            _write(self.entries, self.platform, file)


def pack(files: Mapping[str, str | Path | ImageFile], *, platform: Platform, where: str) -> Archive:
    """Return the archive of ``files``, by where they go in the image.

    Args:
        files: The files, by their absolute paths in the image.
        platform: Operating system of the image.
        where: What an error names.

    Raises:
        ConfigError: When a file cannot be read, or cannot go where it should.
    """
    faults = Faults(where)
    faults.check("files", rules.files_given(files))
    faults.raise_if_any()
    given = {to: one if isinstance(one, ImageFile) else ImageFile(one) for to, one in files.items()}
    for to, one in given.items():
        prop = f"files[{to!r}]"
        if is_token([to, str(one.source), one.owner, one.group, one.mode]):
            faults.add(
                prop,
                "holds what only the deployment knows, and files are packed before",
                got=None,
                fix="write path, owner, group and mode out",
            )
            continue
        faults.check(prop, rules.file_destination(to, platform))
        faults.check(f"{prop}.source", rules.file_source(Path(one.source)))
        faults.check(f"{prop}.mode", rules.file_mode(one.mode, platform))
        faults.check(f"{prop}.owner", rules.file_owner(one.owner, platform))
        if one.group is not None:
            faults.check(f"{prop}.group", rules.file_owner(one.group, platform))
    faults.raise_if_any()
    found: list[Entry] = []
    for to, one in given.items():
        for entry, source in _entries(to, one, platform):
            faults.check(f"files[{to!r}]", rules.file_kind(source, Path(one.source), platform))
            found.append(entry)
    # A directory may come from two places, of which the first says whose it is.
    faults.check("files", rules.files_once([entry.path for entry in found if entry.source or entry.link]))
    faults.raise_if_any()
    entries = {entry.path: entry for entry in reversed(found)}
    ordered = tuple(sorted(entries.values()))
    return Archive(ordered, platform, _digest(ordered, platform))


def files_document(name: str, archive: Archive, destinations: Sequence[str]) -> ComponentDocument:
    """Return the document that downloads, verifies and unpacks ``archive``.

    Args:
        name: Name of the component.
        archive: The archive.
        destinations: What must be there afterwards.
    """
    windows = archive.platform is Platform.WINDOWS
    folder = f"{_WINDOWS_FOLDER}\\{archive.digest[:12]}" if windows else f"{_LINUX_FOLDER}-{archive.digest[:12]}"
    prepare, unpack, check = (_windows if windows else _linux)(folder, archive, destinations)
    file = f"{folder}\\files.zip" if windows else f"{folder}/files.tar"
    download = actions.S3Download(source=archive.placeholder, destination=file)
    return ComponentDocument(
        name=name,
        description=f"Puts {len(archive.entries)} files and directories into the image",
        phases=[
            Phase(
                "build",
                [Step("Prepare", prepare), Step("Download", download, max_attempts=3), Step("Unpack", unpack)],
            ),
            Phase("validate", [Step("Check", check)]),
        ],
    )


def _linux(
    folder: str, archive: Archive, destinations: Sequence[str]
) -> tuple[actions.Action, actions.Action, actions.Action]:
    owners = sorted({entry.owner for entry in archive.entries})
    groups = sorted({entry.group for entry in archive.entries})
    return (
        actions.bash(f"install --directory --owner=root --group=root --mode=0700 {folder}"),
        actions.bash(
            f"archive={folder}/files.tar",
            f'if ! echo "{archive.digest}  $archive" | sha256sum --check --status; then\n'
            '  echo "the archive is not the one that was uploaded: its checksum differs" >&2\n'
            "  exit 1\n"
            "fi",
            *(_known("passwd", "user", owner) for owner in owners),
            *(_known("group", "group", group) for group in groups),
            # Directories that are there already keep what they are, links to directories too.
            'tar --extract --file="$archive" --directory=/ --same-owner --same-permissions --no-overwrite-dir'
            " --keep-directory-symlink",
            "if command -v restorecon > /dev/null; then\n"
            "  tar --list --file=\"$archive\" | sed 's:^:/:; s:/$::' | restorecon -i -f -\n"
            "fi",
            f"rm -rf {folder}",
        ),
        actions.bash(*(f"test -e {_quoted(path)}" for path in destinations)),
    )


def _known(database: str, kind: str, name: str) -> str:
    return (
        f"if ! getent {database} {name} > /dev/null; then\n"
        f'  echo "there is no {kind} {name}: create it in a component before this one" >&2\n'
        "  exit 1\n"
        "fi"
    )


def _windows(
    folder: str, archive: Archive, destinations: Sequence[str]
) -> tuple[actions.Action, actions.Action, actions.Action]:
    drives = sorted({entry.path.partition("/")[0] for entry in archive.entries})
    return (
        actions.powershell(f"New-Item -ItemType Directory -Force -Path '{folder}' | Out-Null"),
        actions.powershell(
            f"$hash = (Get-FileHash -Algorithm SHA256 -Path '{folder}\\files.zip').Hash",
            f"if ($hash -ne '{archive.digest.upper()}') {{\n"
            "  throw 'the archive is not the one that was uploaded: its checksum differs'\n"
            "}",
            f"Expand-Archive -Force -Path '{folder}\\files.zip' -DestinationPath '{folder}\\files'",
            *(f"Copy-Item -Recurse -Force -Path '{folder}\\files\\{one}\\*' -Destination '{one}:\\'" for one in drives),
            f"Remove-Item -Recurse -Force -Path '{folder}'",
        ),
        actions.powershell(*(f"Get-Item -LiteralPath {_powershell_quoted(path)} | Out-Null" for path in destinations)),
    )


def _entries(to: str, one: ImageFile, platform: Platform) -> Iterator[tuple[Entry, Path]]:
    source = Path(one.source)
    root = _archive_path(to, platform)
    if source.is_file():
        path = f"{root}/{source.name}" if to.endswith(("/", "\\")) else root
        yield _entry(path, source, one), source
        return
    yield _entry(root, source, one), source
    for folder, folders, names in os.walk(source):
        folders.sort()
        for name in sorted((*folders, *names)):
            found = Path(folder, name)
            yield _entry(f"{root}/{found.relative_to(source).as_posix()}", found, one), found


def _entry(path: str, source: Path, one: ImageFile) -> Entry:
    owner, group = one.owner, one.group or one.owner
    if source.is_symlink() and Path(one.source) != source:
        return Entry(path, None, source.readlink().as_posix(), 0o777, owner, group)
    if source.is_dir():
        readable = int(one.mode, 8) if one.mode else 0o755
        return Entry(path, None, "", readable | (readable & 0o444) >> 2, owner, group)
    usual = 0o755 if os.access(source, os.X_OK) else 0o644
    return Entry(path, source, "", int(one.mode, 8) if one.mode else usual, owner, group)


def _archive_path(to: str, platform: Platform) -> str:
    if platform is Platform.WINDOWS:
        path = PureWindowsPath(to)
        return "/".join([path.drive[0].upper(), *path.parts[1:]])
    return "/".join(PurePosixPath(to).parts[1:])


class _Hash(io.RawIOBase):
    """Takes what is written and keeps its hash."""

    def __init__(self) -> None:
        self.sha256 = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.sha256.update(data)
        return len(data)


def _digest(entries: Sequence[Entry], platform: Platform) -> str:
    sink = _Hash()
    _write(entries, platform, sink)  # type: ignore[arg-type]
    return sink.sha256.hexdigest()


def _write(entries: Sequence[Entry], platform: Platform, file: IO[bytes]) -> None:
    if platform is Platform.WINDOWS:
        _write_zip(entries, file)
    else:
        _write_tar(entries, file)


def _write_tar(entries: Sequence[Entry], file: IO[bytes]) -> None:
    # A stream, so that the hash needs no seeking.
    with tarfile.open(fileobj=file, mode="w|", format=tarfile.GNU_FORMAT) as archive:
        for entry in entries:
            info = tarfile.TarInfo(entry.path)
            info.mtime, info.mode = _TIME, entry.mode
            info.uname, info.gname = entry.owner, entry.group
            if entry.source is not None:
                with entry.source.open("rb") as content:
                    info.size = os.fstat(content.fileno()).st_size
                    archive.addfile(info, content)
            else:
                info.type, info.linkname = (tarfile.SYMTYPE, entry.link) if entry.link else (tarfile.DIRTYPE, "")
                archive.addfile(info)


def _write_zip(entries: Sequence[Entry], file: IO[bytes]) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for entry in entries:
            info = zipfile.ZipInfo(entry.path if entry.source else f"{entry.path}/", _ZIP_TIME)
            info.create_system = 0
            if entry.source is None:
                archive.writestr(info, b"")
                continue
            with entry.source.open("rb") as content, archive.open(info, "w") as inside:
                while block := content.read(1 << 20):
                    inside.write(block)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _powershell_quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
