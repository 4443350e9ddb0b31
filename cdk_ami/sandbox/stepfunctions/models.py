"""The state of the service, one backend for each account and Region, in the emulator's own form."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from threading import RLock
from typing import Any

from moto.core.base_backend import AccountSpecificBackend, BackendDict, BaseBackend

from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.stepfunctions import tokens
from cdk_ami.sandbox.stepfunctions.errors import StepFunctionsError
from cdk_ami.sandbox.stepfunctions.execution import Execution


@dataclass(slots=True, kw_only=True)
class StateMachine:
    """A state machine; ``settings`` are members of requests that are kept and shown."""

    arn: str
    name: str
    kind: str
    role: str
    definition: str
    revision: str = "INITIAL"
    created: datetime = field(default_factory=CLOCK.now)
    updated: datetime = field(default_factory=CLOCK.now)
    settings: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


class StepFunctionsBackend(BaseBackend):  # type: ignore[misc]
    """What one account has in one Region.

    Attributes:
        lock: Held while a request changes the records.
        machines: State machines by ARN.
        executions: Executions by ARN, oldest first.
    """

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.lock = RLock()
        self.machines: dict[str, StateMachine] = {}
        self.executions: dict[str, Execution] = {}

    def sandbox_stop(self) -> None:
        """Stop executions, for everything is about to be forgotten."""
        for execution in list(self.executions.values()):
            execution.abandon()
        tokens.reset()

    def machine(self, arn: str) -> StateMachine:
        """Return a state machine.

        Raises:
            StepFunctionsError: When there is none.
        """
        found = self.machines.get(arn)
        if found is None:
            raise StepFunctionsError("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{arn}'")
        return found

    def execution(self, arn: str) -> Execution:
        """Return an execution.

        Raises:
            StepFunctionsError: When there is none.
        """
        found = self.executions.get(arn)
        if found is None or found.machine.kind == "EXPRESS":
            raise StepFunctionsError("ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'")
        return found

    def arn(self, resource: str) -> str:
        """Return the ARN of a resource of this account and Region."""
        return f"arn:aws:states:{self.region_name}:{self.account_id}:{resource}"


REGIONS: list[str] = AccountSpecificBackend.get_session().get_available_regions("stepfunctions")
"""The Regions of the service.  A session of our own would take a quarter of a second."""

stepfunctions_backends = BackendDict(
    StepFunctionsBackend, "stepfunctions", use_boto3_regions=False, additional_regions=REGIONS
)
