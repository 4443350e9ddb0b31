"""The states of a promotion's gates; pure.

A gate finds the build at ``$.plan``, leaves the state's data as it was but for ``$.gate``, ``$.looks`` and
``$.approved``, and goes to ``REFUSE`` with the reason at ``$.failure``.
"""

from __future__ import annotations

from typing import Any, Final

from cdk_ami.distribution.lock import RETRY, STEP_SECONDS
from cdk_ami.distribution.promotion_plan import (
    FUNCTION,
    ApprovalGate,
    CanaryGate,
    FindingsGate,
    FunctionGate,
    GatePlan,
    MachineGate,
    PromotionPlan,
    TestsGate,
    WatchPlan,
)

State = dict[str, Any]
States = dict[str, State]

REFUSE: Final = "Refuse"
VERDICT: Final[State] = {"ErrorEquals": ["VerdictError"], "MaxAttempts": 0}
TRIES: Final[list[State]] = [VERDICT, *RETRY]
"""How a step of the function is tried again: a verdict is final."""

COUNTS: Final = {
    "critical": ("Critical",),
    "high": ("Critical", "High"),
    "medium": ("Critical", "High", "Medium"),
    "all": ("All",),
}
"""The counts that must be 0 for nothing to be as bad as a severity.
https://docs.aws.amazon.com/imagebuilder/latest/APIReference/API_SeverityCounts.html, read 2026-11-28"""

_SCANNING: Final = ("PENDING", "SCANNING", "COLLECTING")
"""https://docs.aws.amazon.com/imagebuilder/latest/APIReference/API_ImageScanState.html, read 2026-11-28"""


def gate_name(number: int) -> str:
    """Return the name of the first state of a gate."""
    return f"Gate{number + 1}"


def gates(plan: PromotionPlan, *, then: str) -> States:
    """Return the states of all gates, the last of which goes to ``then``."""
    made: States = {}
    for number, gate in enumerate(plan.gates):
        following = gate_name(number + 1) if number + 1 < len(plan.gates) else then
        made |= _gate(plan, gate, gate_name(number), following)
    return made


def _gate(plan: PromotionPlan, gate: GatePlan, name: str, then: str) -> States:
    match gate:
        case TestsGate():
            return _tests(plan, name, then)
        case FindingsGate():
            return _findings(plan, gate, name, then)
        case CanaryGate():
            return watching(
                plan,
                gate.watch,
                channel=plan.from_channel,
                name=name,
                then=then,
                failed=REFUSE,
                moved=f"$.plan.canaries[{gate.number}]",
            )
        case MachineGate():
            return {name: _machine(plan, gate, then)}
        case FunctionGate():
            return _function(plan, gate, name, then)
        case ApprovalGate():
            return _approval(plan, gate, name, then)


def caught(then: str) -> list[State]:
    """Return the catcher of a state whose failure is a reason."""
    return [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.failure", "Next": then}]


def refusal(cause: str, then: str = REFUSE) -> State:
    """Return the state that gives ``cause`` as the reason."""
    key = "Cause.$" if cause.startswith("States.") else "Cause"
    return {"Type": "Pass", "Parameters": {"Error": "Refused", key: cause}, "ResultPath": "$.failure", "Next": then}


def watching(
    plan: PromotionPlan,
    watch: WatchPlan,
    *,
    channel: str,
    name: str,
    then: str,
    failed: str,
    moved: str,
) -> States:
    """Return the states that look at fleets and alarms until all of it has been well for long enough.

    Args:
        plan: The promotion.
        watch: What must go well.
        channel: The channel that the fleets follow.
        name: Name of the first state; the others are called after it.
        then: What follows.
        failed: What follows a failure.
        moved: Path of what was moved.
    """
    return {
        name: {
            "Type": "Pass",
            "Parameters": {"since.$": "$$.State.EnteredTime", "baking": ""},
            "ResultPath": "$.gate",
            "Next": f"{name}Look",
        },
        f"{name}Look": {
            "Type": "Task",
            "Resource": FUNCTION,
            "Parameters": {
                "step": "watch",
                "image": plan.image,
                "channel": channel,
                "moved.$": moved,
                "fleets": list(watch.fleets),
                "alarms": list(watch.alarms),
                "groups": list(watch.groups),
                "since.$": "$.gate.since",
                "baking.$": "$.gate.baking",
                "bake_seconds": watch.bake_seconds,
                "patience_seconds": watch.patience_seconds,
                "now.$": "$$.State.EnteredTime",
            },
            "ResultPath": "$.gate",
            "TimeoutSeconds": STEP_SECONDS,
            "Retry": TRIES,
            "Catch": caught(failed),
            "Next": f"{name}Through",
        },
        f"{name}Through": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.gate.done", "BooleanEquals": True, "Next": then}],
            "Default": f"{name}Wait",
        },
        f"{name}Wait": {"Type": "Wait", "Seconds": plan.poll_seconds, "Next": f"{name}Look"},
    }


