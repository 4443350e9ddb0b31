"""What the two roles of an image producer may do: pure lists of statements, each wildcard with its reason."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from cdk_ami.checks.regions import url_suffix
from cdk_ami.checks.rule import is_list_token
from cdk_ami.distribution.target import Target
from cdk_ami.naming import IMAGE_TAG
from cdk_ami.policies import allow, policy

CROSS_ACCOUNT_ROLE: Final = "EC2ImageBuilderDistributionCrossAccountRole"
"""Role of a target account that the service takes there.
https://docs.aws.amazon.com/imagebuilder/latest/userguide/cross-account-dist.html"""

_CREATED_BY: Final = "EC2 Image Builder"
_KEY_ACTIONS: Final = (
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
)
"""What a copy does with a key, always through EC2.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/AMIEncryption.html"""

_ALIAS: Final = re.compile(r"(?:arn:(?P<arn>.+):)?(?P<alias>alias/.+)")

WILDCARD_REASON: Final = (
    "Descriptions take no resource, AMIs and snapshots have ids that nobody knows beforehand, and the service chooses "
    "the names of image resources that no recipe makes."
)
"""Why the roles hold wildcards; stated beside each to whoever checks the template."""


class Place(NamedTuple):
    """Where a producer stands.

    Attributes:
        partition: Partition, such as ``aws``.
        region: Region.
        account: Account.
    """

    partition: str
    region: str
    account: str

    def arn(self, service: str, name: str) -> str:
        """Return the ARN of a resource here."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{name}"


class ExecutionPermissions(NamedTuple):
    """What the execution role of a distribution does: it runs the whole workflow in the service's place.

    The service's own policy for such roles allows the same in every Region and on every resource.
    https://docs.aws.amazon.com/aws-managed-policy/latest/reference/EC2ImageBuilderExecutionPolicy.html

    Attributes:
        place: Where the producer stands.
        image: Name of the image.
        targets: Where AMIs go.
        entry_channel: The distribution's entry channel.
        source_keys: Keys that the AMIs to distribute are encrypted under.
        log_group_arn: ARN of the log group with ``:*`` at its end, as CloudFormation returns it.
    """

    place: Place
    image: str
    targets: Sequence[Target]
    entry_channel: str
    source_keys: Sequence[str]
    log_group_arn: str

    def document(self) -> dict[str, Any]:
        """Return the policy document."""
        return policy(list(self._statements()))

    def _statements(self) -> Iterator[dict[str, Any]]:
        place = self.place
        regions = list(dict.fromkeys([place.region, *(target.region for target in self.targets)]))
        images = [f"arn:{place.partition}:ec2:{region}::image/*" for region in regions]
        snapshots = [f"arn:{place.partition}:ec2:{region}::snapshot/*" for region in regions]
        looks = ["ec2:DescribeImageAttribute", "ec2:DescribeImages", "ec2:DescribeSnapshots", "ec2:DescribeTags"]
        templates = [
            f"arn:{place.partition}:ec2:{target.region}:{place.account}:launch-template/{update.launch_template_id}"
            for target in self.targets
            for update in target.launch_templates
            if update.account is None
        ]
        if templates:
            looks += ["ec2:DescribeLaunchTemplateVersions", "ec2:DescribeLaunchTemplates"]
        yield allow("Look", sorted(looks), ["*"])
        yield allow("Copy", ["ec2:CopyImage"], [*images, *snapshots])
        # New copies have no tag yet, and an AMI from elsewhere may never have this one; another image's AMIs have.
        ours = {"StringEqualsIfExists": {f"aws:ResourceTag/{IMAGE_TAG}": self.image}}
        yield allow("TagImages", ["ec2:CreateTags"], images, condition=ours)
        yield allow(
            "TagSnapshots",
            ["ec2:CreateTags"],
            snapshots,
            condition={"StringEquals": {"aws:RequestTag/CreatedBy": _CREATED_BY}, **ours},
        )
        if any(target.accounts or target.launch_permission for target in self.targets):
            # Before a target account copies, the AMI here and its snapshots are lent to it.
            yield allow("Share", ["ec2:ModifyImageAttribute"], images, condition=ours)
            yield allow("ShareSnapshots", ["ec2:ModifySnapshotAttribute"], snapshots, condition=ours)
        yield allow("Channels", ["ssm:GetParameter", "ssm:PutParameter"], self._parameters())
        if templates:
            yield allow("LaunchTemplates", ["ec2:CreateLaunchTemplateVersion", "ec2:ModifyLaunchTemplate"], templates)
        if roles := self._roles():
            yield allow("TargetAccounts", ["sts:AssumeRole"], roles)
        yield from self._windows(images)
        yield from self._keys()
        yield allow("Logs", ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"], [self.log_group_arn])

    def _parameters(self) -> list[str]:
        place = self.place
        return [
            f"arn:{place.partition}:ssm:{target.region}:{place.account}:parameter{name}"
            for target in self.targets
            for account, name in target.parameters(self.image, self.entry_channel)
            if account is None
        ]

    def _roles(self) -> list[str]:
        found: dict[str, None] = {}
        for target in self.targets:
            for account in target.accounts:
                # Accounts of a list that only the deployment knows cannot be named one by one.
                owner = "*" if is_list_token(account) else account
                found[f"arn:{self.place.partition}:iam::{owner}:role/{CROSS_ACCOUNT_ROLE}"] = None
        return list(found)

    def _windows(self, images: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Yield what targets ask for that is mostly asked for Windows: fast launch and licenses."""
        if any(one.account is None for target in self.targets for one in target.fast_launches):
            ours = {"StringEquals": {"aws:ResourceTag/CreatedBy": _CREATED_BY}}
            yield allow("FastLaunch", ["ec2:EnableFastLaunch"], images, condition=ours)
        if licenses := [arn for target in self.targets for arn in target.license_configurations]:
            yield allow("Licenses", ["license-manager:UpdateLicenseSpecificationsForResource"], licenses)

    def _keys(self) -> Iterator[dict[str, Any]]:
        named = [(key, self.place.region) for key in self.source_keys]
        named += [(key, target.region) for target in self.targets if (key := target.key_id()) is not None]
        for number, (key, region) in enumerate(dict.fromkeys(named)):
            through = {"kms:ViaService": f"ec2.{region}.{url_suffix(self.place.partition)}"}
            arn, aliases = self._key(key, region)
            yield allow(f"Key{number}", _KEY_ACTIONS, [arn], condition={"StringEquals": through, **aliases})
            yield allow(
                f"KeyGrant{number}",
                ["kms:CreateGrant"],
                [arn],
                condition={"StringEquals": through, "Bool": {"kms:GrantIsForAWSResource": "true"}, **aliases},
            )

    def _key(self, key: str, region: str) -> tuple[str, dict[str, Any]]:
        """Return the ARN that a statement names for a key, and the condition that narrows it to one of an alias.

        A policy cannot name an alias as its resource.
        https://docs.aws.amazon.com/kms/latest/developerguide/alias-authorization.html
        """
        keys = f"arn:{self.place.partition}:kms:{region}:{self.place.account}:key"
        alias = _ALIAS.fullmatch(key)
        if alias is not None:
            prefix = alias["arn"]
            owned = f"arn:{prefix}:key/*" if prefix else f"{keys}/*"
            return owned, {"ForAnyValue:StringEquals": {"kms:ResourceAliases": alias["alias"]}}
        return (key if ":" in key or "${" in key else f"{keys}/{key}"), {}


