"""How a group launches and terminates its instances: each in the zone that has the fewest or the most."""

from __future__ import annotations

from typing import Any, Final

from moto.autoscaling.models import ASG_NAME_TAG
from moto.core.exceptions import ServiceException

from cdk_ami.sandbox.autoscaling import balancers, health, hooks, warm
from cdk_ami.sandbox.autoscaling.activities import begin, finish, now
from cdk_ami.sandbox.autoscaling.errors import LaunchError
from cdk_ami.sandbox.autoscaling.members import Member, capacity, counted, is_suspended, warm_pool
from cdk_ami.sandbox.autoscaling.recipes import Choice, Recipe, concrete, launch_request, recipe_of, spot_next
from cdk_ami.sandbox.autoscaling.termination import chosen
from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.ec2 import capacity as offered
from cdk_ami.sandbox.ec2.refusal import refusal
from cdk_ami.sandbox.serial import LOCK

DIFFERENCE: Final = "in response to a difference between desired and actual capacity"
"""Why a group launches or terminates unless there is a better reason, in the service's words."""

ABANDONED: Final = "an instance was taken out of service in response to an abandoned lifecycle action."

RETRY_SECONDS: Final = (60.0, 900.0)
"""First and longest pause before a group tries again to launch what it could not.  AWS does not tell its own."""


def exists(group: Any) -> bool:
    """Tell whether the group has not been deleted."""
    return group.autoscaling_backend.__dict__.get("autoscaling_groups", {}).get(group.name) is group


def wanted(group: Any) -> int:
    """Return the capacity that the group shall have now: what is desired, and what a replacement adds for a while."""
    return int(group.desired_capacity or 0) + int(group.__dict__.get("sandbox_surplus", 0))


def current_recipe(group: Any) -> Recipe:
    """Return what the group launches now: a running refresh's configuration, else its own."""
    recipe: Recipe | None = group.__dict__.get("sandbox_recipe")
    return recipe_of(group) if recipe is None else recipe


def wake(group: Any) -> None:
    """Let a running refresh of the group look again."""
    if call := group.__dict__.get("sandbox_wake"):
        call()


def converge(group: Any, *causes: str) -> None:
    """Launch or terminate until the group and its warm pool have what they shall."""
    if not exists(group):
        return
    if capacity(group) < wanted(group):
        fill(group, *causes)
    else:
        shrink(group, *causes)
    warm.adjust(group)
    balancers.update(group)
    wake(group)


def fill(group: Any, *causes: str) -> None:
    """Launch what is missing; what fails shows in the activities and is tried again later."""
    recipe = current_recipe(group)
    while capacity(group) < wanted(group) and not is_suspended(group, "Launch"):
        before = capacity(group)
        grown = f"an instance was started {DIFFERENCE}, increasing the capacity from {before} to {before + 1}."
        try:
            if not warm.take(group, *causes, grown):
                launch(group, recipe, *causes, grown)
        except LaunchError:
            _try_again(group)
            return
    group.__dict__.pop("sandbox_pause", None)


def _try_again(group: Any) -> None:
    first, longest = RETRY_SECONDS
    pause = min(longest, 2 * group.__dict__.get("sandbox_pause", first / 2))
    group.sandbox_pause = pause

    def retry() -> None:
        with LOCK:
            converge(group)

    if waiting := group.__dict__.get("sandbox_retry"):
        waiting.cancel()
    group.sandbox_retry = CLOCK.after(pause, retry)


def shrink(group: Any, *causes: str) -> None:
    """Terminate unprotected instances that are too many, always of the zone that has the most."""
    while not is_suspended(group, "Terminate"):
        before, limit = capacity(group), wanted(group)
        open_to_it = [
            member
            for member in counted(group)
            if not member.protected_from_scale_in and before - member.weight >= limit
        ]
        if not open_to_it:
            return
        member = chosen(group, open_to_it)
        after = before - member.weight
        reason = f"an instance was taken out of service {DIFFERENCE}, shrinking the capacity from {before} to {after}."
        if warm.reuses(group) and member.serving:
            warm.put_back(group, member, *causes, reason)
        else:
            terminate(group, member, *causes, reason)


