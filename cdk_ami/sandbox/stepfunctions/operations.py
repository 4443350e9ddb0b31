"""The operations of the API, one function each; the others are refused by name.

https://docs.aws.amazon.com/step-functions/latest/apireference/API_Operations.html, read 2026-11-28
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from moto.core.exceptions import JsonRESTError
from moto.iam.models import iam_backends

from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.events.permission import trusts
from cdk_ami.sandbox.stepfunctions import definition, tokens
from cdk_ami.sandbox.stepfunctions.errors import StateError, StepFunctionsError
from cdk_ami.sandbox.stepfunctions.execution import Execution, Machine
from cdk_ami.sandbox.stepfunctions.models import StateMachine, StepFunctionsBackend

Answer = dict[str, Any]

MAX_DEFINITION: Final = 1024 * 1024
"""Bytes of a definition.  https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html"""

MAX_INPUT: Final = 256 * 1024
"""Bytes of an input."""

_NAME: Final = re.compile(r"[^\s<>{}\[\]?*\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f\ufffe\uffff]{1,80}")
_SETTINGS: Final = ("loggingConfiguration", "tracingConfiguration", "encryptionConfiguration")
_PAGE: Final = 100


def perform(backend: StepFunctionsBackend, name: str, request: Answer) -> Answer:
    """Return the answer to a request.

    Raises:
        StepFunctionsError: When the service would answer with an error, or the sandbox lacks the operation.
    """
    operation = OPERATIONS.get(name)
    if operation is None:
        raise StepFunctionsError(
            "ValidationException", f"the sandbox does not offer the operation {name} of stepfunctions"
        )
    return operation(backend, request)


def _create(backend: StepFunctionsBackend, asked: Answer) -> Answer:
    name = asked["name"]
    _check_name(name)
    kind = asked.get("type", "STANDARD")
    if kind not in {"STANDARD", "EXPRESS"}:
        raise StepFunctionsError("ValidationException", f"type is STANDARD or EXPRESS, got {kind}")
    _check_unoffered(asked)
    _check_definition(asked["definition"])
    _check_role(backend, asked["roleArn"])
    made = StateMachine(
        arn=backend.arn(f"stateMachine:{name}"),
        name=name,
        kind=kind,
        role=asked["roleArn"],
        definition=asked["definition"],
        settings={setting: asked[setting] for setting in _SETTINGS if asked.get(setting)},
        tags={tag["key"]: tag["value"] for tag in asked.get("tags") or ()},
    )
    with backend.lock:
        known = backend.machines.get(made.arn)
        if known is None:
            backend.machines[made.arn] = made
        elif (known.definition, known.role, known.kind) != (made.definition, made.role, made.kind):
            raise StepFunctionsError("StateMachineAlreadyExists", f"State Machine Already Exists: '{made.arn}'")
        else:
            made = known
    return {"stateMachineArn": made.arn, "creationDate": made.created}


def _check_unoffered(asked: Answer) -> None:
    if asked.get("publish"):
        raise StepFunctionsError("ValidationException", "the sandbox has no versions of state machines")


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise StepFunctionsError("InvalidName", f"Invalid Name: '{name}'")


def _check_definition(text: str) -> None:
    if len(text.encode()) > MAX_DEFINITION:
        raise StepFunctionsError("InvalidDefinition", "Invalid State Machine Definition: it is longer than 1 MB")
    found = definition.faults(text)
    if found:
        raise StepFunctionsError(
            "InvalidDefinition", f"Invalid State Machine Definition: '{', '.join(str(fault) for fault in found)}'"
        )


def _check_role(backend: StepFunctionsBackend, role: str) -> None:
    match = re.fullmatch(r"arn:aws[^:]*:iam::(\d{12}):role/(?:.*/)?([^/]+)", role)
    if match is None:
        raise StepFunctionsError("InvalidArn", f"Invalid Role Arn: '{role}'")
    found = next((one for one in list(iam_backends[match[1]]["aws"].roles.values()) if one.name == match[2]), None)
    services = ("states.amazonaws.com", f"states.{backend.region_name}.amazonaws.com")
    policy = None if found is None else found.assume_role_policy_document
    if policy is None or not any(trusts(policy, service=service) for service in services):
        # An error of all services, which the model of this one does not name.
        raise JsonRESTError(
            "AccessDeniedException",
            f"Neither the global service principal {services[0]}, nor the regional one is authorized to assume the "
            "provided role.",
        )


def _update(backend: StepFunctionsBackend, asked: Answer) -> Answer:
    machine = backend.machine(asked["stateMachineArn"])
    _check_unoffered(asked)
    if not any(asked.get(name) for name in ("definition", "roleArn", *_SETTINGS)):
        raise StepFunctionsError(
            "MissingRequiredParameter", "Either the definition, the role ARN, or a configuration must be specified"
        )
    if asked.get("definition"):
        _check_definition(asked["definition"])
    if asked.get("roleArn"):
        _check_role(backend, asked["roleArn"])
    with backend.lock:
        machine.definition = asked.get("definition") or machine.definition
        machine.role = asked.get("roleArn") or machine.role
        machine.settings.update({name: asked[name] for name in _SETTINGS if asked.get(name)})
        machine.revision, machine.updated = str(uuid.uuid4()), CLOCK.now()
    return {"updateDate": machine.updated, "revisionId": machine.revision}


def _delete(backend: StepFunctionsBackend, asked: Answer) -> Answer:
    """Delete a machine; its executions are stopped, and an unknown ARN is no error."""
    with backend.lock:
        machine = backend.machines.pop(asked["stateMachineArn"], None)
    if machine is not None:
        for execution in list(backend.executions.values()):
            if execution.machine.arn == machine.arn:
                execution.halt("ABORTED")
    return {}


def _describe(backend: StepFunctionsBackend, asked: Answer) -> Answer:
    return _shown_machine(backend.machine(asked["stateMachineArn"]))


def _shown_machine(machine: StateMachine) -> Answer:
    shown = {
        "stateMachineArn": machine.arn,
        "name": machine.name,
        "status": "ACTIVE",
        "definition": machine.definition,
        "roleArn": machine.role,
        "type": machine.kind,
        "creationDate": machine.created,
        "loggingConfiguration": {"level": "OFF", "includeExecutionData": False},
        "tracingConfiguration": {"enabled": False},
        "encryptionConfiguration": {"type": "AWS_OWNED_KEY"},
        **machine.settings,
    }
    # AWS shows no revision of a machine that was never updated.
    return shown if machine.revision == "INITIAL" else {**shown, "revisionId": machine.revision}


def _describe_for_execution(backend: StepFunctionsBackend, asked: Answer) -> Answer:
    execution = backend.execution(asked["executionArn"])
    machine = backend.machines.get(execution.machine.arn)
    return {
        "stateMachineArn": execution.machine.arn,
        "name": execution.machine.name,
        "definition": json.dumps(execution.machine.definition),
        "roleArn": execution.machine.role,
        "updateDate": execution.started if machine is None else machine.updated,
    }


def _list(backend: StepFunctionsBackend, asked: Answer) -> Answer:
    shown = [
        {
            "stateMachineArn": machine.arn,
            "name": machine.name,
            "type": machine.kind,
            "creationDate": machine.created,
        }
        for machine in sorted(backend.machines.values(), key=lambda machine: machine.name)
    ]
    return _page("stateMachines", shown, asked)


def _page(member: str, found: Sequence[Any], asked: Answer, *, limit: int = 1000) -> Answer:
    size = int(asked.get("maxResults") or _PAGE) or _PAGE
    token = asked.get("nextToken") or "0"
    if not token.isdigit() or size > limit:
        raise StepFunctionsError("InvalidToken", "Invalid Token: 'Invalid token'")
    start = int(token)
    answer: Answer = {member: list(found[start : start + size])}
    return {**answer, "nextToken": str(start + size)} if start + size < len(found) else answer


def _validate(_backend: StepFunctionsBackend, asked: Answer) -> Answer:
    found = definition.faults(asked["definition"])
    diagnostics = [
        {"severity": "ERROR", "code": fault.code, "message": fault.message, "location": fault.where} for fault in found
    ]
    return {"result": "FAIL" if found else "OK", "diagnostics": diagnostics, "truncated": False}


def _begin(backend: StepFunctionsBackend, asked: Answer) -> Execution:
    machine = backend.machine(asked["stateMachineArn"])
    name, text = asked.get("name") or str(uuid.uuid4()), asked.get("input") or "{}"
    _check_name(name)
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        raise StepFunctionsError(
            "InvalidExecutionInput", f"Invalid State Machine Execution Input: '{error}'"
        ) from error
    if len(text.encode()) > MAX_INPUT:
        raise StepFunctionsError("InvalidExecutionInput", f"the input has more than {MAX_INPUT} bytes")
    resource = f"execution:{machine.name}:{name}"
    if machine.kind == "EXPRESS":
        resource = f"express:{machine.name}:{name}:{uuid.uuid4()}"
    return Execution(
        arn=backend.arn(resource),
        name=name,
        machine=Machine(
            arn=machine.arn,
            name=machine.name,
            kind=machine.kind,
            role=machine.role,
            definition=json.loads(machine.definition),
        ),
        text=text,
        region=backend.region_name,
        account=backend.account_id,
    )


def _start(backend: StepFunctionsBackend, asked: Answer) -> Answer:
    execution = _begin(backend, asked)
    with backend.lock:
        known = backend.executions.get(execution.arn)
        if known is None:
            backend.executions[execution.arn] = execution
    if known is None:
        execution.start()
    elif known.status != "RUNNING" or json.loads(known.text) != json.loads(execution.text):
        raise StepFunctionsError("ExecutionAlreadyExists", f"Execution Already Exists: '{execution.arn}'")
    else:
        execution = known
    return {"executionArn": execution.arn, "startDate": execution.started}


def _start_sync(backend: StepFunctionsBackend, asked: Answer) -> Answer:
    if backend.machine(asked["stateMachineArn"]).kind != "EXPRESS":
        raise StepFunctionsError(
            "StateMachineTypeNotSupported", "This operation is not supported by this type of state machine"
        )
    execution = _begin(backend, asked)
    with backend.lock:
        backend.executions[execution.arn] = execution
    execution.run()
    shown = _shown(execution)
    shown.pop("redriveCount")
    shown.pop("redriveStatus")
    shown.pop("redriveStatusReason", None)
    milliseconds = int(((execution.stopped or CLOCK.now()) - execution.started).total_seconds() * 1000)
    billed = {"billedMemoryUsedInMB": 64, "billedDurationInMilliseconds": -(-milliseconds // 100) * 100}
    return {**shown, "billingDetails": billed}


def _stop(backend: StepFunctionsBackend, asked: Answer) -> Answer:
    execution = backend.execution(asked["executionArn"])
    execution.halt("ABORTED", error=asked.get("error"), cause=asked.get("cause"))
    return {"stopDate": execution.stopped or CLOCK.now()}


def _describe_execution(backend: StepFunctionsBackend, asked: Answer) -> Answer:
    return _shown(backend.execution(asked["executionArn"]))


def _shown(execution: Execution) -> Answer:
    redrivable = execution.status in {"FAILED", "TIMED_OUT", "ABORTED"}
    shown = {
        "executionArn": execution.arn,
        "stateMachineArn": execution.machine.arn,
        "name": execution.name,
        "status": execution.status,
        "startDate": execution.started,
        "stopDate": execution.stopped,
        "input": execution.text,
        "inputDetails": {"included": True},
        "output": execution.output,
        "outputDetails": None if execution.output is None else {"included": True},
        "error": execution.error,
        "cause": execution.cause,
        "redriveCount": 0,
        "redriveStatus": "REDRIVABLE" if redrivable else "NOT_REDRIVABLE",
        "redriveStatusReason": None if redrivable else f"Execution is {execution.status} and cannot be redriven",
    }
    return {name: value for name, value in shown.items() if value is not None}


def _list_executions(backend: StepFunctionsBackend, asked: Answer) -> Answer:
    machine = backend.machine(asked["stateMachineArn"])
    if machine.kind == "EXPRESS":
        raise StepFunctionsError(
            "StateMachineTypeNotSupported", "This operation is not supported by this type of state machine"
        )
    wanted = asked.get("statusFilter")
    shown = []
    for execution in reversed(list(backend.executions.values())):
        if execution.machine.arn == machine.arn and wanted in {None, execution.status}:
            found = _shown(execution)
            members = ("executionArn", "stateMachineArn", "name", "status", "startDate", "stopDate", "redriveCount")
            shown.append({member: found[member] for member in members if member in found})
    return _page("executions", shown, asked)


def _history(backend: StepFunctionsBackend, asked: Answer) -> Answer:
    events = backend.execution(asked["executionArn"]).history.events()
    if asked.get("reverseOrder"):
        events.reverse()
    return _page("events", events, asked)


def _task_success(_backend: StepFunctionsBackend, asked: Answer) -> Answer:
    result = tokens.result_of(asked["output"])
    tokens.find(asked["taskToken"]).end(result)
    return {}


def _task_failure(_backend: StepFunctionsBackend, asked: Answer) -> Answer:
    error = StateError(asked.get("error") or "States.TaskFailed", asked.get("cause") or "")
    tokens.find(asked["taskToken"]).end(error)
    return {}


def _task_heartbeat(_backend: StepFunctionsBackend, asked: Answer) -> Answer:
    tokens.find(asked["taskToken"]).beat()
    return {}


def _tagged(backend: StepFunctionsBackend, asked: Answer) -> StateMachine:
    found = backend.machines.get(asked["resourceArn"])
    if found is None:
        raise StepFunctionsError("ResourceNotFound", f"Resource not found: '{asked['resourceArn']}'")
    return found


def _tag(backend: StepFunctionsBackend, asked: Answer) -> Answer:
    _tagged(backend, asked).tags.update({tag["key"]: tag["value"] for tag in asked["tags"]})
    return {}


def _untag(backend: StepFunctionsBackend, asked: Answer) -> Answer:
    tags = _tagged(backend, asked).tags
    for key in asked["tagKeys"]:
        tags.pop(key, None)
    return {}


def _list_tags(backend: StepFunctionsBackend, asked: Answer) -> Answer:
    return {"tags": [{"key": key, "value": value} for key, value in _tagged(backend, asked).tags.items()]}


OPERATIONS: Final[Mapping[str, Callable[[StepFunctionsBackend, Answer], Answer]]] = {
    "CreateStateMachine": _create,
    "DeleteStateMachine": _delete,
    "DescribeExecution": _describe_execution,
    "DescribeStateMachine": _describe,
    "DescribeStateMachineForExecution": _describe_for_execution,
    "GetExecutionHistory": _history,
    "ListExecutions": _list_executions,
    "ListStateMachines": _list,
    "ListTagsForResource": _list_tags,
    "SendTaskFailure": _task_failure,
    "SendTaskHeartbeat": _task_heartbeat,
    "SendTaskSuccess": _task_success,
    "StartExecution": _start,
    "StartSyncExecution": _start_sync,
    "StopExecution": _stop,
    "TagResource": _tag,
    "UntagResource": _untag,
    "UpdateStateMachine": _update,
    "ValidateStateMachineDefinition": _validate,
}
"""Every operation that the sandbox has, by its name."""
