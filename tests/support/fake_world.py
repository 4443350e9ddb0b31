"""A world small enough to run a promotion in it some thousand times: parameters, AMIs, alarms, and time, in memory.

State machines run in it on the sandbox's own interpreter.  Every call of a service is counted, and a fault may strike
any of them: before it is done, or after it was done.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import RLock
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cdk_ami.fleet.rollout_state import RolloutPhase, RolloutState
from cdk_ami.runtime.promotion.handler import act
from cdk_ami.sandbox.stepfunctions import sdk, states, strand, tasks
from cdk_ami.sandbox.stepfunctions.errors import HaltedError, StateError
from cdk_ami.sandbox.stepfunctions.execution import Execution, Machine

HOME = "us-east-1"
ACCOUNT = "123456789012"
START = datetime(2026, 11, 28, 12, tzinfo=UTC)


class StruckError(Exception):
    """A call that fails because a test wanted it to."""


class Died(BaseException):
    """The execution ends here, without a word."""


@dataclass
class Fault:
    """What strikes the call with a number.

    Attributes:
        at: Number of the call, from 0.
        after: Whether the call is done first.
        dies: Whether the execution ends for ever; else the call is answered with an error, once.
    """

    at: int
    after: bool = False
    dies: bool = False


@dataclass
class Parameter:
    """A parameter with its versions: value and description."""

    versions: list[tuple[str, str]] = field(default_factory=list)
    modified: datetime = START

    @property
    def value(self) -> str:
        return self.versions[-1][0]


class World:
    """Everything outside the state machine."""

    def __init__(self) -> None:
        self.now = START
        self.lock = RLock()
        self.parameters: dict[tuple[str, str], Parameter] = {}
        self.images: dict[tuple[str, str], str] = {}
        self.alarms: dict[str, str] = {}
        self.running: set[str] = set()
        self.messages: list[tuple[str, str]] = []
        self.calls: list[str] = []
        self.fault: Fault | None = None
        self.executions = 0
        self.refuses: Callable[[str, str, str], bool] = lambda *_: False
        """Whether a value of data type aws:ec2:image, in a Region, is dropped after its 200."""
        self.fleet: Callable[[str, str], tuple[RolloutPhase, str]] = lambda *_: (RolloutPhase.SUCCEEDED, "")
        """What the fleets of a Region make of an AMI."""
        self.on_call: Callable[[str], None] = lambda _: None

    def put(self, region: str, name: str, value: str, description: str = "") -> int:
        found = self.parameters.setdefault((region, name), Parameter())
        found.versions.append((value, description))
        found.modified = self.now
        return len(found.versions)

    def value(self, region: str, name: str) -> str | None:
        found = self.parameters.get((region, name))
        return None if found is None else found.value

    def call(self, what: str, done: Callable[[], Any]) -> Any:
        """Count a call, do it, and let a fault strike it."""
        with self.lock:
            self.on_call(what)
            number = len(self.calls)
            self.calls.append(what)
            fault = self.fault if self.fault is not None and self.fault.at == number else None
            if fault is not None and not fault.after:
                self._strike(fault, what)
            answer = done()
            if fault is not None:
                self._strike(fault, what)
            return answer

    def _strike(self, fault: Fault, what: str) -> None:
        raise Died if fault.dies else StruckError(what)

    def clients(self, service: str, region: str = "", role: str = "") -> Any:
        assert not role, "this world has one account"
        return {"ssm": Ssm, "ec2": Ec2, "cloudwatch": CloudWatch, "stepfunctions": StepFunctions}[service](
            self, region or HOME
        )


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}}, "Operation")


class Client:
    def __init__(self, world: World, region: str) -> None:
        self.world, self.region = world, region

    def get_paginator(self, name: str) -> Any:
        operation = getattr(self, name)
        return type("Pages", (), {"paginate": staticmethod(lambda **request: [operation(**request)])})


class Ssm(Client):
    def get_parameter(self, *, Name: str) -> Any:  # noqa: N803 - boto3's names
        return self.world.call(f"{self.region} GetParameter {Name}", lambda: self._get(Name))

    def _get(self, name: str) -> Any:
        if "/rollouts/" in name:
            return {"Parameter": {"Value": self._rollout(name), "Version": 1}}
        found = self.world.parameters.get((self.region, name))
        if found is None:
            raise refused("ParameterNotFound")
        return {"Parameter": {"Value": found.value, "Version": len(found.versions)}}

    def _rollout(self, name: str) -> str:
        channel = self.world.parameters.get((self.region, name.partition("/rollouts/")[0]))
        if channel is None:
            raise refused("ParameterNotFound")
        phase, reason = self.world.fleet(self.region, channel.value)
        return RolloutState(state=phase, ami=channel.value, version=len(channel.versions), reason=reason).dump()

    def put_parameter(self, *, Name: str, Value: str, Overwrite: bool = False, **more: Any) -> Any:  # noqa: N803
        def done() -> Any:
            known = (self.region, Name) in self.world.parameters
            if known and not Overwrite:
                raise refused("ParameterAlreadyExists")
            if more.get("DataType") == "aws:ec2:image" and self.world.refuses(self.region, Name, Value):
                return {"Version": 99}
            return {"Version": self.world.put(self.region, Name, Value, more.get("Description", ""))}

        return self.world.call(f"{self.region} PutParameter {Name}", done)

    def delete_parameter(self, *, Name: str) -> Any:  # noqa: N803
        def done() -> Any:
            if self.world.parameters.pop((self.region, Name), None) is None:
                raise refused("ParameterNotFound")
            return {}

        return self.world.call(f"{self.region} DeleteParameter {Name}", done)

    def delete_parameters(self, *, Names: list[str]) -> Any:  # noqa: N803
        def done() -> Any:
            for name in Names:
                self.world.parameters.pop((self.region, name), None)
            return {}

        return self.world.call(f"{self.region} DeleteParameters", done)

    def get_parameters_by_path(self, *, Path: str) -> Any:  # noqa: N803
        def done() -> Any:
            return {
                "Parameters": [
                    {"Name": name, "Value": found.value, "LastModifiedDate": found.modified}
                    for (region, name), found in self.world.parameters.items()
                    if region == self.region and name.startswith(f"{Path}/")
                ]
            }

        return self.world.call(f"{self.region} GetParametersByPath {Path}", done)


class Ec2(Client):
    def describe_images(self, *, ImageIds: list[str]) -> Any:  # noqa: N803
        def done() -> Any:
            build = self.world.images.get((self.region, ImageIds[0]))
            if build is None:
                raise refused("InvalidAMIID.NotFound")
            return {"Images": [{"State": "available", "Tags": [{"Key": "Ec2ImageBuilderArn", "Value": build}]}]}

        return self.world.call(f"{self.region} DescribeImages", done)


class CloudWatch(Client):
    def describe_alarms(self, *, AlarmNames: list[str], AlarmTypes: list[str]) -> Any:  # noqa: ARG002, N803
        def done() -> Any:
            return {
                "MetricAlarms": [
                    {"AlarmName": name, "StateValue": self.world.alarms.get(f"{self.region}/{name}", "OK")}
                    for name in AlarmNames
                ]
            }

        return self.world.call(f"{self.region} DescribeAlarms", done)


class StepFunctions(Client):
    def describe_execution(self, *, executionArn: str) -> Any:  # noqa: N803
        status = "RUNNING" if executionArn in self.world.running else "ABORTED"
        return self.world.call(f"{self.region} DescribeExecution", lambda: {"status": status})


class Machines:
    """Runs a definition in a world, on the sandbox's interpreter."""

    def __init__(self, world: World, definition: Mapping[str, Any], patch: pytest.MonkeyPatch) -> None:
        self.world, self.definition = world, definition
        patch.setattr(sdk, "call", self._call)
        clock = type("Clock", (), {"now": staticmethod(lambda: world.now)})
        for module in (states, tasks):
            patch.setattr(module, "CLOCK", clock)
        patch.setattr(strand.Strand, "tell", lambda *_, **__: 0)  # half of the time, for a history that nobody reads
        original = strand.Strand.wait

        def wait(this: strand.Strand, due: datetime | None = None, **more: Any) -> bool:
            if due is None:
                return original(this, **more)
            with world.lock:
                this.check()
                world.now = max(world.now, due)
            return False

        patch.setattr(strand.Strand, "wait", wait)

    def run(self, started: str = "command") -> Execution:
        """Run an execution to its end; return it."""
        self.world.executions += 1
        name = f"run-{self.world.executions}"
        arn = f"arn:aws:states:{HOME}:{ACCOUNT}:execution:promotion:{name}"
        text = json.dumps({"started": started, "by": "ann", "reason": "a test"})
        # The time of the whole is the sandbox's own, which stands still here.
        definition = {name: value for name, value in self.definition.items() if name != "TimeoutSeconds"}
        machine = Machine(
            arn="m", name="promotion", kind="EXPRESS", role=f"arn:aws:iam::{ACCOUNT}:role/r", definition=definition
        )
        execution = Execution(arn=arn, name=name, machine=machine, text=text, region=HOME, account=ACCOUNT)
        self.world.running.add(arn)
        self._execution = execution
        try:
            execution.run()
        finally:
            self.world.running.discard(arn)
            self.world.fault = None
            self.world.now += timedelta(hours=1)
        return execution

    def _call(self, service: str, operation: str, _method: str, parameters: Any, **_: Any) -> Any:
        try:
            if (service, operation) == ("lambda", "Invoke"):
                return self._invoke(parameters["Payload"])
            assert (service, operation) == ("sns", "Publish"), (service, operation)
            return self.world.call("Publish", lambda: self._publish(parameters))
        except Died:
            self._execution.life.halt()
            raise HaltedError from None
        except StruckError as error:
            raise StateError("Sns.SnsException", str(error)) from error

    def _publish(self, message: Mapping[str, Any]) -> dict[str, Any]:
        self.world.messages.append((message["Subject"], message["Message"]))
        return {}

    def _invoke(self, event: Mapping[str, Any]) -> dict[str, Any]:
        try:
            answer = act(event, self.world.clients)
        except Exception as error:  # noqa: BLE001 - as Lambda does
            told = {"errorType": type(error).__name__, "errorMessage": str(error)}
            return {"StatusCode": 200, "FunctionError": "Unhandled", "Payload": json.dumps(told)}
        return {"StatusCode": 200, "Payload": json.dumps(answer)}
