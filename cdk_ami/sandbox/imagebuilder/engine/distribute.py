"""Distribution: copies to Regions and accounts, launch permissions, launch templates and parameters."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from cdk_ami.sandbox.access.documents import Need
from cdk_ami.sandbox.imagebuilder.engine import amis, roles
from cdk_ami.sandbox.imagebuilder.engine.plan import (
    CROSS_ACCOUNT_ROLE,
    Copy,
    Delivery,
    FastLaunch,
    ParameterWrite,
    Place,
    TemplateUpdate,
    tag_list,
)
from cdk_ami.sandbox.imagebuilder.engine.session import Session, StepError
from cdk_ami.sandbox.ssm import checks

_REASON_MAX: Final = 1024

OWN_PARAMETERS: Final = "imagebuilder/"
"""How the names of the parameters begin that the service-linked role may write.
https://docs.aws.amazon.com/imagebuilder/latest/userguide/security-iam-awsmanpol.html, read 2026-11-22"""


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
        source_id: The AMI that is copied: the captured one, or one that existed before.
        again: An earlier run may have made some of the copies: those are kept.
        tell: Takes lines of the log.
    """
    lent: list[str] = []
    try:
        return _copy_all(session, delivery, source_id, lent, again=again, tell=tell)
    finally:
        _take_back(session, source_id, lent)


def _copy_all(
    session: Session, delivery: Delivery, source_id: str, lent: list[str], *, again: bool, tell: Callable[[str], None]
) -> Delivered:
    done = Delivered()
    if (captured := delivery.captured) is not None:
        done.ids[captured.place] = source_id
        done.shown.append(_shown(captured, source_id, "AVAILABLE"))
    started: list[tuple[Copy, str]] = []
    for copy in delivery.copies:
        if copy.captured:
            continue
        try:
            existing = _existing(session, copy) if again else ""
            started.append((copy, existing or _start(session, copy, source_id, lent)))
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
    images = session.look("ec2", "describe_images", at=copy.place, Owners=["self"], Filters=filters)["Images"]
    return next((str(image["ImageId"]) for image in images if image["State"] in ("available", "pending")), "")


def _start(session: Session, copy: Copy, source_id: str, lent: list[str]) -> str:
    home = session.home
    if copy.place.account != home.account:
        assume(session, copy.place, [*_copy_needs(copy), *_key_needs(session, copy, source_id)])
        _lend(session, source_id, copy.place.account, lent)
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


_KEY: Final = re.compile(r"arn:[^:]+:kms:(?P<region>[^:]+):(?P<account>[^:]+):.+")

_READ: Final[tuple[str, ...]] = ("CreateGrant", "Decrypt", "DescribeKey")
_WRITE: Final[tuple[str, ...]] = ("CreateGrant", "Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey")
"""What a role of a target account must allow with the key of the AMI that is copied, and with that of the copy.
https://docs.aws.amazon.com/imagebuilder/latest/userguide/cross-account-dist.html, read 2026-11-22"""


def _copy_needs(copy: Copy) -> Iterator[Need]:
    """Yield what a role of a target account must allow for a copy: AWS's page names these four for every one.

    https://docs.aws.amazon.com/imagebuilder/latest/userguide/cross-account-dist.html, read 2026-11-22
    """
    images = f"arn:aws:ec2:{copy.place.region}::image/*"
    held = {f"aws:resourcetag/{key.lower()}": (value,) for key, value in copy.tags.items()}
    asked = {f"aws:requesttag/{key.lower()}": (value,) for key, value in copy.tags.items()}
    made = {**asked, "aws:tagkeys": tuple(copy.tags), "ec2:createaction": ("CopyImage",)}
    yield Need(action="ec2:CopyImage", resource=images)
    yield Need(action="ec2:CreateTags", resource=images, keys=made)
    yield Need(action="ec2:DescribeImages")
    yield Need(action="ec2:ModifyImageAttribute", resource=images, keys=held)


def _key_needs(session: Session, copy: Copy, source_id: str) -> Iterator[Need]:
    """Yield what a role of a target account must allow with the keys of both Regions."""
    (source,) = session.look("ec2", "describe_images", ImageIds=[source_id])["Images"]
    snapshots = [ebs["SnapshotId"] for ebs in _ebs(source) if ebs.get("Encrypted")]
    described = session.look("ec2", "describe_snapshots", SnapshotIds=snapshots)["Snapshots"] if snapshots else []
    keys = [(_READ, session.home, str(one["KmsKeyId"])) for one in described if one.get("KmsKeyId")]
    if copy.kms_key:
        keys.append((_WRITE, copy.place, copy.kms_key))
    for actions, place, key in dict.fromkeys(keys):
        arn = _key_arn(session, place, key)
        through = {"kms:viaservice": (f"ec2.{place.region}.amazonaws.com",), "kms:grantisforawsresource": ("true",)}
        if arn is not None:
            for action in actions:
                yield Need(action=f"kms:{action}", resource=arn, keys=through)