def _get_image(plan: PromotionPlan, selector: State, then: str) -> State:
    return {
        "Type": "Task",
        "Resource": f"arn:{plan.partition}:states:::aws-sdk:imagebuilder:getImage",
        "Parameters": {"ImageBuildVersionArn.$": "$.plan.build"},
        "ResultSelector": selector,
        "ResultPath": "$.gate",
        "Retry": RETRY,
        "Catch": caught(REFUSE),
        "Next": then,
    }


def _tests(plan: PromotionPlan, name: str, then: str) -> States:
    selector = {"state.$": "$.Image.State.Status", "tests.$": "$.Image.ImageTestsConfiguration"}
    passed = {
        "And": [
            {"Variable": "$.gate.state", "StringEquals": "AVAILABLE"},
            {"Variable": "$.gate.tests.ImageTestsEnabled", "IsPresent": True},
            {"Variable": "$.gate.tests.ImageTestsEnabled", "BooleanEquals": True},
        ],
        "Next": then,
    }
    return {
        name: _get_image(plan, selector, f"{name}Passed"),
        f"{name}Passed": {"Type": "Choice", "Choices": [passed], "Default": f"{name}Failed"},
        f"{name}Failed": refusal(
            "States.Format('the tests of {} did not pass: it is {}, or was built without tests', "
            "$.plan.build, $.gate.state)"
        ),
    }


def _findings(plan: PromotionPlan, gate: FindingsGate, name: str, then: str) -> States:
    counts = "$.gate.counts[0].ImageAggregation.SeverityCounts"
    bad = [
        {
            "And": [
                {"Variable": f"{counts}.{count}", "IsPresent": True},
                {"Variable": f"{counts}.{count}", "NumericGreaterThan": 0},
            ],
            "Next": f"{name}Found",
        }
        for count in gate.counted
    ]
    status = "$.gate.image.ImageScanState.Status"
    return {
        name: {"Type": "Pass", "Result": {"count": 0}, "ResultPath": "$.looks", "Next": f"{name}Scan"},
        f"{name}Scan": _get_image(plan, {"image.$": "$.Image"}, f"{name}Scanned"),
        f"{name}Scanned": {
            "Type": "Choice",
            "Choices": [
                {"Variable": status, "IsPresent": False, "Next": f"{name}Unscanned"},
                {"Variable": status, "StringEquals": "COMPLETED", "Next": f"{name}Count"},
                {
                    "And": [
                        {"Or": [{"Variable": status, "StringEquals": one} for one in _SCANNING]},
                        {
                            "Variable": "$.looks.count",
                            "NumericLessThan": max(1, gate.patience_seconds // plan.poll_seconds),
                        },
                    ],
                    "Next": f"{name}Wait",
                },
            ],
            "Default": f"{name}NoScan",
        },
        f"{name}Wait": {"Type": "Wait", "Seconds": plan.poll_seconds, "Next": f"{name}Again"},
        f"{name}Again": {
            "Type": "Pass",
            "Parameters": {"count.$": "States.MathAdd($.looks.count, 1)"},
            "ResultPath": "$.looks",
            "Next": f"{name}Scan",
        },
        f"{name}Count": {
            "Type": "Task",
            "Resource": f"arn:{plan.partition}:states:::aws-sdk:imagebuilder:listImageScanFindingAggregations",
            "Parameters": {"Filter": {"Name": "imageBuildVersionArn", "Values.$": "States.Array($.plan.build)"}},
            "ResultSelector": {"counts.$": "$.Responses"},
            "ResultPath": "$.gate",
            "Retry": RETRY,
            "Catch": caught(REFUSE),
            "Next": f"{name}Judge",
        },
        f"{name}Judge": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.gate.counts[0]", "IsPresent": False, "Next": then}, *bad],
            "Default": then,
        },
        f"{name}Found": refusal(f"States.Format('the scan of {{}} found {{}}', $.plan.build, {counts})"),
        f"{name}Unscanned": refusal(
            "States.Format('{} was never scanned: let its pipeline scan images', $.plan.build)"
        ),
        f"{name}NoScan": refusal(f"States.Format('the scan of {{}} is {{}}', $.plan.build, {status})"),
    }


