"""The network that a stack makes when it is given none."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Acknowledgment, RemovalPolicy, Stack, Validations
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct


class Network(Construct):
    """A VPC with one public subnet in each chosen zone, and flow logs of what it refuses.

    Instances reach AWS and the package repositories through the internet gateway, which costs nothing; a NAT gateway
    would cost about 33 USD a month and zone.  Nothing reaches them: whoever launches them brings a security group
    without ingress rules.  Flow logs of rejected traffic are kept for a month and cost cents.

    Args:
        scope: The stack.
        construct_id: Id in the stack.
        zones: Availability Zones, named.  Named zones need no look-up, so that the template is the same everywhere.
        cidr: Addresses of the VPC.
    """

    def __init__(self, scope: Construct, construct_id: str, *, zones: Sequence[str], cidr: str) -> None:
        super().__init__(scope, construct_id)
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            ip_addresses=ec2.IpAddresses.cidr(cidr),
            availability_zones=list(zones),
            nat_gateways=0,
            # The default group stays unused; emptying it would take a Lambda function in every Region.
            restrict_default_security_group=False,
            subnet_configuration=[
                ec2.SubnetConfiguration(name="Public", subnet_type=ec2.SubnetType.PUBLIC),
            ],
        )
        Validations.of(self.vpc).acknowledge(
            Acknowledgment(
                id="CloudFormation-Validate::W3010",
                reason="zones are named in the settings, so that a template never depends on a look-up in the account",
            )
        )
        log_group = logs.LogGroup(
            self, "FlowLogs", retention=logs.RetentionDays.ONE_MONTH, removal_policy=RemovalPolicy.DESTROY
        )
        # https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-iam-role.html
        service = iam.ServicePrincipal(
            "vpc-flow-logs.amazonaws.com",
            conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
        )
        role = iam.Role(self, "FlowLogsRole", assumed_by=service)
        self.vpc.add_flow_log(
            "Rejected",
            destination=ec2.FlowLogDestination.to_cloud_watch_logs(log_group, role),
            traffic_type=ec2.FlowLogTrafficType.REJECT,
        )
