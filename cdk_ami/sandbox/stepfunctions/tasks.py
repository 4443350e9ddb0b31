"""What Task states do: one call of a service, and the wait for a job or for a token where the task asks for it.

https://docs.aws.amazon.com/step-functions/latest/dg/connect-to-resource.html, read 2026-11-28
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.stepfunctions import resources, sdk, tokens
from cdk_ami.sandbox.stepfunctions.errors import StateError
from cdk_ami.sandbox.stepfunctions.payload import Scope
from cdk_ami.sandbox.stepfunctions.resources import CALLBACK, Resource
from cdk_ami.sandbox.stepfunctions.strand import Strand

if TYPE_CHECKING:
    from cdk_ami.sandbox.stepfunctions.execution import Execution

BUILD_POLL_SECONDS: Final = 5.0
"""How often a build of CodeBuild is looked at."""


class Call:
    """One try of a Task state.

    Attributes:
        region: Region of the machine, which no call leaves.
        account: Account whose resources are meant: the machine's, unless the task takes another's role.
        role: The role that acts.
        parameters: What the state hands to the service.
    """

    def __init__(
        self, execution: Execution, strand: Strand, resource: Resource, state: Mapping[str, Any], taken: Any
    ) -> None:
        self.strand, self.resource = strand, resource
        self.region = execution.region
        self.execution = execution
        self.task = tokens.open_task() if resource.pattern == CALLBACK else None
        context = {**strand.context, "Task": {"Token": self.task.token}} if self.task else strand.context
        scope = Scope(taken, context)
        try:
            self.parameters = scope.fill(state["Parameters"]) if "Parameters" in state else taken
            credentials = scope.fill(state.get("Credentials", {}))
            self.timeout = _seconds(state, "TimeoutSeconds", scope)
            self.heartbeat = _seconds(state, "HeartbeatSeconds", scope)
        except StateError:
            self.close()
            raise
        self.role = str(credentials.get("RoleArn", execution.machine.role))
        self.account = self.role.split(":")[4] or execution.account
        self.started = CLOCK.now()

    def close(self) -> None:
        """Forget the token."""
        if self.task is not None:
            tokens.close_task(self.task)

    def call(self, parameters: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the answer of the service."""
        return sdk.call(
            self.resource.service,
            self.resource.operation,
            self.resource.method,
            self.parameters if parameters is None else parameters,
            region=self.region,
            account=self.account,
            role=self.role,
        )

    def due(self) -> datetime | None:
        """Return when the task times out next, by its time limit or for lack of a heartbeat."""
        ends = []
        if self.timeout is not None:
            ends.append(self.started + timedelta(seconds=self.timeout))
        if self.heartbeat is not None and self.task is not None:
            ends.append(self.task.beaten + timedelta(seconds=self.heartbeat))
        return min(ends, default=None)


def perform(execution: Execution, strand: Strand, state: Mapping[str, Any], taken: Any) -> Any:
    """Return the result of one try of a Task state.

    Raises:
        StateError: When the task fails or times out.
        HaltedError: When the execution was stopped meanwhile.
    """
    resource = resources.parse(state["Resource"])
    call = Call(execution, strand, resource, state, taken)
    try:
        result = _function(call) if resource.kind == "function" else _integration(call)
    finally:
        call.close()
    return result


def _seconds(state: Mapping[str, Any], field: str, scope: Scope) -> float | None:
    value = scope.take(state[f"{field}Path"]) if f"{field}Path" in state else state.get(field)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or value <= 0):
        raise StateError("States.Runtime", f"{field} is a number above 0, got {value!r}")
    return value


def _function(call: Call) -> Any:
    """Invoke the function that the state names itself: its input is the payload, its answer the result."""
    strand, function = call.strand, call.resource.shown
    strand.tell(
        "LambdaFunctionScheduled",
        resource=function,
        input=json.dumps(call.parameters),
        inputDetails={"truncated": False},
        timeoutInSeconds=None if call.timeout is None else int(call.timeout),
    )
    strand.tell("LambdaFunctionStarted")
    try:
        answer = call.call({"FunctionName": function, "Payload": call.parameters})
        result = _payload(answer)
    except StateError as error:
        strand.tell("LambdaFunctionFailed", error=error.error, cause=error.cause)
        raise
    strand.tell("LambdaFunctionSucceeded", output=json.dumps(result), outputDetails={"truncated": False})
    return result


