"""Health of targets: no traffic flows here, so a target is healthy until its instance is said to fail.

An Auto Scaling group that asks its load balancer and the load balancer itself tell the same: what
``POST /_sandbox/autoscaling/health`` with the check ``ELB`` says, and what becomes of the instance.
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html, read 2026-11-28
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from moto.elbv2.models import FakeHealthStatus

ORIGINAL: Final[dict[str, Callable[..., Any]]] = {}
"""The emulator's own methods, by name."""

FAILING: Final = "ELB"
"""The check by which an instance fails its load balancer."""


class TargetMends:
    """Methods for the emulator's ``FakeTargetGroup``."""

    load_balancer_arns: list[str]

    def health_for(self, target: dict[str, Any], ec2_backend: Any) -> FakeHealthStatus:
        """Return the health of a target."""
        found = ORIGINAL["health_for"](self, target, ec2_backend)
        if found.status != "healthy":
            return found
        if not self.load_balancer_arns:
            return _changed(
                found,
                "unused",
                "Target.NotInUse",
                "Target group is not configured to receive traffic from the load balancer",
            )
        instance = ec2_backend.get_instance_by_id(found.instance_id)
        if instance is not None and instance.state != "running":
            return _changed(found, "unhealthy", "Target.FailedHealthChecks", "Health checks failed")
        if instance is not None and _fails(instance):
            return _changed(found, "unhealthy", "Target.FailedHealthChecks", "Health checks failed")
        return found


def _changed(found: FakeHealthStatus, status: str, reason: str, description: str) -> FakeHealthStatus:
    found.status, found.reason, found.description = status, reason, description
    return found


def _fails(instance: Any) -> bool:
    group = getattr(instance, "autoscaling_group", None)
    members = group.instance_states if group is not None else ()
    return any(FAILING in member.failing for member in members if member.instance is instance)