def subnets_of(group: Any) -> list[Any]:
    """Return the subnets of a group, in the order it names them."""
    names = (group.vpc_zone_identifier or "").split(",")
    return [group.ec2_backend.get_subnet(name.strip()) for name in names if name.strip()]


def open_zones(group: Any) -> list[str]:
    """Return the zones that the group launches into: all its own but those that it is shifted away from."""
    policy = getattr(group, "availability_zone_impairment_policy", None) or {}
    if not policy.get("ZonalShiftEnabled"):
        return list(group.availability_zones)
    left = [zone for zone in group.availability_zones if not offered.is_shifted(group.region, zone)]
    return left or list(group.availability_zones)


def places(group: Any, members: list[Member] | None = None) -> list[tuple[str | None, str]]:
    """Return where the next instance may go, a subnet and its zone each: where there are the fewest comes first.

    A group that is ``balanced-only`` has one such place; the others try another zone when EC2 has nothing in the first.
    https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_AvailabilityZoneDistribution.html
    """
    present = counted(group) if members is None else members
    counts = dict.fromkeys(group.availability_zones, 0)
    by_subnet: dict[str | None, int] = {}
    for member in present:
        counts[member.availability_zone] = counts.get(member.availability_zone, 0) + 1
        by_subnet[member.instance.subnet_id] = by_subnet.get(member.instance.subnet_id, 0) + 1
    subnets = subnets_of(group)
    found: list[tuple[str | None, str]] = []
    for zone in sorted(open_zones(group), key=lambda name: counts[name]):
        here = [subnet for subnet in subnets if subnet.availability_zone == zone]
        best = min(here, key=lambda subnet: by_subnet.get(subnet.id, 0)).id if here else None
        found.append((best, zone))
    strategy = (getattr(group, "availability_zone_distribution", None) or {}).get("CapacityDistributionStrategy")
    return found[:1] if strategy == "balanced-only" else found


def launch(group: Any, recipe: Recipe, *causes: str, where: tuple[str | None, str] | None = None) -> Member:
    """Launch one instance into ``group`` and return it; it is in service unless hooks hold it.

    Raises:
        LaunchError: When EC2 refuses; the group's activities say why.
    """
    instance, choice, activity = _launch(group, recipe, causes, where, None)
    member = _admit(group, instance, choice, activity)
    member.protected_from_scale_in = bool(group.new_instances_protected_from_scale_in)
    group.instance_states.append(member)
    enter(group, member, origin=hooks.OUTSIDE)
    return member


def launch_warm(group: Any, recipe: Recipe, *causes: str) -> Member:
    """Launch one instance into the warm pool of ``group`` and return it.

    Raises:
        LaunchError: When EC2 refuses; the group's activities say why.
    """
    pool = warm_pool(group)
    instance, choice, activity = _launch(group, recipe, causes, None, pool)
    member = _admit(group, instance, choice, activity)
    pool.append(member)
    return member


def _admit(group: Any, instance: Any, choice: Choice, activity: dict[str, Any]) -> Member:
    activity["Description"] += f": {instance.id}"
    instance.add_tags({**group.get_propagated_tags(), ASG_NAME_TAG: group.name})
    member = Member(group, instance, now=now(), weighted_capacity=choice.weight)
    member.activity = activity
    return member


