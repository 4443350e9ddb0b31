"""The action modules that run on Linux, a file for each kind.

https://docs.aws.amazon.com/imagebuilder/latest/userguide/toe-action-modules.html, read 2026-11-28
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Final

from cdk_ami.checks.documents import actions as known_actions
from cdk_ami.runtime.component.call import ActionError, Call, Outputs

ACTIONS: Final = {
    "AppendFile": "file_contents.append_file",
    "Assert": "system.assert_condition",
    "CopyFile": "moves.copy_file",
    "CopyFolder": "moves.copy_folder",
    "CreateFile": "file_contents.create_file",
    "CreateFolder": "folders.create_folder",
    "CreateSymlink": "folders.create_symlink",
    "DeleteFile": "folders.delete_file",
    "DeleteFolder": "folders.delete_folder",
    "ExecuteBash": "commands.execute_bash",
    "ExecuteBinary": "commands.execute_binary",
    "ExecuteDocument": "documents.execute_document",
    "ListFiles": "folders.list_files",
    "MoveFile": "moves.move_file",
    "MoveFolder": "moves.move_folder",
    "ReadFile": "file_contents.read_file",
    "Reboot": "system.reboot",
    "S3Download": "s3.download",
    "S3Upload": "s3.upload",
    "SetFileEncoding": "file_contents.set_file_encoding",
    "SetFileOwner": "file_owners.set_file_owner",
    "SetFilePermissions": "file_owners.set_file_permissions",
    "SetFolderOwner": "file_owners.set_folder_owner",
    "SetFolderPermissions": "file_owners.set_folder_permissions",
    "UpdateOS": "system.update_os",
    "WebDownload": "web.download",
}
"""What does each action: a module here and a function in it, loaded when a step asks for it."""


def act(action: str, call: Call) -> Outputs:
    """Do an action and return what it leaves.

    Raises:
        ActionError: When it fails, or does not run here.
        RebootError: When it asks for a restart.
    """
    if action in ACTIONS:
        module, _, name = ACTIONS[action].partition(".")
        do: Callable[[Call], Outputs] = getattr(import_module(f"{__name__}.{module}"), name)
        return do(call)
    if action in known_actions():
        raise ActionError(
            f"{action} runs on {' and '.join(known_actions()[action]['x-platforms'])} only, this is Linux"
        )
    raise ActionError(f"{action} is no action module known here")
