"""The action modules of a component document, a class for each.

A field left at None is left out, so that the service's own default holds.  What each input means, which systems run an
action and what it leaves for later steps stands in ``docs/reference/actions.md``.

https://docs.aws.amazon.com/imagebuilder/latest/userguide/toe-action-modules.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from cdk_ami.recipe.commands import bash_script, powershell_script
from cdk_ami.recipe.conditions import Condition


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What a step does: one of the classes below.

    Those that take a list of inputs stand for one entry of it; a step takes several of them.
    """

    LISTED: ClassVar[bool] = False
    """Whether the service takes a list of inputs."""

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if isinstance(value, list):
                object.__setattr__(self, one.name, tuple(value))

    @property
    def module(self) -> str:
        """Name of the action module."""
        return type(self).__name__

    def inputs(self) -> dict[str, Any]:
        """Return the inputs as the document holds them."""
        given = ((one.metadata.get("key", _camel(one.name)), getattr(self, one.name)) for one in fields(self))
        return {key: _plain(value) for key, value in given if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed(Action):
    """An action whose inputs are a list: one object is one entry."""

    LISTED: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendFile(Listed):
    """Adds text to the end of a file."""

    path: str
    content: str | None = None
    encoding: str | None = None


@dataclass(frozen=True, slots=True)
class Assert(Action):
    """Fails the step unless a condition holds."""

    condition: Condition

    def inputs(self) -> dict[str, Any]:
        """Return the condition."""
        return self.condition.data()


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyFile(Listed):
    """Copies a file."""

    source: str
    destination: str
    overwrite: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyFolder(Listed):
    """Copies a folder with all that is in it."""

    source: str
    destination: str
    overwrite: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateFile(Listed):
    """Writes a file."""

    path: str
    content: str | None = None
    encoding: str | None = None
    owner: str | None = None
    group: str | None = None
    permissions: str | None = None
    overwrite: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateFolder(Listed):
    """Makes a folder, with the folders above it."""

    path: str
    owner: str | None = None
    group: str | None = None
    permissions: str | None = None
    overwrite: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateSymlink(Listed):
    """Makes a symbolic link."""

    path: str
    target: str
    force: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteFile(Listed):
    """Deletes a file."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteFolder(Listed):
    """Deletes a folder."""

    path: str
    force: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecuteBash(Action):
    """Runs commands as one bash script, as they are; ``bash`` makes one that stops at the first failure."""

    commands: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecuteBinary(Action):
    """Runs a program."""

    path: str
    arguments: Sequence[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecuteDocument(Action):
    """Runs another component document inside this one."""

    document: str
    bucket_owner: str | None = field(default=None, metadata={"key": "document-s3-bucket-owner"})
    phases: str | None = None
    parameters: Mapping[str, str] | None = None

    def inputs(self) -> dict[str, Any]:
        """Return the inputs, parameters as the service lists them."""
        inputs = Action.inputs(self)
        if self.parameters is not None:
            inputs["parameters"] = [{"name": name, "value": value} for name, value in self.parameters.items()]
        return inputs


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutePowerShell(Action):
    """Runs commands as one PowerShell script, or a script file; ``powershell`` makes one that stops at errors."""

    commands: Sequence[str] | None = None
    file: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallMSI(Action):
    """Installs a program of Windows."""

    path: str
    reboot: str | None = None
    log_options: str | None = None
    log_file: str | None = None
    properties: Mapping[str, str] | None = None
    ignore_authenticode_signature_errors: bool | None = None
    allow_unsigned_installer: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListFiles(Listed):
    """Lists the files of a folder."""

    path: str
    file_name_pattern: str | None = None
    recursive: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveFile(Listed):
    """Moves a file."""

    source: str
    destination: str
    overwrite: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveFolder(Listed):
    """Moves a folder with all that is in it."""

    source: str
    destination: str
    overwrite: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadFile(Listed):
    """Reads a text file, for a later step to use."""

    path: str
    encoding: str | None = None
    print_file_content: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reboot(Action):
    """Restarts the machine and goes on with the next step."""

    delay_seconds: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Download(Listed):
    """Downloads an object, or all objects of a prefix, with the build's role."""

    source: str
    destination: str
    expected_bucket_owner: str | None = None
    overwrite: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Upload(Listed):
    """Uploads a file or a folder with the build's role."""

    source: str
    destination: str
    recurse: bool | None = None
    expected_bucket_owner: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetFileEncoding(Listed):
    """Converts a text file from UTF-8."""

    path: str
    encoding: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetFileOwner(Listed):
    """Gives a file to a user and a group."""

    path: str
    owner: str
    group: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetFilePermissions(Listed):
    """Sets the mode of a file."""

    path: str
    permissions: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetFolderOwner(Listed):
    """Gives a folder to a user and a group."""

    path: str
    owner: str
    group: str | None = None
    recursive: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetFolderPermissions(Listed):
    """Sets the mode of a folder."""

    path: str
    permissions: str
    recursive: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetRegistry(Listed):
    """Sets a value of the registry."""

    path: str
    name: str
    value: str | int | Sequence[str]
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UninstallMSI(Action):
    """Removes a program of Windows."""

    path: str
    reboot: str | None = None
    log_options: str | None = None
    log_file: str | None = None
    properties: Mapping[str, str] | None = None
    ignore_authenticode_signature_errors: bool | None = None
    allow_unsigned_installer: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateOS(Action):
    """Installs updates: all of them, or those included and not excluded."""

    include: Sequence[str] | None = None
    exclude: Sequence[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebDownload(Listed):
    """Downloads a file over HTTP, and verifies it where a checksum and its algorithm are given."""

    source: str
    destination: str
    overwrite: bool | None = None
    checksum: str | None = None
    algorithm: str | None = None
    ignore_certificate_errors: bool | None = None


def bash(*commands: str) -> ExecuteBash:
    """Return the action that runs ``commands`` as one bash script and stops at the first failure, pipes included."""
    return ExecuteBash(commands=bash_script(commands))


def powershell(*commands: str) -> ExecutePowerShell:
    """Return the action that runs ``commands`` as one PowerShell script and stops at errors and at failed programs."""
    return ExecutePowerShell(commands=powershell_script(commands))


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return dict(value) if isinstance(value, Mapping) else value


def _camel(name: str) -> str:
    first, *words = name.split("_")
    return first + "".join(word.capitalize() for word in words)
