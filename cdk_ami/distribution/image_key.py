"""A key of its own for an image in one Region, whose policy lets in exactly those who need it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from aws_cdk import RemovalPolicy
from aws_cdk import aws_kms as kms
from constructs import Construct

from cdk_ami.checks import distribution as rules
from cdk_ami.checks.rule import is_list_token, is_token
from cdk_ami.distribution.key_access import written_here
from cdk_ami.distribution.keys import KeyUse, key_alias, key_arns, key_uses
from cdk_ami.errors import Faults
from cdk_ami.home import account_of, app_of, belongs_to, partition_of, region_of, stack_of

if TYPE_CHECKING:
    from cdk_ami.distribution.distribution import Distribution


class ImageKey(Construct):
    """The customer managed key that encrypts one image's AMIs in the Region of its stack.

    Keys do not leave their Region, so each Region that receives the AMI has a stack with one of these, deployed before
    the image.  The distribution names them by alias ARN, which is known beforehand: ``ImageKey.arns`` returns what
    ``Distribution(kms_keys=...)`` takes.

    The key rotates each year and costs about 1 USD a month and Region.  It outlives its stack, because nobody could
    launch an AMI whose key is gone; the alias does not.

    https://docs.aws.amazon.com/imagebuilder/latest/userguide/cross-account-dist.html

    Example:
        ::

            partner = LaunchPermission(accounts=["210987654321"])
            shared = Distribution(
                targets=[Target(region="us-east-1", launch_permission=partner)],
                kms_keys=ImageKey.arns("web", ["us-east-1"], account=stack.account),
            )
            ImageKey(stack, "Key", image="web", distribution=shared, build_region="us-east-1")

    Args:
        scope: A stack of the Region.
        construct_id: Id in ``scope``.
        image: Name of the image.
        distribution: Where its AMIs go, which tells who uses the key.
        build_region: Region that builds the image: everybody who makes a copy reads with the key of that Region.
        alias: Alias of the key.  Default: ``alias/imagebuilder/IMAGE``, in each Region the same.
        waiting_days: Days that the key waits for its end once somebody deletes it by hand, 7 to 30.  Default: 30.
        retain: Whether the key outlives its stack.  Default: True.

    Attributes:
        alias_arn: ARN of the alias, by which a distribution names the key.
        resource: The key.

    Raises:
        ConfigError: When AWS would refuse any of it, or the stack's Region is not known or receives no AMI.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        image: str,
        distribution: Distribution,
        build_region: str,
        alias: str | None = None,
        waiting_days: int = 30,
        retain: bool = True,
    ) -> None:
        stack = stack_of(scope)
        region, account, partition = region_of(stack), account_of(stack), partition_of(stack)
        name = alias or key_alias(image)
        uses = key_uses(distribution, build_region=build_region, owner=account, partition=partition)
        use = next((one for one in uses if one.region == region), KeyUse(region=region, owner=account))
        policy = use.policy()

        faults = Faults(scope, construct_id)
        faults.check("alias", rules.key_alias(name))
        faults.check("waiting_days", rules.key_waiting_days(waiting_days))
        if region not in {one.region for one in uses}:
            faults.add(
                "distribution",
                "sends no AMI into the Region of this key",
                got=region if not is_token(region) else "a token",
                fix="make the key in a stack whose env names one of the distribution's Regions",
            )
        faults.check("distribution", rules.key_policy_size(len(json.dumps(policy, separators=(",", ":")))))
        _find_unknown_users(faults, distribution)
        faults.raise_if_any()

        super().__init__(scope, construct_id)
        belongs_to(self, stack)
        self.resource = kms.CfnKey(
            self,
            "Resource",
            description=f"Encrypts the AMIs of {image}",
            enable_key_rotation=True,
            key_policy=policy,
            pending_window_in_days=waiting_days,
        )
        self.resource.apply_removal_policy(RemovalPolicy.RETAIN if retain else RemovalPolicy.DESTROY)
        kms.CfnAlias(self, "Alias", alias_name=name, target_key_id=self.resource.ref)
        self.alias_arn = key_arns(image, [region], account=account, partition=partition, alias=name)[region]
        written_here(app_of(stack), self.alias_arn)

    @staticmethod
    def arns(image: str, regions: Iterable[str], *, account: str, alias: str | None = None) -> dict[str, str]:
        """Return by Region the alias ARN of the key of an image: what ``Distribution(kms_keys=...)`` takes.

        Args:
            image: Name of the image.
            regions: Region codes.
            account: Account that owns the keys.
            alias: Alias of the keys.  Default: ``alias/imagebuilder/IMAGE``.
        """
        return key_arns(image, regions, account=account, alias=alias)

    @property
    def key_arn(self) -> str:
        """ARN of the key, which a grant of another account names."""
        return self.resource.attr_arn


def _find_unknown_users(faults: Faults, distribution: Distribution) -> None:
    for index, target in enumerate(distribution.targets):
        permission = target.launch_permission
        lists = {"accounts": target.accounts}
        if permission:
            lists["launch_permission.accounts"] = permission.accounts
        unknown = [name for name, values in lists.items() if any(map(is_list_token, values))]
        if permission and is_token([*permission.organizations, *permission.organizational_units]):
            unknown.append("launch_permission")
        for name in unknown:
            faults.add(
                f"distribution.targets[{index}].{name}",
                "is known to the deployment alone, so the key policy cannot admit it",
                got="a token",
                fix="write it out, or use a key whose policy you keep yourself",
            )
