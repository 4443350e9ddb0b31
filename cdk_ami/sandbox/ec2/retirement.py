"""How an AMI ends: deprecated, disabled, deregistered, and what protects it from that."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.ec2 import recycling
from cdk_ami.sandbox.ec2.call import Answer, Call, Operation
from cdk_ami.sandbox.ec2.notices import tell_image
from cdk_ami.sandbox.ec2.refusal import refusal

DEPRECATION_YEARS: Final = 10
"""https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_EnableImageDeprecation.html."""

PUBLIC_DEPRECATION_YEARS: Final = 2
"""Years after its creation that a public AMI may stay undeprecated.  Same page."""


def deregister_image(call: Call) -> Answer:
    """Answer DeregisterImage: its snapshots go only when asked for, and only those that no other AMI holds."""
    image, backend = call.own_image(), call.backend
    if image.protection.holds:
        raise refusal(
            "OperationNotPermitted",
            f"The image {image.id} is protected from deregistration"
            + (f" until {image.protection.until:%Y-%m-%dT%H:%M:%SZ}" if image.protection.until else ""),
        )
    del backend.amis[image.id]
    tell_image(image, "deregistered")
    recycling.bin_image(backend, image)
    results = [_delete(backend, each) for each in image.snapshot_ids] if call.get("DeleteAssociatedSnapshots") else []
    return {"Return": True, "DeleteSnapshotResults": results}


def _delete(backend: Any, snapshot_id: str) -> dict[str, str]:
    held = any(snapshot_id in other.snapshot_ids for other in list(backend.amis.values()))
    if held or snapshot_id not in backend.snapshots:  # another AMI's too, or another account's
        return {"SnapshotId": snapshot_id, "ReturnCode": "skipped"}
    recycling.bin_snapshot(backend, backend.snapshots.pop(snapshot_id))
    return {"SnapshotId": snapshot_id, "ReturnCode": "success"}


def disable_image(call: Call) -> Answer:
    """Answer DisableImage, which also takes back every launch permission."""
    image = call.own_image()
    if image.state not in {"available", "disabled"}:
        raise refusal("IncorrectState", f"The image {image.id} is {image.state}")
    if not image.disabled:
        tell_image(image, "disabled")
    image.disabled = True
    image.sharing.clear()
    return {"Return": True}


def enable_image(call: Call) -> Answer:
    """Answer EnableImage; launch permissions do not come back."""
    image = call.own_image()
    if image.state not in {"available", "disabled"}:
        raise refusal("IncorrectState", f"The image {image.id} is {image.state}")
    if image.disabled:
        tell_image(image, "available")
    image.disabled = False
    return {"Return": True}


def enable_image_deprecation(call: Call) -> Answer:
    """Answer EnableImageDeprecation: at most ten years ahead, for a public AMI two years after its creation."""
    image, when = call.own_image(), call.need("DeprecateAt")
    if isinstance(when, str):
        when = datetime.fromisoformat(when)
    when = when.replace(tzinfo=when.tzinfo or UTC).astimezone(UTC)
    latest = _years_after(CLOCK.now(), DEPRECATION_YEARS)
    if image.sharing.public:
        latest = _years_after(image.created.replace(tzinfo=UTC), PUBLIC_DEPRECATION_YEARS)
    if not CLOCK.now() < when <= latest:
        raise refusal(
            "InvalidParameterValue",
            f"DeprecateAt must be in the future and at the latest {latest:%Y-%m-%d}, got {when:%Y-%m-%dT%H:%M:%SZ}",
        )
    # EC2 rounds the seconds to the nearest minute.
    image.deprecated_at = (when + timedelta(seconds=30)).replace(second=0, microsecond=0)
    return {"Return": True}


def _years_after(start: datetime, years: int) -> datetime:
    leap = (start.month, start.day) == (2, 29)
    return start.replace(year=start.year + years, day=28 if leap else start.day)


def disable_image_deprecation(call: Call) -> Answer:
    """Answer DisableImageDeprecation."""
    call.own_image().deprecated_at = None
    return {"Return": True}


def enable_image_deregistration_protection(call: Call) -> Answer:
    """Answer EnableImageDeregistrationProtection."""
    image = call.own_image()
    image.protection.switch_on(with_cooldown=bool(call.get("WithCooldown")))
    return {"Return": image.protection.word}


def disable_image_deregistration_protection(call: Call) -> Answer:
    """Answer DisableImageDeregistrationProtection; where a cool-down was asked for, the AMI stays safe for a day."""
    image = call.own_image()
    image.protection.switch_off()
    return {"Return": image.protection.word}


OPERATIONS: Final[dict[str, Operation]] = {
    "DeregisterImage": deregister_image,
    "DisableImage": disable_image,
    "DisableImageDeprecation": disable_image_deprecation,
    "DisableImageDeregistrationProtection": disable_image_deregistration_protection,
    "EnableImage": enable_image,
    "EnableImageDeprecation": enable_image_deprecation,
    "EnableImageDeregistrationProtection": enable_image_deregistration_protection,
}
