"""The requests to the sandbox itself about faults and calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cdk_ami.sandbox.door.calls import CALLS
from cdk_ami.sandbox.faults.fault import FaultError, read
from cdk_ami.sandbox.faults.register import FAULTS

Answer = Mapping[str, Any]

FILTERS: Final = ("service", "operation", "region", "account", "engine")
"""What calls can be selected by."""


def faults(method: str, asked: Answer) -> Answer:
    """Cause a fault, tell which there are, or end one or all.

    Raises:
        FaultError: When that is not possible.
    """
    if method == "POST":
        return FAULTS.add(read(asked)).told()
    if method == "DELETE":
        if unknown := sorted(set(asked) - {"id"}):
            raise FaultError(f"faults are ended by id, got {', '.join(unknown)}")
        ended = FAULTS.end(asked.get("id"))
        if asked.get("id") and not ended:
            raise FaultError(f"there is no fault {asked['id']}")
        return {"faults": [armed.told() for armed in ended]}
    return {"faults": [armed.told() for armed in FAULTS.all()]}


def calls(method: str, asked: Answer) -> Answer:
    """Tell what was asked of the services, or forget it.

    Raises:
        FaultError: When calls cannot be selected so.
    """
    if method == "DELETE":
        CALLS.clear()
        return {"calls": []}
    if unknown := sorted(set(asked) - set(FILTERS)):
        raise FaultError(f"calls are selected by {', '.join(FILTERS)}, got {', '.join(unknown)}")
    wanted = {name: str(value).title() if name == "engine" else value for name, value in asked.items()}
    return {"calls": [call.told() for call in CALLS.matching(wanted)]}
