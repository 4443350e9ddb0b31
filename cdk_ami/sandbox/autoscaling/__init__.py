"""Mends of the emulator's Auto Scaling: groups that act, and instance refreshes that really happen."""

from __future__ import annotations

from moto.autoscaling.models import AutoScalingBackend, FakeAutoScalingGroup, InstanceState
from moto.autoscaling.responses import AutoScalingResponse

from cdk_ami.sandbox import emulator, reset
from cdk_ami.sandbox.autoscaling import (
    answers,
    backend,
    group,
    hook_answers,
    member_answers,
    recipes,
    refresh_answers,
    requests,
    telling,
    warm_answers,
)
from cdk_ami.sandbox.control import ROUTES
from cdk_ami.sandbox.ec2 import capacity


def install() -> None:
    """Put the methods into the emulator's classes."""
    group.ORIGINAL.update(emulator.graft(FakeAutoScalingGroup, group.GroupMethods))
    backend.ORIGINAL.update(emulator.graft(AutoScalingBackend, backend.BackendMethods, new=backend.NEW))
    answers.ORIGINAL.update(emulator.graft(AutoScalingResponse, answers.GroupAnswers, new=answers.NEW))
    emulator.graft(AutoScalingResponse, member_answers.MemberAnswers)
    emulator.graft(AutoScalingResponse, hook_answers.HookAnswers, new=hook_answers.NEW)
    emulator.graft(AutoScalingResponse, warm_answers.WarmAnswers)
    emulator.graft(AutoScalingResponse, refresh_answers.RefreshAnswers, new=refresh_answers.NEW)
    emulator.replace_property(FakeAutoScalingGroup, "suspended_processes", group.suspended)
    ROUTES.update(requests.ROUTES)
    reset.also(telling.forget)
    reset.also(capacity.forget)
    emulator.replace_property(InstanceState, "launch_template", recipes.template_of)
