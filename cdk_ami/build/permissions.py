"""What the build instance may do: one pure list of statements, each wildcard with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from cdk_ami.checks.rule import is_token
from cdk_ami.policies import allow, policy

_AGENT_ACTIONS: Final = (
    "ec2messages:AcknowledgeMessage",
    "ec2messages:DeleteMessage",
    "ec2messages:FailMessage",
    "ec2messages:GetEndpoint",
    "ec2messages:GetMessages",
    "ec2messages:SendReply",
    "ssm:UpdateInstanceInformation",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
)
"""How the SSM agent takes commands.  None of them can be scoped to a resource.
https://docs.aws.amazon.com/systems-manager/latest/userguide/setup-instance-permissions.html"""

_INVENTORY_ACTIONS: Final = (
    "ssm:ListInstanceAssociations",
    "ssm:PutInventory",
    "ssm:UpdateInstanceAssociationStatus",
)
"""How the SSM agent reports the packages that enhanced metadata lists.
https://docs.aws.amazon.com/imagebuilder/latest/userguide/image-builder-service-linked-role.html"""

_LOG_ACTIONS: Final = ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents")
"""How the component runner writes its log.  It asks for the group first, which is there already.
https://docs.aws.amazon.com/imagebuilder/latest/userguide/monitor-cwlogs.html"""

WILDCARD_REASON: Final = (
    "The SSM agent's actions take no resource, AWS-managed components get new versions under their name, and the "
    "service's own buckets and the log prefix hold objects that nobody can list beforehand."
)
"""Why a build role holds wildcards; stated beside the role to whoever checks the template."""


class BuildPermissions(NamedTuple):
    """What one image's build instance needs.

    Attributes:
        partition: Partition of the ARNs, such as ``aws``.
        region: Region of the build.
        log_group_arn: ARN of the log group with ``:*`` at its end, as CloudFormation returns it.
        component_arns: The components to read, versions as wildcards where they are not known.
        object_arns: Objects to read: the assets of the components.
        log_objects_arn: The objects that the logs become, None without a bucket.
        log_key_arn: Key of the log bucket, None without one.
        inventory: Whether the build reports its packages.
    """

    partition: str
    region: str
    log_group_arn: str
    component_arns: Sequence[str]
    object_arns: Sequence[str] = ()
    log_objects_arn: str | None = None
    log_key_arn: str | None = None
    inventory: bool = True

    @property
    def service_object_arns(self) -> tuple[str, ...]:
        """The objects of the service's buckets: what AWS-managed components install, and its component runner.

        https://docs.aws.amazon.com/imagebuilder/latest/userguide/vpc-interface-endpoints.html#vpc-endpoint-policy-s3
        """
        return tuple(
            f"arn:{self.partition}:s3:::ec2imagebuilder-{bucket}-{self.region}-prod/*"
            for bucket in ("managed-resources", "toe")
        )

    def document(self) -> dict[str, Any]:
        """Return the policy document."""
        statements = [
            allow("Agent", [*_AGENT_ACTIONS, *(_INVENTORY_ACTIONS if self.inventory else ())], ["*"]),
            allow("Objects", ["s3:GetObject"], [*self.service_object_arns, *self.object_arns]),
            allow("Logs", _LOG_ACTIONS, [self.log_group_arn]),
        ]
        if self.component_arns:
            statements.append(allow("Components", ["imagebuilder:GetComponent"], self.component_arns))
        if any(":aws-marketplace:" in arn for arn in self.component_arns):
            # What a subscribed component downloads; the service's own policy for builds scopes it no further.
            # https://docs.aws.amazon.com/imagebuilder/latest/APIReference/API_GetMarketplaceResource.html
            statements.append(allow("Marketplace", ["imagebuilder:GetMarketplaceResource"], ["*"]))
        if self.inventory:
            # The agent reads the one document that its inventory association names.
            document = f"arn:{self.partition}:ssm:{self.region}::document/AWS-GatherSoftwareInventory"
            statements.append(allow("Inventory", ["ssm:GetDocument"], [document]))
        if self.log_objects_arn:
            statements.append(allow("LogObjects", ["s3:PutObject"], [self.log_objects_arn]))
        if self.log_key_arn:
            statements.append(allow("LogKey", ["kms:Decrypt", "kms:GenerateDataKey"], [self.log_key_arn]))
        return policy(statements)


def readable(component_arn: str) -> str:
    """Return the ARN to put in a policy so that every build version of ``component_arn`` can be read.

    The service reads components by build version: ``x.x.x`` may become any version, ``1.0.0`` any build of it.  A
    token is the ARN of one build version, as CloudFormation returns it.
    """
    stem, slash, version = component_arn.rpartition("/")
    if is_token(version) or not slash or "." not in version:
        return component_arn
    return f"{stem}/*" if "x" in version else f"{component_arn}/*"