def _machine(plan: PromotionPlan, gate: MachineGate, then: str) -> State:
    return {
        "Type": "Task",
        "Resource": f"arn:{plan.partition}:states:::states:startExecution.sync:2",
        "Parameters": {
            "StateMachineArn": gate.machine,
            "Input": {**_told(plan), "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID.$": "$$.Execution.Id"},
        },
        "TimeoutSeconds": gate.seconds,
        "ResultPath": None,
        # The machine itself is not run twice: only a start that was refused is tried again.
        "Retry": [
            {"ErrorEquals": ["Sfn.ThrottlingException"], "IntervalSeconds": 5, "MaxAttempts": 5, "BackoffRate": 2}
        ],
        "Catch": caught(REFUSE),
        "Next": then,
    }


def _function(plan: PromotionPlan, gate: FunctionGate, name: str, then: str) -> States:
    return {
        name: {
            "Type": "Task",
            "Resource": gate.function,
            "Parameters": _told(plan),
            "TimeoutSeconds": gate.seconds,
            "ResultSelector": {"answer.$": "$"},
            "ResultPath": "$.gate",
            "Retry": [
                {
                    "ErrorEquals": [
                        "Lambda.ServiceException",
                        "Lambda.AWSLambdaException",
                        "Lambda.SdkClientException",
                        "Lambda.TooManyRequestsException",
                    ],
                    "IntervalSeconds": 2,
                    "MaxAttempts": 6,
                    "BackoffRate": 2,
                }
            ],
            "Catch": caught(REFUSE),
            "Next": f"{name}Passed",
        },
        f"{name}Passed": {
            "Type": "Choice",
            "Choices": [
                {
                    "And": [
                        {"Variable": "$.gate.answer.pass", "IsPresent": True},
                        {"Variable": "$.gate.answer.pass", "BooleanEquals": False},
                    ],
                    "Next": f"{name}Failed",
                }
            ],
            "Default": then,
        },
        f"{name}Failed": refusal("States.Format('a function refused it: {}', States.JsonToString($.gate.answer))"),
    }


def _told(plan: PromotionPlan) -> State:
    """Return what a gate of the user's is told."""
    return {
        "image": plan.image,
        "from": plan.from_channel,
        "to": plan.to_channel,
        "build.$": "$.plan.build",
        "moves.$": "$.plan.journal",
        "reason.$": "$.reason",
    }


def _approval(plan: PromotionPlan, gate: ApprovalGate, name: str, then: str) -> States:
    command = f"cdk-ami promote %s --region {gate.region} {{}}"
    text = (
        f"{plan.to_channel} of {plan.image} is to be moved to {{}} ({{}}).\\n\\nStarted by {{}}, because {{}}.\\n\\n"
        f"To approve it:\\n{command % 'approve'}\\n\\nTo reject it:\\n{command % 'reject'}\\n\\n"
        f"The question expires {gate.seconds // 60} minutes after it was asked. Execution: {{}}"
    ).replace("\\n", "\n")
    return {
        name: {
            "Type": "Task",
            "Resource": f"arn:{plan.partition}:states:::sns:publish.waitForTaskToken",
            "Parameters": {
                "TopicArn": gate.topic,
                "Subject": f"cdk-ami: approve {plan.to_channel} of {plan.image}"[:100],
                "Message.$": f"States.Format('{text}', $.plan.what, $.plan.build, $.by, $.reason, $$.Task.Token, "
                "$$.Task.Token, $$.Execution.Id)",
            },
            "TimeoutSeconds": gate.seconds,
            "ResultSelector": {"by.$": "$.by"},
            "ResultPath": "$.gate",
            # An answer is final, and so is its lack; what else fails is the publishing.
            "Retry": [
                {"ErrorEquals": ["Rejected", "States.Timeout"], "MaxAttempts": 0},
                {"ErrorEquals": ["States.TaskFailed"], "IntervalSeconds": 2, "MaxAttempts": 6, "BackoffRate": 2},
            ],
            "Catch": [
                {"ErrorEquals": ["States.Timeout"], "ResultPath": "$.failure", "Next": f"{name}Expired"},
                *caught(REFUSE),
            ],
            "Next": f"{name}Approved",
        },
        f"{name}Expired": refusal(f"nobody approved it within {gate.seconds // 60} minutes"),
        f"{name}Approved": {"Type": "Pass", "InputPath": "$.gate.by", "ResultPath": "$.approved", "Next": then},
    }
