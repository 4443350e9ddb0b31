"""What Auto Scaling answers about instance refreshes."""

from __future__ import annotations

from typing import Any, Final

from moto.core.responses import ActionResult

from cdk_ami.sandbox.autoscaling import launching
from cdk_ami.sandbox.autoscaling.backend import find_group
from cdk_ami.sandbox.autoscaling.launching import refuse
from cdk_ami.sandbox.autoscaling.refresh import ACTIVE, Refresh, active_refresh, refreshes
from cdk_ami.sandbox.ec2.launch import merge_request
from cdk_ami.sandbox.ec2.parameters import RESOLVE
from cdk_ami.sandbox.serial import LOCK

NEW: Final = frozenset(
    {
        "start_instance_refresh",
        "describe_instance_refreshes",
        "cancel_instance_refresh",
        "rollback_instance_refresh",
    }
)
"""Operations that the emulator must not have yet."""

MIN_HEALTHY: Final = 90
MAX_HEALTHY: Final = 100
"""Defaults, in per cent of the desired capacity.

https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_RefreshPreferences.html
"""

HEALTHY_RANGE: Final = 100
"""Largest difference between the two.  Same source."""

LONGEST_DELAY: Final = 172_800
"""Seconds of CheckpointDelay and BakeTime at most.  Same source."""


class RefreshAnswers:
    """Methods for the emulator's ``AutoScalingResponse``."""

    autoscaling_backend: Any
    _get_param: Any

    def start_instance_refresh(self) -> ActionResult:
        """Answer StartInstanceRefresh."""
        group = find_group(self.autoscaling_backend, self._get_param("AutoScalingGroupName"))
        if self._get_param("Strategy", "Rolling") != "Rolling":
            raise refuse("the sandbox refreshes by strategy Rolling only")
        preferences = dict(self._get_param("Preferences", {}) or {})
        desired = dict(self._get_param("DesiredConfiguration", {}) or {})
        minimum, maximum = _healthy(group, preferences)
        _check_preferences(preferences)
        if preferences.get("AutoRollback"):
            _check_rollback(group, desired)
        if desired:
            launching.check_recipe(group, launching.recipe_of(group, desired))
        with LOCK:
            if active_refresh(group) is not None:
                raise refuse(
                    "An Instance Refresh is already in progress and blocks the execution of this Instance Refresh.",
                    "InstanceRefreshInProgress",
                )
            refresh = Refresh(group=group, preferences=preferences, desired=desired, minimum=minimum, maximum=maximum)
            refreshes(group).append(refresh)
        refresh.start()
        return ActionResult({"InstanceRefreshId": refresh.identifier})

    def describe_instance_refreshes(self) -> ActionResult:
        """Answer DescribeInstanceRefreshes, the newest first."""
        group = find_group(self.autoscaling_backend, self._get_param("AutoScalingGroupName"))
        wanted = self._get_param("InstanceRefreshIds", [])
        found = [each for each in reversed(refreshes(group)) if not wanted or each.identifier in wanted]
        limit = int(self._get_param("MaxRecords") or 50)
        start = int(self._get_param("NextToken") or 0)
        token = str(start + limit) if start + limit < len(found) else None
        records = [each.describe() for each in found[start : start + limit]]
        return ActionResult({"InstanceRefreshes": records, "NextToken": token})

    def cancel_instance_refresh(self) -> ActionResult:
        """Answer CancelInstanceRefresh."""
        refresh = _active(self)
        refresh.cancel()
        return ActionResult({"InstanceRefreshId": refresh.identifier})

    def rollback_instance_refresh(self) -> ActionResult:
        """Answer RollbackInstanceRefresh."""
        refresh = _active(self)
        _check_rollback(refresh.group, refresh.desired)
        refresh.cancel(roll_back=True)
        return ActionResult({"InstanceRefreshId": refresh.identifier})


def _active(answer: Any) -> Refresh:
    group = find_group(answer.autoscaling_backend, answer._get_param("AutoScalingGroupName"))  # noqa: SLF001 - moto's
    refresh = active_refresh(group)
    if refresh is None or refresh.status not in ACTIVE - {"RollbackInProgress"}:
        raise refuse(
            f"No in progress or pending Instance Refresh found for Auto Scaling group {group.name}",
            "ActiveInstanceRefreshNotFound",
        )
    return refresh


def _healthy(group: Any, preferences: dict[str, Any]) -> tuple[int, int]:
    policy = getattr(group, "instance_maintenance_policy", None) or {}
    minimum, maximum = preferences.get("MinHealthyPercentage"), preferences.get("MaxHealthyPercentage")
    if maximum is not None and minimum is None:
        raise refuse("MinHealthyPercentage must be specified when MaxHealthyPercentage is")
    if minimum is None:
        minimum = policy.get("MinHealthyPercentage")
        maximum = policy.get("MaxHealthyPercentage")
    minimum = MIN_HEALTHY if minimum is None or minimum < 0 else int(minimum)
    maximum = MAX_HEALTHY if maximum is None or maximum < 0 else int(maximum)
    if not 0 <= minimum <= MAX_HEALTHY or not MAX_HEALTHY <= maximum <= 2 * MAX_HEALTHY:
        raise refuse(
            f"MinHealthyPercentage must be 0 to 100 and MaxHealthyPercentage 100 to 200, got {minimum} and {maximum}"
        )
    if maximum - minimum > HEALTHY_RANGE:
        raise refuse(
            "The difference between MinHealthyPercentage and MaxHealthyPercentage cannot be greater than "
            f"{HEALTHY_RANGE}, got {minimum} and {maximum}"
        )
    return minimum, maximum


def _check_preferences(preferences: dict[str, Any]) -> None:
    points = [int(point) for point in preferences.get("CheckpointPercentages", [])]
    if points != sorted(set(points)) or any(not 1 <= point <= 100 for point in points):  # noqa: PLR2004 - per cent
        raise refuse(f"CheckpointPercentages must be 1 to 100, each greater than the one before, got {points}")
    if preferences.get("CheckpointDelay") and not points:
        raise refuse("CheckpointDelay needs CheckpointPercentages")
    for name in ("CheckpointDelay", "BakeTime"):
        if not 0 <= int(preferences.get(name) or 0) <= LONGEST_DELAY:
            raise refuse(f"{name} must be 0 to {LONGEST_DELAY} seconds, got {preferences[name]}")
    if int(preferences.get("InstanceWarmup") or 0) < 0:
        raise refuse(f"InstanceWarmup must not be negative, got {preferences['InstanceWarmup']}")


def _check_rollback(group: Any, desired: dict[str, Any]) -> None:
    """Refuse what has no way back: both sides must be numbered versions that name an AMI by its id.

    https://docs.aws.amazon.com/autoscaling/ec2/userguide/instance-refresh-rollback.html
    """
    if not desired:
        raise refuse("A rollback needs a DesiredConfiguration", "IrreversibleInstanceRefresh")
    for recipe in (launching.recipe_of(group), launching.recipe_of(group, desired)):
        version = str(recipe.template.get("Version") or "$Default")
        if not recipe.template or version in {"$Latest", "$Default"}:
            raise refuse(
                f"A rollback needs numbered launch template versions on both sides, got {version}",
                "IrreversibleInstanceRefresh",
            )
        request = launching.launch_request(group, recipe, None, None)
        image_id = merge_request(group.ec2_backend, request)[0].get("ImageId", "")
        if image_id.startswith(RESOLVE):
            raise refuse(
                f"A rollback needs AMI ids, not parameters, on both sides, got {image_id}",
                "IrreversibleInstanceRefresh",
            )
