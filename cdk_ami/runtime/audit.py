"""What an account settles for all of a Region, and what `AccountGuard` would change of it: reads only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from botocore.exceptions import ClientError

from cdk_ami.runtime.regions import RegionClients

_EC2: Final = "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/"
_EBS: Final = "https://docs.aws.amazon.com/ebs/latest/userguide/"

SHOWN: Final = 5
"""Ids that a sentence names; the others are counted.  JSON has all of them."""

NOT_ALLOWED: Final = frozenset({"UnauthorizedOperation", "InvalidAction"})
"""Codes of EC2 by which one look fails and the next may not: no permission, or no such operation in the Region.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html"""

POLICY: Final = "declarative-policy"
"""Who manages a setting that the account itself cannot change.
https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_declarative.html"""

NOT_ENDED: Final = ("pending", "running", "stopping", "stopped")
"""States of instances that are still there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What a change would do, told before it is made.

    Attributes:
        says: The effect, as a sentence.
        ids: What it is about: AMIs, snapshots, volumes or instances.
    """

    says: str
    ids: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is set.

    Attributes:
        values: The values by the names that EC2 gives them.
        severity: ``high``, ``medium`` or ``low`` where something is left to set, empty where nothing is.
        managed_by: ``account`` or ``declarative-policy``, empty where EC2 does not say.
        effects: What the change would do; where nothing is left to change, what is worth knowing.
    """

    values: Mapping[str, Any]
    severity: str = ""
    managed_by: str = ""
    effects: Sequence[Effect] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting of an account in a Region.

    Attributes:
        name: Its id in reports.
        about: What it is.
        argument: The arguments of ``AccountGuard`` that set it.
        source: Page that says what it does.
        actions: Permissions that the look needs.
        look: Reads it, and what the change would hit.
    """

    name: str
    about: str
    argument: str
    source: str
    actions: Sequence[str]
    look: Callable[[Any], Found]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One setting in one Region.

    Attributes:
        region: Region code.
        setting: Id of the setting.
        about: What the setting is.
        status: ``ok``, ``change`` where the guard would change it, ``not checked`` where nobody could look.
        severity: ``high``, ``medium`` or ``low`` where the guard would change it, else empty.
        values: What is set.
        managed_by: ``account`` or ``declarative-policy``, empty where EC2 does not say.
        change: The argument of ``AccountGuard`` that changes it, empty where nothing is left to change.
        effects: What the change would do.
        reason: Why it could not be looked at, else empty.
        source: Page that says what the setting does.
    """

    region: str
    setting: str
    about: str
    status: str
    source: str
    severity: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    managed_by: str = ""
    change: str = ""
    effects: Sequence[Effect] = ()
    reason: str = ""


def audit(clients: RegionClients) -> list[Finding]:
    """Look at each setting of the account in one Region.

    A look that is not allowed hides no other; any other failure is one of the whole Region.
    """
    return [_finding(setting, clients) for setting in SETTINGS]


def _finding(setting: Setting, clients: RegionClients) -> Finding:
    finding = Finding(
        region=clients.region, setting=setting.name, about=setting.about, status="ok", source=setting.source
    )
    try:
        found = setting.look(clients.ec2)
    except ClientError as error:
        if error.response["Error"]["Code"] not in NOT_ALLOWED:
            raise
        return replace(finding, status="not checked", reason=str(error))
    finding = replace(finding, values=found.values, managed_by=found.managed_by, effects=tuple(found.effects))
    if not found.severity:
        return finding
    if found.managed_by == POLICY:
        says = "a declarative policy of the organization manages it: change the policy, EC2 refuses the guard's call"
        finding = replace(finding, effects=(Effect(says=says), *finding.effects))
    return replace(finding, status="change", severity=found.severity, change=setting.argument)


