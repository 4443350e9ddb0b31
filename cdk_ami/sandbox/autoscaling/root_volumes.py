"""Replaces the root volume of an instance that stays what and where it is.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/replace-root-volume.html, read 2026-11-28
"""

from __future__ import annotations

from typing import Any, Final

from moto.core.exceptions import ServiceException

from cdk_ami.sandbox.autoscaling import balancers, hooks, launching
from cdk_ami.sandbox.autoscaling.activities import begin, now
from cdk_ami.sandbox.autoscaling.members import Member
from cdk_ami.sandbox.autoscaling.recipes import Choice, Recipe, merged
from cdk_ami.sandbox.ec2.parameters import resolve_image_id
from cdk_ami.sandbox.ec2.refusal import refusal
from cdk_ami.sandbox.ec2.root_volumes import replace_root_volume
from cdk_ami.sandbox.ec2.visibility import find_image

ACTION: Final = "ReplaceRootVolume"
WAY: Final = (hooks.GROUP, hooks.GROUP)
FAILED: Final = "an instance was taken out of service in response to a failed root volume replacement."


def replace(group: Any, member: Member, recipe: Recipe) -> None:
    """Replace the root volume of an instance by the recipe's AMI for its type, past the hooks of both transitions.

    An instance whose volume cannot be replaced is terminated, and the group launches another.
    """
    activity = begin(
        group,
        f"Replacing root volume of EC2 instance: {member.instance.id}",
        "a root volume was replaced in response to an instance refresh.",
        zone=member.availability_zone,
        subnet=member.instance.subnet_id,
    )
    activity["StatusCode"] = "InPlaceUpdateInProgress"

    def replaced(go_on: bool) -> None:  # noqa: FBT001 - the one argument of a callback
        if go_on:
            activity.update({"EndTime": now(), "Progress": 100, "StatusCode": "Successful"})
            launching.serve(group, member, origin=hooks.GROUP)
        else:
            give_up("The lifecycle action was abandoned.")

    def free(go_on: bool) -> None:  # noqa: FBT001 - as above
        if not go_on:
            give_up("The lifecycle action was abandoned.")
            return
        try:
            _swap(group, member, _choice(group, member, recipe))
        except ServiceException as error:
            give_up(error.message)
            return
        member.lifecycle_state = "RootVolumeReplaced"
        hooks.hold(group, member, hooks.LAUNCHING, "Pending", replaced, way=WAY, what=ACTION)

    def give_up(why: str) -> None:
        activity.update({"EndTime": now(), "Progress": 100, "StatusCode": "Failed", "StatusMessage": why[:255]})
        launching.terminate(group, member, FAILED, at_once=True)
        launching.converge(group)

    hooks.hold(group, member, hooks.TERMINATING, ACTION_STATE, free, way=WAY, what=ACTION)
    balancers.update(group)


ACTION_STATE: Final = "ReplacingRootVolume"


def _choice(group: Any, member: Member, recipe: Recipe) -> Choice:
    """Return the recipe's choice for the instance's type."""
    for choice in recipe.choices:
        request, _ = merged(group, choice)
        if request.get("InstanceType") == member.instance.instance_type:
            return choice
    return recipe.choices[0]


def _swap(group: Any, member: Member, choice: Choice) -> None:
    """Put a new root volume, made of the choice's AMI, in the place of the old one, which is deleted."""
    backend, instance = group.ec2_backend, member.instance
    request, version = merged(group, choice)
    image = find_image(backend.region_name, backend.account_id, resolve_image_id(backend, request.get("ImageId", "")))
    task = replace_root_volume(backend, instance, group.service_linked_role_arn, image=image, delete=True)
    if task.failed:
        raise refusal(
            "Client.InternalError", f"The root volume of {instance.id} could not be replaced: its key is closed"
        )
    member.image_id = image.id
    instance.sandbox_version = version
