"""The Amazon States Language as far as state machines of this library use it: states as plain data.

https://states-language.net/spec.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

State = dict[str, Any]

TRIES: Final[Sequence[Mapping[str, Any]]] = (
    {
        "ErrorEquals": ["States.ALL"],
        "IntervalSeconds": 3,
        "MaxAttempts": 4,
        "BackoffRate": 2,
        "JitterStrategy": "FULL",
    },
)
"""How a call is tried again: throttling, a lost answer and a permission that IAM has not spread yet all pass in that
time.  What can never succeed costs 45 seconds at most.
https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html"""


def call(
    action: str,
    parameters: Mapping[str, Any],
    *,
    then: str,
    failed: str,
    partition: str = "aws",
    take: Mapping[str, str] | None = None,
    at: str | None = None,
    caught: Mapping[str, str] | None = None,
    tries: Sequence[Mapping[str, Any]] = TRIES,
) -> State:
    """Return the state that calls an AWS service.

    Args:
        action: Service and operation, such as ``aws-sdk:ec2:describeImages``.
        parameters: Parameters of the operation.
        then: State that follows.
        failed: State that follows an error, which it finds at ``$.failure``.
        partition: Partition of the state machine.
        take: What is kept of the answer.  Default: all of it.
        at: Path at which it is kept.  Default: nothing is kept.
        caught: States that follow errors of these names, tried before ``failed`` and without further attempts.
        tries: How the call is tried again.
    """
    named = caught or {}
    # A name that is caught is an answer, and no reason to ask once more.
    never: list[State] = [{"ErrorEquals": list(named), "MaxAttempts": 0}] if named else []
    state: State = {
        "Type": "Task",
        "Resource": f"arn:{partition}:states:::{action}",
        "Parameters": dict(parameters),
        "ResultPath": at,
        "Retry": [*never, *map(dict, tries)],
        "Catch": [
            *({"ErrorEquals": [name], "ResultPath": "$.failure", "Next": target} for name, target in named.items()),
            {"ErrorEquals": ["States.ALL"], "ResultPath": "$.failure", "Next": failed},
        ],
        "Next": then,
    }
    return state | {"ResultSelector": dict(take)} if take else state


def put(value: Mapping[str, Any], *, at: str, then: str) -> State:
    """Return the state that sets ``at`` to ``value``, whose keys ending in ``.$`` are read from the input."""
    return {"Type": "Pass", "Parameters": dict(value), "ResultPath": at, "Next": then}


def choose(*rules: Mapping[str, Any], otherwise: str) -> State:
    """Return the state that goes where the first rule holds."""
    return {"Type": "Choice", "Choices": [dict(rule) for rule in rules], "Default": otherwise}


def when(path: str, test: str, value: Any, *, then: str) -> State:
    """Return the rule that goes to ``then`` where ``path`` is there and passes ``test`` against ``value``."""
    return {"And": [{"Variable": path, "IsPresent": True}, {"Variable": path, test: value}], "Next": then}


def present(path: str, *, then: str) -> State:
    """Return the rule that goes to ``then`` where ``path`` is there."""
    return {"Variable": path, "IsPresent": True, "Next": then}


def one_of(path: str, values: Sequence[str], *, then: str) -> State:
    """Return the rule that goes to ``then`` where ``path`` is one of ``values``."""
    return {"Or": [{"Variable": path, "StringEquals": value} for value in values], "Next": then}


def failure(error: str, cause: str, *, then: str) -> State:
    """Return the state that notes why a machine fails; ``cause`` is a text, or an intrinsic function that makes one."""
    key = "Cause.$" if cause.startswith("States.") else "Cause"
    return put({"Error": error, key: cause}, at="$.failure", then=then)


def poll(
    look: str,
    *,
    wait: str = "Wait",
    slowest: int,
    step: int = 15,
) -> dict[str, State]:
    """Return the states that wait longer each time, count it at ``$.poll``, and go back to the state ``look``.

    Args:
        look: State that looks again.
        wait: Name of the first of these states; the others are called after it.
        slowest: Longest pause in seconds.
        step: By how many seconds a pause is longer than the one before.
    """
    waited = {"waited.$": "States.MathAdd($.poll.waited, $.poll.seconds)"}
    return {
        wait: {"Type": "Wait", "SecondsPath": "$.poll.seconds", "Next": f"{wait}ed"},
        f"{wait}ed": choose(
            {"Variable": "$.poll.seconds", "NumericLessThan": slowest, "Next": f"{wait}Longer"},
            otherwise=f"{wait}AsLong",
        ),
        f"{wait}Longer": put(
            {"seconds.$": f"States.MathAdd($.poll.seconds, {step})", **waited}, at="$.poll", then=look
        ),
        f"{wait}AsLong": put({"seconds.$": "$.poll.seconds", **waited}, at="$.poll", then=look),
    }