def _payload(answer: Mapping[str, Any]) -> Any:
    """Return what a function answered.

    Raises:
        StateError: When it failed: the error has the name that the function gave it.
    """
    text = answer.get("Payload") or "null"
    try:
        payload = json.loads(text)
    except json.JSONDecodeError:
        payload = text
    if "FunctionError" not in answer:
        return payload
    told = payload if isinstance(payload, dict) else {}
    raise StateError(told.get("errorType") or "Lambda.Unknown", text if told else f"The function failed: {text}")


def _integration(call: Call) -> Any:
    strand, resource = call.strand, call.resource
    named = {"resourceType": resource.shown_type, "resource": resource.shown}
    strand.tell(
        "TaskScheduled",
        **named,
        region=call.region,
        parameters=json.dumps(call.parameters),
        timeoutInSeconds=None if call.timeout is None else int(call.timeout),
        heartbeatInSeconds=None if call.heartbeat is None else int(call.heartbeat),
    )
    strand.tell("TaskStarted", **named)
    try:
        key = (resource.service, resource.operation)
        answer = _OPTIMIZED[key](call) if key in _OPTIMIZED and resource.kind == "optimized" else call.call()
        if resource.pattern:
            told = {"output": json.dumps(answer), "outputDetails": {"truncated": False}}
            strand.tell("TaskSubmitted", **named, **told)
        result = _WAITS[resource.pattern](call, answer) if resource.pattern else answer
    except StateError as error:
        kind = "TaskTimedOut" if error.error in {"States.Timeout", "States.HeartbeatTimeout"} else "TaskFailed"
        strand.tell(kind, **named, error=error.error, cause=error.cause)
        raise
    strand.tell("TaskSucceeded", **named, output=json.dumps(result), outputDetails={"truncated": False})
    return result


def _invoke(call: Call) -> Any:
    answer = call.call()
    payload = _payload(answer)
    return {
        "ExecutedVersion": answer.get("ExecutedVersion", "$LATEST"),
        "Payload": payload,
        "StatusCode": answer["StatusCode"],
    }


def _texts(*fields: str) -> Callable[[Call], Any]:
    """Let fields that the service takes as a text be given as JSON."""

    def send(call: Call) -> Any:
        if not isinstance(call.parameters, Mapping):
            raise StateError("States.Runtime", f"the parameters of {call.resource.shown} are an object")
        return call.call({name: _text(value) if name in fields else value for name, value in call.parameters.items()})

    return send


def _text(value: Any) -> Any:
    return value if isinstance(value, str) else json.dumps(value)


def _put_events(call: Call) -> Any:
    entries = []
    for entry in call.parameters.get("Entries", ()):
        known = {name: _text(value) if name == "Detail" else value for name, value in entry.items()}
        # The service adds where the event comes from.
        known["Resources"] = [*known.get("Resources", ()), call.execution.arn, call.execution.machine.arn]
        entries.append(known)
    answer = call.call({**call.parameters, "Entries": entries})
    if answer.get("FailedEntryCount"):
        raise StateError("EventBridge.FailedEntry", json.dumps(answer))
    return answer


def _start_execution(call: Call) -> Any:
    given = dict(call.parameters)
    child = {"AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID": call.execution.arn}
    wanted = given.get("Input", {})
    # The service notes the parent only in an input that does not name it itself; a text is left as it is.
    given["Input"] = wanted if isinstance(wanted, str) else json.dumps(wanted or child)
    return call.call(given)


