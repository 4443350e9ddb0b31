"""What becomes of the copy of an AMI that a request has begun, before its caller hears of it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from moto.ec2.models import ec2_backends

from cdk_ami.sandbox.door.asked import Asked
from cdk_ami.sandbox.faults.register import Armed

FAILURE: Final = "Internal error: the copy failed, as a fault of the sandbox asked for"
"""The reason that a copy which was made to fail tells."""

NEVER: Final = datetime.max.replace(tzinfo=UTC)
"""When a copy that is held is available."""

_IMAGE: Final = re.compile(rb"<imageId>([^<]+)</imageId>")


def meet(armed: Armed, asked: Asked, answer: bytes) -> None:
    """Let the copy that ``answer`` tells of fail, or keep it pending until the fault is ended."""
    found = _IMAGE.search(answer)
    if found is None:
        return  # it was refused
    backend = ec2_backends[asked.account][asked.region]
    image = backend.amis[found[1].decode()]
    if armed.fault.copies == "failed":
        for snapshot_id in image.snapshot_ids:
            backend.snapshots.pop(snapshot_id, None)
        image.failure, image.mappings = FAILURE, []
    else:
        due, image.ready_at = image.ready_at, NEVER

        def release() -> None:
            image.ready_at = due

        armed.at_end(release)
