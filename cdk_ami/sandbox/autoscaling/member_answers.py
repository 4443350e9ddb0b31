"""What Auto Scaling answers about single instances: attached, detached, on standby, protected, terminated."""

from __future__ import annotations

from typing import Any, Final

from moto.autoscaling.models import ASG_NAME_TAG
from moto.core.responses import ActionResult, EmptyResult

from cdk_ami.sandbox.autoscaling import launching
from cdk_ami.sandbox.autoscaling.activities import at, begin, finish, now
from cdk_ami.sandbox.autoscaling.backend import find_group, find_instance, members_of
from cdk_ami.sandbox.autoscaling.errors import refuse
from cdk_ami.sandbox.autoscaling.members import Member, find_member

USER: Final = "in response to a user request"


class MemberAnswers:
    """Methods for the emulator's ``AutoScalingResponse``."""

    autoscaling_backend: Any
    _get_param: Any
    _get_bool_param: Any

    def attach_instances(self) -> ActionResult:
        """Answer AttachInstances: the group grows by them.

        https://docs.aws.amazon.com/autoscaling/ec2/userguide/attach-instance-asg.html
        """
        group, names = _asked(self)
        size = group.desired_capacity + len(names)
        if size > group.max_size:
            raise refuse(
                f"Cannot attach {len(names)} instances to {group.name}: the desired capacity {size} would be more than "
                f"its maximum size {group.max_size}."
            )
        instances = [group.ec2_backend.get_instance(name) for name in names]
        for instance in instances:
            _check_attachable(group, instance)
        for instance in instances:
            instance.add_tags({**group.get_propagated_tags(), ASG_NAME_TAG: group.name})
            member = Member(group, instance, now=now())
            member.protected_from_scale_in = bool(group.new_instances_protected_from_scale_in)
            before = group.desired_capacity
            group.desired_capacity = before + 1
            member.activity = begin(
                group,
                f"Attaching an existing EC2 instance: {instance.id}",
                f"an instance was attached {USER}, increasing the capacity from {before} to {before + 1}.",
                zone=member.availability_zone,
                subnet=instance.subnet_id,
            )
            group.instance_states.append(member)
            launching.serve(group, member, origin="EC2")
        launching.converge(group)
        return EmptyResult()

    def detach_instances(self) -> ActionResult:
        """Answer DetachInstances: they go on without the group, which replaces them unless it shrinks by them."""
        group, names = _asked(self)
        members = members_of(group, names)
        words = _shrink(self, group, members)
        activities = []
        for member in members:
            activity = begin(
                group,
                f"Detaching EC2 instance: {member.instance.id}",
                f"instance {member.instance.id} was detached {USER}{words}.",
                zone=member.availability_zone,
                subnet=member.instance.subnet_id,
            )
            group.instance_states = [one for one in group.instance_states if one is not member]
            group.ec2_backend.delete_tags([member.instance.id], {ASG_NAME_TAG: group.name})
            del member.instance.autoscaling_group
            way = {"origin": "AutoScalingGroup", "destination": "EC2"}
            finish(group, activity, "Detach", instance_id=member.instance.id, **way)
            activities.append(activity)
        launching.converge(group)
        return ActionResult({"Activities": activities})

    def enter_standby(self) -> ActionResult:
        """Answer EnterStandby: they count no more, and the group replaces them unless it shrinks by them."""
        group, names = _asked(self)
        members = members_of(group, names)
        for member in members:
            if not member.serving:
                raise refuse(f"The instance {member.instance.id} is not in InService but in {member.lifecycle_state}.")
        words = _shrink(self, group, members)
        activities = [
            _move(group, member, "Standby", "to Standby", f"was moved to standby {USER}{words}") for member in members
        ]
        launching.converge(group)
        return ActionResult({"Activities": activities})

    def exit_standby(self) -> ActionResult:
        """Answer ExitStandby: the group grows by them."""
        group, names = _asked(self)
        members = members_of(group, names)
        before = group.desired_capacity
        for member in members:
            if member.lifecycle_state != "Standby":
                raise refuse(f"The instance {member.instance.id} is not in Standby but in {member.lifecycle_state}.")
        if before + len(members) > group.max_size:
            raise refuse(
                f"The desired capacity {before + len(members)} would be more than the maximum size {group.max_size}."
            )
        group.desired_capacity = before + sum(member.weight for member in members)
        words = f", increasing the capacity from {before} to {group.desired_capacity}"
        activities = [
            _move(group, member, "InService", "out of Standby", f"was moved out of standby {USER}{words}")
            for member in members
        ]
        launching.converge(group)
        for member in members:
            if member.instance.state in {"stopped", "terminated"}:
                self.autoscaling_backend.sandbox_notify_stopped([member.instance.id])
        return ActionResult({"Activities": activities})

    def set_instance_protection(self) -> ActionResult:
        """Answer SetInstanceProtection."""
        group, names = _asked(self)
        for member in members_of(group, names):
            member.protected_from_scale_in = bool(self._get_bool_param("ProtectedFromScaleIn"))
        launching.converge(group)
        return EmptyResult()

    def terminate_instance_in_auto_scaling_group(self) -> ActionResult:
        """Answer TerminateInstanceInAutoScalingGroup."""
        group, member = find_instance(self.autoscaling_backend, self._get_param("InstanceId"))
        words = _shrink(self, group, [member])
        cause = at(f"instance {member.instance.id} was taken out of service {USER}{words}.")
        activity = dict(launching.terminate(group, member, cause))
        launching.converge(group)
        return ActionResult({"Activity": activity})


def _check_attachable(group: Any, instance: Any) -> None:
    if instance.state != "running":
        raise refuse(f"Invalid Instance ID(s): {instance.id} is not running but {instance.state}.")
    if instance.placement.zone not in group.availability_zones:
        raise refuse(f"The instance {instance.id} is in {instance.placement.zone}, where {group.name} is not.")
    for other in group.autoscaling_backend.autoscaling_groups.values():
        if find_member(other, instance.id):
            raise refuse(f"Invalid Instance ID(s): {instance.id} is already part of group {other.name}.")


def _shrink(answer: Any, group: Any, members: list[Member]) -> str:
    """Take the members off the desired capacity where the request says so, and return what to say of it."""
    if not answer._get_bool_param("ShouldDecrementDesiredCapacity"):  # noqa: SLF001 - moto's
        return ""
    before = group.desired_capacity
    after = before - sum(member.weight for member in members if member.counted)
    if after < group.min_size:
        raise refuse(
            f"Currently, desiredSize equals minSize ({group.min_size}). Terminating instance without replacement "
            "will violate group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false or "
            "lower group's min size."
        )
    group.desired_capacity = after
    return f", shrinking the capacity from {before} to {after}"


def _move(group: Any, member: Member, state: str, where: str, words: str) -> dict[str, Any]:
    activity = begin(
        group,
        f"Moving EC2 instance {where}: {member.instance.id}",
        f"instance {member.instance.id} {words}.",
        zone=member.availability_zone,
        subnet=member.instance.subnet_id,
    )
    member.lifecycle_state = state
    activity |= {"EndTime": now(), "Progress": 100, "StatusCode": "Successful"}
    return activity


def _asked(answer: Any) -> tuple[Any, list[str]]:
    group = find_group(answer.autoscaling_backend, answer._get_param("AutoScalingGroupName"))  # noqa: SLF001 - moto's
    return group, answer._get_param("InstanceIds", [])  # noqa: SLF001 - moto's
