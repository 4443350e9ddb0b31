"""Resources that are nothing but an entry in a stack."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cdk_ami.sandbox.cloudformation.resources.base import Context, Handler, Made, handles


class _Nothing(Handler):
    def create(self, context: Context, new: Mapping[str, Any]) -> Made:  # noqa: ARG002 - nothing to make
        return Made(physical_id=context.name())

    def update(
        self,
        context: Context,  # noqa: ARG002 - nothing to change
        physical_id: str,
        old: Mapping[str, Any],  # noqa: ARG002 - same
        new: Mapping[str, Any],  # noqa: ARG002 - same
    ) -> Made:
        return Made(physical_id=physical_id)

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:
        """Nothing to remove."""


@handles("AWS::CDK::Metadata", "Analytics Modules")
class Metadata(_Nothing):
    """What the CDK tells AWS about its use."""


@handles("AWS::CloudFormation::WaitConditionHandle", "")
class WaitConditionHandle(_Nothing):
    """A handle that nobody signals; CDK uses it for empty stacks."""

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:  # noqa: ARG002 - nothing to make
        """Make the entry."""
        return Made(
            physical_id=f"https://cloudformation-waitcondition-{context.region}.s3.amazonaws.com/{context.name()}"
        )
