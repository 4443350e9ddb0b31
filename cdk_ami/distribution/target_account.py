"""What an account lets Image Builder do to receive AMIs and to have them retired: two pure policy documents.

The service names both roles, and takes no other.
https://docs.aws.amazon.com/imagebuilder/latest/userguide/cross-account-dist.html
https://docs.aws.amazon.com/imagebuilder/latest/userguide/image-lifecycle-prerequisites.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from cdk_ami.checks.regions import PARTITION_OF
from cdk_ami.checks.rule import is_token
from cdk_ami.distribution.delivery import Delivery
from cdk_ami.naming import IMAGE_TAG
from cdk_ami.policies import allow, policy

DISTRIBUTION_ROLE: Final = "EC2ImageBuilderDistributionCrossAccountRole"
"""The role that a build takes to copy into an account.
https://docs.aws.amazon.com/imagebuilder/latest/userguide/cross-account-dist.html, read 2026-11-28"""

LIFECYCLE_ROLE: Final = "Ec2ImageBuilderCrossAccountLifecycleAccess"
"""The role that Image Builder takes to retire copies in an account.
https://docs.aws.amazon.com/imagebuilder/latest/userguide/image-lifecycle-prerequisites.html, read 2026-11-28"""

SERVICE_LINKED_ROLE: Final = "aws-service-role/imagebuilder.amazonaws.com/AWSServiceRoleForImageBuilder"
"""The role that a build acts by when it has no execution role.
https://docs.aws.amazon.com/imagebuilder/latest/userguide/image-builder-service-linked-role.html, read 2026-11-28"""

CREATED_BY: Final = "EC2 Image Builder"
"""Value of the tag ``CreatedBy`` on all that the service makes.  Its own policies hold themselves to it.
https://docs.aws.amazon.com/imagebuilder/latest/userguide/security-iam-awsmanpol.html, read 2026-11-28"""

WILDCARD_REASON: Final = (
    "Ids of AMIs and snapshots come with each build, so tags tell this image's from others; keys are known by alias; "
    "EC2's look-ups take no resource."
)
"""Why the roles of a target account hold wildcards; stated beside them to whoever checks the template."""

_KEY_ARN: Final = re.compile(r"arn:[^:]+:kms:(?P<region>[^:]+):(?P<account>[^:]+):(?P<kind>key|alias)/(?P<name>.+)")
_USE: Final = (
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
)
_GRANT: Final = ("kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant")
_RETIRE: Final = (
    "ec2:DeregisterImage",
    "ec2:DescribeImageAttribute",
    "ec2:DisableImage",
    "ec2:DisableImageDeprecation",
    "ec2:EnableImage",
    "ec2:EnableImageDeprecation",
)


