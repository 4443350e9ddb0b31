"""The states of a state machine that take and give back the lock of an image; pure.

The function they call is ``cdk_ami.runtime.promotion``, whose steps do what ``cdk_ami.runtime.lock`` says.
"""

from __future__ import annotations

from typing import Any, Final

LOOK_AGAIN_SECONDS: Final = 30
"""How often an execution that waits for the lock looks whether it is free."""

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
"""Every step may be done twice, so whatever goes wrong is tried again, for some five minutes.
https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html"""


def take(function: str, image: str, *, supersede: bool, then: str) -> dict[str, dict[str, Any]]:
    """Return the states, from ``Lock`` on, that wait until this execution holds the lock of ``image``.

    Afterwards ``$.lock.journal`` holds what a dead holder was moving.

    Args:
        function: ARN of the function.
        image: Name of the image.
        supersede: Whether an execution that has moved nothing yet must give way.
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
                "supersede": supersede,
            },
            "ResultPath": "$.lock",
            "Retry": RETRY,
            "Next": "IsLocked",
        },
        "IsLocked": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.lock.taken", "BooleanEquals": True, "Next": then}],
            "Default": "WaitForLock",
        },
        "WaitForLock": {"Type": "Wait", "Seconds": LOOK_AGAIN_SECONDS, "Next": "Lock"},
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
            "Retry": RETRY,
            "Next": then,
        }
    }