def _key_arn(session: Session, place: Place, key: str) -> str | None:
    """Return the ARN of a key, None where there is none: the copy then fails by itself."""
    found = _KEY.fullmatch(key)
    at = Place(region=found["region"], account=found["account"]) if found else place
    try:
        return str(session.look("kms", "describe_key", at=at, KeyId=key)["KeyMetadata"]["Arn"])
    except StepError:
        return None


def _ebs(image: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [one["Ebs"] for one in image.get("BlockDeviceMappings", ()) if "SnapshotId" in one.get("Ebs", {})]


def _lend(session: Session, source_id: str, account: str, lent: list[str]) -> None:
    """Let another account copy the source and its snapshots, unless it may already."""
    _lend_snapshots(session, source_id, "add", [account])
    permissions = session.look("ec2", "describe_image_attribute", ImageId=source_id, Attribute="launchPermission")
    if {"UserId": account} in permissions["LaunchPermissions"]:
        return
    session.call(
        "ec2",
        "modify_image_attribute",
        ImageId=source_id,
        Attribute="launchPermission",
        LaunchPermission={"Add": [{"UserId": account}]},
    )
    lent.append(account)


def _take_back(session: Session, source_id: str, lent: list[str]) -> None:
    """Take the permissions back that only the copies needed."""
    if lent:
        session.last_call(
            "ec2",
            "modify_image_attribute",
            ImageId=source_id,
            Attribute="launchPermission",
            LaunchPermission={"Remove": [{"UserId": account} for account in sorted(lent)]},
        )
        _lend_snapshots(session, source_id, "remove", sorted(lent))


def _lend_snapshots(session: Session, source_id: str, operation: str, accounts: list[str]) -> None:
    (source,) = session.look("ec2", "describe_images", ImageIds=[source_id])["Images"]
    for ebs in _ebs(source):
        session.look(
            "ec2",
            "modify_snapshot_attribute",
            SnapshotId=ebs["SnapshotId"],
            Attribute="createVolumePermission",
            OperationType=operation,
            UserIds=accounts,
        )


def assume(session: Session, place: Place, needs: Iterable[Need]) -> None:
    """Take the role that lets the service work in a target account.

    Raises:
        StepError: When the role is missing there, does not trust the account that builds, or does not allow the work.
    """
    roles.assume(session, place, CROSS_ACCOUNT_ROLE, tuple(needs))


def _image(place: Place, image_id: str) -> str:
    return f"arn:aws:ec2:{place.region}::image/{image_id}"


def share(session: Session, place: Place, image_id: str, permissions: Sequence[Mapping[str, str]]) -> None:
    """Add launch permissions to an AMI."""
    if place.account != session.home.account:
        assume(session, place, [Need(action="ec2:ModifyImageAttribute", resource=_image(place, image_id))])
    session.call(
        "ec2",
        "modify_image_attribute",
        at=place,
        ImageId=image_id,
        Attribute="launchPermission",
        LaunchPermission={"Add": [dict(permission) for permission in permissions]},
    )


def update_template(session: Session, update: TemplateUpdate, image_id: str) -> str:
    """Give a launch template a version with the AMI, from its newest version, and return the version's number."""
    if update.place.account != session.home.account:
        place = update.place
        arn = f"arn:aws:ec2:{place.region}:{place.account}:launch-template/{update.template_id}"
        actions = ("CreateLaunchTemplateVersion", *(("ModifyLaunchTemplate",) if update.set_default else ()))
        needs = [Need(action=f"ec2:{action}", resource=arn) for action in actions]
        assume(session, place, [Need(action="ec2:DescribeLaunchTemplates"), *needs])
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


def enable_fast_launch(session: Session, fast: FastLaunch, image_id: str) -> None:
    """Let EC2 hold snapshots of a Windows AMI that has started once already."""
    if fast.place.account != session.home.account:
        assume(session, fast.place, [Need(action="ec2:EnableFastLaunch", resource=_image(fast.place, image_id))])
    session.call("ec2", "enable_fast_launch", at=fast.place, ImageId=image_id, **fast.request)


def write_parameter(session: Session, write: ParameterWrite, image_id: str) -> None:
    """Write the AMI id into a parameter, and read it back: EC2's data type is checked after the answer."""
    if write.place.account != session.home.account:
        name = write.name if write.name.startswith("/") else f"/{write.name}"
        arn = f"arn:aws:ssm:{write.place.region}:{write.place.account}:parameter{name}"
        assume(session, write.place, [Need(action="ssm:PutParameter", resource=arn)])
    elif session.role is None and not write.name.lstrip("/").startswith(OWN_PARAMETERS):
        raise StepError(
            write.place,
            f"AccessDenied: the service-linked role writes parameters under /{OWN_PARAMETERS} only, and no execution "
            f"role is given that may write {write.name}",
        )
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
            found = session.look("ssm", "get_parameter", at=write.place, Name=write.name)
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
