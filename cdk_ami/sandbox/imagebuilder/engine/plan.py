"""What a build does with its AMI, decided from the configurations before anything is called; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.imagebuilder import validation

if TYPE_CHECKING:
    from cdk_ami.sandbox.imagebuilder.documents import Document
    from cdk_ami.sandbox.imagebuilder.workflow_documents import WorkflowDocument

CREATED_BY: Final = "EC2 Image Builder"
"""Value of the tag ``CreatedBy`` on all that builds make.
https://docs.aws.amazon.com/imagebuilder/latest/userguide/manage-image-builder-resources.html, read 2026-11-22"""

CROSS_ACCOUNT_ROLE: Final = "EC2ImageBuilderDistributionCrossAccountRole"
"""Role that a target account must have.
https://docs.aws.amazon.com/imagebuilder/latest/userguide/cross-account-dist.html, read 2026-11-22"""

_DATE: Final = re.compile(r"\{\{\s*imagebuilder:buildDate\s*\}\}")
_VERSION: Final = re.compile(r"\{\{\s*imagebuilder:buildVersion\s*\}\}")
_STAMPS: Final = Lock()
_LAST_STAMP: Final = [datetime.min.replace(tzinfo=UTC)]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowUse:
    """A workflow as one build runs it: the build version is settled.

    Attributes:
        arn: ARN of its build version.
        kind: ``BUILD``, ``TEST`` or ``DISTRIBUTION``.
        document: What it does.
        parameters: Values of its parameters.
        goes_on: Whether the image goes on when it fails; for tests only.
        group: Tests of one group run at the same time; empty runs it alone.
    """

    arn: str
    kind: str
    document: WorkflowDocument
    parameters: Mapping[str, Any]
    goes_on: bool = False
    group: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """What an image runs through.

    Attributes:
        build: What makes the AMI; None takes the source as it is.
        tests: Groups of tests, one after the other.
        distribution: What brings the AMI where it belongs.
        scan: How the image is scanned; None when it is not.
    """

    build: WorkflowUse | None
    tests: tuple[tuple[WorkflowUse, ...], ...]
    distribution: WorkflowUse
    scan: Scan | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """A search for vulnerabilities.

    Attributes:
        on_demand: Scans the AMI itself; otherwise the test instance.
        highest: The highest severity that passes; empty waits for no result.
        fixable: Whether only findings count for which there is a fix.
    """

    on_demand: bool = False
    highest: str = ""
    fixable: bool = True


