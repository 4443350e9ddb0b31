"""Actions on what is there: making folders and links, deleting, listing."""

from __future__ import annotations

from posixpath import basename, normpath

from cdk_ami.runtime.component.actions.file_owners import own
from cdk_ami.runtime.component.call import ActionError, Call, Outputs, flag_of, text_of
from cdk_ami.runtime.component.files import Files, wildcard


def create_folder(call: Call) -> Outputs:
    """Create folders and those above them.

    One that is there is emptied, as the service documents it, unless ``overwrite`` is false; never one right below the
    root, which no document can mean.
    """
    files = Files(call)
    for entry in call.entries():
        path = text_of(entry, "path").rstrip("/") or "/"
        kind = files.kind(path)
        if kind and not flag_of(entry, "overwrite", default=True):
            raise ActionError(f"{path} exists, and overwrite is false")
        if kind == "folder" and (held := files.entries(path)):
            if path.startswith("/") and normpath(path).count("/") == 1:
                raise ActionError(
                    f"{path} exists, and the action would empty it; set overwrite to false, or drop the step"
                )
            call.note(f"{path} was there and is emptied: CreateFolder overwrites unless overwrite is false")
            files.do("rm", "-rf", "--", *(item.path for item in held))
        files.make_folder(path)
        own(files, path, entry)
    return []


def create_symlink(call: Call) -> Outputs:
    """Create symbolic links to what is there."""
    files = Files(call)
    for entry in call.entries():
        path, target = text_of(entry, "path"), text_of(entry, "target")
        if not files.kind(target):
            raise ActionError(f"the target {target} does not exist")
        if files.is_link(path):
            if not flag_of(entry, "force", default=False):
                raise ActionError(f"{path} is a link already, and force is false")
        elif files.kind(path):
            raise ActionError(f"{path} exists and is no link")
        files.make_parent(path)
        files.do("ln", "-sfn", "--", target, path)
    return []


def delete_file(call: Call) -> Outputs:
    """Delete files; a wildcard may match none."""
    files = Files(call)
    for entry in call.entries():
        path = text_of(entry, "path")
        # A link that leads nowhere is a file to be deleted too.
        found = [path] if files.is_link(path) else files.matching(path, "file")
        if found:
            files.do("rm", "-f", "--", *found)
    return []


def delete_folder(call: Call) -> Outputs:
    """Delete folders; one that holds something only by force."""
    files = Files(call)
    for entry in call.entries():
        (path,) = files.matching(text_of(entry, "path"), "folder")
        if flag_of(entry, "force", default=False):
            files.do("rm", "-rf", "--", path)
        else:
            files.do("rmdir", "--", path)
    return []


def list_files(call: Call) -> Outputs:
    """List the files of folders for later steps, joined by commas."""
    files, left = Files(call), []
    for entry in call.entries():
        wanted = wildcard(text_of(entry, "fileNamePattern", "*"))
        found = files.entries(text_of(entry, "path"), deep=flag_of(entry, "recursive", default=False))
        paths = [item.path for item in found if item.kind == "file" and wanted.fullmatch(basename(item.path))]
        for path in paths:
            call.hear("stdout", path)
        left.append({"files": ",".join(paths)})
    return left
