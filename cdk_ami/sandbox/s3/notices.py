"""What S3 tells EventBridge of objects, for buckets that ask for it.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html, read 2026-11-28
"""

from __future__ import annotations

from typing import Any, Final

from moto.s3 import notifications

from cdk_ami.sandbox import emulator
from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.events.emit import emit

REASONS: Final = {
    "Put": "PutObject",
    "Post": "POST Object",
    "Copy": "CopyObject",
    "CompleteMultipartUpload": "CompleteMultipartUpload",
}
"""The operations that make an object, by the last word of the emulator's names of events."""


def install() -> None:
    """Put our event in the place of the emulator's, which reaches the rules without a bus."""
    emulator.replace(
        notifications, "_send_event_bridge_message", tell, takes=("account_id", "bucket", "event_name", "key")
    )


def tell(account_id: str, bucket: Any, event_name: notifications.S3NotificationEvent, key: Any) -> None:
    """Emit the event of a change of an object."""
    kind = notifications._detail_type(event_name)  # noqa: SLF001 - the emulator's only table of them
    shown = {
        "key": key.name,
        "size": key.size,
        "etag": key.etag.strip('"'),
        "sequencer": f"{CLOCK.now():%Y%m%d%H%M%S%f}",
    }
    if key.version_id not in {None, "null"}:
        shown["version-id"] = key.version_id
    detail = {
        "version": "0",
        "bucket": {"name": bucket.name},
        "object": shown,
        "request-id": "SANDBOX000000000",
        "requester": account_id,
        "source-ip-address": "127.0.0.1",
    }
    if kind in {"Object Created", "Object Deleted"}:
        detail["reason"] = REASONS.get(event_name.value.rpartition(":")[2], "DeleteObject")
    emit(bucket.region_name, account_id, "aws.s3", kind, detail, [bucket.arn])
