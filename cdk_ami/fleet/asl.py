"""Pieces of state machines in the Amazon States Language.  Pure: data in, data out.

https://docs.aws.amazon.com/step-functions/latest/dg/concepts-amazon-states-language.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

State = dict[str, Any]
"""A state, or a rule of a Choice state."""

_RETRY: Final = {
    "ErrorEquals": ["States.TaskFailed", "States.Timeout"],
    "IntervalSeconds": 2,
    "BackoffRate": 2,
    "MaxAttempts": 7,
    "MaxDelaySeconds": 60,
    "JitterStrategy": "FULL",
}
"""Throttling and outages; every call that is retried may be made twice."""

DROPPED: Final = "$.dropped"
"""Path of what nobody needs.  A ``null`` would drop it as well, and is itself dropped when the CDK writes JSON."""

_CALL_SECONDS: Final = 60
"""How long one call of a service may take."""


def task(
    action: str,
    parameters: Mapping[str, Any],
    *,
    then: str,
    result: str = DROPPED,
    selector: Mapping[str, Any] | None = None,
    catch: Sequence[tuple[Sequence[str], str, str]] = (),
    retried: bool = True,
) -> State:
    """Return a Task state that calls a service.

    Args:
        action: The call as SDK integrations name it, such as ``ssm:getParameter``.
        parameters: What is asked.
        then: The state that follows.
        result: Path where the answer is kept.  Default: where nobody looks.
        selector: What is kept of the answer.
        catch: Errors, the path where one is kept, and the state that follows.
        retried: Whether throttling and outages are tried again here.  Named errors of the parameter store that are
            caught are answers, and never tried again.
    """
    state: State = {
        "Type": "Task",
        "Resource": f"arn:aws:states:::aws-sdk:{action}",
        "Parameters": dict(parameters),
        "TimeoutSeconds": _CALL_SECONDS,
        "ResultPath": result,
        "Next": then,
    }
    if selector is not None:
        state["ResultSelector"] = dict(selector)
    expected = [error for errors, _, _ in catch for error in errors if error.startswith("Ssm.")]
    if retried:
        state["Retry"] = [*([{"ErrorEquals": expected, "MaxAttempts": 0}] if expected else []), _RETRY]
    if catch:
        state["Catch"] = [{"ErrorEquals": list(errors), "ResultPath": path, "Next": to} for errors, path, to in catch]
    return state


def copy(source: str, target: str, then: str) -> State:
    """Return a Pass state that copies one path to another."""
    return {"Type": "Pass", "InputPath": source, "ResultPath": target, "Next": then}


def choose(rules: Sequence[tuple[Sequence[State], str]], *, default: str) -> State:
    """Return a Choice state.

    Args:
        rules: Tests that must all hold, each list with the state that follows.
        default: The state that follows when none does.
    """
    choices = [{**(tests[0] if len(tests) == 1 else {"And": list(tests)}), "Next": then} for tests, then in rules]
    return {"Type": "Choice", "Choices": choices, "Default": default}


def is_(variable: str, **comparison: Any) -> State:
    """Return the test of one value, such as ``is_("$.name", StringEquals="web")``."""
    return {"Variable": variable, **comparison}


def not_(test: State) -> State:
    """Return the opposite of a test."""
    return {"Not": test}


def or_(tests: Sequence[State]) -> State:
    """Return the test that one of several holds."""
    return {"Or": list(tests)}
