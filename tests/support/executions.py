"""State machines of deployed stacks: started, waited for through all their pauses, and looked at."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.support.happenings import Happenings


class Executions:
    """Runs one state machine to its end, whatever it waits for.

    Args:
        it: The sandbox's clock.
        machine: ARN of the state machine.
    """

    def __init__(self, it: Happenings, machine: str) -> None:
        self._it, self._machine = it, machine
        self._sfn = it.aws("stepfunctions")

    def run(self, value: Mapping[str, Any], *, step: float = 60.0, most: int = 60) -> dict[str, Any]:
        """Run the machine with an input; return what became of it, as ``DescribeExecution`` shows it."""
        arn = self._sfn.start_execution(stateMachineArn=self._machine, input=json.dumps(value))["executionArn"]
        return self.ended(arn, step=step, most=most)

    def ended(self, arn: str, *, step: float = 60.0, most: int = 60) -> dict[str, Any]:
        """Return an execution when it has ended, moving the clock on while it waits."""
        for _ in range(most):
            self._it.settle()
            found = dict(self._sfn.describe_execution(executionArn=arn))
            if found["status"] != "RUNNING":
                return found
            self._it.advance(step)
        raise AssertionError(f"{arn} still runs; it is in {self._entered(arn)}")

    def newest(self) -> str:
        """Return the ARN of the execution that was started last."""
        found = self._sfn.list_executions(stateMachineArn=self._machine)["executions"]
        return str(max(found, key=lambda one: one["startDate"])["executionArn"])

    def _entered(self, arn: str) -> str:
        events = self._sfn.get_execution_history(executionArn=arn, reverseOrder=True)["events"]
        return next((e["stateEnteredEventDetails"]["name"] for e in events if "stateEnteredEventDetails" in e), "none")
