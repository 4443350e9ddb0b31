"""Commands as a component document that stops at the first one that fails."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from cdk_ami.recipe.document import write_document
from cdk_ami.source.platform import Platform

BASH: Final = "set -euo pipefail"
"""First line of a bash script that stops at the first failure, pipes included."""

_POWERSHELL: Final = "$ErrorActionPreference = 'Stop'\n$global:LASTEXITCODE = 0"
# $ErrorActionPreference does not see programs, only cmdlets: the exit code is looked at after each command.
_POWERSHELL_CHECK: Final = "if ($LASTEXITCODE -ne 0) { exit $LASTEXITCODE }"


def bash_script(commands: Sequence[str]) -> list[str]:
    """Return the lines of a bash script that stops at the first failure."""
    return [BASH, *commands]


def powershell_script(commands: Sequence[str]) -> list[str]:
    """Return the lines of a PowerShell script that stops at errors, and at exit codes other than 0."""
    return [_POWERSHELL, *(line for command in commands for line in (command, _POWERSHELL_CHECK))]


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
    windows = platform is Platform.WINDOWS
    action = "ExecutePowerShell" if windows else "ExecuteBash"
    script = powershell_script(commands) if windows else bash_script(commands)
    return write_document(
        {
            "name": name,
            "schemaVersion": "1.0",
            "phases": [
                {"name": phase, "steps": [{"name": "RunCommands", "action": action, "inputs": {"commands": script}}]}
            ],
        }
    )