def _wait_for_token(call: Call, _answer: Any) -> Any:
    task = call.task
    if task is None:
        raise StateError("States.Runtime", "the task has no token")
    while task.answer is None:
        if not call.strand.wait(call.due(), armed=task.arm) and task.answer is None:
            _time_out(call)
    if isinstance(task.answer, StateError):
        raise StateError(task.answer.error, task.answer.cause)
    return task.answer[0]


def _time_out(call: Call) -> None:
    """Raise what ended the wait."""
    limit = None if call.timeout is None else call.started + timedelta(seconds=call.timeout)
    if limit is not None and CLOCK.now() >= limit:
        raise StateError("States.Timeout", "The task did not end in its time.")
    raise StateError("States.HeartbeatTimeout", "The task showed no sign of life in its time.")


def _wait_for_execution(call: Call, answer: Any) -> Any:
    """Wait for a machine that was started; ``sync:2`` gives its output as JSON, ``sync`` as a text."""
    from cdk_ami.sandbox.stepfunctions.models import stepfunctions_backends  # noqa: PLC0415 - which runs executions

    _, _, _, region, account, *_ = str(answer["ExecutionArn"]).split(":")
    child = stepfunctions_backends[account][region].executions[answer["ExecutionArn"]]
    forget = call.strand.life.on_halt(lambda: child.halt("ABORTED"))
    try:
        if not call.strand.wait(call.due(), armed=child.on_end):
            child.halt("ABORTED")
            raise StateError("States.Timeout", "The task did not end in its time.")
    finally:
        forget()
    shown = child_shown(child)
    if child.status != "SUCCEEDED":
        raise StateError("States.TaskFailed", json.dumps(shown))
    if call.resource.pattern == "sync:2":
        shown["Output"] = json.loads(shown["Output"])
        shown["Input"] = json.loads(shown["Input"])
    return shown


def child_shown(child: Execution) -> dict[str, Any]:
    """Return an execution as the machine that started it sees it."""
    found = {
        "ExecutionArn": child.arn,
        "Input": child.text,
        "InputDetails": {"Included": True},
        "Name": child.name,
        "Output": child.output,
        "OutputDetails": None if child.output is None else {"Included": True},
        "Error": child.error,
        "Cause": child.cause,
        "StartDate": int(child.started.timestamp() * 1000),
        "StateMachineArn": child.machine.arn,
        "Status": child.status,
        "StopDate": None if child.stopped is None else int(child.stopped.timestamp() * 1000),
    }
    return {name: value for name, value in found.items() if value is not None}


def _wait_for_build(call: Call, answer: Any) -> Any:
    build = answer["Build"]
    while build["BuildStatus"] == "IN_PROGRESS":
        due = CLOCK.now() + timedelta(seconds=BUILD_POLL_SECONDS)
        limit = call.due()
        call.strand.wait(due if limit is None else min(due, limit))
        if limit is not None and CLOCK.now() >= limit:
            raise StateError("States.Timeout", "The task did not end in its time.")
        build = sdk.call(
            "codebuild",
            "BatchGetBuilds",
            "batch_get_builds",
            {"Ids": [build["Id"]]},
            region=call.region,
            account=call.account,
            role=call.role,
        )["Builds"][0]
    if build["BuildStatus"] != "SUCCEEDED":
        raise StateError("States.TaskFailed", json.dumps({"Build": build}))
    return {"Build": build}


def _wait_for_job(call: Call, answer: Any) -> Any:
    return (_wait_for_build if call.resource.service == "codebuild" else _wait_for_execution)(call, answer)


_OPTIMIZED: Final[Mapping[tuple[str, str], Callable[[Call], Any]]] = {
    ("lambda", "Invoke"): _invoke,
    ("sns", "Publish"): _texts("Message"),
    ("sqs", "SendMessage"): _texts("MessageBody"),
    ("events", "PutEvents"): _put_events,
    ("stepfunctions", "StartExecution"): _start_execution,
}
_WAITS: Final[Mapping[str, Callable[[Call, Any], Any]]] = {
    CALLBACK: _wait_for_token,
    "sync": _wait_for_job,
    "sync:2": _wait_for_job,
}
