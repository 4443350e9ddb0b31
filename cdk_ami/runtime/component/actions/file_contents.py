"""Actions on what files hold: ``CreateFile``, ``AppendFile``, ``ReadFile`` and ``SetFileEncoding``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cdk_ami.runtime.component.actions.file_owners import own
from cdk_ami.runtime.component.call import ActionError, Call, Outputs, flag_of, text_of
from cdk_ami.runtime.component.files import Files

_ENCODINGS: Final = {
    "utf8": "utf-8",
    "utf16": "utf-16-le",
    "utf16le": "utf-16-le",
    "utf16be": "utf-16-be",
    "utf32": "utf-32-le",
    "utf32le": "utf-32-le",
    "utf32be": "utf-32-be",
}
"""Python's names of the service's encodings, by theirs without hyphens; little-endian unless they say otherwise."""

_BYTE_ORDER_MARK: Final = "\N{ZERO WIDTH NO-BREAK SPACE}"


def create_file(call: Call) -> Outputs:
    """Create files, and the folders they stand in."""
    files = Files(call)
    for entry in call.entries():
        path, content = text_of(entry, "path"), text_of(entry, "content").encode(_encoding(entry))
        if not flag_of(entry, "overwrite", default=True) and files.kind(path):
            raise ActionError(f"{path} exists, and overwrite is false")
        files.make_parent(path)
        files.write(path, content)
        own(files, path, entry)
    return []


def append_file(call: Call) -> Outputs:
    """Add to the end of files that are there."""
    files = Files(call)
    for entry in call.entries():
        (path,) = files.matching(text_of(entry, "path"), "file")
        files.append(path, text_of(entry, "content").encode(_encoding(entry)))
    return []


def read_file(call: Call) -> Outputs:
    """Read files for later steps."""
    files, left = Files(call), []
    for entry in call.entries():
        path = text_of(entry, "path")
        content = _decode(files.read(path), _encoding(entry), path)
        if flag_of(entry, "printFileContent", default=False):
            for line in content.splitlines():
                call.hear("stdout", line)
        left.append({"content": content})
    return left


def set_file_encoding(call: Call) -> Outputs:
    """Write files, which are UTF-8, anew in another encoding."""
    files = Files(call)
    for entry in call.entries():
        (path,) = files.matching(text_of(entry, "path"), "file")
        files.write(path, _decode(files.read(path), "utf-8", path).encode(_encoding(entry)))
    return []


def _encoding(entry: Mapping[str, Any]) -> str:
    name = text_of(entry, "encoding", "utf8")
    found = _ENCODINGS.get(name.lower().replace("-", ""))
    if found is None:
        raise ActionError(f"{name!r} is no encoding; use utf-8, utf-16 or utf-32, with -LE or -BE")
    return found


def _decode(content: bytes, encoding: str, path: str) -> str:
    try:
        return content.decode(encoding).removeprefix(_BYTE_ORDER_MARK)
    except UnicodeDecodeError as error:
        raise ActionError(f"{path} is no text in {encoding}") from error
