"""Lifecycle hooks: instances that wait on their way in, out, or into a warm pool, until somebody lets them go on.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/lifecycle-hooks.html, read 2026-11-28
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final
from uuid import uuid4

from cdk_ami.sandbox.autoscaling.activities import envelope, publish, tell
from cdk_ami.sandbox.autoscaling.errors import refuse
from cdk_ami.sandbox.autoscaling.members import Member
from cdk_ami.sandbox.clock import CLOCK, Call
from cdk_ami.sandbox.serial import LOCK

LAUNCHING: Final = "autoscaling:EC2_INSTANCE_LAUNCHING"
TERMINATING: Final = "autoscaling:EC2_INSTANCE_TERMINATING"

DETAIL_TYPES: Final = {
    LAUNCHING: "EC2 Instance-launch Lifecycle Action",
    TERMINATING: "EC2 Instance-terminate Lifecycle Action",
}
"""Events of an instance that begins to wait, by transition."""

GROUP: Final = "AutoScalingGroup"
POOL: Final = "WarmPool"
OUTSIDE: Final = "EC2"

LONGEST_WAIT: Final = 172_800
"""Seconds that an instance waits at most, however many heartbeats it gets.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/lifecycle-hooks.html#lifecycle-hook-considerations
"""

HEARTBEATS: Final = 100
"""The same limit as a multiple of the hook's time-out, where that is less.  Same source."""


RESULTS: Final = frozenset({"CONTINUE", "ABANDON"})
"""Answers to a hook."""

USUAL_HEARTBEAT: Final = 3600
HEARTBEAT_BOUNDS: Final = (30, 7200)
"""Seconds that a hook waits for an answer: usually, and at least and at most.

https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_PutLifecycleHook.html
"""


@dataclass(slots=True, kw_only=True)
class Hook:
    """A hook of a group."""

    name: str
    transition: str
    heartbeat: int
    default: str
    target: str | None = None
    role: str | None = None
    metadata: str | None = None

    @property
    def longest(self) -> int:
        """Seconds that an instance waits at most."""
        return min(LONGEST_WAIT, HEARTBEATS * self.heartbeat)

    def describe(self, group: Any) -> dict[str, Any]:
        """Return the hook's record."""
        record = {
            "LifecycleHookName": self.name,
            "AutoScalingGroupName": group.name,
            "LifecycleTransition": self.transition,
            "NotificationTargetARN": self.target,
            "RoleARN": self.role,
            "NotificationMetadata": self.metadata,
            "HeartbeatTimeout": self.heartbeat,
            "GlobalTimeout": self.longest,
            "DefaultResult": self.default,
        }
        return {key: value for key, value in record.items() if value is not None}


def hooks_of(group: Any) -> dict[str, Hook]:
    """Return the hooks of ``group`` by name."""
    kept: dict[str, Hook] = group.__dict__.setdefault("sandbox_hooks", {})
    return kept


def make_hook(request: Mapping[str, Any], before: Hook | None = None) -> Hook:
    """Return the hook that a request describes, over the one that it changes.

    https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_PutLifecycleHook.html
    """
    name = request["LifecycleHookName"]
    transition = request.get("LifecycleTransition") or (before.transition if before else None)
    if transition not in DETAIL_TYPES:
        raise refuse(f"LifecycleTransition must be one of {', '.join(DETAIL_TYPES)}, got {transition}")
    default = request.get("DefaultResult") or (before.default if before else "ABANDON")
    if default not in RESULTS:
        raise refuse(f"DefaultResult must be CONTINUE or ABANDON, got {default}")
    heartbeat = int(request.get("HeartbeatTimeout") or (before.heartbeat if before else USUAL_HEARTBEAT))
    shortest, longest = HEARTBEAT_BOUNDS
    if not shortest <= heartbeat <= longest:
        raise refuse(f"HeartbeatTimeout must be {shortest} to {longest} seconds, got {heartbeat}")
    target = request.get("NotificationTargetARN", before.target if before else None) or None
    role = request.get("RoleARN") or (before.role if before else None)
    if target:
        if target.split(":")[2:3] not in (["sns"], ["sqs"]):
            raise refuse(f"the sandbox notifies SNS topics and SQS queues of lifecycle actions, got {target}")
        if not role:
            raise refuse("RoleARN is required with a notification target that is a topic or a queue")
    metadata = request.get("NotificationMetadata") or (before.metadata if before else None)
    return Hook(
        name=name,
        transition=transition,
        heartbeat=heartbeat,
        default=default,
        target=target,
        role=role,
        metadata=metadata,
    )


