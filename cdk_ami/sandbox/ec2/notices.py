"""What EC2 tells EventBridge of AMIs and snapshots, each when the clock has brought it there.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitor-ami-events.html
https://docs.aws.amazon.com/ebs/latest/userguide/ebs-cloud-watch-events.html
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import uuid4

from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.ec2.image import MILLISECONDS, Image
from cdk_ami.sandbox.events.emit import emit


def tell_image(image: Image, state: str, error: str = "") -> None:
    """Tell that an AMI is ``available``, ``failed``, ``disabled`` or ``deregistered``."""
    detail = {"RequestId": str(uuid4()), "ImageId": image.id, "State": state, "ErrorMessage": error}
    arn = f"arn:{image.ec2_backend.partition}:ec2:{image.region}::image/{image.id}"
    emit(image.region, image.owner_id, "aws.ec2", "EC2 AMI State Change", detail, [arn])


def tell_image_when_ready(image: Image) -> None:
    """Tell how a new AMI turned out, unless it is gone by then."""

    def tell() -> None:
        if image.ec2_backend.amis.get(image.id) is image:
            tell_image(image, "failed" if image.failure else "available", image.failure or "")

    _at(image.ready_at, tell)


def tell_snapshot_when_ready(snapshot: Any) -> None:
    """Tell how a new snapshot turned out, unless it is gone by then."""
    backend = snapshot.ec2_backend
    prefix = f"arn:{backend.partition}:ec2::{backend.region_name}"  # the page has Region and account so

    def tell() -> None:
        if backend.snapshots.get(snapshot.id) is not snapshot:
            return
        arn = f"{prefix}:snapshot/{snapshot.id}"
        detail = {
            "event": "copySnapshot" if snapshot.copied else "createSnapshot",
            "result": "failed" if snapshot.failure else "succeeded",
            "cause": snapshot.failure or "",
            "request-id": "",
            "snapshot_id": arn,
            "source": f"{prefix}:volume/{snapshot.volume_id}",
            "startTime": snapshot.start_time.strftime(MILLISECONDS),
            "endTime": snapshot.ready_at.strftime(MILLISECONDS),
        }
        emit(backend.region_name, snapshot.owner_id, "aws.ec2", "EBS Snapshot Notification", detail, [arn])

    _at(snapshot.ready_at, tell)


def _at(when: datetime, tell: Callable[[], None]) -> None:
    if when <= CLOCK.now():
        tell()
    else:
        CLOCK.at(when, tell)
