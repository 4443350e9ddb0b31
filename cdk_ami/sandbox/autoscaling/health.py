"""Health: an instance that fails a check is replaced, and one that has lived its time as well.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-health-checks.html, read 2026-11-28
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from cdk_ami.sandbox.autoscaling import launching
from cdk_ami.sandbox.autoscaling.activities import now
from cdk_ami.sandbox.autoscaling.errors import LaunchError
from cdk_ami.sandbox.autoscaling.members import Member, is_suspended, warm_pool
from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.ec2 import capacity as offered
from cdk_ami.sandbox.serial import LOCK

CAUSES: Final = {
    "EC2": "in response to an EC2 instance status checks failure.",
    "ELB": "in response to an ELB system health check failure.",
    "zone": "in response to an EC2 instance status checks failure.",
    "user": "in response to a user health-check.",
    "gone": "in response to an EC2 health check indicating it has been terminated or stopped.",
}
"""Why an instance is taken out of service, by the check that it fails, in the service's words."""

AGED: Final = "an instance was taken out of service in response to its maximum instance lifetime."
REPLACES: Final = "an instance was launched in response to an unhealthy instance needing to be replaced."


def fail(group: Any, member: Member, check: str, *, respect_grace: bool = True) -> None:
    """Let an instance fail a check: ``EC2``, ``ELB``, ``zone``, ``user``, or ``gone``, which knows no grace period."""
    member.failing[check] = CAUSES[check]
    look(group, member, respect_grace=respect_grace and check != "gone")


def recover(member: Member, check: str) -> None:
    """Let an instance pass a check again."""
    member.failing.pop(check, None)


def began(group: Any, member: Member) -> None:
    """Look after an instance that has just come into service."""
    if member.failing:
        look(group, member)
    watch_age(group)


def review(group: Any) -> None:
    """Look again at every instance, because the group's processes or settings have changed."""
    for member in list(group.instance_states):
        if member.failing:
            look(group, member)
    watch_age(group)


def look(group: Any, member: Member, *, respect_grace: bool = True) -> None:
    """Replace an instance that fails a check which the group heeds, when its grace period is over."""
    kinds = str(group.health_check_type or "EC2").split(",")
    heeded = [cause for check, cause in member.failing.items() if check != "ELB" or "ELB" in kinds]
    if not heeded or not member.serving or member.leaving:
        return
    if is_suspended(group, "HealthCheck") or _shifted(group, member):
        return
    grace = timedelta(seconds=int(group.health_check_grace_period or 0))
    ends = (member.began or member.launched) + grace
    if respect_grace and now() < ends:

        def again() -> None:
            with LOCK:
                if member in group.instance_states and launching.exists(group):
                    look(group, member)

        CLOCK.after((ends - now()).total_seconds(), again)
        return
    member.health_status = "Unhealthy"
    if not is_suspended(group, "ReplaceUnhealthy", "Terminate"):
        replace(group, member, f"an instance was taken out of service {heeded[0]}", REPLACES)


def _shifted(group: Any, member: Member) -> bool:
    """Tell whether a zonal shift keeps a sick instance where it is.

    https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_AvailabilityZoneImpairmentPolicy.html
    """
    policy = getattr(group, "availability_zone_impairment_policy", None) or {}
    ignores = policy.get("ImpairedZoneHealthCheckBehavior") == "IgnoreUnhealthy"
    enabled = bool(policy.get("ZonalShiftEnabled"))
    return enabled and ignores and offered.is_shifted(group.region, member.availability_zone)


def replace(group: Any, member: Member, cause: str, launch_cause: str) -> None:
    """Replace an instance: first the new one where the group's maintenance policy leaves room for it, else at once.

    https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-instance-maintenance-policy.html
    """
    policy = getattr(group, "instance_maintenance_policy", None) or {}
    room = int(policy.get("MaxHealthyPercentage") or 0) > 100  # noqa: PLR2004 - per cent
    if not room or member.instance.state != "running":
        launching.terminate(group, member, cause)
        launching.converge(group, launch_cause)
        return
    try:
        launching.supersede(group, member, launch_cause, cause)
    except LaunchError:
        launching.terminate(group, member, cause)
        launching.converge(group, launch_cause)


def watch_age(group: Any) -> None:
    """See to it that no instance grows older than the group allows.

    https://docs.aws.amazon.com/autoscaling/ec2/userguide/asg-max-instance-lifetime.html
    """
    lifetime = int(getattr(group, "max_instance_lifetime", None) or 0)
    if call := group.__dict__.pop("sandbox_age", None):
        call.cancel()
    serving = [member for member in group.instance_states if member.serving]
    if not lifetime or not serving:
        return
    due = min(member.launched for member in serving) + timedelta(seconds=lifetime)
    group.sandbox_age = CLOCK.after(max(0.0, (due - now()).total_seconds()), lambda: _retire(group))


def _retire(group: Any) -> None:
    with LOCK:
        if not launching.exists(group):
            return
        oldest = now() - timedelta(seconds=int(group.max_instance_lifetime or 0))
        aged = [one for one in group.instance_states if one.serving and one.launched <= oldest]
        if not is_suspended(group, "Launch", "Terminate"):
            for member in aged:
                replace(group, member, AGED, "an instance was launched in response to an instance that was too old.")
            watch_age(group)


def lost(group: Any, instance_ids: list[str]) -> None:
    """Replace instances that somebody stopped or terminated behind their group's back."""
    for member in list(group.instance_states):
        if member.instance.id not in instance_ids:
            continue
        if member.counted and not member.serving:
            launching.terminate(group, member, f"an instance was taken out of service {CAUSES['gone']}", at_once=True)
        elif member.lifecycle_state != "Standby":
            fail(group, member, "gone")
    pool = warm_pool(group)
    pool[:] = [member for member in pool if member.instance.state != "terminated"]
    launching.converge(group)
