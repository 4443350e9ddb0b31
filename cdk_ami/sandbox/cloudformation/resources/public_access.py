"""Whether snapshots of the account may be public."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cdk_ami.sandbox.cloudformation.resources.base import Context, Handler, Made, handles


@handles("AWS::EC2::SnapshotBlockPublicAccess", "State")
class SnapshotBlockPublicAccess(Handler):
    """The setting of the account in the Region, whose physical id is the account.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-snapshotblockpublicaccess.html
    """

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Block what the template says."""
        context.client("ec2").enable_snapshot_block_public_access(State=new["State"])
        return Made(physical_id=context.account, attributes={"AccountId": context.account})

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:  # noqa: ARG002
        """Block what the template says now."""
        return self.create(context, new)

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Let snapshots be public again."""
        context.client("ec2").disable_snapshot_block_public_access()
