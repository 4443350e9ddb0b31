"""Fast snapshot restore for a channel's AMI while it is new."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from aws_cdk import CustomResource, Duration, RemovalPolicy
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from cdk_ami.checks import fleet as zone_rules
from cdk_ami.checks import zonal as rules
from cdk_ami.distribution.channel import ImageChannel
from cdk_ami.errors import Faults
from cdk_ami.home import account_of, partition_of, region_of, stack_of
from cdk_ami.naming import scoped_name
from cdk_ami.policies import allow

_HANDLER: Final = Path(__file__).parents[1] / "runtime" / "fast_restore.py"


class FastRestore(Construct):
    """Volumes of a channel's AMI that have their full speed at once, in chosen zones, as long as the AMI is new.

    A volume is filled from its snapshot as its blocks are first read, which makes an instance's first minutes slow.
    Fast snapshot restore ends that.  It is dear, and pays while a fleet is replaced: 0.75 USD an hour for each snapshot
    in each zone, an hour at least, so an AMI of one volume in three zones for six hours costs 13.50 USD.  A snapshot of
    a TiB takes an hour until it is ready.  A Region has five such snapshots, and what can be done with one at a time is
    limited by credits.  The rate of volume initialization (``Volume.initialization_rate_mib``) costs by the launch
    instead, and is the better choice for few instances.

    CloudFormation has no such resource, so a function looks at the channel when it moves, every hour, and when the
    stack changes.  It writes down what it switches on before it does, in a parameter of its own, and switches it off
    when ``hours`` have gone by, when the channel moves on, and when this is taken out of the stack.

    https://docs.aws.amazon.com/ebs/latest/userguide/ebs-fast-snapshot-restore.html

    Example:
        ::

            FastRestore(stack, "Fast", channel=ImageChannel("web"), zones=["us-east-1a", "us-east-1b"], hours=3)

    Args:
        scope: The stack, or a construct in it, in the fleet's account and Region.
        construct_id: Id in ``scope``.
        channel: The channel that the fleet follows; its AMI is the account's own, or shared with its snapshots.
        zones: Availability Zones by name, those of the fleet.
        hours: How long it stays on after the channel moved, 1 to 168; up to an hour longer, because the function looks
            every hour.  Default: 6.

    Raises:
        ConfigError: When a zone is none of the Region, or the hours are out of range.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, channel: ImageChannel, zones: Sequence[str], hours: int = 6
    ) -> None:
        stack = stack_of(scope)
        faults = Faults(scope, construct_id)
        faults.check("zones", zone_rules.zones(zones))
        for index, zone in enumerate(zones):
            faults.check(f"zones[{index}]", zone_rules.zone_name(zone))
            faults.check(f"zones[{index}]", zone_rules.zone_region(zone, region_of(stack)))
        faults.check("hours", rules.fast_restore_hours(hours))
        faults.raise_if_any()

        super().__init__(scope, construct_id)
        state = f"{channel.parameter_name}/fast-restores/{scoped_name('fast', self.node.path)}"
        settings = json.dumps({"Channel": channel.parameter_name, "Hours": hours, "State": state, "Zones": list(zones)})
        role = self._role(channel.parameter_name, state)
        function = self._function(role, settings)
        CustomResource(
            self,
            "Resource",
            service_token=function.function_arn,
            resource_type="Custom::FastRestore",
            properties={"Settings": settings},
        ).node.add_dependency(role)
        moved = events.EventPattern(
            source=["aws.ssm"],
            detail_type=["Parameter Store Change"],
            detail={"name": [channel.parameter_name], "operation": ["Create", "Update"]},
        )
        target = targets.LambdaFunction(function)
        events.Rule(self, "Moved", event_pattern=moved, targets=[target])
        events.Rule(self, "Hourly", schedule=events.Schedule.rate(Duration.hours(1)), targets=[target])

    def _role(self, channel: str, state: str) -> iam.Role:
        stack = stack_of(self)
        here = f"arn:{partition_of(stack)}"
        parameters = f"{here}:ssm:{region_of(stack)}:{account_of(stack)}:parameter"
        snapshots = f"{here}:ec2:{region_of(stack)}::snapshot/*"
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        for statement in _statements(f"{parameters}{channel}", f"{parameters}{state}", snapshots):
            role.add_to_policy(iam.PolicyStatement.from_json(statement))
        return role

    def _function(self, role: iam.Role, settings: str) -> lambda_.Function:
        log_group = logs.LogGroup(
            self, "Log", retention=logs.RetentionDays.ONE_MONTH, removal_policy=RemovalPolicy.DESTROY
        )
        log_group.grant_write(role)
        return lambda_.Function(
            self,
            "Function",
            description="Keeps fast snapshot restore on for a channel's AMI while it is new",
            runtime=lambda_.Runtime.PYTHON_3_13,
            handler="index.handler",
            code=lambda_.Code.from_inline(_HANDLER.read_text(encoding="utf-8")),
            environment={"SETTINGS": settings},
            timeout=Duration.minutes(5),
            role=role,
            log_group=log_group,
        )


def _statements(channel: str, state: str, snapshots: str) -> list[dict[str, Any]]:
    switch = ["ec2:DisableFastSnapshotRestores", "ec2:EnableFastSnapshotRestores"]
    return [
        allow("Channel", ["ssm:GetParameter"], [channel]),
        allow("State", ["ssm:DeleteParameter", "ssm:GetParameter", "ssm:PutParameter"], [state]),
        allow("Switch", switch, [snapshots]),
        allow("Look", ["ec2:DescribeFastSnapshotRestores", "ec2:DescribeImages"], ["*"]),
    ]
