"""AMIs of a build: the one it starts from, and the one it captures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cdk_ami.sandbox.imagebuilder import arns, managed
from cdk_ami.sandbox.imagebuilder.engine.machines import MACHINES
from cdk_ami.sandbox.imagebuilder.engine.plan import Copy, Place, tag_list
from cdk_ami.sandbox.imagebuilder.engine.session import Session, StepError
from cdk_ami.sandbox.imagebuilder.models import ImageBuilderBackend


def find_source(session: Session, backend: ImageBuilderBackend, parent: str) -> dict[str, Any]:
    """Return EC2's description of the AMI that the parent image of a recipe is now.

    Raises:
        StepError: When there is none that can be launched.
    """
    image_id = source_id(session, backend, parent)
    image = describe(session, image_id, session.home)
    if image is None:
        raise StepError(session.home, f"the parent image {parent} names the AMI {image_id}, which does not exist here")
    if image["State"] != "available":
        raise StepError(session.home, f"the parent image {parent} names the AMI {image_id}, which is {image['State']}")
    return image


def source_id(session: Session, backend: ImageBuilderBackend, parent: str) -> str:
    """Return the id of the AMI that an AMI id, a parameter or the ARN of an image names now.

    Raises:
        StepError: When it names none here.
    """
    if parent.startswith("ssm:"):
        return _parameter(session, parent.removeprefix("ssm:"))
    wanted = arns.parse(parent)
    if wanted is None:
        return parent
    if wanted.account == arns.MANAGED:
        if wanted.name not in managed.PARAMETERS:
            raise StepError(session.home, f"there is no image {parent}")
        return _parameter(session, managed.PARAMETERS[wanted.name])
    with backend.lock:
        built = [record for record in backend.kind("image") if record.body["state"]["status"] in _USABLE]
        newest = arns.select(wanted, [record.parsed for record in built])
        amis = [] if newest is None else backend.own[str(newest)].body["outputResources"]["amis"]
    found = [ami["image"] for ami in amis if (ami["region"], ami["accountId"]) == _key(session.home)]
    if not found:
        raise StepError(session.home, f"the parent image {parent} has no available AMI here")
    return str(found[0])


_USABLE: Final = ("AVAILABLE", "DEPRECATED")
"""States of images that can be built on.
https://docs.aws.amazon.com/imagebuilder/latest/userguide/image-lifecycle-rules.html, read 2026-11-28"""


def _parameter(session: Session, name: str) -> str:
    try:
        return str(session.call("ssm", "get_parameter", Name=name)["Parameter"]["Value"])
    except StepError as error:
        raise StepError(session.home, f"the parent image cannot be read from the parameter {name}: {error}") from error


def _key(place: Place) -> tuple[str, str]:
    return place.region, place.account


def describe(session: Session, image_id: str, at: Place) -> dict[str, Any] | None:
    """Return EC2's description of an AMI, None where there is none."""
    try:
        images = session.call("ec2", "describe_images", at=at, ImageIds=[image_id])["Images"]
    except StepError as error:
        if "InvalidAMIID" in str(error):
            return None
        raise
    return images[0] if images else None


def capture(session: Session, instance_id: str, plan: Copy) -> str:
    """Create the AMI of a stopped instance, wait until it is available, and return its id."""
    tags = tag_list(plan.tags)
    request: dict[str, Any] = {"Description": plan.description} if plan.description else {}
    answer = session.call(
        "ec2",
        "create_image",
        InstanceId=instance_id,
        Name=plan.name,
        TagSpecifications=[{"ResourceType": "image", "Tags": tags}, {"ResourceType": "snapshot", "Tags": tags}],
        **request,
    )
    image_id: str = answer["ImageId"]
    MACHINES.keep(instance_id, image_id)
    wait_available(session, image_id, plan.place)
    return image_id


def register(session: Session, plan: Copy, tags: Mapping[str, str], request: Mapping[str, Any]) -> str:
    """Register an AMI from snapshots, wait until it is available, and return its id."""
    described = {"Description": plan.description} if plan.description else {}
    marked = [{"ResourceType": "image", "Tags": tag_list(tags)}]
    answer = session.call("ec2", "register_image", **{**described, **request}, Name=plan.name, TagSpecifications=marked)
    image_id: str = answer["ImageId"]
    wait_available(session, image_id, plan.place)
    return image_id


def wait_available(session: Session, image_id: str, at: Place) -> None:
    """Return when an AMI is available."""

    def state() -> str:
        image = describe(session, image_id, at)
        if image is None:
            return "deregistered"
        reason = (image.get("StateReason") or {}).get("Message")
        return f"{image['State']}: {reason}" if reason and image["State"] != "available" else str(image["State"])

    session.wait_for(
        state,
        wanted="available",
        failed=("failed", "invalid", "error", "deregistered", "disabled"),
        what=f"the AMI {image_id}",
        at=at,
    )