class Receiver(NamedTuple):
    """An account that receives copies.

    Attributes:
        account: The account, or a token of it.
        deliveries: What it receives, of every image; at least one.
    """

    account: str
    deliveries: Sequence[Delivery]

    @property
    def partition(self) -> str:
        """Partition of the ARNs: that of the Regions, which are all of one."""
        return PARTITION_OF.get(self.deliveries[0].region, "aws")

    @property
    def regions(self) -> list[str]:
        """The Regions that receive copies, sorted."""
        return sorted({one.region for one in self.deliveries})

    @property
    def images(self) -> list[str]:
        """The names of the images, sorted."""
        return sorted({one.image for one in self.deliveries})

    def distribution_document(self) -> dict[str, Any]:
        """Return what the distribution role may do: copy, tag, share, and what the distribution writes besides."""
        return policy(
            [
                allow("Look", ["ec2:DescribeImages"], ["*"]),
                allow("Copy", ["ec2:CopyImage"], [self._ec2("image/*")], condition=_requested_in(self.regions)),
                allow(
                    "Tag",
                    ["ec2:CreateTags"],
                    [self._ec2("image/*"), self._ec2("snapshot/*")],
                    condition=self._unless_foreign(),
                ),
                # AWS's page asks for it whether a distribution shares the copy or not.
                allow(
                    "Share",
                    ["ec2:ModifyImageAttribute"],
                    [self._ec2("image/*")],
                    condition={"StringEquals": self._own_tags()},
                ),
                *self._keys(),
                *self._templates(),
                *self._parameters(),
                *self._windows(),
            ]
        )

    def lifecycle_document(self) -> dict[str, Any]:
        """Return what the lifecycle role may do: retire the copies of these images, and nothing else."""
        marked = {"aws:ResourceTag/CreatedBy": CREATED_BY}
        mark = {"StringEquals": {**marked, "aws:RequestTag/DeprecatedBy": CREATED_BY}}
        if_told = {"StringEqualsIfExists": {f"aws:ResourceTag/{IMAGE_TAG}": self.images}}
        return policy(
            [
                allow("Look", ["ec2:DescribeImages", "tag:GetResources"], ["*"]),
                allow("Retire", _RETIRE, [self._ec2("image/*")], condition={"StringEquals": self._own_tags()}),
                # The service tags the copies' snapshots itself, and tells nowhere whether with all tags of the AMI.
                allow(
                    "DeleteSnapshots",
                    ["ec2:DeleteSnapshot"],
                    [self._ec2("snapshot/*")],
                    condition={"StringEquals": marked, **if_told},
                ),
                allow(
                    "Mark",
                    ["ec2:CreateTags"],
                    [self._ec2("image/*"), self._ec2("snapshot/*")],
                    condition={**mark, **if_told, "ForAllValues:StringEquals": {"aws:TagKeys": ["DeprecatedBy"]}},
                ),
                allow(
                    "Unmark",
                    ["ec2:DeleteTags"],
                    [self._ec2("image/*"), self._ec2("snapshot/*")],
                    condition={
                        "StringEquals": marked,
                        **if_told,
                        "ForAllValues:StringEquals": {"aws:TagKeys": ["DeprecatedBy"]},
                    },
                ),
            ]
        )

    def _unless_foreign(self) -> dict[str, Any]:
        """Return the condition for tagging: what is tagged is new, or known to be a copy of one of these images."""
        return {
            **_requested_in(self.regions),
            "StringEqualsIfExists": self._own_tags(),
        }

    def _own_tags(self) -> dict[str, Any]:
        """Return the tags of the copies of these images."""
        return {"aws:ResourceTag/CreatedBy": CREATED_BY, f"aws:ResourceTag/{IMAGE_TAG}": self.images}

    def _keys(self) -> Iterator[dict[str, Any]]:
        keys = dict.fromkeys((one.region, key) for one in self.deliveries for key in one.keys)
        named, by_alias = [], dict[str, list[str]]()
        for region, key in keys:
            resource, alias = self._key(region, key)
            if alias is None:
                named.append(resource)
            else:
                by_alias.setdefault(alias, []).append(resource)
        # Only EC2 works with the keys, on behalf of the role.
        through = {"StringLike": {"kms:ViaService": "ec2.*"}}
        if named:
            yield from _key_statements("Key", named, through)
        for number, (alias, resources) in enumerate(sorted(by_alias.items()), start=1):
            known = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": alias}}
            yield from _key_statements(f"Alias{number}", resources, {**through, **known})

    def _key(self, region: str, key: str) -> tuple[str, str | None]:
        """Return the resource that is the key, and its alias where nothing but an alias tells which key it is.

        https://docs.aws.amazon.com/kms/latest/developerguide/cmks-in-iam-policies.html
        """
        if is_token(key):
            return key, None
        found = _KEY_ARN.fullmatch(key)
        if found is None:
            home = f"arn:{self.partition}:kms:{region}:{self.account}:key"
            return (f"{home}/*", key) if key.startswith("alias/") else (f"{home}/{key}", None)
        if found["kind"] == "key":
            return key, None
        everywhere = f"arn:{self.partition}:kms:{found['region']}:{found['account']}:key/*"
        return everywhere, f"alias/{found['name']}"

    def _templates(self) -> Iterator[dict[str, Any]]:
        made_default = sorted(
            {(one.region, found) for one in self.deliveries for found in one.default_launch_templates}
        )
        touched = sorted({(one.region, found) for one in self.deliveries for found in one.launch_templates})
        if not touched:
            return
        tagged = {"StringEquals": {"aws:ResourceTag/CreatedBy": CREATED_BY}}
        yield allow("LookAtTemplates", ["ec2:DescribeLaunchTemplates"], ["*"])
        arns = [self._template(*found) for found in touched]
        yield allow("UpdateTemplates", ["ec2:CreateLaunchTemplateVersion"], arns, condition=tagged)
        if made_default:
            defaults = [self._template(*found) for found in made_default]
            yield allow("MakeDefault", ["ec2:ModifyLaunchTemplate"], defaults, condition=tagged)
        yield allow(
            "TagTemplates",
            ["ec2:CreateTags"],
            arns,
            condition={"StringEquals": {**tagged["StringEquals"], "aws:RequestTag/CreatedBy": CREATED_BY}},
        )

    def _template(self, region: str, template: str) -> str:
        return f"arn:{self.partition}:ec2:{region}:{self.account}:launch-template/{template}"

    def _parameters(self) -> Iterator[dict[str, Any]]:
        # Most channels are the same in every Region: one statement for each set of Regions keeps the document small.
        regions: dict[str, list[str]] = {}
        for one in self.deliveries:
            for parameter in one.parameters:
                regions.setdefault(parameter, []).append(one.region)
        groups: dict[tuple[str, ...], list[str]] = {}
        for parameter, found in sorted(regions.items()):
            groups.setdefault(tuple(sorted(set(found))), []).append(parameter)
        for number, (where, parameters) in enumerate(sorted(groups.items()), start=1):
            yield allow(
                f"Channels{number}",
                ["ssm:GetParameter", "ssm:PutParameter"],
                [f"arn:{self.partition}:ssm:*:{self.account}:parameter{name}" for name in parameters],
                condition=_requested_in(where),
            )

    def _windows(self) -> Iterator[dict[str, Any]]:
        """Yield what targets ask for that is mostly asked for Windows: fast launch and licenses.

        https://docs.aws.amazon.com/AWSEC2/latest/WindowsGuide/win-fast-launch-slr.html
        """
        if any(one.fast_launch for one in self.deliveries):
            own = {"StringEquals": self._own_tags()}
            yield allow("FastLaunch", ["ec2:EnableFastLaunch"], [self._ec2("image/*")], condition=own)
            service = {"StringEquals": {"iam:AWSServiceName": "ec2fastlaunch.amazonaws.com"}}
            role = f"arn:{self.partition}:iam::{self.account}:role/aws-service-role/ec2fastlaunch.amazonaws.com/*"
            yield allow("FastLaunchRole", ["iam:CreateServiceLinkedRole"], [role], condition=service)
        if licenses := sorted({one for delivery in self.deliveries for one in delivery.license_configurations}):
            yield allow("Licenses", ["license-manager:UpdateLicenseSpecificationsForResource"], licenses)

    def _ec2(self, resource: str) -> str:
        return f"arn:{self.partition}:ec2:*::{resource}"


