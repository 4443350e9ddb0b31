"""Who uses the key that encrypts an image in a Region, and the key policy that lets exactly them: pure data.

A copy in another account is made by the role of that account which distribution takes: it reads with the key of the
build's Region and writes with that of its own.  Whoever launches reads with the key of the AMI's Region.  A key policy
cannot name a role that does not exist yet, so the statements name accounts, or everybody, and admit by condition.

https://docs.aws.amazon.com/imagebuilder/latest/userguide/cross-account-dist.html, read 2026-11-28
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cdk_ami.checks.regions import PARTITION_OF, url_suffix
from cdk_ami.checks.rule import is_list_token
from cdk_ami.distribution.target_account import DISTRIBUTION_ROLE
from cdk_ami.limits import ORGANIZATION_ARN, ORGANIZATIONAL_UNIT_ARN
from cdk_ami.naming import normalized

if TYPE_CHECKING:
    from cdk_ami.distribution.distribution import Distribution

GROUPS_ROLE: Final = "aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"
"""Role of an account by which its Auto Scaling groups launch; a group may have one with a suffix to this name.
https://docs.aws.amazon.com/autoscaling/ec2/userguide/autoscaling-service-linked-role.html"""

SPOT_ROLE: Final = "aws-service-role/spot.amazonaws.com/AWSServiceRoleForEC2Spot"
"""Role of an account by which EC2 launches Spot Instances, of groups too.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/service-linked-roles-spot-instance-requests.html"""

_LAUNCHING_ROLES: Final = (f"{GROUPS_ROLE}*", SPOT_ROLE)
_USE: Final = ("kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey")
_LAUNCH: Final = ("kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncrypt*")
_FOR_AWS: Final = {"Bool": {"kms:GrantIsForAWSResource": "true"}}

Statement = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyUse:
    """Who uses the key of one Region.

    Attributes:
        region: Region of the key.
        owner: Account that owns the key and builds the image.
        partition: Partition of the Region.
        copiers: Accounts whose distribution role copies from AMIs or to AMIs under the key.
        launchers: Accounts that launch from the AMIs, besides the owner.
        organizations: ARNs of organizations that launch.
        organizational_units: ARNs of organizational units that launch.
    """

    region: str
    owner: str
    partition: str = "aws"
    copiers: tuple[str, ...] = ()
    launchers: tuple[str, ...] = ()
    organizations: tuple[str, ...] = ()
    organizational_units: tuple[str, ...] = ()

    @property
    def is_shared(self) -> bool:
        """Whether anybody but the owner uses the key."""
        return bool(self.copiers or self.launchers or self.organizations or self.organizational_units)

    def statements(self) -> list[Statement]:
        """Return what the key policy holds beside whatever lets the owner's account administer and use the key.

        The owner's own policies let Image Builder's service-linked role in.  The roles of Auto Scaling and of Spot
        Instances have no permission for any key, so the key policy names them.
        https://docs.aws.amazon.com/autoscaling/ec2/userguide/key-policy-requirements-EBS-encryption.html
        """
        groups = {
            "StringEquals": {"kms:CallerAccount": self.owner},
            "ArnLike": {"aws:PrincipalArn": _launching_roles(self.partition, [self.owner])},
        }
        return [
            _statement("OwnGroups", "*", _USE, groups),
            _statement("OwnGroupsAttach", "*", ["kms:CreateGrant"], {**groups, **_FOR_AWS}),
            *self.statements_for_others(),
        ]

    def statements_for_others(self) -> list[Statement]:
        """Return those of the statements that let other accounts in."""
        return [*self._for_copiers(), *self._for_launchers()]

    def policy(self) -> dict[str, Any]:
        """Return the whole key policy, in which the owner's account decides by its own policies who administers it."""
        owner = _statement("Administration", _roots(self.partition, [self.owner]), ["kms:*"])
        return {"Version": "2012-10-17", "Statement": [owner, *self.statements()]}

    def _for_copiers(self) -> Iterable[Statement]:
        if not self.copiers:
            return
        principal = _roots(self.partition, self.copiers)
        # One pattern for all of the accounts that the principal names: a policy has little room.
        by_role = {"ArnLike": {"aws:PrincipalArn": f"arn:{self.partition}:iam::*:role/{DISTRIBUTION_ROLE}"}}
        yield _statement("Copy", principal, _USE, by_role)
        grants = ["kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant"]
        yield _statement("CopyAttach", principal, grants, {**by_role, **_FOR_AWS})

    def _for_launchers(self) -> Iterable[Statement]:
        if self.launchers:
            yield from self._launch("", _roots(self.partition, self.launchers), {}, self.launchers)
        if self.organizations:
            ids = [arn.rpartition("/")[2] for arn in self.organizations]
            by_organization = {"StringEquals": {"aws:PrincipalOrgID": _one_or_many(ids)}}
            yield from self._launch("InOrganization", "*", by_organization, ["*"])
        if self.organizational_units:
            paths = [unit_path(arn) for arn in self.organizational_units]
            by_unit = {"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": _one_or_many(paths)}}
            yield from self._launch("InUnit", "*", by_unit, ["*"])

    def _launch(
        self, who: str, principal: object, condition: Mapping[str, Any], accounts: Sequence[str]
    ) -> Iterable[Statement]:
        through_ec2 = {"kms:ViaService": f"ec2.{self.region}.{url_suffix(self.partition)}"}
        equals = {"StringEquals": {**condition.get("StringEquals", {}), **through_ec2}}
        yield _statement(f"Launch{who}", principal, _LAUNCH, {**condition, **equals})
        yield _statement(f"LaunchAttach{who}", principal, ["kms:CreateGrant"], {**condition, **equals, **_FOR_AWS})
        to_groups = {"StringLike": {"kms:GranteePrincipal": _launching_roles(self.partition, accounts)}}
        yield _statement(f"GrantToGroups{who}", principal, ["kms:CreateGrant"], {**condition, **to_groups})


