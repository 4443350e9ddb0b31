"""Runs one invocation: in a child process, or by the Python stand-in of one of the CDK's own providers."""

from __future__ import annotations

import json
import math
import time
from datetime import timedelta
from typing import Any, Final
from uuid import uuid4

from cdk_ami.sandbox import clients
from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.lambda_ import providers
from cdk_ami.sandbox.lambda_.function import Answer, Function
from cdk_ami.sandbox.lambda_.processes import POOL, Code, Environment, Outcome

ROLE_SESSION_SECONDS: Final = 43_200
"""How long the keys of a function's role last; an environment hardly lives that long."""


class NotRunError(Exception):
    """The sandbox cannot run this function at all."""


def check(function: Function, event: Any) -> None:
    """Return when the sandbox can run ``function`` for ``event``.

    Raises:
        NotRunError: When it is neither Python nor one of the CDK's own providers.
    """
    if not function.runs_here and providers.find(function, event) is None:
        runtime = function.runtime or "a container image"
        raise NotRunError(
            f"the sandbox runs Python handlers only, and {function.name} is {runtime}; of other functions it answers "
            f"those of the CDK itself: {', '.join(providers.ANSWERED)}"
        )


def run(function: Function, event: Any, request_id: str, client_context: Any = None) -> Answer:
    """Return what ``function`` makes of ``event``; what it printed stands in its log group afterwards.

    Raises:
        NotRunError: When the sandbox cannot run it.
    """
    check(function, event)
    began = time.monotonic()
    provider = providers.find(function, event)
    if provider is not None:
        answer, stream = providers.run(provider, function, event), _stream(function)
    else:
        answer, stream = _in_process(function, event, request_id, client_context)
    taken = (time.monotonic() - began) * 1000
    _write_log(function, stream, request_id, answer, taken)
    return answer


def _in_process(function: Function, event: Any, request_id: str, client_context: Any) -> tuple[Answer, str]:
    code = Code(
        arn=f"{function.arn}:{function.version}",
        handler=function.handler,
        archive=function.archive,
        layers=function.layers,
        variables={**_variables(function), **function.variables},
    )
    environment = POOL.take(code.fingerprint())
    if environment is None:
        environment = Environment(code, _credentials(function), _stream(function))
        POOL.add(environment)
    request = {
        "event": event,
        "request_id": request_id,
        "seconds": function.seconds,
        "arn": function.invoked,
        "client_context": client_context,
    }
    outcome = environment.invoke(request)
    POOL.give_back(environment)
    return _answer(function, request_id, outcome), environment.stream


def _answer(function: Function, request_id: str, outcome: Outcome) -> Answer:
    if outcome.answer is None:
        if outcome.timed_out:
            message = f"RequestId: {request_id} Error: Task timed out after {function.seconds:.2f} seconds"
            fault = {"errorType": "Sandbox.Timedout", "errorMessage": message}
        else:
            status = outcome.exit_status
            message = f"RequestId: {request_id} Error: Runtime exited with error: exit status {status}"
            fault = {"errorType": "Runtime.ExitError", "errorMessage": message}
        stamp = CLOCK.now().strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
        return Answer(payload=json.dumps(fault), failed=True, lines=(*outcome.lines, f"{stamp}Z {message}"))
    if "error" in outcome.answer:
        fault = outcome.answer["error"]
        told = f"[ERROR] {fault['errorType']}: {fault['errorMessage']}"
        trace = [line for entry in fault["stackTrace"] for line in entry.splitlines()]
        lines = (*outcome.lines, told, *(["Traceback (most recent call last):", *trace] if trace else ()))
        return Answer(payload=json.dumps(fault), failed=True, lines=lines)
    return Answer(payload=outcome.answer["result"], lines=outcome.lines)


def _variables(function: Function) -> dict[str, str]:
    """Return the variables of the runtime.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    """
    return {
        "AWS_DEFAULT_REGION": function.region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": clients.endpoint(),
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mib),
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": function.version,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": function.log_group,
        "AWS_REGION": function.region,
        "NO_PROXY": "127.0.0.1,localhost",
    }


def _credentials(function: Function) -> dict[str, str]:
    """Return keys of the function's role, so that its calls are judged by that role's policies."""
    with clients.acting_by(None, for_service="lambda.amazonaws.com"):
        keys = clients.client("sts", function.region, function.account).assume_role(
            RoleArn=function.role,
            RoleSessionName=function.name[:64].ljust(2, "-"),
            DurationSeconds=ROLE_SESSION_SECONDS,
        )["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
        "AWS_SESSION_TOKEN": keys["SessionToken"],
    }


def _stream(function: Function) -> str:
    return f"{CLOCK.now():%Y/%m/%d}/[{function.version}]{uuid4().hex}"


def _write_log(function: Function, stream: str, request_id: str, answer: Answer, taken: float) -> None:
    logs = clients.client("logs", function.region, function.account)
    report = (
        f"REPORT RequestId: {request_id}\tDuration: {taken:.2f} ms\tBilled Duration: {math.ceil(taken)} ms\t"
        f"Memory Size: {function.memory_mib} MB"
    )
    start = f"START RequestId: {request_id} Version: {function.version}"
    lines = (start, *(line for line in answer.lines if line), f"END RequestId: {request_id}", report)
    for create, names in (
        (logs.create_log_group, {"logGroupName": function.log_group}),
        (logs.create_log_stream, {"logGroupName": function.log_group, "logStreamName": stream}),
    ):
        try:
            create(**names)
        except logs.exceptions.ResourceAlreadyExistsException:
            continue
    now = CLOCK.now()
    events = [
        {"timestamp": int((now + timedelta(milliseconds=index)).timestamp() * 1000), "message": line}
        for index, line in enumerate(lines)
    ]
    logs.put_log_events(logGroupName=function.log_group, logStreamName=stream, logEvents=events)


def log_tail(answer: Answer) -> str:
    """Return the last 4 KB of what an invocation has logged."""
    return "\n".join(answer.lines)[-4096:]
