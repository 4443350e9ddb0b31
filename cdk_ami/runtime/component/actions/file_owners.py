"""Actions on who owns files and who may use them: ``SetFileOwner``, ``SetFilePermissions`` and those of folders."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from cdk_ami.runtime.component.call import ActionError, Call, Outputs, flag_of, text_of
from cdk_ami.runtime.component.files import Files

_MODE: Final = re.compile("[0-7]{3,4}")


def own(files: Files, path: str, entry: Mapping[str, Any]) -> None:
    """Give a path the owner, group and permissions that an entry names."""
    owner, group, mode = (text_of(entry, key) for key in ("owner", "group", "permissions"))
    if owner or group:
        files.do("chown", "--", f"{owner}:{group}" if group else owner, path)
    if mode:
        files.do("chmod", "--", _checked(mode), path)


def set_file_owner(call: Call) -> Outputs:
    """Give files an owner, and its group where none is named."""
    return _set_owner(call, "file")


def set_folder_owner(call: Call) -> Outputs:
    """Give folders an owner, with all that is in them unless told otherwise."""
    return _set_owner(call, "folder")


def set_file_permissions(call: Call) -> Outputs:
    """Give files their permissions."""
    return _set_permissions(call, "file")


def set_folder_permissions(call: Call) -> Outputs:
    """Give folders their permissions, with all that is in them unless told otherwise."""
    return _set_permissions(call, "folder")


def _set_owner(call: Call, kind: str) -> Outputs:
    files = Files(call)
    for entry in call.entries():
        (path,) = files.matching(text_of(entry, "path"), kind)
        # A colon without a group is the group of the user.
        files.do("chown", *_deep(entry, kind), "--", f"{text_of(entry, 'owner')}:{text_of(entry, 'group')}", path)
    return []


def _set_permissions(call: Call, kind: str) -> Outputs:
    files = Files(call)
    for entry in call.entries():
        (path,) = files.matching(text_of(entry, "path"), kind)
        files.do("chmod", *_deep(entry, kind), "--", _checked(text_of(entry, "permissions")), path)
    return []


def _deep(entry: Mapping[str, Any], kind: str) -> list[str]:
    return ["-R"] if kind == "folder" and flag_of(entry, "recursive", default=True) else []


def _checked(mode: str) -> str:
    if not _MODE.fullmatch(mode):
        raise ActionError(f"{mode!r} are no permissions; write them as 3 or 4 octal digits, such as 0644")
    return mode
