"""Actions that run what the document brings: ``ExecuteBash`` and ``ExecuteBinary``."""

from __future__ import annotations

from typing import Final

from cdk_ami.checks.documents import as_text
from cdk_ami.runtime.component.call import ActionError, Call, Outputs, RebootError, text_of
from cdk_ami.runtime.component.process import Finished

REBOOT_CODE: Final = 194
"""Exit code by which a command on Linux asks for a restart, after which its step runs again.
https://docs.aws.amazon.com/imagebuilder/latest/userguide/toe-action-modules.html#action-modules-executebash"""

_SCRIPT: Final = """
command -v bash >/dev/null || { echo 'bash is not installed here' >&2; exit 127; }
folder=$(mktemp -d) && cat > "$folder/input.sh" || exit
bash "$folder/input.sh" </dev/null
code=$?
rm -rf -- "$folder"
exit $code
"""


def execute_bash(call: Call) -> Outputs:
    """Run the commands as one script: its exit code is that of the last command, unless the script says otherwise."""
    script = "\n".join(as_text(command) for command in call.inputs["commands"]) + "\n"
    return _left(call.start(["/bin/sh", "-c", _SCRIPT], stdin=script.encode()))


def execute_binary(call: Call) -> Outputs:
    """Run one program with its arguments, without a shell."""
    arguments = [as_text(argument) for argument in call.inputs.get("arguments") or ()]
    return _left(call.start([text_of(call.inputs, "path"), *arguments]))


def _left(done: Finished) -> Outputs:
    if done.code == REBOOT_CODE:
        raise RebootError(again=True)
    if done.code:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise ActionError(f"exit code {done.code}{f': {said[-1]}' if said else ''}")
    # Chained into a command or compared, an output has no line break at its end.
    return [{"stdout": done.stdout.decode(errors="replace").rstrip("\r\n")}]
