"""What instances are to IAM and to the network: their role and their security groups."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Final

from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam

from cdk_ami.fleet.permissions import WILDCARD_REASON, fleet_policy
from cdk_ami.home import account_of, partition_of, region_of, stack_of
from cdk_ami.policies import INSTANCES
from cdk_ami.wildcards import acknowledge_wildcards

if TYPE_CHECKING:
    from aws_cdk import aws_logs as logs
    from constructs import Construct

_GROUP_DESCRIPTION: Final = "Instances of a golden image, without inbound rules"
"""Constant, because another description replaces a security group."""


class Identity:
    """The role and the security groups of instances, as resources of the template or as given.

    The CDK's objects for grants and rules are made when somebody asks: most fleets need neither.

    Args:
        scope: The fleet.
        role: The role, the fleet's own or a given one.
        security_groups: The security group of its own, or the given ones.
    """

    def __init__(
        self,
        scope: Construct,
        *,
        role: iam.CfnRole | iam.IRole,
        security_groups: ec2.CfnSecurityGroup | Sequence[ec2.ISecurityGroup],
    ) -> None:
        self._scope, self._role, self._groups = scope, role, security_groups

    @property
    def role_name(self) -> str:
        """Name of the role."""
        return self._role.ref if isinstance(self._role, iam.CfnRole) else self._role.role_name

    @property
    def security_group_ids(self) -> list[str]:
        """Ids of the security groups."""
        if isinstance(self._groups, ec2.CfnSecurityGroup):
            return [self._groups.attr_group_id]
        return [group.security_group_id for group in self._groups]

    @cached_property
    def role(self) -> iam.IRole:
        """The role, to grant it things."""
        if not isinstance(self._role, iam.CfnRole):
            return self._role
        return iam.Role.from_role_name(self._scope, "InstanceRole", self._role.ref)

    @cached_property
    def connections(self) -> ec2.Connections:
        """The network interfaces, to allow traffic from and to."""
        groups = self._groups
        if isinstance(groups, ec2.CfnSecurityGroup):
            found = ec2.SecurityGroup.from_security_group_id
            groups = [found(self._scope, "InstanceSecurityGroup", groups.attr_group_id, allow_all_outbound=True)]
        return ec2.Connections(security_groups=list(groups))


def render_role(
    scope: Construct,
    *,
    description: str,
    session_manager: bool,
    cloudwatch_agent: bool,
    log_groups: Sequence[logs.ILogGroup],
    agent_log_prefix: str | None,
) -> iam.CfnRole:
    """Add the role of a fleet's own to ``scope``; what it allows is described at `ImageFleet`."""
    document = fleet_policy(
        session_manager=session_manager,
        cloudwatch_agent=cloudwatch_agent,
        log_group_arns=[group.log_group_arn for group in log_groups],
        agent_log_groups_arn=_log_groups_arn(scope, agent_log_prefix) if agent_log_prefix else None,
    )
    role = iam.CfnRole(
        scope,
        "Role",
        description=description,
        assume_role_policy_document=INSTANCES,
        policies=[iam.CfnRole.PolicyProperty(policy_name="Fleet", policy_document=document)]
        if document["Statement"]
        else None,
    )
    acknowledge_wildcards(role, document, reason=WILDCARD_REASON)
    return role


def _log_groups_arn(scope: Construct, prefix: str) -> str:
    stack = stack_of(scope)
    return f"arn:{partition_of(stack)}:logs:{region_of(stack)}:{account_of(stack)}:log-group:{prefix}*"


def render_security_group(scope: Construct, vpc: ec2.IVpc) -> ec2.CfnSecurityGroup:
    """Add the security group of a fleet's own to ``scope``: everything out, nothing in."""
    shape = ec2.CfnSecurityGroup
    return shape(
        scope,
        "SecurityGroup",
        vpc_id=vpc.vpc_id,
        group_description=_GROUP_DESCRIPTION,
        security_group_egress=[shape.EgressProperty(cidr_ip="0.0.0.0/0", ip_protocol="-1", description="Everything")],
    )
