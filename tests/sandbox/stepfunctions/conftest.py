from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.support.happenings import ACCOUNT, Happenings

ROLE = f"arn:aws:iam::{ACCOUNT}:role/machine"


def trust(service: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


class Machines:
    """State machines and what becomes of their executions."""

    def __init__(self, it: Happenings) -> None:
        self.it, self.aws, self.sfn = it, it.aws, it.aws("stepfunctions")
        self._count = 0
        self.aws("iam").create_role(RoleName="machine", AssumeRolePolicyDocument=trust("states.amazonaws.com"))

    def make(self, *states: Mapping[str, Any], name: str = "", kind: str = "STANDARD", **top: Any) -> str:
        """Make a machine of states that follow one another, named A, B, C ...; return its ARN."""
        self._count += 1
        made: dict[str, Any] = {}
        for number, state in enumerate(states):
            flow: dict[str, Any] = {"Next": chr(66 + number)} if number + 1 < len(states) else {"End": True}
            if state["Type"] in {"Choice", "Fail", "Succeed"} or "Next" in state or "End" in state:
                flow = {}
            made[chr(65 + number)] = {**state, **flow}
        definition = {"StartAt": "A", "States": made, **top}
        return self.define(definition, name=name, kind=kind)

    def define(self, definition: Mapping[str, Any], *, name: str = "", kind: str = "STANDARD") -> str:
        """Make a machine; return its ARN."""
        self._count += 1
        return str(
            self.sfn.create_state_machine(
                name=name or f"machine-{self._count}", definition=json.dumps(definition), roleArn=ROLE, type=kind
            )["stateMachineArn"]
        )

    def start(self, machine: str, value: Any = None, **request: Any) -> str:
        """Start a machine; return the ARN of the execution when nothing goes on any more."""
        text = json.dumps({} if value is None else value)
        arn = self.sfn.start_execution(stateMachineArn=machine, input=text, **request)["executionArn"]
        self.it.settle()
        return str(arn)

    def seen(self, arn: str) -> dict[str, Any]:
        """Return an execution as DescribeExecution shows it."""
        return dict(self.sfn.describe_execution(executionArn=arn))

    def output(self, *states: Mapping[str, Any], value: Any = None) -> Any:
        """Run states and return the output."""
        found = self.seen(self.start(self.make(*states), value))
        assert found["status"] == "SUCCEEDED", (found.get("error"), found.get("cause"))
        return json.loads(found["output"])

    def failure(self, *states: Mapping[str, Any], value: Any = None) -> tuple[str, str]:
        """Run states that fail; return error and cause."""
        found = self.seen(self.start(self.make(*states), value))
        assert found["status"] == "FAILED", found
        return found.get("error", ""), found.get("cause", "")

    def types(self, arn: str) -> list[str]:
        """Return the types of the events of an execution."""
        events = self.sfn.get_execution_history(executionArn=arn, maxResults=1000)["events"]
        return [event["type"] for event in events]


@pytest.fixture
def machines(it: Happenings) -> Machines:
    return Machines(it)