def _launch(
    group: Any,
    recipe: Recipe,
    causes: tuple[str, ...],
    where: tuple[str | None, str] | None,
    members: list[Member] | None,
) -> tuple[Any, Choice, dict[str, Any]]:
    found = places(group, members)
    attempts = found if where is None else [where, *(place for place in found if place[1] != where[1])][: len(found)]
    problem = "the group has no zone to launch into"
    for subnet_id, zone in attempts:
        activity = begin(group, "Launching a new EC2 instance", *causes, zone=zone, subnet=subnet_id)
        try:
            return (*_first_offered(group, recipe, subnet_id, zone), activity)
        except ServiceException as error:
            problem = error.message
            activity["Description"] += ".  Status Reason: " + problem
            finish(group, activity, "Launch", failure=f"{problem} Launching EC2 instance failed.")
            if error.code != offered.SHORTAGE:
                raise LaunchError(problem) from error
    raise LaunchError(problem)


def _first_offered(group: Any, recipe: Recipe, subnet_id: str | None, zone: str) -> tuple[Any, Choice]:
    """Launch by the first choice that EC2 has capacity for in a zone, and return the instance with the choice."""
    spot = spot_next(group, recipe)
    shortage: ServiceException | None = None
    for choice in concrete(group, recipe):
        try:
            request = launch_request(group, choice, subnet_id, zone, spot=spot)
            reservation = group.ec2_backend.sandbox_launch(request, group.service_linked_role_arn)
        except ServiceException as error:
            if error.code != offered.SHORTAGE:
                raise
            shortage = error
        else:
            return _alive(reservation.instances[0]), choice
    if shortage is None:
        raise LaunchError("there is nothing to launch")
    raise shortage


def _alive(instance: Any) -> Any:
    """Return an instance, unless EC2 itself has ended it: that is how a key shows that the group may not use."""
    if instance.state == "terminated":
        raise refusal(
            instance.state_reason.code,
            f"Instance {instance.id} became unhealthy while waiting for instance to be in InService state. Termination "
            f"Reason: {instance.state_reason.message}.",
        )
    return instance


def enter(group: Any, member: Member, *, origin: str) -> None:
    """Let an instance come into service as soon as its hooks let it."""

    def done(go_on: bool) -> None:  # noqa: FBT001 - the one argument of a callback
        if go_on:
            serve(group, member, origin=origin)
            return
        _end(group, member, "Launch", failure="The lifecycle action was abandoned.")
        terminate(group, member, ABANDONED, at_once=True)
        if member.instead_of is not None:
            member.instead_of[0].leaving = False
            health.look(group, member.instead_of[0])
            rebalance(group)
        converge(group)

    hooks.hold(group, member, hooks.LAUNCHING, "Pending", done, way=(origin, hooks.GROUP))


def serve(group: Any, member: Member, *, origin: str) -> None:
    """Put an instance into service."""
    member.lifecycle_state, member.began = "InService", now()
    _end(group, member, "Launch", origin=origin)
    balancers.update(group)
    before, member.instead_of = member.instead_of, None
    if before is not None and before[0] in group.instance_states:
        terminate(group, *before)
    health.began(group, member)
    wake(group)


def supersede(
    group: Any, member: Member, cause: str, leave_cause: str, *, where: tuple[str | None, str] | None = None
) -> None:
    """Launch an instance in the place of another, which goes as soon as the new one is in service.

    Raises:
        LaunchError: When EC2 refuses; the old one stays then.
    """
    member.leaving = True
    try:
        new = launch(group, current_recipe(group), cause, where=where)
    except LaunchError:
        member.leaving = False
        raise
    if new.serving:
        terminate(group, member, leave_cause)
    else:
        new.instead_of = (member, leave_cause)


def _end(group: Any, member: Member, what: str, *, failure: str | None = None, **way: str) -> None:
    activity, member.activity = member.activity, None
    if activity is not None:
        finish(group, activity, what, instance_id=member.instance.id, failure=failure, **way)