@dataclass(slots=True, kw_only=True, eq=False)
class Wait:
    """What an instance waits for at one place: the answers to all hooks of a transition.

    Attributes:
        state: State of the instance without its ``:Wait``.
        then: What happens afterwards; it is told whether the instance may go on.
        actions: What has not been answered yet, by the hook's name.
    """

    group: Any
    member: Member
    state: str
    then: Callable[[bool], None]
    actions: dict[str, Action] = field(default_factory=dict)

    def answer(self, action: Action, *, go_on: bool) -> None:
        """Take the answer to one action: the last one, or one that says no, ends the wait."""
        action.timer.cancel()
        self.actions.pop(action.hook.name, None)
        if go_on and self.actions:
            return
        self.drop()
        self.member.lifecycle_state = f"{self.state}:Proceed"
        self.then(go_on)

    def drop(self) -> None:
        """Wait no more, and do not go on either."""
        for action in self.actions.values():
            action.timer.cancel()
        self.actions.clear()
        self.member.waiting.clear()


@dataclass(slots=True, kw_only=True, eq=False)
class Action:
    """One hook that one instance waits for."""

    wait: Wait
    hook: Hook
    timer: Call
    token: str = field(default_factory=lambda: str(uuid4()))
    began: Any = field(default_factory=CLOCK.now)

    def heartbeat(self) -> None:
        """Begin the time-out anew, within the longest wait."""
        self.timer.cancel()
        last = self.began + timedelta(seconds=self.hook.longest)
        self.timer = CLOCK.at(min(CLOCK.now() + timedelta(seconds=self.hook.heartbeat), last), lambda: _time_out(self))

    def complete(self, result: str) -> None:
        """Answer it with ``CONTINUE`` or ``ABANDON``."""
        self.wait.answer(self, go_on=result == "CONTINUE")


def _time_out(action: Action) -> None:
    with LOCK:
        if action.wait.actions.get(action.hook.name) is action:
            action.complete(action.hook.default)


def hold(
    group: Any,
    member: Member,
    transition: str,
    state: str,
    then: Callable[[bool], None],
    *,
    way: tuple[str, str],
    what: str | None = None,
) -> None:
    """Let an instance wait for the hooks of ``transition``, then do ``then``; at once where there are none.

    Args:
        group: The group.
        member: The instance.
        transition: ``LAUNCHING`` or ``TERMINATING``.
        state: The state of the instance meanwhile, without its ``:Wait``.
        then: Told whether the instance may go on.
        way: From where the instance comes and where it goes.
        what: What is done to it, where the hooks are to hear of it: ``ReplaceRootVolume``.
    """
    member.lifecycle_state = state
    hooks = [hook for hook in hooks_of(group).values() if hook.transition == transition]
    if not hooks:
        then(True)  # noqa: FBT003 - the one argument of a callback
        return
    wait = Wait(group=group, member=member, state=state, then=then)
    member.lifecycle_state = f"{state}:Wait"
    for hook in hooks:
        action = Action(wait=wait, hook=hook, timer=CLOCK.after(hook.longest, _never))
        action.heartbeat()
        wait.actions[hook.name] = member.waiting[hook.name] = action
        _announce(group, action, way, what)


def _never() -> None:
    """Stand in until an action's own time-out begins."""


def release(member: Member) -> None:
    """Let an instance wait for nothing more: something else happens to it."""
    for action in list(member.waiting.values()):
        action.wait.drop()


def _announce(group: Any, action: Action, way: tuple[str, str], what: str | None) -> None:
    hook = action.hook
    detail = {
        "LifecycleActionToken": action.token,
        "AutoScalingGroupName": group.name,
        "LifecycleHookName": hook.name,
        "EC2InstanceId": action.wait.member.instance.id,
        "LifecycleTransition": hook.transition,
        "NotificationMetadata": hook.metadata,
        "Origin": way[0],
        "Destination": way[1],
        "Action": what,
    }
    detail = {key: value for key, value in detail.items() if value is not None}
    tell(group, DETAIL_TYPES[hook.transition], detail)
    if hook.target:
        subject = f"Auto Scaling:  Lifecycle action {hook.transition.partition(':')[2]!r} for instance "
        subject += f"{action.wait.member.instance.id} in progress."
        publish(group, hook.target, subject, {**envelope(group, str(uuid4())), **detail})
