"""Distribution: copies to Regions and accounts, launch permissions, launch templates and parameters."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from cdk_ami.sandbox.imagebuilder.engine import amis
from cdk_ami.sandbox.imagebuilder.engine.plan import (
    CROSS_ACCOUNT_ROLE,
    Copy,
    Delivery,
    ParameterWrite,
    Place,
    TemplateUpdate,
    tag_list,
)
from cdk_ami.sandbox.imagebuilder.engine.session import Session, StepError
from cdk_ami.sandbox.ssm import checks

_REASON_MAX: Final = 1024


@dataclass(slots=True, kw_only=True)
class Delivered:
    """What has arrived so far.

    Attributes:
        ids: AMI ids by place, in the plan's order.
        shown: Members of ``outputResources.amis``.
        failures: Why places got none.
    """

    ids: dict[Place, str] = field(default_factory=dict)
    shown: list[dict[str, Any]] = field(default_factory=list)
    failures: dict[Place, str] = field(default_factory=dict)


class DistributionError(StepError):
    """Places that got no AMI.

    Args:
        done: What has arrived, and what has not.
    """

    def __init__(self, done: Delivered) -> None:
        RuntimeError.__init__(self, "; ".join(done.failures.values()))
        self.place = next(iter(done.failures))
        self._failures = done.failures

    def context(self) -> dict[str, Any]:
        """Return what the image's state tells about it."""
        failures = [
            {"region": place.region, "targetAccountId": place.account, "status": "FAILED", "errorMessage": why}
            for place, why in self._failures.items()
        ]
        return {"errorMessage": str(self), "regionFailures": failures}


def copy_all(
    session: Session, delivery: Delivery, *, source_id: str, again: bool, tell: Callable[[str], None]
) -> Delivered:
    """Start every copy, then wait for each; a place that fails does not keep the others from theirs.

    Args:
        session: The build's session.
        delivery: Where copies go.
        source_id: The captured AMI.
        again: An earlier run may have made some of the copies: those are kept.
        tell: Takes lines of the log.
    """
    try:
        return _copy_all(session, delivery, source_id, again=again, tell=tell)
    finally:
        _take_back(session, delivery, source_id)


def _copy_all(
    session: Session, delivery: Delivery, source_id: str, *, again: bool, tell: Callable[[str], None]
) -> Delivered:
    done = Delivered(ids={delivery.captured.place: source_id})
    done.shown.append(_shown(delivery.captured, source_id, "AVAILABLE"))
    started: list[tuple[Copy, str]] = []
    for copy in delivery.copies[1:]:
        try:
            existing = _existing(session, copy) if again else ""
            started.append((copy, existing or _start(session, copy, source_id)))
        except StepError as error:
            _fail(done, copy, "", str(error))
    for copy, image_id in started:
        try:
            amis.wait_available(session, image_id, copy.place)
        except StepError as error:
            _fail(done, copy, image_id, str(error))
            continue
        tell(f"The AMI {image_id} is available in {copy.place}")
        done.ids[copy.place] = image_id
        done.shown.append(_shown(copy, image_id, "AVAILABLE"))
    return done


def _existing(session: Session, copy: Copy) -> str:
    """Return the id of the copy that an earlier run made, or nothing."""
    arn = copy.tags["Ec2ImageBuilderArn"]
    filters = [{"Name": "name", "Values": [copy.name]}, {"Name": "tag:Ec2ImageBuilderArn", "Values": [arn]}]
    images = session.call("ec2", "describe_images", at=copy.place, Owners=["self"], Filters=filters)["Images"]
    return next((str(image["ImageId"]) for image in images if image["State"] in ("available", "pending")), "")


def _start(session: Session, copy: Copy, source_id: str) -> str:
    home = session.home
    if copy.place.account != home.account:
        assume(session, copy.place)
        session.call(
            "ec2",
            "modify_image_attribute",
            ImageId=source_id,
            Attribute="launchPermission",
            LaunchPermission={"Add": [{"UserId": copy.place.account}]},
        )
    request: dict[str, Any] = {}
    if copy.description:
        request["Description"] = copy.description
    if copy.kms_key:
        request |= {"Encrypted": True, "KmsKeyId": copy.kms_key}
    tags = tag_list(copy.tags)
    answer = session.call(
        "ec2",
        "copy_image",
        at=copy.place,
        SourceImageId=source_id,
        SourceRegion=home.region,
        Name=copy.name,
        TagSpecifications=[{"ResourceType": "image", "Tags": tags}, {"ResourceType": "snapshot", "Tags": tags}],
        **request,
    )
    return str(answer["ImageId"])