def key_uses(
    distribution: Distribution, *, build_region: str, owner: str, partition: str = "aws"
) -> tuple[KeyUse, ...]:
    """Return who uses the key of each Region that holds an AMI, the build's Region first.

    Args:
        distribution: Where the AMIs go.
        build_region: Region of the build, whose key everybody reads with who makes copies.
        owner: Account that owns the keys and builds.
        partition: Partition of a Region that is a token.
    """
    every_copier = _others(owner, (account for target in distribution.targets for account in target.accounts))
    targets = {target.region: target for target in distribution.targets}
    uses = []
    for region in dict.fromkeys((build_region, *targets)):
        target = targets.get(region)
        permission = target.launch_permission if target else None
        copied = target.accounts if target else ()
        uses.append(
            KeyUse(
                region=region,
                owner=owner,
                partition=PARTITION_OF.get(region, partition),
                copiers=every_copier if region == build_region else _others(owner, copied),
                launchers=_others(owner, (*copied, *(permission.accounts if permission else ()))),
                organizations=_formed(permission.organizations if permission else (), ORGANIZATION_ARN),
                organizational_units=_formed(
                    permission.organizational_units if permission else (), ORGANIZATIONAL_UNIT_ARN
                ),
            )
        )
    return tuple(uses)


def key_alias(image: str) -> str:
    """Return the alias of the key that this library makes for an image: the same in each Region."""
    return f"alias/imagebuilder/{normalized(image)}"


def key_arns(
    image: str, regions: Iterable[str], *, account: str, partition: str = "aws", alias: str | None = None
) -> dict[str, str]:
    """Return by Region the alias ARN of the key of an image.

    An alias ARN is known before the key exists, so a distribution names keys of other Regions without taking a value
    from another stack.

    Args:
        image: Name of the image.
        regions: Region codes.
        account: Account that owns the keys.
        partition: Partition of a Region that is a token.
        alias: Alias of the keys.  Default: the one that ``ImageKey`` gives.
    """
    name = alias or key_alias(image)
    return {region: f"arn:{PARTITION_OF.get(region, partition)}:kms:{region}:{account}:{name}" for region in regions}


def unit_path(arn: str) -> str:
    """Return the pattern of ``aws:PrincipalOrgPaths`` for an organizational unit and all below it.

    The ARN holds organization and unit, and the unit's id that of its root; the units between are not known.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
    """
    organization, unit = arn.split("/")[1:3]
    return f"{organization}/r-{unit.split('-')[1]}/*{unit}/*"


def policy_text(statements: Sequence[Statement]) -> str:
    """Return statements as compact JSON for people to paste; what only the deployment knows stands as ``ACCOUNT``."""
    return re.sub(r"\$\{Token\[[^]]*\]\}", "ACCOUNT", json.dumps(list(statements), separators=(",", ":")))


def _others(owner: str, accounts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(account for account in accounts if account != owner and not is_list_token(account)))


def _formed(arns: Iterable[str], form: str) -> tuple[str, ...]:
    # Others are refused, or known to the deployment alone.
    return tuple(arn for arn in arns if re.fullmatch(form, arn))


def _statement(
    sid: str, principal: object, actions: Sequence[str], condition: Mapping[str, Any] | None = None
) -> Statement:
    statement = {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": {"AWS": principal},
        "Action": _one_or_many(actions),
        "Resource": "*",
    }
    return statement | ({"Condition": dict(condition)} if condition else {})


def _roots(partition: str, accounts: Sequence[str]) -> object:
    return _one_or_many([f"arn:{partition}:iam::{account}:root" for account in accounts])


def _launching_roles(partition: str, accounts: Sequence[str]) -> list[str]:
    return [f"arn:{partition}:iam::{account}:role/{role}" for account in accounts for role in _LAUNCHING_ROLES]


def _one_or_many(values: Sequence[str]) -> object:
    return values[0] if len(values) == 1 else list(values)