def terminate(group: Any, member: Member, *causes: str, at_once: bool = False) -> dict[str, Any]:
    """Terminate one instance of ``group`` or of its pool as soon as its hooks let it, and return the activity.

    Args:
        group: The group.
        member: The instance.
        causes: Why.
        at_once: Whether hooks are passed by.
    """
    going = member.activity if "Terminating" in member.lifecycle_state else None
    if going is not None:
        if at_once:
            hooks.release(member)
            remove(group, member)
            _end(group, member, "Terminate", origin=hooks.GROUP, destination=hooks.OUTSIDE)
        return going
    warmed = member.lifecycle_state.startswith("Warmed:")
    hooks.release(member)
    _end(group, member, "Launch", failure="The instance was terminated before it came into service.")
    activity = begin(
        group,
        f"Terminating EC2 instance: {member.instance.id}",
        *(causes or ("an instance was taken out of service.",)),
        f"instance {member.instance.id} was selected for termination.",
        zone=member.availability_zone,
        subnet=member.instance.subnet_id,
    )
    member.activity = activity
    state = "Warmed:Terminating" if warmed else "Terminating"
    member.lifecycle_state = state
    balancers.update(group)
    origin = hooks.POOL if warmed else hooks.GROUP

    def done(go_on: bool) -> None:  # noqa: FBT001 - the one argument of a callback
        triggers = (getattr(group, "instance_lifecycle_policy", None) or {}).get("RetentionTriggers", {})
        if not go_on and triggers.get("TerminateHookAbandon") == "retain":
            member.lifecycle_state = f"{state}:Retained"
            _end(group, member, "Terminate", failure="The instance was retained: its lifecycle action was abandoned.")
        else:
            remove(group, member)
            _end(group, member, "Terminate", origin=origin, destination=hooks.OUTSIDE)
        warm.adjust(group)
        wake(group)

    if at_once or member.instance.state == "terminated":
        done(True)  # noqa: FBT003 - as above
    else:
        hooks.hold(group, member, hooks.TERMINATING, state, done, way=(origin, hooks.OUTSIDE))
    return activity


def remove(group: Any, member: Member) -> None:
    """Take an instance out of the group and terminate it."""
    group.instance_states = [each for each in group.instance_states if each is not member]
    pool = warm_pool(group)
    pool[:] = [each for each in pool if each is not member]
    if member.instance.state != "terminated":
        member.instance.disable_api_termination = False
        group.ec2_backend.terminate_instances([member.instance.id])


def rebalance(group: Any) -> None:
    """Move instances from the zones that have the most to those that have the fewest: first the new one, then the old.

    https://docs.aws.amazon.com/autoscaling/ec2/userguide/auto-scaling-benefits.html
    """
    if is_suspended(group, "AZRebalance", "Launch", "Terminate") or group.__dict__.get("sandbox_wake"):
        return
    while (fullest := _uneven(group)) is not None:
        balance = f"instances were launched to balance instances in zones {fullest} with other zones"
        shrinks = f"an instance was taken out of service {DIFFERENCE}, shrinking the capacity"
        here = [one for one in counted(group) if one.availability_zone == fullest and not one.protected_from_scale_in]
        before = len(counted(group))
        try:
            supersede(
                group,
                chosen(group, here),
                f"{balance} resulting in more than desired number of instances in the group.",
                f"{shrinks} from {before + 1} to {before}.",
                where=places(group)[0],
            )
        except LaunchError:
            return
    balancers.update(group)


def _uneven(group: Any) -> str | None:
    """Return the zone that has at least two more than another that EC2 has capacity in, if there is one."""
    counts = {zone: 0 for zone in open_zones(group) if not offered.is_down(group.region, zone)}
    open_to_it = set()
    for member in counted(group):
        if member.availability_zone in counts:
            counts[member.availability_zone] += 1
            if not member.protected_from_scale_in:
                open_to_it.add(member.availability_zone)
    if not counts or not open_to_it:
        return None
    fullest = max(sorted(open_to_it), key=lambda zone: counts[zone])
    return fullest if counts[fullest] - min(counts.values()) > 1 else None