def _take_back(session: Session, delivery: Delivery, source_id: str) -> None:
    """Take the permissions back that only the copies needed."""
    home = session.home
    wanted = {permission.get("UserId") for permission in delivery.captured.permissions}
    others = {copy.place.account for copy in delivery.copies} - {home.account} - wanted
    if others:
        session.last_call(
            "ec2",
            "modify_image_attribute",
            ImageId=source_id,
            Attribute="launchPermission",
            LaunchPermission={"Remove": [{"UserId": account} for account in sorted(others)]},
        )


def assume(session: Session, place: Place) -> None:
    """Take the role that lets the service work in another account.

    Raises:
        StepError: When the role is missing there, or does not trust the account that builds.
    """
    where = f"the role {CROSS_ACCOUNT_ROLE}"
    try:
        role = session.call("iam", "get_role", at=place, RoleName=CROSS_ACCOUNT_ROLE)["Role"]
    except StepError as error:
        raise StepError(place, f"sts:AssumeRole is not possible: {where} does not exist in {place.account}") from error
    if not trusts(role["AssumeRolePolicyDocument"], session.home.account):
        raise StepError(place, f"sts:AssumeRole is not allowed: {where} does not trust {session.home.account}")
    session.call("sts", "assume_role", RoleArn=role["Arn"], RoleSessionName="EC2ImageBuilder")


def trusts(policy: Any, account: str) -> bool:
    """Tell whether a trust policy lets a whole account assume the role."""
    document = json.loads(policy) if isinstance(policy, str) else policy
    statements = document.get("Statement") or []
    for statement in statements if isinstance(statements, list) else [statements]:
        principal = statement.get("Principal") or {}
        named = principal.get("AWS") or [] if isinstance(principal, dict) else [principal]
        ids = {str(found) for found in (named if isinstance(named, list) else [named])}
        if statement.get("Effect") == "Allow" and ids & {account, f"arn:aws:iam::{account}:root", "*"}:
            return True
    return False


def share(session: Session, delivery: Delivery, done: Delivered) -> None:
    """Add the launch permissions of every AMI."""
    for copy in delivery.copies:
        if copy.permissions and copy.place in done.ids:
            session.call(
                "ec2",
                "modify_image_attribute",
                at=copy.place,
                ImageId=done.ids[copy.place],
                Attribute="launchPermission",
                LaunchPermission={"Add": [dict(permission) for permission in copy.permissions]},
            )


def update_template(session: Session, update: TemplateUpdate, image_id: str) -> str:
    """Give a launch template a version with the AMI, from its newest version, and return the version's number."""
    if update.place.account != session.home.account:
        assume(session, update.place)
    templates = session.call(
        "ec2", "describe_launch_templates", at=update.place, LaunchTemplateIds=[update.template_id]
    )["LaunchTemplates"]
    if not templates:
        raise StepError(update.place, f"the launch template {update.template_id} does not exist")
    answer = session.call(
        "ec2",
        "create_launch_template_version",
        at=update.place,
        LaunchTemplateId=update.template_id,
        SourceVersion=str(templates[0]["LatestVersionNumber"]),
        LaunchTemplateData={"ImageId": image_id},
    )
    number = str(answer["LaunchTemplateVersion"]["VersionNumber"])
    if update.set_default:
        session.call(
            "ec2",
            "modify_launch_template",
            at=update.place,
            LaunchTemplateId=update.template_id,
            DefaultVersion=number,
        )
    return number


def write_parameter(session: Session, write: ParameterWrite, image_id: str) -> None:
    """Write the AMI id into a parameter, and read it back: EC2's data type is checked after the answer."""
    if write.place.account != session.home.account:
        assume(session, write.place)
    session.call(
        "ssm",
        "put_parameter",
        at=write.place,
        Name=write.name,
        Value=image_id,
        Type="String",
        DataType=write.data_type,
        Overwrite=True,
    )

    def stands() -> str:
        being_checked = checks.waiting(write.place.account, write.place.region, write.name)
        try:
            found = session.call("ssm", "get_parameter", at=write.place, Name=write.name)
        except StepError as error:
            if "ParameterNotFound" not in str(error):
                raise
            return "being checked" if being_checked else "missing"
        if found["Parameter"]["Value"] == image_id:
            return "written"
        return "being checked" if being_checked else f"unchanged: {found['Parameter']['Value']}"

    session.wait_for(
        stands, wanted="written", failed=("missing", "unchanged"), what=f"the parameter {write.name}", at=write.place
    )


def _fail(done: Delivered, copy: Copy, image_id: str, why: str) -> None:
    done.failures[copy.place] = why
    done.shown.append(_shown(copy, image_id, "FAILED", why))


def _shown(copy: Copy, image_id: str, status: str, reason: str = "") -> dict[str, Any]:
    shown: dict[str, Any] = {
        "region": copy.place.region,
        "accountId": copy.place.account,
        "name": copy.name,
        "state": {"status": status, **({"reason": reason[:_REASON_MAX]} if reason else {})},
    }
    if image_id:
        shown["image"] = image_id
    if copy.description:
        shown["description"] = copy.description
    return shown