def _public_images(ec2: Any) -> Found:
    answer = ec2.get_image_block_public_access_state()
    state = answer["ImageBlockPublicAccessState"]
    public = _all(
        ec2, "describe_images", "Images", Owners=["self"], Filters=[{"Name": "is-public", "Values": ["true"]}]
    )
    effects = []
    if state == "unblocked":
        effects.append(Effect(says="from then on no AMI of the account can be made public"))
    if public:
        ids = tuple(image["ImageId"] for image in public)
        effects.append(Effect(says="public AMIs stay public, until somebody makes them private", ids=ids))
    return Found(
        values={"ImageBlockPublicAccessState": state},
        severity="high" if state == "unblocked" else "",
        managed_by=answer.get("ManagedBy", ""),
        effects=effects,
    )


def _public_snapshots(ec2: Any) -> Found:
    answer = ec2.get_snapshot_block_public_access_state()
    state = answer["State"]
    public = _all(ec2, "describe_snapshots", "Snapshots", OwnerIds=["self"], RestorableByUserIds=["all"])
    ids = tuple(snapshot["SnapshotId"] for snapshot in public)
    effects = []
    if state == "unblocked":
        effects.append(Effect(says="from then on no snapshot of the account can be made public"))
    if ids and state != "block-all-sharing":
        effects.append(Effect(says="public snapshots are hidden from everybody else, who may be using them", ids=ids))
    return Found(
        values={"State": state},
        severity={"unblocked": "high", "block-new-sharing": "medium" if ids else "low"}.get(state, ""),
        managed_by=answer.get("ManagedBy", ""),
        effects=effects,
    )


def _allowed_images(ec2: Any) -> Found:
    answer = ec2.get_allowed_images_settings()
    state, criteria = answer["State"], answer.get("ImageCriteria", [])
    ended = {"Name": "instance-state-name", "Values": list(NOT_ENDED)}
    running = _all(ec2, "describe_instance_image_metadata", "InstanceImageMetadata", Filters=[ended])
    foreign = [one for one in running if one["ImageMetadata"].get("OwnerId") != one["OwnerId"]]
    if state == "disabled":
        effects = [Effect(says="audit mode hits nobody"), *_by_provider(foreign)]
    else:
        outside = [one for one in foreign if one["ImageMetadata"].get("ImageAllowed") is False]
        effects = list(_outside(outside, enforced=state == "enabled"))
    return Found(
        values={"State": state, "ImageCriteria": criteria},
        severity="medium" if state == "disabled" else "",
        managed_by=answer.get("ManagedBy", ""),
        effects=effects,
    )


def _by_provider(foreign: Iterable[Mapping[str, Any]]) -> Iterator[Effect]:
    instances: dict[str, list[str]] = defaultdict(list)
    for one in foreign:
        image = one["ImageMetadata"]
        owner = image.get("ImageOwnerAlias") or image.get("OwnerId") or "an unknown owner"
        instances[owner].append(one["InstanceId"])
    for owner, ids in sorted(instances.items()):
        yield Effect(says=f"enforced, criteria have to allow {owner}, whose AMIs these instances run", ids=tuple(ids))


def _outside(instances: Iterable[Mapping[str, Any]], *, enforced: bool) -> Iterator[Effect]:
    ids = tuple(one["InstanceId"] for one in instances)
    if ids and enforced:
        yield Effect(says="instances go on whose AMIs meet no criterion, and cannot be launched again", ids=ids)
    elif ids:
        yield Effect(says="enforced, the AMIs of these instances could not be launched again", ids=ids)
    elif not enforced:
        yield Effect(says="no instance runs an AMI that meets no criterion: enforce_allowed_images=True hits none")


