"""What Auto Scaling answers about warm pools."""

from __future__ import annotations

from typing import Any, Final

from moto.autoscaling.models import FakeWarmPool
from moto.core.responses import ActionResult, EmptyResult

from cdk_ami.sandbox.autoscaling import launching, warm
from cdk_ami.sandbox.autoscaling.backend import find_group
from cdk_ami.sandbox.autoscaling.errors import refuse
from cdk_ami.sandbox.autoscaling.members import warm_pool
from cdk_ami.sandbox.autoscaling.paging import page
from cdk_ami.sandbox.autoscaling.recipes import concrete, merged
from cdk_ami.sandbox.autoscaling.refresh import REPLACE_ROOT_VOLUME, active_refresh

UNSET: Final = -1
"""Value of MaxGroupPreparedCapacity that takes away the one before."""


class WarmAnswers:
    """Methods for the emulator's ``AutoScalingResponse``."""

    autoscaling_backend: Any
    _get_param: Any
    _get_int_param: Any
    _get_bool_param: Any

    def put_warm_pool(self) -> ActionResult:
        """Answer PutWarmPool: what it does not name is as it is by default.

        https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_PutWarmPool.html
        """
        group = find_group(self.autoscaling_backend, self._get_param("AutoScalingGroupName"))
        prepared = self._get_int_param("MaxGroupPreparedCapacity")
        minimum = self._get_int_param("MinSize") or 0
        state = self._get_param("PoolState") or "Stopped"
        if prepared is not None and prepared != UNSET and prepared < group.min_size:
            raise refuse(
                f"MaxGroupPreparedCapacity, {prepared}, must be -1 or at least the minimum size of the group, "
                f"{group.min_size}"
            )
        running = active_refresh(group)
        if running is not None and running.strategy == REPLACE_ROOT_VOLUME:
            raise refuse(
                "You can't add a warm pool while an instance refresh with ReplaceRootVolume is in progress.",
                "InstanceRefreshInProgress",
            )
        _check_recipe(group, state)
        group.warm_pool = FakeWarmPool(
            max_group_prepared_capacity=None if prepared == UNSET else prepared,
            min_size=minimum,
            pool_state=state,
            instance_reuse_policy=self._get_param("InstanceReusePolicy"),
        )
        for member in warm.ready(group):
            warm.rest(group, member)
        warm.adjust(group)
        return EmptyResult()

    def describe_warm_pool(self) -> ActionResult:
        """Answer DescribeWarmPool."""
        group = find_group(self.autoscaling_backend, self._get_param("AutoScalingGroupName"))
        answer = page(self, "Instances", warm_pool(group), usual=50)
        return ActionResult({**answer, "WarmPoolConfiguration": group.warm_pool})

    def delete_warm_pool(self) -> ActionResult:
        """Answer DeleteWarmPool: the pool goes when its instances are gone, which hooks may hold; at once by force."""
        group = find_group(self.autoscaling_backend, self._get_param("AutoScalingGroupName"))
        if group.warm_pool is None:
            raise refuse(f"No warm pool found for Auto Scaling group {group.name}")
        force = bool(self._get_bool_param("ForceDelete", False))  # noqa: FBT003 - moto's signature
        if getattr(group.warm_pool, "status", None) == "PendingDelete" and not force:
            raise refuse("The warm pool is being deleted already", "ScalingActivityInProgress")
        group.warm_pool.status = "PendingDelete"
        cause = "an instance was taken out of the warm pool in response to a user request to delete it."
        for member in list(warm_pool(group)):
            launching.terminate(group, member, cause, at_once=force)
        warm.close(group)
        return EmptyResult()


def _check_recipe(group: Any, state: str) -> None:
    recipe = launching.current_recipe(group)
    share = (recipe.distribution or {}).get("OnDemandPercentageAboveBaseCapacity")
    spot = share is not None and int(share) < 100  # noqa: PLR2004 - per cent
    requests = [merged(group, choice)[0] for choice in concrete(group, recipe)]
    if spot or any((request.get("InstanceMarketOptions") or {}).get("MarketType") == "spot" for request in requests):
        raise refuse("You can't add a warm pool to an Auto Scaling group that launches Spot Instances.")
    if state == "Hibernated" and not all((one.get("HibernationOptions") or {}).get("Configured") for one in requests):
        raise refuse("The launch template must enable hibernation for a warm pool of hibernated instances.")
