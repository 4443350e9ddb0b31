"""Actions that copy and move files and folders.

A folder that is there is written over, not replaced: what the source does not hold stays.
"""

from __future__ import annotations

from collections.abc import Iterator

from cdk_ami.runtime.component.call import ActionError, Call, Outputs, flag_of, text_of
from cdk_ami.runtime.component.files import Files


def copy_file(call: Call) -> Outputs:
    """Copy files, over those that are there."""
    files = Files(call)
    for source, target in _pairs(call, files, "file"):
        files.do("cp", "--", source, target)
    return []


def move_file(call: Call) -> Outputs:
    """Move files, over those that are there."""
    files = Files(call)
    for source, target in _pairs(call, files, "file"):
        files.do("mv", "-f", "--", source, target)
    return []


def copy_folder(call: Call) -> Outputs:
    """Copy folders with all they hold."""
    files = Files(call)
    for source, target in _pairs(call, files, "folder"):
        _pour(files, source, target)
    return []


def move_folder(call: Call) -> Outputs:
    """Move folders with all they hold."""
    files = Files(call)
    for source, target in _pairs(call, files, "folder"):
        if files.kind(target):
            _pour(files, source, target)
            files.do("rm", "-rf", "--", source)
        else:
            files.do("mv", "--", source, target)
    return []


def _pairs(call: Call, files: Files, kind: str) -> Iterator[tuple[str, str]]:
    """Yield each source with where it goes; the folder above the target exists then."""
    for entry in call.entries():
        source, destination = text_of(entry, "source"), text_of(entry, "destination")
        found = files.matching(source, kind)
        if not found:
            raise ActionError(f"nothing matches {source}")
        for one in found:
            target = _target(files, one, destination, kind, several=len(found) > 1)
            taken = files.kind(target)
            if taken and not flag_of(entry, "overwrite", default=True):
                raise ActionError(f"{target} exists, and overwrite is false")
            if taken and taken != kind:
                raise ActionError(f"{target} is a {taken}, {one} is a {kind}")
            files.make_parent(target)
            yield one, target


def _target(files: Files, source: str, destination: str, kind: str, *, several: bool) -> str:
    if kind == "file" or several or destination.endswith("/"):
        return files.destination(source, destination, several=several)
    # A folder goes to the very name of the destination, whether that is there or not.
    return destination


def _pour(files: Files, source: str, target: str) -> None:
    files.make_folder(target)
    files.do("cp", "-R", "-p", "--", f"{source}/.", target)
