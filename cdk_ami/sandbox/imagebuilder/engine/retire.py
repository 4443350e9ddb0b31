"""Changes the state of an image's AMIs, in every Region and account of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from cdk_ami.sandbox.access.documents import Need
from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.imagebuilder import retention
from cdk_ami.sandbox.imagebuilder.engine import roles
from cdk_ami.sandbox.imagebuilder.engine.plan import CREATED_BY, Place
from cdk_ami.sandbox.imagebuilder.engine.session import Session, StepError

ROLE: Final = "Ec2ImageBuilderCrossAccountLifecycleAccess"
"""Role that another account must have for its copies to be retired.
https://docs.aws.amazon.com/imagebuilder/latest/userguide/image-lifecycle-prerequisites.html, read 2026-11-28"""

STATES: Final = {"AVAILABLE": "AVAILABLE", "DEPRECATE": "DEPRECATED", "DISABLE": "DISABLED", "DELETE": "DELETED"}
"""State in which an action leaves an image."""

_MARK: Final = {"Key": "DeprecatedBy", "Value": CREATED_BY}
_NEEDS: Final[Mapping[str, tuple[str, ...]]] = {
    "AVAILABLE": ("EnableImage", "DisableImageDeprecation"),
    "DEPRECATE": ("EnableImageDeprecation",),
    "DISABLE": ("DisableImage",),
    "DELETE": ("DeregisterImage",),
}
_SOON: Final = timedelta(minutes=1)
"""EC2 takes no deprecation date that has passed, and keeps whole minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What is done.

    Attributes:
        name: ``AVAILABLE``, ``DEPRECATE``, ``DISABLE`` or ``DELETE``.
        reason: Why, in words.
        amis: Whether it is done to AMIs.
        snapshots: Whether their snapshots are deleted with them.
        exclusions: ``exclusionRules.amis``.
        due: When a deprecation takes effect; None is now.
    """

    name: str
    reason: str
    amis: bool = False
    snapshots: bool = False
    exclusions: Mapping[str, Any] = field(default_factory=dict)
    due: datetime | None = None


def retire(session: Session, image_arn: str, amis: Sequence[Mapping[str, Any]], action: Action) -> list[dict[str, Any]]:
    """Do it to each AMI of an image and return what became of them, as the API shows it.

    A failure keeps none from the next.
    """
    return [_one(session, image_arn, ami, action) for ami in amis if ami.get("image")] if action.amis else []


def _one(session: Session, image_arn: str, ami: Mapping[str, Any], action: Action) -> dict[str, Any]:
    place = Place(region=ami["region"], account=ami["accountId"])
    entry: dict[str, Any] = {
        "accountId": place.account,
        "resourceId": ami["image"],
        "region": place.region,
        "action": {"name": action.name, "reason": action.reason},
        "startTime": CLOCK.now(),
    }
    try:
        entry |= _act(session, image_arn, str(ami["image"]), place, action)
    except StepError as error:
        entry["state"] = {"status": "FAILED", "reason": str(error)[:1024]}
    return {**entry, "endTime": CLOCK.now()}


def _act(session: Session, image_arn: str, image_id: str, place: Place, action: Action) -> dict[str, Any]:
    abroad = place.account != session.home.account
    if abroad:
        roles.assume(session, place, ROLE, [Need(action="ec2:DescribeImages")], source=image_arn)
    image = _describe(session, image_id, place)
    if image is None:
        return {"state": {"status": "SUCCESS", "reason": "The AMI does not exist any more."}}
    if abroad:
        roles.assume(session, place, ROLE, tuple(_needs(image, place, action)), source=image_arn)
    if action.exclusions:
        shared = session.look(
            "ec2", "describe_image_attribute", at=place, ImageId=image_id, Attribute="launchPermission"
        )["LaunchPermissions"]
        accounts = [permission["UserId"] for permission in shared if "UserId" in permission]
        if why := retention.excluded(image, place.region, accounts, action.exclusions, CLOCK.now()):
            return {"state": {"status": "SKIPPED", "reason": why}}
    _CHANGES[action.name](session, image, place, action)
    if action.snapshots:
        return {"state": {"status": "SUCCESS"}, "snapshots": _delete_snapshots(session, image, place)}
    return {"state": {"status": "SUCCESS"}}


