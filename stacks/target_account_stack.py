"""The stack that an account deploys to receive copies of a golden image."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import CfnOutput, LegacyStackSynthesizer, Stack
from constructs import Construct

from cdk_ami import Delivery, TargetAccountRole
from cdk_ami.settings import ReceiveSettings


class TargetAccountStack(Stack):
    """The roles by which an account receives copies, for one image, deployed in one Region.

    It names neither account nor Region and has no assets, so that one template serves every account: by `cdk deploy`
    with the credentials of each, without a bootstrap, or by a StackSet.

    Args:
        scope: The app or stage.
        construct_id: Name of the stack.
        image: Name of the image.
        source_account: Account that builds.
        deliveries: What the account receives.
        settings: What it allows besides.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        image: str,
        source_account: str,
        deliveries: Sequence[Delivery],
        settings: ReceiveSettings,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            description=f"Lets {source_account} copy the golden image {image} into this account",
            synthesizer=LegacyStackSynthesizer(),
        )
        self.roles = TargetAccountRole(
            self,
            "Roles",
            source_account=source_account,
            deliveries=deliveries,
            trusted_roles=settings.trusted_roles,
            retire=settings.retire,
        )
        CfnOutput(self, "DistributionRole", value=self.roles.distribution_role.attr_arn, description="Taken by builds")
