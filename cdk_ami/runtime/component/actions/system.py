"""Actions on the system: ``Reboot``, ``UpdateOS`` and ``Assert``."""

from __future__ import annotations

from typing import Final

from cdk_ami.checks.documents import as_text
from cdk_ami.runtime.component.call import ActionError, Call, Outputs, RebootError
from cdk_ami.runtime.component.conditions import ConditionError, describe, evaluate
from cdk_ami.runtime.component.files import Files

_UPDATE: Final = """
included=$1; shift
count=$#
if command -v yum >/dev/null; then
  for name; do set -- "$@" "--exclude=$name"; done
  shift "$count"
  exec yum --assumeyes "$@" update $included
elif command -v apt-get >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get --quiet update || exit
  [ "$count" = 0 ] || apt-mark hold "$@" || exit
  if [ -n "$included" ]; then apt-get --quiet --yes install --only-upgrade $included
  else apt-get --quiet --yes upgrade; fi
  code=$?
  [ "$count" = 0 ] || apt-mark unhold "$@" || exit
  exit $code
else
  echo 'neither yum nor apt-get is here' >&2
  exit 1
fi
"""
"""Updates by the package manager that is there; ``$1`` holds the only packages to update, the rest those to leave."""


def reboot(_: Call) -> Outputs:
    """Ask for a restart; the next step goes on after it.  No delay is waited for: nothing shuts down."""
    raise RebootError(again=False)


def update_os(call: Call) -> Outputs:
    """Install updates: all, those included, or all but those excluded."""
    inputs = call.inputs or {}
    included, excluded = ([as_text(name) for name in inputs.get(key) or ()] for key in ("include", "exclude"))
    if odd := [
        name for name in (*included, *excluded) if not name or set(name) & set(" \t\n'\"`$;&|<>\\") or name[0] == "-"
    ]:
        raise ActionError(f"{odd[0]!r} is no name of a package")
    wanted = [name for name in included if name not in excluded]
    if included and not wanted:
        call.note("every package that is included is excluded: nothing to update")
        return []
    done = call.start(["/bin/sh", "-fc", _UPDATE, "sh", " ".join(wanted), *excluded])
    if done.code:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise ActionError(f"exit code {done.code}{f': {said[-1]}' if said else ''}")
    return []


def assert_condition(call: Call) -> Outputs:
    """Fail unless a condition holds."""
    try:
        holds = evaluate(call.inputs, Files(call))
    except ConditionError as error:
        raise ActionError(str(error)) from error
    if not holds:
        raise ActionError(f"does not hold: {describe(call.inputs)}")
    return []