def groups_of(tests: Sequence[WorkflowUse]) -> tuple[tuple[WorkflowUse, ...], ...]:
    """Return test workflows in the order in which they start: a group where its first member stands."""
    found: dict[str, list[WorkflowUse]] = {}
    for index, use in enumerate(tests):
        found.setdefault(use.group or f"#{index}", []).append(use)
    return tuple(tuple(group) for group in found.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentUse:
    """A component as one build runs it: the build version is settled.

    Attributes:
        arn: ARN of its build version.
        name: Its name.
        document: Its document, read.
        text: Its document, as it was written.
    """

    arn: str
    name: str
    document: Document
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A Region of an account."""

    region: str
    account: str

    def __str__(self) -> str:
        return f"account {self.account}, Region {self.region}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """One AMI that the build leaves behind.

    Attributes:
        place: Where it is owned.
        name: Its name.
        description: Its description, or empty.
        kms_key: Key that encrypts it; empty leaves the choice to EC2.  Not used for the AMI that the build captures.
        tags: Tags of the AMI and its snapshots.
        permissions: Launch permissions to add, as EC2 takes them.
        captured: The AMI that the build captures, which is not copied.
    """

    place: Place
    name: str
    description: str
    kms_key: str
    tags: Mapping[str, str]
    permissions: tuple[Mapping[str, str], ...]
    captured: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateUpdate:
    """A launch template that gets a version with the AMI of its place."""

    place: Place
    template_id: str
    set_default: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterWrite:
    """A parameter that gets the id of the AMI of its place."""

    place: Place
    name: str
    data_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FastLaunch:
    """Fast launch of the AMI of its place; ``request`` is what EC2 is asked beside the AMI's id."""

    place: Place
    request: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Configurations:
    """What is done with the AMIs once they are there."""

    templates: tuple[TemplateUpdate, ...] = ()
    parameters: tuple[ParameterWrite, ...] = ()
    fast_launches: tuple[FastLaunch, ...] = ()

    @classmethod
    def of(cls, targets: Sequence[Mapping[str, Any]], home: Place) -> Configurations:
        """Return what the targets of a distribution name."""

        def named(member: str) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
            return ((target, found) for target in targets for found in target.get(member) or ())

        return cls(
            templates=tuple(_template(*one, home) for one in named("launchTemplateConfigurations")),
            parameters=tuple(_parameter(*one, home) for one in named("ssmParameterConfigurations")),
            fast_launches=tuple(
                _fast_launch(target, found, home)
                for target, found in named("fastLaunchConfigurations")
                if found["enabled"]
            ),
        )

    @property
    def places(self) -> tuple[Place, ...]:
        """Where an AMI must be for them."""
        named: list[TemplateUpdate | ParameterWrite | FastLaunch] = [*self.templates, *self.parameters]
        return tuple(one.place for one in [*named, *self.fast_launches])


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """All that a distribution does; the AMI that the build captures is the first copy."""

    copies: tuple[Copy, ...]
    configurations: Configurations = Configurations()

    @property
    def captured(self) -> Copy | None:
        """The AMI that the build captures; None where one is distributed that exists already."""
        return self.copies[0] if self.copies and self.copies[0].captured else None


def build_stamp() -> str:
    """Return the present as names hold it, such as ``2026-11-22T21-18-00.123456Z``, never the same twice."""
    with _STAMPS:
        now = CLOCK.now()
        # After a reset the clock may be far behind the last stamp, whose AMI is forgotten then.
        if now <= _LAST_STAMP[0] < now + timedelta(minutes=1):
            now = _LAST_STAMP[0] + timedelta(microseconds=1)
        _LAST_STAMP[0] = now
    return now.strftime("%Y-%m-%dT%H-%M-%S.%fZ")


def ami_name(pattern: str | None, *, image: str, stamp: str, build: int) -> str:
    """Return the name of an AMI by the pattern of its target, or the service's own name without one."""
    if not pattern:
        return f"{image} {stamp}"
    return _VERSION.sub(str(build), _DATE.sub(stamp, pattern))


def plan_delivery(
    targets: Sequence[Mapping[str, Any]],
    *,
    home: Place,
    image: str,
    image_arn: str,
    recipe_tags: Mapping[str, str],
    stamp: str,
    build: int,
    captured: bool = True,
    recipe_description: str = "",
) -> Delivery:
    """Return where the AMI of an image goes.

    Args:
        targets: The ``distributions`` of the distribution configuration; none leave the AMI at home.
        home: Where the build runs.
        image: Name of the image.
        image_arn: ARN of the image's build version.
        recipe_tags: ``amiTags`` of the recipe.
        stamp: What stands for the build date.
        build: Number of the build.
        captured: Whether the build captures the AMI at ``home``.  One that exists already may be anybody's: it stays
            as it is, and home is a target like the others.
        recipe_description: Description of the captured AMI where its target has none; copies get none then.
    """
    marks = {**recipe_tags, "CreatedBy": CREATED_BY, "Ec2ImageBuilderArn": image_arn}

    def copy_at(target: Mapping[str, Any], account: str, *, first: bool = False) -> Copy:
        ami = target.get("amiDistributionConfiguration") or {}
        return Copy(
            place=Place(region=target["region"], account=account),
            name=ami_name(ami.get("name"), image=image, stamp=stamp, build=build),
            description=ami.get("description") or (recipe_description if first else ""),
            kms_key="" if first else ami.get("kmsKeyId") or "",
            tags={**marks, **(ami.get("amiTags") or {})},
            permissions=permissions_of(ami.get("launchPermission") or {}, owner=account),
            captured=first,
        )

    own = next((target for target in targets if target["region"] == home.region), {"region": home.region})
    copies = [copy_at(own, home.account, first=True)] if captured else []
    for target in targets:
        copies += [
            copy_at(target, account)
            for account in validation.target_accounts(target, account=home.account)
            if not captured or (target["region"], account) != (home.region, home.account)
        ]
    return Delivery(copies=tuple(copies), configurations=Configurations.of(targets, home))


def permissions_of(permission: Mapping[str, Any], *, owner: str) -> tuple[Mapping[str, str], ...]:
    """Return launch permissions as EC2 takes them; the owner needs none."""
    kinds = (
        ("userIds", "UserId"),
        ("userGroups", "Group"),
        ("organizationArns", "OrganizationArn"),
        ("organizationalUnitArns", "OrganizationalUnitArn"),
    )
    return tuple({theirs: value} for ours, theirs in kinds for value in permission.get(ours) or () if value != owner)


def _template(target: Mapping[str, Any], found: Mapping[str, Any], home: Place) -> TemplateUpdate:
    return TemplateUpdate(
        place=Place(region=target["region"], account=found.get("accountId") or home.account),
        template_id=found["launchTemplateId"],
        set_default=found.get("setDefaultVersion") is not False,
    )


def _parameter(target: Mapping[str, Any], found: Mapping[str, Any], home: Place) -> ParameterWrite:
    return ParameterWrite(
        place=Place(region=target["region"], account=found.get("amiAccountId") or home.account),
        name=found["parameterName"],
        data_type=found.get("dataType") or "text",
    )


def _fast_launch(target: Mapping[str, Any], found: Mapping[str, Any], home: Place) -> FastLaunch:
    template, snapshots = found.get("launchTemplate") or {}, found.get("snapshotConfiguration") or {}
    names = {
        "launchTemplateId": "LaunchTemplateId",
        "launchTemplateName": "LaunchTemplateName",
        "launchTemplateVersion": "Version",
    }
    request: dict[str, Any] = {"ResourceType": "snapshot"}
    if "maxParallelLaunches" in found:
        request["MaxParallelLaunches"] = found["maxParallelLaunches"]
    if "targetResourceCount" in snapshots:
        request["SnapshotConfiguration"] = {"TargetResourceCount": snapshots["targetResourceCount"]}
    if template:
        request["LaunchTemplate"] = {names[key]: value for key, value in template.items()}
    return FastLaunch(
        place=Place(region=target["region"], account=found.get("accountId") or home.account), request=request
    )


def block_devices(mappings: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a recipe's block devices as EC2 takes them."""
    names = {
        "encrypted": "Encrypted",
        "deleteOnTermination": "DeleteOnTermination",
        "iops": "Iops",
        "kmsKeyId": "KmsKeyId",
        "snapshotId": "SnapshotId",
        "volumeSize": "VolumeSize",
        "volumeType": "VolumeType",
        "throughput": "Throughput",
    }
    devices = []
    for mapping in mappings:
        device: dict[str, Any] = {"DeviceName": mapping["deviceName"]}
        if "virtualName" in mapping:
            device["VirtualName"] = mapping["virtualName"]
        if "noDevice" in mapping:
            device["NoDevice"] = mapping["noDevice"]
        if mapping.get("ebs"):
            device["Ebs"] = {names[key]: value for key, value in mapping["ebs"].items() if value is not None}
        devices.append(device)
    return devices


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Return tags as EC2 takes them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]
