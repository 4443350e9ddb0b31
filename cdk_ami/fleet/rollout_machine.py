"""The state machine of a rollout, in the Amazon States Language.  Pure: no CDK, no boto3.

It compares three things, does the next step towards their agreement, and compares again: what the channel names, what
the fleet's stack runs, and what the last rollout wrote of itself.  It trusts no event and remembers nothing between
executions, so an event may come twice, late or never, and an execution may end anywhere: the next one goes on from
what it finds.  CloudFormation is the lock: it carries out one update of a stack at a time.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from cdk_ami.fleet.asl import DROPPED, State, choose, copy, is_, not_, or_, task
from cdk_ami.fleet.rollout_state import READ_SELECTOR, RolloutPhase, put_parameters, state_fields

PATIENCE: Final = 1_500
"""Most looks of one execution at a busy stack.  Each adds 13 events to a history, which holds 25,000.
https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html"""

RESUMES: Final = 10
RESUME_SECONDS: Final = 300
"""Times that a failed roll back is continued before somebody has to look, and the time between them: what failed it, an
alarm that still sounds or a quota, may pass."""

REFUSED_BUSY: Final = "*can not be updated*"
NO_UPDATES: Final = "*No updates are to be performed*"
"""What CloudFormation answers for a stack that is busy, or is what it should be: both as an unnamed error.
https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_UpdateStack.html"""

CAPABILITIES: Final = ("CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND")
"""What the template was deployed with once already: a rollout never brings another template."""

_SETTLED: Final = (
    "CREATE_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE",
)
"""Statuses of a stack that may be updated.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html"""

_LOOK, _WAIT, _DONE = "Look at the stack", "Count the looks", "Done"


class RolloutPlan(NamedTuple):
    """What the state machine of one fleet is about.

    Attributes:
        fleet: Name of the rollout, for people.
        stack: Id of the fleet's stack.
        parameter: Logical id of the stack's parameter that reads the channel.
        group: Logical id of the Auto Scaling group.
        group_name: Its name.
        channel: Name of the channel's parameter.
        state: Name of the parameter that holds the rollout's state.
        freeze: Name of the parameter that freezes the fleet while it exists.
        topic: ARN of the topic that is told, None for nobody.
        role: ARN of the role that CloudFormation is to use, None for the one that the stack has.
        updates: Whether it updates the stack; else it tells what deployments do.
        windowed: Whether updates begin only in executions whose input says ``"open": true``.
        poll_seconds: Time between two looks at a busy stack.
        patience: Looks at a busy stack before it gives up, at most `PATIENCE`.
    """

    fleet: str
    stack: str
    parameter: str
    group: str
    group_name: str
    channel: str
    state: str
    freeze: str
    topic: str | None = None
    role: str | None = None
    updates: bool = True
    windowed: bool = False
    poll_seconds: int = 30
    patience: int = PATIENCE


def definition(plan: RolloutPlan) -> State:
    """Return the definition of the state machine.

    Its input may say ``"again": true``, to try an AMI again that has failed, and ``"open": true``, that a maintenance
    window is open; everything else in it is left aside.
    """
    states = {
        **_turn(plan),
        **_look(plan),
        **_compare(plan),
        **_wait(plan),
        _DONE: {"Type": "Succeed"},
    }
    if plan.updates:
        states |= _resume(plan) | _guard(plan) | _update(plan)
    return {"Comment": f"Rollout of {plan.fleet}", "StartAt": "Begin", "States": states}


def _turn(plan: RolloutPlan) -> dict[str, State]:
    """Let one execution work and one wait: the newest waits, for it reads the channel last."""
    return {
        "Begin": {
            "Type": "Pass",
            "Parameters": {
                "input.$": "$",
                "me.$": "$$.Execution.Id",
                "started.$": "$$.Execution.StartTime",
                "looks": {"sum": 0},
                "resumes": {"sum": 0},
                "noted": False,
                "again": False,
                "open": False,
            },
            "Next": "Was another try asked for",
        },
        **_flag("again", "Was another try asked for", "Is a window open"),
        **_flag("open", "Is a window open", "Find other executions"),
        "Find other executions": task(
            "sfn:listExecutions",
            {"StateMachineArn.$": "$$.StateMachine.Id", "StatusFilter": "RUNNING", "MaxResults": 100},
            selector={
                "newest.$": "$.Executions[0:1].ExecutionArn",
                "newest_start.$": "$.Executions[0:1].StartDate",
                "oldest.$": "$.Executions[-1:].ExecutionArn",
                "oldest_start.$": "$.Executions[-1:].StartDate",
            },
            result="$.others",
            then="Whose turn is it",
        ),
        "Whose turn is it": choose(
            [
                (
                    [
                        is_("$.others.newest[0]", IsPresent=True),
                        not_(is_("$.others.newest[0]", StringEqualsPath="$.me")),
                        is_("$.others.newest_start[0]", TimestampGreaterThanPath="$.started"),
                    ],
                    _DONE,
                ),
                (
                    [
                        is_("$.others.oldest[0]", IsPresent=True),
                        not_(is_("$.others.oldest[0]", StringEqualsPath="$.me")),
                        is_("$.others.oldest_start[0]", TimestampLessThanPath="$.started"),
                    ],
                    "Let the earlier one end",
                ),
            ],
            default=_LOOK,
        ),
        "Let the earlier one end": {
            "Type": "Wait",
            "Seconds": 2 * plan.poll_seconds,
            "Next": "Find other executions",
        },
    }


def _flag(name: str, question: str, then: str) -> dict[str, State]:
    """Take over a yes from the input, which may be any event."""
    wanted = f"$.input.{name}"
    yes = [is_(wanted, IsPresent=True), is_(wanted, IsBoolean=True), is_(wanted, BooleanEquals=True)]
    note = f"Yes, {name}"
    return {
        question: choose([(yes, note)], default=then),
        note: {"Type": "Pass", "Result": True, "ResultPath": f"$.{name}", "Next": then},
    }


def _look(plan: RolloutPlan) -> dict[str, State]:
    key = f"$.Stacks[0].Parameters[?(@.ParameterKey=='{plan.parameter}')]"
    return {
        _LOOK: task(
            "cloudformation:describeStacks",
            {"StackName": plan.stack},
            selector={
                "status.$": "$.Stacks[0].StackStatus",
                "updated.$": "$.Stacks[*].LastUpdatedTime",
                "keys.$": "$.Stacks[0].Parameters[*].ParameterKey",
                "ami.$": f"{key}.ResolvedValue",
            },
            result="$.stack",
            catch=[(["CloudFormation.CloudFormationException"], "$.error", "Is the stack gone")],
            then="Is it only to be waited for",
        ),
        "Is it only to be waited for": choose(
            [([_busy(), is_("$.noted", BooleanEquals=True)], _WAIT)], default="Read the channel"
        ),
        "Is the stack gone": choose(
            [([is_("$.error.Cause", StringMatches="*does not exist*")], _DONE)], default="The stack cannot be read"
        ),
        "The stack cannot be read": {
            "Type": "Fail",
            "ErrorPath": "$.error.Error",
            "CausePath": "$.error.Cause",
        },
        "Read the channel": task(
            "ssm:getParameter",
            {"Name": plan.channel},
            selector={"ami.$": "$.Parameter.Value", "version.$": "$.Parameter.Version"},
            result="$.channel",
            catch=[(["Ssm.ParameterNotFoundException"], DROPPED, "There is no channel")],
            then="Read the last state",
        ),
        "There is no channel": {
            "Type": "Pass",
            "Result": {"ami": "", "version": 0},
            "ResultPath": "$.channel",
            "Next": "Read the last state",
        },
        "Read the last state": task(
            "ssm:getParameter",
            {"Name": plan.state},
            selector=READ_SELECTOR,
            result="$.read",
            catch=[(["Ssm.ParameterNotFoundException", "States.IntrinsicFailure"], DROPPED, "There is no state")],
            then="Know the last state",
        ),
        "Know the last state": {
            "Type": "Pass",
            "InputPath": "$.read.rollout",
            "ResultPath": "$.last",
            "Next": "What did the fleet run",
        },
        "There is no state": {
            "Type": "Pass",
            "Result": {"state": "NONE", "ami": "", "previous": "", "at": "", "execution": "", "version": 0},
            "ResultPath": "$.last",
            "Next": "What did the fleet run",
        },
        "What did the fleet run": choose(
            [([_last(RolloutPhase.SUCCEEDED)], "It ran the last one")], default="It ran the one before"
        ),
        "It ran the last one": copy("$.last.ami", "$.ran", "How is the stack"),
        "It ran the one before": copy("$.last.previous", "$.ran", "How is the stack"),
        "How is the stack": choose(
            [
                ([_busy()], "Is the wait known"),
                (
                    [is_("$.stack.status", StringEquals="UPDATE_ROLLBACK_FAILED")],
                    "May the roll back be continued" if plan.updates else "Fail: stuck",
                ),
                ([or_([is_("$.stack.status", StringEquals=status) for status in _SETTLED])], "What next"),
            ],
            default="Fail: stuck",
        ),
        **_fail(plan, "stuck", "States.Format('The stack is {}.', $.stack.status)"),
    }


def _wait(plan: RolloutPlan) -> dict[str, State]:
    """Wait for a busy stack, and say once that somebody waits."""
    busy = (
        _say(
            plan,
            "Say waiting",
            RolloutPhase.WAITING,
            about="$.channel",
            previous="$.ran",
            reason="States.Format('The stack is {}.', $.stack.status)",
            then="It is known now",
        )
        if plan.updates
        else _say(
            plan,
            "Say that a deployment runs",
            RolloutPhase.RUNNING,
            about="$.channel",
            previous="$.ran",
            reason="States.Format('A deployment runs: the stack is {}.', $.stack.status)",
            notify=True,
            then="It is known now",
        )
    )
    # A deployment may try again what has failed; a rollout does not by itself.
    ended = _ENDED if plan.updates else _ENDED[:1]
    return {
        "Is the wait known": choose(
            [
                ([or_([_last(phase) for phase in ended]), *_SAME_AS_LAST, is_("$.again", BooleanEquals=False)], _DONE),
                ([_last(RolloutPhase.RUNNING)], "It is known now"),
            ],
            default=next(iter(busy)),
        ),
        **busy,
        "It is known now": {"Type": "Pass", "Result": True, "ResultPath": "$.noted", "Next": _WAIT},
        _WAIT: {
            "Type": "Pass",
            "Parameters": {"sum.$": "States.MathAdd($.looks.sum, 1)"},
            "ResultPath": "$.looks",
            "Next": "Is there patience left",
        },
        "Is there patience left": choose(
            [([is_("$.looks.sum", NumericGreaterThan=plan.patience)], "Fail: endless")], default="Wait for the stack"
        ),
        "Wait for the stack": {"Type": "Wait", "Seconds": plan.poll_seconds, "Next": _LOOK},
        **_fail(
            plan,
            "endless",
            f"States.Format('After {plan.patience} looks, {plan.poll_seconds} seconds apart, "
            "the stack is still {}.', $.stack.status)",
        ),
    }


def _compare(plan: RolloutPlan) -> dict[str, State]:
    """Say how the last rollout ended, then see whether there is another."""
    rolled_back = [_last(RolloutPhase.RUNNING), is_("$.stack.status", StringEquals="UPDATE_ROLLBACK_COMPLETE")]
    if plan.updates:
        # Otherwise the execution that wrote the state ended before it began the update.
        rolled_back += [
            is_("$.stack.updated[0]", IsPresent=True),
            is_("$.stack.updated[0]", TimestampGreaterThanPath="$.last.at"),
        ]
    runs = is_("$.stack.ami[0]", StringEqualsPath="$.channel.ami")
    ended = or_([_last(phase) for phase in _ENDED])
    return {
        "What next": choose(
            [
                (
                    [_last(RolloutPhase.RUNNING), is_("$.stack.ami[0]", StringEqualsPath="$.last.ami")],
                    "Say that the last one succeeded",
                ),
                (rolled_back, "Find the reason"),
                ([runs, _last(RolloutPhase.SUCCEEDED), *_SAME_AS_LAST], _DONE),
                (
                    [runs, _last(RolloutPhase.SUCCEEDED), is_("$.last.ami", StringEqualsPath="$.channel.ami")],
                    "Say that it stays",
                ),
                ([runs], "Say that it runs"),
                ([ended, *_SAME_AS_LAST, is_("$.again", BooleanEquals=False)], _DONE),
                ([is_("$.channel.ami", StringEquals="")], "Fail: no channel"),
            ],
            default="Is the fleet frozen" if plan.updates else "Is the deployment awaited",
        ),
        **_say(
            plan,
            "Say that the last one succeeded",
            RolloutPhase.SUCCEEDED,
            about="$.last",
            previous="$.last.previous",
            reason="States.Format('Every instance runs it.')",
            notify=True,
            then=_LOOK,
        ),
        **_say(
            plan,
            "Say that it runs",
            RolloutPhase.SUCCEEDED,
            about="$.channel",
            previous="$.ran",
            reason="States.Format('A deployment brought it.')",
            notify=True,
            then=_DONE,
        ),
        **_say(
            plan,
            "Say that it stays",
            RolloutPhase.SUCCEEDED,
            about="$.channel",
            previous="$.last.previous",
            reason="States.Format('The channel names it again.')",
            then=_DONE,
        ),
        **_fail(plan, "no channel", f"States.Format('There is no parameter {plan.channel}.')"),
        **_reason(plan),
        **({} if plan.updates else _deployments(plan)),
    }


def _deployments(plan: RolloutPlan) -> dict[str, State]:
    return {
        "Is the deployment awaited": choose(
            [([_last(RolloutPhase.WAITING), *_SAME_AS_LAST], _DONE)], default="Say that a deployment is awaited"
        ),
        **_say(
            plan,
            "Say that a deployment is awaited",
            RolloutPhase.WAITING,
            about="$.channel",
            previous="$.stack.ami[0]",
            reason="States.Format('The next deployment brings it.')",
            then=_DONE,
        ),
    }


def _reason(plan: RolloutPlan) -> dict[str, State]:
    failed = f"$.StackEvents[?(@.LogicalResourceId=='{plan.group}' && @.ResourceStatus=='UPDATE_FAILED')]"
    lost = ["States.DataLimitExceeded"], DROPPED, "The reason is not known"
    return {
        "Find the reason": task(
            "cloudformation:describeStackEvents",
            {"StackName": plan.stack},
            selector={"why.$": f"{failed}.ResourceStatusReason"},
            result="$.found",
            catch=[lost, (["States.ALL"], DROPPED, "The reason is not known")],
            then="Is there a reason",
        ),
        "Is there a reason": choose(
            [([is_("$.found.why[0]", IsPresent=True)], "The reason is known")], default="The reason is not known"
        ),
        "The reason is known": copy("$.found.why[0]", "$.why", "Say that it was rolled back"),
        "The reason is not known": {
            "Type": "Pass",
            "Result": "The update of the stack was rolled back; its events tell why.",
            "ResultPath": "$.why",
            "Next": "Say that it was rolled back",
        },
        **_say(
            plan,
            "Say that it was rolled back",
            RolloutPhase.ROLLED_BACK,
            about="$.last",
            previous="$.stack.ami[0]",
            reason="$.why",
            notify=True,
            then=_LOOK,
        ),
    }


def _resume(plan: RolloutPlan) -> dict[str, State]:
    return {
        "May the roll back be continued": choose(
            [([is_("$.resumes.sum", NumericGreaterThanEquals=RESUMES)], "Fail: stuck")], default="Count the resumes"
        ),
        "Count the resumes": {
            "Type": "Pass",
            "Parameters": {"sum.$": "States.MathAdd($.resumes.sum, 1)"},
            "ResultPath": "$.resumes",
            "Next": "Continue the roll back",
        },
        "Continue the roll back": task(
            "cloudformation:continueUpdateRollback",
            {"StackName": plan.stack, **({"RoleARN": plan.role} if plan.role else {})},
            catch=[(["States.ALL"], "$.error", "Wait for the roll back")],
            retried=False,
            then="Wait for the roll back",
        ),
        "Wait for the roll back": {"Type": "Wait", "Seconds": RESUME_SECONDS, "Next": _LOOK},
    }


def _guard(plan: RolloutPlan) -> dict[str, State]:
    """Hold an update back while the fleet is frozen or its window is closed."""
    states: dict[str, State] = {
        "Is the fleet frozen": task(
            "ssm:getParameter",
            {"Name": plan.freeze},
            selector={"why.$": "$.Parameter.Value"},
            result="$.freeze",
            catch=[(["Ssm.ParameterNotFoundException"], DROPPED, "Is it time")],
            then="Is the freeze known",
        ),
        "Is the freeze known": choose(
            [([_last(RolloutPhase.FROZEN), *_SAME_AS_LAST], _DONE)], default="Say that it is frozen"
        ),
        **_say(
            plan,
            "Say that it is frozen",
            RolloutPhase.FROZEN,
            about="$.channel",
            previous="$.stack.ami[0]",
            reason="$.freeze.why",
            notify=True,
            then=_DONE,
        ),
    }
    mine = [_last(RolloutPhase.RUNNING), *_SAME_AS_LAST, is_("$.last.execution", StringEqualsPath="$.me")]
    closed = [is_("$.open", BooleanEquals=False)]
    states["Is it time"] = choose(
        [
            *([(closed, "Is the closed window known")] if plan.windowed else []),
            (mine, "Name the parameters"),
        ],
        default="Find refreshes",
    )
    states |= _refreshes(plan)
    if plan.windowed:
        states["Is the closed window known"] = choose(
            [([_last(RolloutPhase.WAITING), *_SAME_AS_LAST], _DONE)], default="Say that the window is closed"
        )
        states |= _say(
            plan,
            "Say that the window is closed",
            RolloutPhase.WAITING,
            about="$.channel",
            previous="$.stack.ami[0]",
            reason="States.Format('The next maintenance window brings it.')",
            then=_DONE,
        )
    return states | _say(
        plan,
        "Say that it begins",
        RolloutPhase.RUNNING,
        about="$.channel",
        previous="$.stack.ami[0]",
        reason="States.Format('The channel moved.')",
        notify=True,
        then="Forget that another try was asked for",
    )


def _refreshes(plan: RolloutPlan) -> dict[str, State]:
    """Wait for a refresh that somebody else has started: CloudFormation cannot start another meanwhile.

    https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_StartInstanceRefresh.html
    """
    active = " || ".join(f"@.Status=='{status}'" for status in _ACTIVE_REFRESH)
    return {
        "Find refreshes": task(
            "autoscaling:describeInstanceRefreshes",
            {"AutoScalingGroupName": plan.group_name, "MaxRecords": 10},
            selector={"active.$": f"$.InstanceRefreshes[?({active})].Status"},
            result="$.refreshes",
            then="Is the group refreshed",
        ),
        "Is the group refreshed": choose(
            [
                (
                    [
                        is_("$.refreshes.active[0]", IsPresent=True),
                        or_([_last(RolloutPhase.WAITING), _last(RolloutPhase.RUNNING)]),
                        *_SAME_AS_LAST,
                    ],
                    _WAIT,
                ),
                ([is_("$.refreshes.active[0]", IsPresent=True)], "Say that the group is refreshed"),
            ],
            default="Say that it begins",
        ),
        **_say(
            plan,
            "Say that the group is refreshed",
            RolloutPhase.WAITING,
            about="$.channel",
            previous="$.stack.ami[0]",
            reason="States.Format('An instance refresh of the group is {}.', $.refreshes.active[0])",
            then=_WAIT,
        ),
    }


def _update(plan: RolloutPlan) -> dict[str, State]:
    """Update the stack with its own template: its parameters keep the names that they read, and read them anew.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/systems-manager-parameter-types.html
    """
    request: dict[str, Any] = {
        "StackName": plan.stack,
        "UsePreviousTemplate": True,
        "Parameters.$": "$.parameters",
        "Capabilities": list(CAPABILITIES),
        # The same for the same try, so that a second request is known for what it is.
        "ClientRequestToken.$": "States.Format('rollout-{}-{}', States.Hash($.me, 'SHA-1'), $.looks.sum)",
    }
    if plan.role:
        request["RoleARN"] = plan.role
    cause = "$.error.Cause"
    return {
        "Forget that another try was asked for": {
            "Type": "Pass",
            "Result": False,
            "ResultPath": "$.again",
            "Next": "Name the parameters",
        },
        "Name the parameters": {
            "Type": "Map",
            "ItemsPath": "$.stack.keys",
            "ItemProcessor": {
                "StartAt": "Name one",
                "States": {
                    "Name one": {
                        "Type": "Pass",
                        "Parameters": {"ParameterKey.$": "$", "UsePreviousValue": True},
                        "End": True,
                    }
                },
            },
            "ResultPath": "$.parameters",
            "Next": "Update the stack",
        },
        "Update the stack": task(
            "cloudformation:updateStack",
            request,
            catch=[(["States.ALL"], "$.error", "Why was it refused")],
            retried=False,
            then=_WAIT,
        ),
        "Why was it refused": choose(
            [
                ([is_("$.error.Error", StringEquals="CloudFormation.TokenAlreadyExistsException")], _WAIT),
                ([is_(cause, StringMatches=NO_UPDATES)], "Say that there is nothing to update"),
                ([or_([is_(cause, StringMatches=REFUSED_BUSY), is_(cause, StringMatches="*Rate exceeded*")])], _WAIT),
                ([is_(cause, StringMatches="*Status Code: 4*")], "Fail: refused"),
            ],
            default=_WAIT,
        ),
        **_say(
            plan,
            "Say that there is nothing to update",
            RolloutPhase.SUCCEEDED,
            about="$.channel",
            previous="$.ran",
            reason="States.Format('There was nothing to update.')",
            notify=True,
            then=_DONE,
        ),
        **_fail(plan, "refused", cause),
    }


def _say(
    plan: RolloutPlan,
    name: str,
    phase: RolloutPhase,
    *,
    about: str,
    previous: str,
    reason: str,
    then: str,
    notify: bool = False,
) -> dict[str, State]:
    """Tell the topic, then write the state: what was told twice is better than what was never told.

    Args:
        plan: What it is about.
        name: Name of the first state.
        phase: What is said.
        about: Path of what has the AMI and the version, the channel or the last rollout.
        previous: Path of the AMI before.
        reason: Path of the reason, or an intrinsic function that makes it.
        then: The state that follows.
        notify: Whether the topic is told.
    """
    told = notify and plan.topic is not None
    publish, put = f"{name}: tell", f"{name}: write"
    states: dict[str, State] = {
        name: {
            "Type": "Pass",
            "Parameters": state_fields(
                phase, ami=f"{about}.ami", previous=previous, reason=reason, version=f"{about}.version"
            ),
            "ResultPath": "$.state",
            "Next": publish if told else put,
        }
    }
    if told:
        message = "States.Format('{}: {}\nAMI: {}\nBefore: {}\n{}\n{}', "
        states[publish] = task(
            "sns:publish",
            {
                "TopicArn": plan.topic,
                "Subject": f"Rollout of {plan.fleet}"[:100],
                "Message.$": f"{message}'{plan.fleet}', $.state.state, $.state.ami, $.state.previous, $.state.reason, "
                "$.state.execution)",
                "MessageAttributes": {"state": {"DataType": "String", "StringValue": str(phase)}},
            },
            # A topic that cannot be told never holds a rollout up.
            catch=[(["States.ALL"], DROPPED, put)],
            then=put,
        )
    states[put] = task("ssm:putParameter", put_parameters(plan.state, "$.state"), then=then)
    return states


def _fail(plan: RolloutPlan, name: str, reason: str) -> dict[str, State]:
    """Say once that somebody has to look, and end."""
    begin = f"Fail: {name}"
    known = [_last(RolloutPhase.FAILED), *_SAME_AS_LAST]
    said = f"Say that it failed, {name}"
    return {
        begin: choose([(known, _DONE)], default=said),
        **_say(
            plan,
            said,
            RolloutPhase.FAILED,
            about="$.channel",
            previous="$.ran",
            reason=reason,
            notify=True,
            then=_DONE,
        ),
    }


def _last(phase: RolloutPhase) -> State:
    return is_("$.last.state", StringEquals=str(phase))


def _busy() -> State:
    return is_("$.stack.status", StringMatches="*_IN_PROGRESS")


_ACTIVE_REFRESH: Final = ("Pending", "InProgress", "Cancelling", "RollbackInProgress", "Baking")
_ENDED: Final = (RolloutPhase.SUCCEEDED, RolloutPhase.ROLLED_BACK, RolloutPhase.FAILED)
_SAME_AS_LAST: Final = (
    is_("$.last.ami", StringEqualsPath="$.channel.ami"),
    is_("$.last.version", NumericEqualsPath="$.channel.version"),
)
"""The last rollout was about this very write of the channel."""
