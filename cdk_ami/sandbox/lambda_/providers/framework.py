"""The CDK's provider framework: it calls the user's function, and asks another one whether that is complete.

https://docs.aws.amazon.com/cdk/api/v2/docs/aws-cdk-lib.custom_resources-readme.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from cdk_ami.sandbox import clients
from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.lambda_.function import Function

HANDLER: Final = "framework.onEvent"

ON_EVENT, IS_COMPLETE = "USER_ON_EVENT_FUNCTION_ARN", "USER_IS_COMPLETE_FUNCTION_ARN"
"""Variables of the framework's function that name the user's."""

WAITER: Final = "WAITER_STATE_MACHINE_ARN"
"""Variable that names the state machine which asks again and again."""

INTERVAL_SECONDS, ATTEMPTS = 5.0, 360
"""How often it asks when its definition does not say: for half an hour."""


def is_meant(function: Function) -> bool:
    """Return whether a function is the framework's."""
    return function.handler == HANDLER and ON_EVENT in function.variables


def forward(function: Function, event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Call the user's function, wait until it is complete, and return the answer."""
    answer = _call(function, function.variables[ON_EVENT], event) or {}
    default = event["RequestId"] if event["RequestType"] == "Create" else event["PhysicalResourceId"]
    physical_id = answer.get("PhysicalResourceId") or default
    if event["RequestType"] == "Delete" and physical_id != event["PhysicalResourceId"]:
        raise ValueError(
            f'DELETE: cannot change the physical resource ID from "{event["PhysicalResourceId"]}" '
            f'to "{physical_id}" during deletion'
        )
    made: Mapping[str, Any] = {**answer, "PhysicalResourceId": physical_id}
    if asked := function.variables.get(IS_COMPLETE):
        made = _complete(function, asked, {**event, **made})
    return {name: made[name] for name in ("PhysicalResourceId", "Data", "NoEcho") if name in made}


def _complete(function: Function, asked: str, event: Mapping[str, Any]) -> Mapping[str, Any]:
    interval, attempts = _patience(function)
    for attempt in range(attempts):
        if attempt:
            CLOCK.sleep(interval)
        answer = _call(function, asked, event)
        if answer.get("IsComplete"):
            return {**event, **answer, "Data": {**(event.get("Data") or {}), **(answer.get("Data") or {})}}
        if answer.get("Data"):
            raise ValueError('"Data" is not allowed if "IsComplete" is "False"')
    raise ValueError("Operation timed out")


def _patience(function: Function) -> tuple[float, int]:
    """Return the seconds between two questions and their number, as the waiter's definition says."""
    client = clients.client("stepfunctions", function.region, function.account)
    machine = client.describe_state_machine(stateMachineArn=function.variables[WAITER])
    for state in json.loads(machine["definition"])["States"].values():
        for retry in state.get("Retry", ()):
            if "MaxAttempts" in retry and "IntervalSeconds" in retry:
                return float(retry["IntervalSeconds"]), int(retry["MaxAttempts"]) + 1
    return INTERVAL_SECONDS, ATTEMPTS


def _call(function: Function, arn: str, event: Mapping[str, Any]) -> Any:
    answer = clients.client("lambda", function.region, function.account).invoke(
        FunctionName=arn, Payload=json.dumps(event)
    )
    payload = json.loads(answer["Payload"].read() or b"null")
    if answer.get("FunctionError"):
        name = arn.rpartition(":")[2]
        raise ValueError(f"{payload.get('errorMessage', 'error')}\n\nLogs: /aws/lambda/{name}\n")
    return payload
