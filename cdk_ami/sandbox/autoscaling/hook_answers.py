"""What Auto Scaling answers about lifecycle hooks."""

from __future__ import annotations

from typing import Any, Final

from moto.core.responses import ActionResult, EmptyResult

from cdk_ami.sandbox.autoscaling.activities import publish, test_message
from cdk_ami.sandbox.autoscaling.backend import find_group
from cdk_ami.sandbox.autoscaling.errors import refuse
from cdk_ami.sandbox.autoscaling.hooks import RESULTS, Action, Hook, hooks_of, make_hook
from cdk_ami.sandbox.autoscaling.members import find_member, warm_pool

NEW: Final = frozenset({"complete_lifecycle_action", "record_lifecycle_action_heartbeat"})
"""Operations that the emulator must not have yet."""

MOST_HOOKS: Final = 50
"""Hooks of a group at most.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-quotas.html
"""


class HookAnswers:
    """Methods for the emulator's ``AutoScalingResponse``."""

    autoscaling_backend: Any
    params: Any
    _get_param: Any

    def put_lifecycle_hook(self) -> ActionResult:
        """Answer PutLifecycleHook; its target, where it has one, gets a message to test it."""
        group = find_group(self.autoscaling_backend, self._get_param("AutoScalingGroupName"))
        kept = hooks_of(group)
        before = kept.get(self._get_param("LifecycleHookName"))
        if before is None and len(kept) >= MOST_HOOKS:
            raise refuse(
                f"The group {group.name} has {MOST_HOOKS} lifecycle hooks, the most there can be", "LimitExceeded"
            )
        hook = make_hook(self.params, before)
        kept[hook.name] = hook
        if hook.target:
            subject = f"Auto Scaling: test notification for group {group.name!r}"
            publish(group, hook.target, subject, test_message(group))
        return EmptyResult()

    def describe_lifecycle_hooks(self) -> ActionResult:
        """Answer DescribeLifecycleHooks."""
        group = find_group(self.autoscaling_backend, self._get_param("AutoScalingGroupName"))
        names = self._get_param("LifecycleHookNames", [])
        found = [hook for hook in hooks_of(group).values() if not names or hook.name in names]
        return ActionResult({"LifecycleHooks": [hook.describe(group) for hook in found]})

    def delete_lifecycle_hook(self) -> ActionResult:
        """Answer DeleteLifecycleHook; instances that wait for it go on as its default result says.

        https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DeleteLifecycleHook.html
        """
        group = find_group(self.autoscaling_backend, self._get_param("AutoScalingGroupName"))
        hook = _hook(group, self._get_param("LifecycleHookName"))
        del hooks_of(group)[hook.name]
        for member in (*group.instance_states, *warm_pool(group)):
            if action := member.waiting.get(hook.name):
                # AWS: the actions in progress are completed, ABANDON for launching, CONTINUE for terminating.
                action.complete("ABANDON" if hook.transition.endswith("LAUNCHING") else "CONTINUE")
        return EmptyResult()

    def complete_lifecycle_action(self) -> ActionResult:
        """Answer CompleteLifecycleAction."""
        result = self._get_param("LifecycleActionResult")
        if result not in RESULTS:
            raise refuse(f"LifecycleActionResult must be CONTINUE or ABANDON, got {result}")
        _action(self).complete(result)
        return EmptyResult()

    def record_lifecycle_action_heartbeat(self) -> ActionResult:
        """Answer RecordLifecycleActionHeartbeat."""
        _action(self).heartbeat()
        return EmptyResult()


def _hook(group: Any, name: str) -> Hook:
    hook = hooks_of(group).get(name)
    if hook is None:
        raise refuse(f"Lifecycle hook not found with name {name} for group {group.name}")
    return hook


def _action(answer: Any) -> Action:
    """Return the action that a request names by its token, or by its instance."""
    get = answer._get_param  # noqa: SLF001 - moto's
    group = find_group(answer.autoscaling_backend, get("AutoScalingGroupName"))
    hook = _hook(group, get("LifecycleHookName"))
    token, instance_id = get("LifecycleActionToken"), get("InstanceId")
    if token:
        for member in (*group.instance_states, *warm_pool(group)):
            action: Action | None = member.waiting.get(hook.name)
            if action is not None and action.token == token:
                return action
        raise refuse(f"No active Lifecycle Action found with token {token}")
    if not instance_id:
        raise refuse("Either InstanceId or LifecycleActionToken must be specified")
    found = find_member(group, instance_id)
    waiting: Action | None = found.waiting.get(hook.name) if found else None
    if waiting is None:
        raise refuse(f"No active Lifecycle Action found with instance ID {instance_id}")
    return waiting
