"""Lets a fleet launch from AMIs that a key of another account encrypts."""

from __future__ import annotations

from typing import Final

from aws_cdk import RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import custom_resources as custom
from constructs import Construct

from cdk_ami.checks import distribution as rules
from cdk_ami.distribution.keys import GROUPS_ROLE, SPOT_ROLE
from cdk_ami.errors import Faults
from cdk_ami.home import account_of, belongs_to, partition_of, region_of, stack_of

_OPERATIONS: Final = (
    "CreateGrant",
    "Decrypt",
    "DescribeKey",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "ReEncryptFrom",
    "ReEncryptTo",
)
"""What Auto Scaling does with the key of a volume.
https://docs.aws.amazon.com/autoscaling/ec2/userguide/key-policy-requirements-EBS-encryption.html"""

_GONE: Final = "NotFound|InvalidGrantId|ValidationException"
"""What KMS answers when there is no such grant, also where none was made."""


class KeyGrant(Construct):
    """A grant that lets this account's Auto Scaling groups use a key of another account.

    A key policy alone is not enough there: the role of Auto Scaling has no permission for any key, and a grant for it
    must be made from its own account.  The policy of the key must allow that; those of ``ImageKey`` do.  Without the
    grant a group's instances end at once, with ``Client.InternalError``.

    CloudFormation has no resource for grants, so a function of the CDK's makes the call and retires the grant with this
    construct.  It costs nothing to speak of.

    https://docs.aws.amazon.com/autoscaling/ec2/userguide/key-policy-requirements-EBS-encryption.html

    Example:
        ::

            key = "arn:aws:kms:us-east-1:210987654321:key/11112222-3333-4444-5555-666677778888"
            image = ImageChannel.from_name("web").machine_image(root_device="/dev/xvda")
            fleet = ImageFleet(stack, "Fleet", image=image, vpc=vpc)
            fleet.node.add_dependency(KeyGrant(stack, "KeyGrant", key_arn=key))

    Args:
        scope: The stack of the fleet, or a construct in it.
        construct_id: Id in ``scope``.
        key_arn: ARN of the key, in the Region of the fleet; an alias will not do.  The key stack of the default app
            shows it as its output ``KeyArn``.
        role_suffix: Suffix of the groups' own service-linked role, for groups that have one.
            Default: ``AWSServiceRoleForAutoScaling`` itself, which exists once the account had its first group, or
            after ``aws iam create-service-linked-role --aws-service-name autoscaling.amazonaws.com``.
        spot: Whether the groups have Spot Instances, which EC2 launches by a role of its own,
            ``AWSServiceRoleForEC2Spot``; it gets a grant too.  Default: False.

    Raises:
        ConfigError: When the key is not named by its ARN or is a key of another Region.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        key_arn: str,
        role_suffix: str | None = None,
        spot: bool = False,
    ) -> None:
        stack = stack_of(scope)
        faults = Faults(scope, construct_id)
        faults.check("key_arn", rules.key_arn(key_arn))
        faults.check("key_arn", rules.kms_key_region(key_arn, region_of(stack)))
        faults.raise_if_any()

        super().__init__(scope, construct_id)
        belongs_to(self, stack)
        account = f"arn:{partition_of(stack)}:iam::{account_of(stack)}"
        groups = f"{account}:role/{GROUPS_ROLE}{f'_{role_suffix}' if role_suffix else ''}"
        grantees = {"Resource": groups} | ({"Spot": f"{account}:role/{SPOT_ROLE}"} if spot else {})
        log_group = logs.LogGroup(
            self, "Log", retention=logs.RetentionDays.ONE_MONTH, removal_policy=RemovalPolicy.DESTROY
        )
        for child, grantee in grantees.items():
            self._grant(child, grantee, key_arn=key_arn, account=f"{account}:root", log_group=log_group)

    def _grant(self, child: str, grantee: str, *, key_arn: str, account: str, log_group: logs.ILogGroup) -> None:
        made = custom.AwsSdkCall(
            service="KMS",
            action="createGrant",
            parameters={
                "KeyId": key_arn,
                "GranteePrincipal": grantee,
                "RetiringPrincipal": account,
                "Operations": list(_OPERATIONS),
                # A second call with the same name and the same values makes no second grant.
                "Name": f"cdk-ami-{self.node.addr}",
            },
            physical_resource_id=custom.PhysicalResourceId.from_response("GrantId"),
            output_paths=["GrantId"],
        )
        custom.AwsCustomResource(
            self,
            child,
            resource_type="Custom::KeyGrant",
            on_create=made,
            on_update=made,
            on_delete=custom.AwsSdkCall(
                service="KMS",
                action="retireGrant",
                parameters={"KeyId": key_arn, "GrantId": custom.PhysicalResourceIdReference()},
                ignore_error_codes_matching=_GONE,
            ),
            install_latest_aws_sdk=False,
            log_group=log_group,
            policy=custom.AwsCustomResourcePolicy.from_statements(
                [
                    iam.PolicyStatement(
                        actions=["kms:CreateGrant"],
                        resources=[key_arn],
                        conditions={"StringEquals": {"kms:GranteePrincipal": grantee}},
                    ),
                    iam.PolicyStatement(actions=["kms:RetireGrant"], resources=[key_arn]),
                ]
            ),
        )