def _ebs_encryption(ec2: Any) -> Found:
    on = ec2.get_ebs_encryption_by_default()["EbsEncryptionByDefault"]
    key = ec2.get_ebs_default_kms_key_id()["KmsKeyId"]
    effects = []
    if not on:
        effects.append(Effect(says=f"new volumes and copies of snapshots are encrypted with {key}"))
        # Whether that is AWS's own key, only KMS could tell: EC2 names it by its ARN or its alias.
        says = (
            "what AWS's own key encrypts (alias/aws/ebs) cannot be shared: name a key where AMIs go to other accounts"
        )
        effects.append(Effect(says=says))
        plain = _all(ec2, "describe_volumes", "Volumes", Filters=[{"Name": "encrypted", "Values": ["false"]}])
        if plain:
            ids = tuple(volume["VolumeId"] for volume in plain)
            effects.append(Effect(says="volumes that are not encrypted stay so, until they are replaced", ids=ids))
    return Found(
        values={"EbsEncryptionByDefault": on, "KmsKeyId": key}, severity="" if on else "medium", effects=effects
    )


def _instance_metadata(ec2: Any) -> Found:
    level = ec2.get_instance_metadata_defaults().get("AccountLevel", {})
    required = level.get("HttpTokens") == "required"
    effects = []
    if not required:
        effects.append(
            Effect(says="new instances answer IMDSv2 only, where neither the launch nor the AMI says otherwise")
        )
    filters = [{"Name": "instance-state-name", "Values": list(NOT_ENDED)}]
    loose = tuple(
        instance["InstanceId"]
        for reservation in _all(ec2, "describe_instances", "Reservations", Filters=filters)
        for instance in reservation["Instances"]
        if instance.get("MetadataOptions", {}).get("HttpTokens") != "required"
    )
    if loose:
        says = "instances that still answer IMDSv1 go on; see to it that their software needs it no more"
        effects.append(Effect(says=says, ids=loose))
    managed_by = level.get("ManagedBy", "")
    values = {name: value for name, value in level.items() if name != "ManagedBy"}
    return Found(values=values, severity="" if required else "medium", managed_by=managed_by, effects=effects)


def _all(ec2: Any, operation: str, key: str, **asked: Any) -> list[Any]:
    """Return everything that a paginated operation lists under ``key``."""
    return [one for page in ec2.get_paginator(operation).paginate(**asked) for one in page[key]]


SETTINGS: Final = (
    Setting(
        name="public-images",
        about="Whether AMIs of the account can be made public.",
        argument="block_public_images=True",
        source=f"{_EC2}block-public-access-to-amis.html",
        actions=("ec2:GetImageBlockPublicAccessState", "ec2:DescribeImages"),
        look=_public_images,
    ),
    Setting(
        name="public-snapshots",
        about="Whether snapshots of the account can be made public, and whether public ones can be used.",
        argument='block_public_snapshots="block-all-sharing"',
        source=f"{_EBS}block-public-access-snapshots.html",
        actions=("ec2:GetSnapshotBlockPublicAccessState", "ec2:DescribeSnapshots"),
        look=_public_snapshots,
    ),
    Setting(
        name="allowed-images",
        about="Which AMIs of others the account may see and launch.",
        argument="allowed_images=[ImageCriterion(...)], in audit mode",
        source=f"{_EC2}ec2-allowed-amis.html",
        actions=("ec2:GetAllowedImagesSettings", "ec2:DescribeInstanceImageMetadata"),
        look=_allowed_images,
    ),
    Setting(
        name="ebs-encryption",
        about="Whether new volumes and copies of snapshots are encrypted without being asked, and with which key.",
        argument="encrypt_ebs_by_default=True",
        source=f"{_EBS}encryption-by-default.html",
        actions=("ec2:GetEbsEncryptionByDefault", "ec2:GetEbsDefaultKmsKeyId", "ec2:DescribeVolumes"),
        look=_ebs_encryption,
    ),
    Setting(
        name="instance-metadata",
        about="How new instances answer metadata requests when nothing else says it.",
        argument="require_imdsv2=True",
        source=f"{_EC2}configuring-IMDS-new-instances.html",
        actions=("ec2:GetInstanceMetadataDefaults", "ec2:DescribeInstances"),
        look=_instance_metadata,
    ),
)
"""Every setting, in the order of reports."""
