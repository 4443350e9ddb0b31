"""Requests to the sandbox itself that make instances sick, zones fail, and capacity run short.

``POST /_sandbox/autoscaling/health`` with ``{"instance": "i-...", "check": "EC2", "healthy": false}`` lets an instance
fail, or pass again, its ``EC2`` status checks or its load balancer's (``ELB``).

``POST /_sandbox/autoscaling/zone`` with ``{"zone": "us-east-1a", "state": "down"}`` takes a zone away: its instances
fail their status checks and nothing can be launched there.  ``up`` brings it back, and groups spread over it again;
``shifted`` is a zonal shift away from it, which groups that allow it follow.

``POST /_sandbox/autoscaling/capacity`` with ``{"region": "us-east-1", "instance_type": "t3.micro"}``, ``"zone"`` for
one zone only, lets EC2 run short of a type until the same with ``"available": true``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from cdk_ami.sandbox.autoscaling import health, launching
from cdk_ami.sandbox.autoscaling.members import Member, find_member
from cdk_ami.sandbox.ec2 import capacity
from cdk_ami.sandbox.serial import LOCK

Answer = Mapping[str, Any]

CHECKS: Final = ("EC2", "ELB")
STATES: Final = ("up", "down", "shifted")


class RequestError(ValueError):
    """A request that cannot be followed."""


def _health(_method: str, asked: Answer) -> Answer:
    instance_id, check, healthy = _take(asked, {"instance": None, "check": "EC2", "healthy": False})
    if check not in CHECKS:
        raise RequestError(f"check is one of {', '.join(CHECKS)}, got {check!r}")
    if not isinstance(healthy, bool):
        raise RequestError(f"healthy is true or false, got {healthy!r}")
    with LOCK:
        group, member = _find(instance_id)
        if healthy:
            health.recover(member, check)
        else:
            health.fail(group, member, check)
        return {"instance": instance_id, "failing": sorted(member.failing), "state": member.lifecycle_state}


def _zone(_method: str, asked: Answer) -> Answer:
    zone, state = _take(asked, {"zone": None, "state": None})
    if state not in STATES:
        raise RequestError(f"state is one of {', '.join(STATES)}, got {state!r}")
    if not isinstance(zone, str) or len(zone) < 2:  # noqa: PLR2004 - a Region's name and a letter
        raise RequestError(f"zone is the name of a zone, got {zone!r}")
    region = zone[:-1]
    with LOCK:
        capacity.set_zone(region, zone, down=state == "down", shifted=state == "shifted")
        for group in _groups(region):
            _see(group, zone, down=state == "down")
    return {"zone": zone, "state": state}


def _see(group: Any, zone: str, *, down: bool) -> None:
    """Let a group see that a zone has changed."""
    for member in list(group.instance_states):
        if member.availability_zone != zone:
            continue
        if down:
            health.fail(group, member, "zone")
        else:
            health.recover(member, "zone")
    if not down:
        launching.converge(group)
        launching.rebalance(group)


def _capacity(_method: str, asked: Answer) -> Answer:
    region, zone, instance_type, available = _take(
        asked, {"region": None, "zone": "", "instance_type": None, "available": False}
    )
    if not isinstance(available, bool):
        raise RequestError(f"available is true or false, got {available!r}")
    with LOCK:
        capacity.set_shortage(region, zone or None, instance_type, short=not available)
        if available:
            for group in _groups(region):
                launching.converge(group)
                launching.rebalance(group)
    return {"region": region, "zone": zone or None, "instance_type": instance_type, "available": available}


def _take(asked: Answer, known: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what is asked, in the order of ``known``, which says what holds otherwise; None must be asked."""
    unknown = sorted(set(asked) - set(known))
    missing = sorted(name for name, usual in known.items() if usual is None and not asked.get(name))
    if unknown or missing:
        raise RequestError(f"the request takes {', '.join(known)}; unknown {unknown}, missing {missing}")
    return tuple(asked.get(name, usual) for name, usual in known.items())


def _groups(region: str | None = None) -> Iterator[Any]:
    from moto.autoscaling.models import autoscaling_backends  # noqa: PLC0415 - after the emulator has been patched

    for _, place, backend in list(autoscaling_backends.iter_backends()):
        if region in {None, place}:
            yield from list(backend.autoscaling_groups.values())


def _find(instance_id: str) -> tuple[Any, Member]:
    for group in _groups():
        if member := find_member(group, instance_id):
            return group, member
    raise RequestError(f"no group has an instance {instance_id}")


ROUTES: Final[Mapping[str, Callable[[str, Answer], Answer]]] = {
    "autoscaling/health": _health,
    "autoscaling/zone": _zone,
    "autoscaling/capacity": _capacity,
}
"""What answers each path behind the sandbox's prefix."""
