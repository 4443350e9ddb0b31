"""Where EC2 has capacity: everywhere, until somebody says that it is short, or that a zone is down.

``POST /_sandbox/autoscaling/zone`` and ``POST /_sandbox/autoscaling/capacity`` say so.
"""

from __future__ import annotations

from typing import Final

from cdk_ami.sandbox.ec2.refusal import refusal

SHORTAGE: Final = "InsufficientInstanceCapacity"
"""Code of a launch that EC2 has no capacity for.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/troubleshooting-launch.html#troubleshooting-launch-capacity
"""

_DOWN: Final[set[tuple[str, str]]] = set()
_SHIFTED: Final[set[tuple[str, str]]] = set()
_SHORT: Final[set[tuple[str, str | None, str]]] = set()


def is_down(region: str, zone: str) -> bool:
    """Tell whether a zone is down."""
    return (region, zone) in _DOWN


def is_shifted(region: str, zone: str) -> bool:
    """Tell whether a zonal shift leads away from a zone."""
    return (region, zone) in _SHIFTED


def set_zone(region: str, zone: str, *, down: bool, shifted: bool) -> None:
    """Say how a zone is."""
    for there, holds in ((_DOWN, down), (_SHIFTED, shifted)):
        (there.add if holds else there.discard)((region, zone))


def set_shortage(region: str, zone: str | None, instance_type: str, *, short: bool) -> None:
    """Say whether EC2 is short of a type in a zone, in all zones of the Region where ``zone`` is None."""
    (_SHORT.add if short else _SHORT.discard)((region, zone, instance_type))


def forget() -> None:
    """Have capacity everywhere again."""
    for kept in (_DOWN, _SHIFTED, _SHORT):
        kept.clear()


def check_capacity(region: str, zone: str, instance_type: str) -> None:
    """Refuse a launch that EC2 has no capacity for.

    Raises:
        EC2ClientError: ``InsufficientInstanceCapacity``.
    """
    short = any((region, place, instance_type) in _SHORT for place in (zone, None))
    if short or is_down(region, zone):
        raise refusal(
            SHORTAGE,
            f"We currently do not have sufficient {instance_type} capacity in the Availability Zone you requested "
            f"({zone}). Our system will be working on provisioning additional capacity.",
        )