def _needs(image: Mapping[str, Any], place: Place, action: Action) -> Iterator[Need]:
    """Yield what a role of another account must allow for an action on an AMI of it."""
    anything = f"arn:aws:ec2:{place.region}::"
    for name in _NEEDS[action.name]:
        yield Need(action=f"ec2:{name}", resource=f"{anything}image/{image['ImageId']}")
    for mapping in image.get("BlockDeviceMappings") or () if action.snapshots else ():
        if snapshot := (mapping.get("Ebs") or {}).get("SnapshotId"):
            yield Need(action="ec2:DeleteSnapshot", resource=f"{anything}snapshot/{snapshot}")


def _describe(session: Session, image_id: str, place: Place) -> dict[str, Any] | None:
    try:
        images = session.call(
            "ec2",
            "describe_images",
            at=place,
            ImageIds=[image_id],
            IncludeDeprecated=True,
            IncludeDisabled=True,
        )["Images"]
    except StepError as error:
        if "InvalidAMIID" in str(error):
            return None
        raise
    return images[0] if images else None


def _restore(session: Session, image: Mapping[str, Any], place: Place, action: Action) -> None:  # noqa: ARG001
    if image["State"] == "disabled":
        session.call("ec2", "enable_image", at=place, ImageId=image["ImageId"])
    if image.get("DeprecationTime"):
        session.call("ec2", "disable_image_deprecation", at=place, ImageId=image["ImageId"])
    _unmark(session, image, place)


def _deprecate(session: Session, image: Mapping[str, Any], place: Place, action: Action) -> None:
    due = action.due or CLOCK.now() + _SOON
    session.call("ec2", "enable_image_deprecation", at=place, ImageId=image["ImageId"], DeprecateAt=due)
    session.call("ec2", "create_tags", at=place, Resources=[image["ImageId"]], Tags=[_MARK])


def _disable(session: Session, image: Mapping[str, Any], place: Place, action: Action) -> None:  # noqa: ARG001
    session.call("ec2", "disable_image", at=place, ImageId=image["ImageId"])
    _unmark(session, image, place)


def _delete(session: Session, image: Mapping[str, Any], place: Place, action: Action) -> None:  # noqa: ARG001
    session.call("ec2", "deregister_image", at=place, ImageId=image["ImageId"])


_CHANGES: Final = {"AVAILABLE": _restore, "DEPRECATE": _deprecate, "DISABLE": _disable, "DELETE": _delete}


def _unmark(session: Session, image: Mapping[str, Any], place: Place) -> None:
    if any(tag["Key"] == _MARK["Key"] for tag in image.get("Tags") or ()):
        session.call("ec2", "delete_tags", at=place, Resources=[image["ImageId"]], Tags=[{"Key": _MARK["Key"]}])


def _delete_snapshots(session: Session, image: Mapping[str, Any], place: Place) -> list[dict[str, Any]]:
    entries = []
    for mapping in image.get("BlockDeviceMappings") or ():
        snapshot_id = (mapping.get("Ebs") or {}).get("SnapshotId")
        if not snapshot_id:
            continue
        state = {"status": "SUCCESS"}
        try:
            session.call("ec2", "delete_snapshot", at=place, SnapshotId=snapshot_id)
        except StepError as error:
            if "InvalidSnapshot.NotFound" not in str(error):
                state = {"status": "FAILED", "reason": str(error)[:1024]}
        entries.append({"snapshotId": snapshot_id, "state": state})
    return entries
