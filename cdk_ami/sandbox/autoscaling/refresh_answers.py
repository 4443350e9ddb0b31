"""What Auto Scaling answers about instance refreshes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from moto.core.responses import ActionResult

from cdk_ami.sandbox.autoscaling import launching
from cdk_ami.sandbox.autoscaling.backend import find_group
from cdk_ami.sandbox.autoscaling.errors import refuse
from cdk_ami.sandbox.autoscaling.paging import page
from cdk_ami.sandbox.autoscaling.recipes import Recipe, check_recipe, matches, merged, recipe_of
from cdk_ami.sandbox.autoscaling.refresh import (
    ACTIVE,
    REPLACE_ROOT_VOLUME,
    ROLLING,
    STRATEGIES,
    Refresh,
    active_refresh,
    refreshes,
    warm_up,
)
from cdk_ami.sandbox.ec2.parameters import RESOLVE, resolve_image_id
from cdk_ami.sandbox.ec2.visibility import find_image
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

USUAL_CHECKPOINT_DELAY: Final = 3600
"""Seconds after a checkpoint unless another delay is given.  Same source."""

MOST_ALARMS: Final = 10
"""Alarms of a refresh at most.

https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_AlarmSpecification.html
"""

CHOICES: Final = {
    "ScaleInProtectedInstances": ("Refresh", "Ignore", "Wait"),
    "StandbyInstances": ("Terminate", "Ignore", "Wait"),
}
"""What a refresh does about instances that it may not simply replace.  Same source as above."""

UNNUMBERED: Final = frozenset({"$Latest", "$Default"})
"""Versions of a launch template that mean another one tomorrow."""

IRREVERSIBLE: Final = "IrreversibleInstanceRefresh"
REFUSED: Final = "ValidationError"


class RefreshAnswers:
    """Methods for the emulator's ``AutoScalingResponse``."""

    autoscaling_backend: Any
    _get_param: Any
    _get_bool_param: Any

    def start_instance_refresh(self) -> ActionResult:
        """Answer StartInstanceRefresh."""
        group = find_group(self.autoscaling_backend, self._get_param("AutoScalingGroupName"))
        strategy = self._get_param("Strategy") or ROLLING
        if strategy not in STRATEGIES:
            raise refuse(f"Strategy must be one of {', '.join(STRATEGIES)}, got {strategy}")
        given = dict(self._get_param("Preferences", {}) or {})
        desired = dict(self._get_param("DesiredConfiguration", {}) or {})
        preferences = _preferences(group, given)
        if preferences["AutoRollback"]:
            _check_rollback(group, desired, REFUSED)
        if desired:
            if len(desired) > 1:
                raise refuse("A desired configuration has either a LaunchTemplate or a MixedInstancesPolicy, not both")
            check_recipe(group, recipe_of(group, desired), *launching.places(group)[0])
        if strategy == REPLACE_ROOT_VOLUME:
            _check_root_volumes(group, desired)
        with LOCK:
            if active_refresh(group) is not None:
                raise refuse(
                    "An Instance Refresh is already in progress and blocks the execution of this Instance Refresh.",
                    "InstanceRefreshInProgress",
                )
            refresh = Refresh(
                group=group,
                strategy=strategy,
                preferences=preferences,
                desired=desired,
                exceeds=_maximum(group, given) is not None,
                warmup=warm_up(given),
            )
            refreshes(group).append(refresh)
            refresh.start()
        return ActionResult({"InstanceRefreshId": refresh.identifier})

    def describe_instance_refreshes(self) -> ActionResult:
        """Answer DescribeInstanceRefreshes, the newest first."""
        group = find_group(self.autoscaling_backend, self._get_param("AutoScalingGroupName"))
        wanted = self._get_param("InstanceRefreshIds", [])
        found = [each for each in reversed(refreshes(group)) if not wanted or each.identifier in wanted]
        answer = page(self, "InstanceRefreshes", found, usual=50)
        return ActionResult({**answer, "InstanceRefreshes": [each.describe() for each in answer["InstanceRefreshes"]]})

    def cancel_instance_refresh(self) -> ActionResult:
        """Answer CancelInstanceRefresh: a rollback can be cancelled too."""
        refresh = _active(self, ACTIVE - {"Cancelling"})
        refresh.cancel(wait=self._get_bool_param("WaitForTransitioningInstances") is not False)
        return ActionResult({"InstanceRefreshId": refresh.identifier})

    def rollback_instance_refresh(self) -> ActionResult:
        """Answer RollbackInstanceRefresh."""
        refresh = _active(self, ACTIVE - {"Cancelling", "RollbackInProgress"})
        _check_rollback(refresh.group, refresh.desired, IRREVERSIBLE)
        refresh.roll_back()
        return ActionResult({"InstanceRefreshId": refresh.identifier})


def _active(answer: Any, states: frozenset[str]) -> Refresh:
    group = find_group(answer.autoscaling_backend, answer._get_param("AutoScalingGroupName"))  # noqa: SLF001 - moto's
    refresh = active_refresh(group)
    if refresh is None or refresh.status not in states:
        raise refuse(
            f"No in progress or pending Instance Refresh found for Auto Scaling group {group.name}",
            "ActiveInstanceRefreshNotFound",
        )
    return refresh


