"""The resources of a rollout: state machine, roles, rules and schedules, rendered once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_stepfunctions as stepfunctions
from constructs import Construct

from cdk_ami.checks.regions import PARTITION_OF
from cdk_ami.fleet.rollout import Rollout, RolloutMode
from cdk_ami.fleet.rollout_machine import PATIENCE, RolloutPlan, definition
from cdk_ami.fleet.rollout_state import freeze_parameter, rollout_parameter
from cdk_ami.home import account_of, partition_of, region_of, stack_of
from cdk_ami.naming import scoped_name
from cdk_ami.policies import allow, policy, service_trust
from cdk_ami.wildcards import acknowledge_wildcards

if TYPE_CHECKING:
    from aws_cdk import Stack

    from cdk_ami.distribution.channel_image import DeployedImage

_WORK_SECONDS: Final = 12 * 3_600
"""How long an update may take besides the pauses that were asked for."""

_POLL_SECONDS: Final = 30
_WINDOW_SECONDS: Final = 900
"""A quarter of an hour, after which the schedule of a window starts again: what comes later is not wanted."""

_WILDCARDS: Final = (
    "CloudFormation reads the parameters of the stack anew for whoever updates it: channels, public parameters and the "
    "version of the bootstrap stack.  Instance refreshes are described without a resource."
)

_MOVED: Final = ("Create", "Update", "Delete")
_STACK_STATUSES: Final = (
    "CREATE_COMPLETE",
    "UPDATE_IN_PROGRESS",
    "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE",
    "UPDATE_ROLLBACK_FAILED",
)


class RolloutResources(Construct):
    """What follows one channel for one fleet.

    Args:
        scope: The fleet.
        construct_id: Id in ``scope``.
        rollout: The rollout, checked before.
        image: The image that is read from the channel.
        group_name: Name of the Auto Scaling group.
        group_id: Logical id of the Auto Scaling group.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        rollout: Rollout[Any],
        image: DeployedImage,
        group_name: str,
        group_id: str,
    ) -> None:
        super().__init__(scope, construct_id)
        stack = stack_of(scope)
        region = region_of(stack)
        fleet = rollout.name or scoped_name(*scope.node.path.split("/"), limit=64)
        where = (image.channel.image, image.channel.channel, fleet)
        self.state_parameter = rollout_parameter(*where)
        """Name of the parameter that holds the rollout's state."""
        topic = rollout.notifications
        plan = RolloutPlan(
            fleet=fleet,
            stack=stack.stack_id,
            parameter=image.parameter_id,
            group=group_id,
            group_name=group_name,
            channel=image.channel.parameter_in(
                partition=PARTITION_OF.get(region) or partition_of(stack), region=region
            ),
            state=self.state_parameter,
            freeze=freeze_parameter(*where),
            topic=topic.topic_arn if topic else None,
            role=rollout.deployment_role.role_arn if rollout.deployment_role else None,
            updates=rollout.mode is RolloutMode.ON_CHANNEL,
            windowed=bool(rollout.windows),
            poll_seconds=max(_POLL_SECONDS, -(-(_WORK_SECONDS + rollout.refresh.pauses_seconds) // PATIENCE)),
        )
        document = policy(_statements(stack, plan, rollout))
        role = iam.CfnRole(
            self,
            "Role",
            description=f"Rollout of {fleet}",
            assume_role_policy_document=service_trust(account_of(stack), "states.amazonaws.com"),
            policies=[iam.CfnRole.PolicyProperty(policy_name="Rollout", policy_document=document)],
        )
        acknowledge_wildcards(role, document, reason=_WILDCARDS)
        machine = stepfunctions.CfnStateMachine(
            self, "Resource", role_arn=role.attr_arn, definition_string=stack.to_json_string(_definition(stack, plan))
        )
        self.state_machine_arn = machine.ref
        """ARN of the state machine, which an execution may be started of at any time."""
        # The role cannot name the machine that is made with it.
        iam.CfnPolicy(
            self,
            "Turn",
            policy_name="Turn",
            policy_document=policy([allow("Turn", ["states:ListExecutions"], [machine.ref])]),
            roles=[role.ref],
        )
        start = policy([allow("Start", ["states:StartExecution"], [machine.ref])])
        self._starter = iam.CfnRole(
            self,
            "Starter",
            description=f"Starts the rollout of {fleet}",
            assume_role_policy_document=service_trust(
                account_of(stack), "events.amazonaws.com", "scheduler.amazonaws.com"
            ),
            policies=[iam.CfnRole.PolicyProperty(policy_name="Start", policy_document=start)],
        )
        if image.channel.owner is None:
            self._rule("Moved", _moved(plan))
        if not plan.updates:
            self._rule("Deployed", _deployed(stack))
        every = int(rollout.reconcile.to_minutes()) if rollout.reconcile else 60
        self._schedule("Reconcile", f"rate({every} minute{'s' if every > 1 else ''})", {})
        for number, window in enumerate(rollout.windows, start=1):
            self._schedule(f"Window{number}", window.schedule, {"open": True}, time_zone=window.time_zone)

    def _rule(self, construct_id: str, pattern: Mapping[str, Any]) -> None:
        target = events.CfnRule.TargetProperty(
            arn=self.state_machine_arn, id="Rollout", role_arn=self._starter.attr_arn
        )
        events.CfnRule(self, construct_id, event_pattern=dict(pattern), targets=[target])

    def _schedule(
        self, construct_id: str, expression: str, asked: Mapping[str, Any], *, time_zone: str | None = None
    ) -> None:
        shape = scheduler.CfnSchedule
        shape(
            self,
            construct_id,
            schedule_expression=expression,
            schedule_expression_timezone=time_zone,
            flexible_time_window=shape.FlexibleTimeWindowProperty(mode="OFF"),
            target=shape.TargetProperty(
                arn=self.state_machine_arn,
                role_arn=self._starter.attr_arn,
                input=json.dumps(asked),
                retry_policy=shape.RetryPolicyProperty(
                    maximum_event_age_in_seconds=_WINDOW_SECONDS, maximum_retry_attempts=10
                ),
            ),
        )


def _definition(stack: Stack, plan: RolloutPlan) -> Any:
    """Return the state machine; integrations belong to the partition."""
    text = json.dumps(definition(plan))
    return json.loads(text.replace("arn:aws:states:", f"arn:{partition_of(stack)}:states:"))


def _moved(plan: RolloutPlan) -> dict[str, Any]:
    """Return the pattern of a channel that moved, or of a freeze that began or ended.

    What failed after its answer has an ``exception``.
    https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-cwe.html
    """
    names = [plan.channel, plan.freeze] if plan.updates else [plan.channel]
    return {
        "source": ["aws.ssm"],
        "detail-type": ["Parameter Store Change"],
        "detail": {"name": names, "operation": list(_MOVED), "exception": [{"exists": False}]},
    }


def _deployed(stack: Stack) -> dict[str, Any]:
    """Return the pattern of a deployment that begins or ends.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/event-detail-stack-status-change.html
    """
    return {
        "source": ["aws.cloudformation"],
        "detail-type": ["CloudFormation Stack Status Change"],
        "detail": {"stack-id": [stack.stack_id], "status-details": {"status": list(_STACK_STATUSES)}},
    }


def _statements(stack: Stack, plan: RolloutPlan, rollout: Rollout[Any]) -> list[dict[str, Any]]:
    """Return what the state machine does itself, and what CloudFormation asks of whoever updates the stack."""
    partition, region, account = partition_of(stack), region_of(stack), account_of(stack)
    own = f"arn:{partition}:ssm:{region}:{account}:parameter"

    def arn(name: str) -> str:
        return name if name.startswith("arn:") else f"{own}/{name.removeprefix('/')}"

    reads = [plan.channel, plan.state, *([plan.freeze] if plan.updates else [])]
    found = [
        allow("Read", ["ssm:GetParameter"], [arn(name) for name in reads]),
        allow("Tell", ["ssm:PutParameter"], [arn(plan.state)]),
        allow("Look", ["cloudformation:DescribeStacks", "cloudformation:DescribeStackEvents"], [plan.stack]),
    ]
    if plan.updates:
        anew = [f"{own}/imagebuilder/*", f"{own}/cdk-bootstrap/*", f"arn:{partition}:ssm:{region}::parameter/aws/*"]
        anew += [
            arn(name) for name in [plan.channel, *rollout.reads] if not arn(name).startswith(f"{own}/imagebuilder/")
        ]
        found += [
            allow("Update", ["cloudformation:UpdateStack", "cloudformation:ContinueUpdateRollback"], [plan.stack]),
            allow("ReadAnew", ["ssm:GetParameters"], anew),
            allow("Refreshes", ["autoscaling:DescribeInstanceRefreshes"], ["*"]),
        ]
    if plan.role:
        passed = {"StringEquals": {"iam:PassedToService": "cloudformation.amazonaws.com"}}
        found.append(allow("Pass", ["iam:PassRole"], [plan.role], condition=passed))
    return [*found, *_topic_statements(plan, rollout)]


def _topic_statements(plan: RolloutPlan, rollout: Rollout[Any]) -> Sequence[dict[str, Any]]:
    if plan.topic is None:
        return []
    # Only a topic that this app makes tells its key.
    key = getattr(rollout.notifications, "master_key", None)
    encrypt = [allow("Encrypt", ["kms:Decrypt", "kms:GenerateDataKey"], [key.key_arn])] if key is not None else []
    return [allow("Notify", ["sns:Publish"], [plan.topic]), *encrypt]
