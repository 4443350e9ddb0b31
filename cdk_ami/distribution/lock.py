"""The states of a state machine that take and give back the lock of an image; pure.

The function they call is ``cdk_ami.runtime.promotion``, whose steps do what ``cdk_ami.runtime.lock`` says.
"""

from __future__ import annotations

from typing import Any, Final

FUNCTION_SECONDS: Final = 120
"""How long one step of the function may take."""

STEP_SECONDS: Final = FUNCTION_SECONDS + 60
"""When an execution stops waiting for a step: later than the function itself, so that none is still at work."""

RETRY: Final[list[dict[str, Any]]] = [
    {
        "ErrorEquals": ["States.TaskFailed", "States.Timeout"],
        "IntervalSeconds": 2,
        "BackoffRate": 2,
        "MaxDelaySeconds": 60,
        "MaxAttempts": 8,
        "JitterStrategy": "FULL",
    }
]
"""How a step is tried again, for some five minutes: every step may be done twice.
https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html"""


def take(
    function: str, image: str, *, supersede: bool, look_again_seconds: int, then: str
) -> dict[str, dict[str, Any]]:
    """Return the states, from ``Lock`` on, that wait until this execution holds the lock of ``image``.

    It asks for the AMI at ``$.look.what`` because of ``$.reason``.  Afterwards ``$.lock.journal`` holds what a dead
    holder was moving.

    Args:
        function: ARN of the function.
        image: Name of the image.
        supersede: Whether an execution that has moved nothing yet must give way.
        look_again_seconds: How often to look whether it is free.
        then: The state that comes next.
    """
    return {
        "Lock": {
            "Type": "Task",
            "Resource": function,
            "Parameters": {
                "step": "lock",
                "image": image,
                "owner.$": "$$.Execution.Id",
                "now.$": "$$.State.EnteredTime",
                "why.$": "$.reason",
                "what.$": "$.look.what",
                "supersede": supersede,
            },
            "ResultPath": "$.lock",
            "TimeoutSeconds": STEP_SECONDS,
            "Retry": RETRY,
            "Next": "IsLocked",
        },
        "IsLocked": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.lock.taken", "BooleanEquals": True, "Next": then}],
            "Default": "WaitForLock",
        },
        "WaitForLock": {"Type": "Wait", "Seconds": look_again_seconds, "Next": "Lock"},
    }


def give_back(function: str, image: str, *, name: str, then: str) -> dict[str, dict[str, Any]]:
    """Return the state ``name`` that gives the lock of ``image`` back; the state's data stays as it is."""
    return {
        name: {
            "Type": "Task",
            "Resource": function,
            "Parameters": {
                "step": "unlock",
                "image": image,
                "owner.$": "$$.Execution.Id",
                "now.$": "$$.State.EnteredTime",
            },
            "ResultPath": None,
            "TimeoutSeconds": STEP_SECONDS,
            "Retry": RETRY,
            "Next": then,
        }
    }