def distribution_trust(source_account: str, *, partition: str, roles: Sequence[str] = ()) -> dict[str, Any]:
    """Return who may take the distribution role: the build's account, by Image Builder's own role or by ``roles``.

    The principal is the account, because a trust policy with a role that does not exist yet is refused; which role of
    it the condition says.

    Args:
        source_account: Account that builds.
        partition: Its partition.
        roles: ARNs of further roles: execution roles, and those that promote.
    """
    home = f"arn:{partition}:iam::{source_account}"
    trusted = [f"{home}:role/{SERVICE_LINKED_ROLE}", *roles]
    return policy(
        [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"{home}:root"},
                "Action": "sts:AssumeRole",
                "Condition": {"ArnLike": {"aws:PrincipalArn": trusted}},
            }
        ]
    )


def lifecycle_trust(source_account: str, *, partition: str) -> dict[str, Any]:
    """Return who may take the lifecycle role: Image Builder, for images of the build's account."""
    return policy(
        [
            {
                "Effect": "Allow",
                "Principal": {"Service": "imagebuilder.amazonaws.com"},
                "Action": "sts:AssumeRole",
                "Condition": {
                    "StringEquals": {"aws:SourceAccount": source_account},
                    "ArnLike": {"aws:SourceArn": f"arn:{partition}:imagebuilder:*:{source_account}:image/*/*/*"},
                },
            }
        ]
    )


def _key_statements(sid: str, resources: Iterable[str], condition: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    # The same key may serve several Regions' copies, as the build Region's does.
    keys = list(dict.fromkeys(resources))
    yield allow(f"{sid}Use", _USE, keys, condition=condition)
    # Grants are for EC2 alone, which keeps the key at hand for as long as a volume lives.
    yield allow(f"{sid}Grants", _GRANT, keys, condition={**condition, "Bool": {"kms:GrantIsForAWSResource": "true"}})


def _requested_in(regions: Sequence[str]) -> dict[str, Any]:
    return {"StringEquals": {"aws:RequestedRegion": list(regions)}}