class MachinePermissions(NamedTuple):
    """What the state machine of a producer does.

    Attributes:
        place: Where the producer stands.
        image: Name of the image.
        configuration_arn: The distribution configuration.
        role_arn: The execution role.
        tag_key: Tag by which an AMI remembers its delivery.
        topic_arn: Topic that hears how distributions ended; None for nobody.
        topic_key_arn: Key of that topic, None where it is not encrypted.
    """

    place: Place
    image: str
    configuration_arn: str
    role_arn: str
    tag_key: str
    topic_arn: str | None = None
    topic_key_arn: str | None = None

    def document(self) -> dict[str, Any]:
        """Return the policy document."""
        place = self.place
        images = place.arn("imagebuilder", "image/*")
        passed = {"StringEquals": {"iam:PassedToService": "imagebuilder.amazonaws.com"}}
        ours = {"StringEquals": {f"aws:ResourceTag/{IMAGE_TAG}": self.image}}
        statements = [
            allow("Look", ["ec2:DescribeImages", "ec2:DescribeTags"], ["*"]),
            allow(
                "Remember",
                ["ec2:CreateTags"],
                [f"arn:{place.partition}:ec2:{place.region}::image/*"],
                condition={"ForAllValues:StringEquals": {"aws:TagKeys": [self.tag_key]}},
            ),
            allow("Channels", ["ssm:GetParameter"], self._parameters()),
            allow(
                "Distribute",
                ["imagebuilder:DistributeImage", "imagebuilder:GetDistributionConfiguration"],
                [self.configuration_arn, images],
            ),
            allow("Follow", ["imagebuilder:GetImage", "imagebuilder:TagResource"], [images]),
            allow("Retry", ["imagebuilder:RetryImage"], [images], condition=ours),
            allow("PassRole", ["iam:PassRole"], [self.role_arn], condition=passed),
        ]
        if self.topic_arn:
            statements.append(allow("Tell", ["sns:Publish"], [self.topic_arn]))
        if self.topic_key_arn:
            statements.append(allow("TellSecretly", ["kms:Decrypt", "kms:GenerateDataKey"], [self.topic_key_arn]))
        return policy(statements)

    def _parameters(self) -> list[str]:
        """Return the parameters that may name a source: channels, and those that AWS publishes."""
        place = self.place
        return [
            place.arn("ssm", "parameter/imagebuilder/*"),
            f"arn:{place.partition}:ssm:{place.region}::parameter/aws/service/*",
        ]