def _preferences(group: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was asked for, checked, with what holds where nothing was asked for."""
    minimum, maximum = _healthy(group, given)
    marks = [int(mark) for mark in given.get("CheckpointPercentages", [])]
    if marks != sorted(set(marks)) or any(not 1 <= mark <= 100 for mark in marks):  # noqa: PLR2004 - per cent
        raise refuse(f"CheckpointPercentages must be 1 to 100, each greater than the one before, got {marks}")
    if given.get("CheckpointDelay") is not None and not marks:
        raise refuse("CheckpointDelay needs CheckpointPercentages")
    for name in ("CheckpointDelay", "BakeTime"):
        if not 0 <= int(given.get(name) or 0) <= LONGEST_DELAY:
            raise refuse(f"{name} must be 0 to {LONGEST_DELAY} seconds, got {given[name]}")
    if int(given.get("InstanceWarmup") or 0) < 0:
        raise refuse(f"InstanceWarmup must not be negative, got {given['InstanceWarmup']}")
    for name, choices in CHOICES.items():
        if given.get(name) not in {None, *choices}:
            raise refuse(f"{name} must be one of {', '.join(choices)}, got {given[name]}")
    alarms = (given.get("AlarmSpecification") or {}).get("Alarms", [])
    if len(alarms) > MOST_ALARMS:
        raise refuse(f"AlarmSpecification names {MOST_ALARMS} alarms at most, got {len(alarms)}")
    return {
        "InstanceWarmup": _usual_warm_up(group),
        "SkipMatching": False,
        "AutoRollback": False,
        "ScaleInProtectedInstances": "Wait",
        "StandbyInstances": "Wait",
        **({"CheckpointDelay": USUAL_CHECKPOINT_DELAY} if marks else {}),
        **given,
        "MinHealthyPercentage": minimum,
        "MaxHealthyPercentage": maximum,
    }


def _usual_warm_up(group: Any) -> int:
    asked = getattr(group, "default_instance_warmup", None)
    return int(group.health_check_grace_period or 0) if asked is None or int(asked) < 0 else int(asked)


def _maximum(group: Any, given: Mapping[str, Any]) -> Any:
    """Return the upper bound that the refresh or the group's maintenance policy names, None where none does."""
    policy = getattr(group, "instance_maintenance_policy", None) or {}
    if given.get("MinHealthyPercentage") is not None or given.get("MaxHealthyPercentage") is not None:
        return given.get("MaxHealthyPercentage")
    return policy.get("MaxHealthyPercentage")


def _healthy(group: Any, given: Mapping[str, Any]) -> tuple[int, int]:
    policy = getattr(group, "instance_maintenance_policy", None) or {}
    minimum, maximum = given.get("MinHealthyPercentage"), _maximum(group, given)
    if given.get("MaxHealthyPercentage") is not None and minimum is None:
        raise refuse("MinHealthyPercentage must be specified when MaxHealthyPercentage is")
    if minimum is None:
        minimum = policy.get("MinHealthyPercentage")
    minimum = MIN_HEALTHY if minimum is None else int(minimum)
    maximum = MAX_HEALTHY if maximum is None else int(maximum)
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


def _check_rollback(group: Any, desired: Mapping[str, Any], code: str) -> None:
    """Refuse what has no way back: both sides must be numbered versions that name an AMI by its id.

    https://docs.aws.amazon.com/autoscaling/ec2/userguide/instance-refresh-rollback.html
    """
    if not desired:
        raise refuse("A rollback needs a DesiredConfiguration", code)
    for recipe in (recipe_of(group), recipe_of(group, desired)):
        _check_numbered(recipe, "A rollback needs numbered launch template versions on both sides", code)
        for choice in recipe.choices:
            image_id = merged(group, choice)[0].get("ImageId", "")
            if image_id.startswith(RESOLVE):
                raise refuse(f"A rollback needs AMI ids, not parameters, on both sides, got {image_id}", code)


def _check_numbered(recipe: Recipe, problem: str, code: str) -> None:
    for choice in recipe.choices:
        version = str(choice.template.get("Version") or "$Default")
        if not choice.template or version in UNNUMBERED:
            raise refuse(f"{problem}, got {version}", code)


def _check_root_volumes(group: Any, desired: Mapping[str, Any]) -> None:
    """Refuse a replacement of root volumes that Auto Scaling does not begin.

    https://docs.aws.amazon.com/autoscaling/ec2/userguide/replace-root-volume.html, read 2026-11-28
    """
    policy = desired.get("MixedInstancesPolicy")
    if not policy or not group.mixed_instances_policy:
        raise refuse("ReplaceRootVolume needs a mixed instances policy of the group and in the desired configuration")
    own, target = recipe_of(group), recipe_of(group, desired)
    if not all(choice.override.get("ImageId") for choice in target.choices):
        raise refuse("ReplaceRootVolume needs an ImageId in every override of the mixed instances policy")
    for recipe in (own, target):
        _check_numbered(recipe, "ReplaceRootVolume needs numbered launch template versions", REFUSED)
    if group.warm_pool is not None:
        raise refuse("ReplaceRootVolume cannot be used with a group that has a warm pool")
    types = {choice.override.get("InstanceType") for choice in target.choices}
    for member in group.instance_states:
        if member.instance.instance_type not in types:
            raise refuse(
                f"ReplaceRootVolume: the instance {member.instance.id} is of type {member.instance.instance_type}, "
                "which the mixed instances policy does not have"
            )
        if not matches(group, member, own) and not matches(group, member, target):
            raise refuse(f"ReplaceRootVolume: the instance {member.instance.id} does not match the group's template")
    for choice in target.choices:
        backend = group.ec2_backend
        image_id = resolve_image_id(backend, choice.override["ImageId"])
        image = find_image(backend.region_name, backend.account_id, image_id)
        if sum("Ebs" in mapping for mapping in image.mappings) != 1:
            raise refuse(f"ReplaceRootVolume needs AMIs with one root volume only, {image_id} has more")
