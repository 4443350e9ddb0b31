"""Warm pools: instances that wait, launched and prepared, until their group grows.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-warm-pools.html, read 2026-11-28
"""

from __future__ import annotations

from typing import Any, Final

from cdk_ami.sandbox.autoscaling import hooks, launching
from cdk_ami.sandbox.autoscaling.activities import begin, finish
from cdk_ami.sandbox.autoscaling.errors import LaunchError
from cdk_ami.sandbox.autoscaling.members import WARM, Member, counted, is_suspended, warm_pool

PREPARING: Final = "Warmed:Pending"


def size(group: Any) -> int:
    """Return how many instances the warm pool of ``group`` shall have."""
    pool = group.warm_pool
    if pool is None or getattr(pool, "status", None) == "PendingDelete":
        return 0
    prepared = pool.max_group_prepared_capacity
    most = group.max_size if prepared is None else int(prepared)
    return max(int(pool.min_size or 0), most - int(group.desired_capacity or 0))


def reuses(group: Any) -> bool:
    """Tell whether instances go back into the pool when the group shrinks."""
    pool = group.warm_pool
    return pool is not None and bool((pool.instance_reuse_policy or {}).get("ReuseOnScaleIn"))


def ready(group: Any) -> list[Member]:
    """Return the instances of the pool that can be taken."""
    return [member for member in warm_pool(group) if member.lifecycle_state in WARM]


def take(group: Any, *causes: str) -> bool:
    """Move an instance from the pool into the group; return whether there was one."""
    found = ready(group)
    if not found:
        return False
    counts: dict[str, int] = {}
    for member in counted(group):
        counts[member.availability_zone] = counts.get(member.availability_zone, 0) + 1
    member = min(found, key=lambda one: counts.get(one.availability_zone, 0))
    warm_pool(group).remove(member)
    member.activity = begin(
        group,
        f"Launching a new EC2 instance from warm pool: {member.instance.id}",
        *causes,
        zone=member.availability_zone,
        subnet=member.instance.subnet_id,
    )
    if member.instance.state != "running":
        group.ec2_backend.start_instances([member.instance.id])
    member.protected_from_scale_in = bool(group.new_instances_protected_from_scale_in)
    group.instance_states.append(member)
    launching.enter(group, member, origin=hooks.POOL)
    return True


def put_back(group: Any, member: Member, *causes: str) -> None:
    """Move an instance from the group into its pool; hooks of termination hold it on the way."""
    member.activity = begin(
        group,
        f"Returning EC2 instance to warm pool: {member.instance.id}",
        *causes,
        zone=member.availability_zone,
        subnet=member.instance.subnet_id,
    )
    group.instance_states.remove(member)
    warm_pool(group).append(member)
    _prepare(group, member, hooks.TERMINATING, origin=hooks.GROUP)


def adjust(group: Any) -> None:
    """Launch into the pool, or terminate there, until it has its size."""
    if group.__dict__.get("sandbox_adjusting") or not launching.exists(group):
        return
    group.sandbox_adjusting = True
    try:
        _adjust(group)
    finally:
        group.sandbox_adjusting = False
    close(group)


def close(group: Any) -> None:
    """Take the pool away when it is to be deleted and the last instance has gone."""
    if getattr(group.warm_pool, "status", None) == "PendingDelete" and not warm_pool(group):
        group.warm_pool = None


def _adjust(group: Any) -> None:
    while len(_staying(group)) < size(group) and not is_suspended(group, "Launch"):
        cause = "an instance was launched into the warm pool in response to a difference between its desired and "
        try:
            member = launching.launch_warm(group, launching.current_recipe(group), f"{cause}actual size.")
        except LaunchError:
            return
        _prepare(group, member, hooks.LAUNCHING, origin=hooks.OUTSIDE)
    while len(_staying(group)) > size(group) and not is_suspended(group, "Terminate"):
        cause = "an instance was taken out of the warm pool in response to a difference between its desired and "
        launching.terminate(group, min(_staying(group), key=lambda one: one.launched), f"{cause}actual size.")


def _staying(group: Any) -> list[Member]:
    return [member for member in warm_pool(group) if "Terminating" not in member.lifecycle_state]


def _prepare(group: Any, member: Member, transition: str, *, origin: str) -> None:
    """Let an instance come to rest in the pool as soon as its hooks let it."""

    def done(go_on: bool) -> None:  # noqa: FBT001 - the one argument of a callback
        activity, member.activity = member.activity, None
        if not go_on:
            launching.terminate(group, member, "a lifecycle action was abandoned.", at_once=True)
            return
        rest(group, member)
        if activity is not None:
            what = "Launch" if transition == hooks.LAUNCHING else "Terminate"
            way = {"origin": origin, "destination": hooks.POOL}
            finish(group, activity, what, instance_id=member.instance.id, **way)
        launching.wake(group)

    hooks.hold(group, member, transition, PREPARING, done, way=(origin, hooks.POOL))


def rest(group: Any, member: Member) -> None:
    """Put an instance into the state in which the pool keeps its instances."""
    state = group.warm_pool.pool_state if group.warm_pool is not None else "Stopped"
    member.lifecycle_state = f"Warmed:{state}"
    if state == "Running":
        if member.instance.state != "running":
            group.ec2_backend.start_instances([member.instance.id])
    elif member.instance.state == "running":
        member.instance.disable_api_stop = False
        group.ec2_backend.stop_instances([member.instance.id])
