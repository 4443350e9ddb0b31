"""Mends of the emulator's CloudTrail.

The CDK command line asks for events after a failed deployment, to explain it.  The sandbox records none and says so.
"""

from __future__ import annotations

from moto.cloudtrail.responses import CloudTrailResponse
from moto.core.responses import ActionResult

from cdk_ami.sandbox import emulator


class _Events:
    def lookup_events(self) -> ActionResult:
        """Answer LookupEvents: no events."""
        return ActionResult({"Events": []})


def install() -> None:
    """Add the operations that the emulator lacks."""
    emulator.graft(CloudTrailResponse, _Events, new=frozenset({"lookup_events"}))
