"""How a build moves from one channel to the next: gates, approval, waves of Regions, and all the way back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from aws_cdk import ArnFormat, Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_ssm as ssm
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from cdk_ami.build.image import NamedImage
from cdk_ami.checks import distribution as channel_rules
from cdk_ami.checks import names
from cdk_ami.checks import promotion as rules
from cdk_ami.checks.rule import is_token
from cdk_ami.distribution.lock import FUNCTION_SECONDS
from cdk_ami.distribution.promotion_gate import Gate, Stands, Wave
from cdk_ami.distribution.promotion_machine import definition
from cdk_ami.distribution.promotion_permissions import (
    Home,
    function_document,
    machine_document,
    places_document,
)
from cdk_ami.distribution.promotion_plan import CanaryGate, Meanwhile, PromotionPlan, WavePlan
from cdk_ami.errors import Faults
from cdk_ami.function_code import function_code
from cdk_ami.home import account_of, belongs_to, partition_of, region_of, stack_of
from cdk_ami.naming import ENTRY_CHANNEL, channel_parameter, normalized
from cdk_ami.policies import service_trust

_MINUTE: Final = 60

HANDLER: Final = "cdk_ami.runtime.promotion.handler"


class Promotion(Construct):
    """Moves a channel to each build that has proven itself, wave by wave, and moves it back where one fails.

    When the channel that builds come from has moved, a state machine passes the gates in order, then moves the channel
    of one wave of Regions after the other.  Each wave waits for the rollouts of the fleets it names, for alarms, and
    for its bake time.  When anything fails, every channel that was moved holds again what it held before, those of the
    newest wave first, and a channel that did not exist is deleted.  What was moved is written down before it is moved,
    so that the next execution undoes what one that died has left.  At most one execution or command moves channels of
    an image at a time.

    A build that was refused is tried again only by ``cdk-ami promote``.  Each version of the channel's parameter says
    in its description who moved it, why and from what; ``cdk-ami rollback`` moves it back.

    Deploy it in the Region that builds the image.  Costs: a promotion takes some hundred state transitions, under one
    cent; waiting takes three a minute, 0.11 USD a day.  The hourly look takes three, 0.05 USD a month.

    Example:
        ::

            from aws_cdk import Duration

            Promotion(
                stack,
                "Promotion",
                image="web",
                gates=[Gate.tests_passed(), Gate.canary("web-canary"), Gate.approval()],
                waves=[
                    Wave(["us-east-1"], fleets=["web"], bake=Duration.minutes(30)),
                    Wave(["eu-west-1"], fleets=["web"]),
                ],
            )

    Args:
        scope: The stack, or a construct in it.
        construct_id: Id in ``scope``.
        image: The image, or its name.
        waves: What is moved, in order, at least one wave.
        gates: What a build must pass before anything is moved, in order.  Default: none.
        from_channel: Channel that the builds come from.  Default: ``latest``.
        to_channel: Channel that is moved.  Default: ``stable``.
        meanwhile: What a build does that arrives during the promotion of another.  Default: it waits.
        automatic: Whether a promotion starts when a build arrives.  Default: True; with False only
            ``cdk-ami promote`` starts one.
        reconcile: How often to look whether an event was lost or an execution has died.  Default: every hour.
        notifications: Topic that learns how each promotion ends and is asked for approvals.  Default: one of its own,
            ``topic``.

    Raises:
        ConfigError: When AWS would refuse any of it, or it could never work.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        image: NamedImage | str,
        waves: Sequence[Wave],
        gates: Sequence[Gate] = (),
        from_channel: str = ENTRY_CHANNEL,
        to_channel: str = "stable",
        meanwhile: Meanwhile = Meanwhile.QUEUE,
        automatic: bool = True,
        reconcile: Duration | None = None,
        notifications: sns.ITopic | None = None,
    ) -> None:
        stack = stack_of(scope)
        name = normalized(image if isinstance(image, str) else image.image_name)
        faults = Faults(scope, construct_id)
        _find_faults(faults, name, from_channel, to_channel, waves, gates)
        pause = 3600 if reconcile is None else int(reconcile.to_seconds())
        if pause < _MINUTE:
            faults.add("reconcile", "is out of range", got=f"{pause} s", fix="use 1 minute or more")
        faults.raise_if_any()
        stands = Stands()
        home = Home(partition=partition_of(stack), region=region_of(stack), account=account_of(stack))
        plan = _plan(name, from_channel, to_channel, waves, gates, meanwhile, stands, home)
        faults.check("waves", rules.journal_fits([_worst(place.data(), to_channel) for place in plan.places]))
        faults.raise_if_any()

        super().__init__(scope, construct_id)
        belongs_to(self, stack)
        self._plan, self._home = plan, home
        self.topic: sns.ITopic = notifications if notifications is not None else sns.Topic(self, "Topic")
        """Learns how each promotion ends, and asks for approvals."""
        self.function = self._make_function()
        """Takes the steps that reach other Regions and accounts."""
        self._machine = self._make_machine(stands)
        self.state_machine: sfn.IStateMachine = sfn.StateMachine.from_state_machine_arn(
            self, "StateMachine", self._machine.attr_arn
        )
        """Runs the promotions."""
        if meanwhile is Meanwhile.SUPERSEDE:
            self._let_executions_be_stopped()
        # `cdk-ami promote` finds the state machine by this name, and a second promotion to the same channel cannot be
        # deployed beside it.
        ssm.CfnParameter(
            self,
            "Found",
            type="String",
            name=f"{channel_parameter(name, 'promotion')}/machines/{to_channel}",
            value=self._machine.attr_arn,
            description=f"State machine that promotes {name} to {to_channel}",
        )
        self._start(automatic=automatic, minutes=pause // _MINUTE)

    def target_policy(self, account: str) -> dict[str, Any]:
        """Return the policy document that the role of ``account`` needs which a wave names.

        The role must trust the principal ``function.role``.

        Args:
            account: Account id.
        """
        return places_document(self._home.partition, account, self._plan.image)

    def grant_start(self, grantee: iam.IGrantable) -> iam.Grant:
        """Let ``grantee`` start promotions: ``cdk-ami promote``."""
        parameter = f"parameter/imagebuilder/{self._plan.image}/promotion/machines/{self._plan.to_channel}"
        home = self._home
        start = iam.Grant.add_to_principal(
            grantee=grantee, actions=["states:StartExecution"], resource_arns=[self._machine.attr_arn]
        )
        find = iam.Grant.add_to_principal(
            grantee=grantee,
            actions=["ssm:GetParameter"],
            resource_arns=[f"arn:{home.partition}:ssm:{home.region}:{home.account}:{parameter}"],
        )
        return start.combine(find)

    def grant_approve(self, grantee: iam.IGrantable) -> iam.Grant:
        """Let ``grantee`` approve and reject: ``cdk-ami promote approve`` and ``reject``."""
        return iam.Grant.add_to_principal(
            grantee=grantee,
            actions=["states:SendTaskFailure", "states:SendTaskSuccess"],
            resource_arns=[self._machine.attr_arn],
        )

    def _make_function(self) -> lambda_.Function:
        group = logs.LogGroup(self, "Log", retention=logs.RetentionDays.THREE_MONTHS)
        role = iam.Role(
            self,
            "FunctionRole",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            inline_policies={
                "Promotion": _document(function_document(self._plan, self._home, log_group_arn=group.log_group_arn))
            },
        )
        with function_code(HANDLER) as code:
            return lambda_.Function(
                self,
                "Function",
                description=f"Steps of promotions of {self._plan.image} to {self._plan.to_channel}",
                runtime=lambda_.Runtime.PYTHON_3_13,
                architecture=lambda_.Architecture.ARM_64,
                handler=f"{HANDLER}.handle",
                code=code,
                role=role,
                log_group=group,
                memory_size=256,
                timeout=Duration.seconds(FUNCTION_SECONDS),
            )

    def _make_machine(self, stands: Stands) -> sfn.CfnStateMachine:
        role = iam.CfnRole(
            self,
            "MachineRole",
            assume_role_policy_document=service_trust(self._home.account, "states.amazonaws.com"),
            policies=[
                iam.CfnRole.PolicyProperty(
                    policy_name="Promotion",
                    policy_document=machine_document(
                        self._plan,
                        self._home,
                        function_arns=[self.function.function_arn, *stands.functions],
                        topic_arns=[self.topic.topic_arn, *stands.topics],
                        machines=[machine.state_machine_arn for machine in stands.machines],
                        machine_names=[self._name_of(machine.state_machine_arn) for machine in stands.machines],
                    ),
                )
            ],
        )
        return sfn.CfnStateMachine(
            self,
            "Resource",
            role_arn=role.attr_arn,
            state_machine_type="STANDARD",
            definition_string=json.dumps(definition(self._plan), indent=1),
            definition_substitutions={
                "Function": self.function.function_arn,
                "Topic": self.topic.topic_arn,
                "Partition": self._home.partition,
                **stands.arns,
            },
        )

    def _name_of(self, machine_arn: str) -> str:
        parts = stack_of(self).split_arn(machine_arn, ArnFormat.COLON_RESOURCE_NAME)
        return str(parts.resource_name)

    def _let_executions_be_stopped(self) -> None:
        """Let the function stop an execution of this state machine that must give way.

        A policy of its own, because the state machine needs the function and its role first.
        """
        home = self._home
        executions = f"arn:{home.partition}:states:{home.region}:{home.account}:execution:{self._machine.attr_name}:*"
        statement = iam.PolicyStatement(actions=["states:StopExecution"], resources=[executions])
        role = self.function.role
        if role is not None:
            iam.Policy(self, "Superseding", statements=[statement], roles=[role])

    def _start(self, *, automatic: bool, minutes: int) -> None:
        role = iam.CfnRole(
            self,
            "StartRole",
            assume_role_policy_document=service_trust(self._home.account, "events.amazonaws.com"),
            policies=[
                iam.CfnRole.PolicyProperty(
                    policy_name="Start",
                    policy_document={
                        "Version": "2012-10-17",
                        "Statement": [
                            {"Effect": "Allow", "Action": "states:StartExecution", "Resource": self._machine.attr_arn}
                        ],
                    },
                )
            ],
        )
        source = channel_parameter(self._plan.image, self._plan.from_channel)
        if automatic:
            events.CfnRule(
                self,
                "Arrived",
                description=f"A build of {self._plan.image} has arrived in {self._plan.from_channel}",
                event_pattern={
                    "source": ["aws.ssm"],
                    "detail-type": ["Parameter Store Change"],
                    # With an exception the value was refused, and the channel has not moved.
                    "detail": {"name": [source], "operation": ["Create", "Update"], "exception": [{"exists": False}]},
                },
                targets=[self._target(role, "event", f"a build has arrived in {self._plan.from_channel}")],
            )
        look = ("reconcile", "an event may have been lost") if automatic else ("recover", "an execution may have died")
        events.CfnRule(
            self,
            "Reconcile",
            description=f"Looks whether a promotion of {self._plan.image} was missed, or has died",
            schedule_expression=f"rate({minutes} minute{'' if minutes == 1 else 's'})",
            targets=[self._target(role, *look)],
        )

    def _target(self, role: iam.CfnRole, started: str, reason: str) -> events.CfnRule.TargetProperty:
        return events.CfnRule.TargetProperty(
            id="Promotion",
            arn=self._machine.attr_arn,
            role_arn=role.attr_arn,
            # What an event says is not trusted: the channel is read again.
            input=json.dumps({"started": started, "by": "EventBridge", "reason": reason}),
        )


def _find_faults(  # noqa: PLR0917 - all that was given
    faults: Faults, image: str, from_channel: str, to_channel: str, waves: Sequence[Wave], gates: Sequence[Gate]
) -> None:
    faults.check("image", names.parameter_name(channel_parameter(image)))
    faults.check("from_channel", channel_rules.channel_name(from_channel))
    faults.check("to_channel", channel_rules.channel_name(to_channel))
    faults.check("to_channel", rules.channels_differ(from_channel, to_channel))
    faults.check("to_channel", rules.not_the_entry(to_channel, from_channel, ENTRY_CHANNEL))
    faults.check("waves", rules.waves_present(len(waves)))
    seen: list[tuple[str, str]] = []
    for number, wave in enumerate(waves):
        wave.find_faults(faults, f"waves[{number}]")
        for place in wave.places(number):
            at = (place.region, place.account)
            faults.check(f"waves[{number}].regions", rules.place_once(at, seen))
            seen.append(at)
    faults.check("waves", names.one_partition([region for region, _ in seen if not is_token(region)]))
    for number, gate in enumerate(gates):
        gate.find_faults(faults, f"gates[{number}]")


def _plan(  # noqa: PLR0917 - all that was given
    image: str,
    from_channel: str,
    to_channel: str,
    waves: Sequence[Wave],
    gates: Sequence[Gate],
    meanwhile: Meanwhile,
    stands: Stands,
    home: Home,
) -> PromotionPlan:
    planned: list[Any] = []
    for gate in gates:
        canaries = sum(isinstance(one, CanaryGate) for one in planned)
        planned.append(gate.plan(stands, "${Region}", canaries))
    stands.arns["Region"] = home.region
    return PromotionPlan(
        image=image,
        from_channel=from_channel,
        to_channel=to_channel,
        gates=tuple(planned),
        waves=tuple(WavePlan(places=wave.places(number), watch=wave.watch()) for number, wave in enumerate(waves)),
        meanwhile=meanwhile,
    )


def _worst(place: dict[str, Any], channel: str) -> dict[str, Any]:
    """Return the longest entry that a place can have in the journal."""
    ami = "ami-0123456789abcdef0"
    return {**place, "channel": channel, "ami": ami, "before": ami}


def _document(policy: dict[str, Any]) -> iam.PolicyDocument:
    document: iam.PolicyDocument = iam.PolicyDocument.from_json(policy)
    return document
