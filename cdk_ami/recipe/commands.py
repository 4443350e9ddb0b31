"""Commands as a component document that stops at the first one that fails."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from cdk_ami.recipe.document import write_document
from cdk_ami.source.platform import Platform

_BASH: Final = "set -euo pipefail"
_POWERSHELL: Final = "$ErrorActionPreference = 'Stop'\n$global:LASTEXITCODE = 0"
# $ErrorActionPreference does not see programs, only cmdlets: the exit code is looked at after each command.
_POWERSHELL_CHECK: Final = "if ($LASTEXITCODE -ne 0) { exit $LASTEXITCODE }"


def commands_document(name: str, commands: Sequence[str], *, phase: str, platform: Platform) -> str:
    """Return the YAML of a document with one step that runs ``commands`` and stops at the first failure.

    All commands of a step are one script to the service, whose result is that of its last command:
    https://docs.aws.amazon.com/imagebuilder/latest/userguide/toe-action-modules.html#action-modules-executebash

    Args:
        name: Name of the document.
        commands: The commands, in order.
        phase: Phase of the step.
        platform: Operating system, which picks the shell.
    """
    if platform is Platform.WINDOWS:
        action = "ExecutePowerShell"
        script = [_POWERSHELL, *(line for command in commands for line in (command, _POWERSHELL_CHECK))]
    else:
        action, script = "ExecuteBash", [_BASH, *commands]
    return write_document(
        {
            "name": name,
            "schemaVersion": "1.0",
            "phases": [
                {"name": phase, "steps": [{"name": "RunCommands", "action": action, "inputs": {"commands": script}}]}
            ],
        }
    )
