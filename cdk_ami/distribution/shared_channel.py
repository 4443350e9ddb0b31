"""Channels that other accounts read: those that may launch an AMI without owning a copy of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from aws_cdk import CustomResource, Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_ram as ram
from constructs import Construct

from cdk_ami.checks import distribution as rules
from cdk_ami.distribution.channel import ImageChannel
from cdk_ami.distribution.launch_permission import LaunchPermission
from cdk_ami.errors import Faults
from cdk_ami.home import account_of, belongs_to, partition_of, region_of, stack_of
from cdk_ami.naming import scoped_name
from cdk_ami.policies import allow

_HANDLER: Final = Path(__file__).parents[1] / "runtime" / "advance_channel.py"
_LOG_DAYS: Final = logs.RetentionDays.ONE_MONTH


class SharedChannel(Construct):
    """Channels of the stack's account and Region that other accounts may read.

    An account that has a launch permission and no copy finds the AMI by the owner's parameter, which it reads with
    ``ImageChannel.from_shared``.  Parameter Store shares parameters of the advanced tier only, through the Resource
    Access Manager, and within one Region: make one in each Region that the AMI is shared in.

    The distribution makes a channel in the standard tier, so a small function moves it to the advanced one when this is
    deployed.  That costs 0.05 USD a month for each channel and cannot be undone; the value stays, and builds go on
    writing it.  A channel that does not exist stops the deployment: build the image first, in the same app by
    ``shared.node.add_dependency(image)``.

    An organization, or a unit of one, can be named once sharing with AWS Organizations is switched on
    (``aws ram enable-sharing-with-aws-organization``).

    https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-shared-parameters.html

    Example:
        ::

            permission = LaunchPermission(accounts=["210987654321"])
            shared = SharedChannel(stack, "Shared", channels=[ImageChannel("web")], share_with=permission)

    Args:
        scope: Where the share goes, in a stack of the account that owns the AMIs.
        construct_id: Id of the construct in ``scope``.
        channels: The channels, at least one.
        share_with: Who may read them: the launch permission of the distribution's target.
        outside: Whether accounts outside of the owner's organization may be among them.  They are invited and have to
            accept.  Default: False, such an account is refused.

    Attributes:
        share: The resource share.

    Raises:
        ConfigError: When a channel is another account's, or nobody is named whom a parameter can be shared with.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        channels: Sequence[ImageChannel],
        share_with: LaunchPermission,
        outside: bool = False,
    ) -> None:
        faults = Faults(scope, construct_id)
        faults.check("channels", rules.shared_channels([(one.parameter_name, one.owner) for one in channels]))
        share_with.find_faults(faults, prop="share_with")
        faults.check("share_with", rules.shared_with_named(names_others=share_with.names_others))
        faults.raise_if_any()

        super().__init__(scope, construct_id)
        stack = stack_of(scope)
        belongs_to(self, stack)
        names = [channel.parameter_name for channel in channels]
        root = f"arn:{partition_of(stack)}:ssm:{region_of(stack)}:{account_of(stack)}:parameter"
        arns = [f"{root}{name}" for name in names]
        advanced = CustomResource(
            self,
            "Advanced",
            service_token=self._function(arns).function_arn,
            resource_type="Custom::AdvancedChannels",
            properties={"Names": names},
        )
        self.share = ram.CfnResourceShare(
            self,
            "Resource",
            name=scoped_name("channels", self.node.path),
            resource_arns=arns,
            principals=[*share_with.accounts, *share_with.organizations, *share_with.organizational_units],
            allow_external_principals=outside,
        )
        self.share.node.add_dependency(advanced)

    def _function(self, arns: Sequence[str]) -> lambda_.Function:
        log_group = logs.LogGroup(self, "Log", retention=_LOG_DAYS, removal_policy=RemovalPolicy.DESTROY)
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        for statement in _statements(arns):
            role.add_to_policy(iam.PolicyStatement.from_json(statement))
        log_group.grant_write(role)
        return lambda_.Function(
            self,
            "Function",
            description="Moves channels to the advanced tier, so that they can be shared",
            runtime=lambda_.Runtime.PYTHON_3_13,
            handler="index.handler",
            # Inline code finds the module cfnresponse beside it, and needs no bucket for assets.
            # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cfn-lambda-function-code-cfnresponsemodule.html
            code=lambda_.Code.from_inline(_HANDLER.read_text(encoding="utf-8")),
            timeout=Duration.minutes(5),
            role=role,
            log_group=log_group,
        )


def _statements(arns: Sequence[str]) -> list[dict[str, Any]]:
    return [
        allow("Channels", ["ssm:GetParameter", "ssm:GetParameterHistory", "ssm:PutParameter"], arns),
        # Neither takes a resource.  PutParameter checks the AMI with the caller's permissions.
        # https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-ec2-aliases.html
        allow("Look", ["ec2:DescribeImages", "ssm:DescribeParameters"], ["*"]),
    ]
