"""Mends of the emulator's Lambda: it keeps functions, the sandbox runs them."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import unquote
from uuid import uuid4

from moto.awslambda.exceptions import InvalidParameterValueException, LambdaClientError, ValidationException
from moto.awslambda.models import EventInvokeConfig, LambdaBackend, LambdaFunction
from moto.awslambda.responses import LambdaResponse

from cdk_ami.sandbox import clients, emulator
from cdk_ami.sandbox.lambda_ import events
from cdk_ami.sandbox.lambda_.function import DEFAULT_AGE_SECONDS, DEFAULT_ATTEMPTS, Function
from cdk_ami.sandbox.lambda_.processes import POOL
from cdk_ami.sandbox.lambda_.running import NotRunError, check, log_tail, run

MAX_EVENT_BYTES: Final = 1_048_576
"""Largest event of an asynchronous invocation."""

MAX_PAYLOAD_BYTES: Final = 6_291_556
"""Largest request and response.
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html, read 2026-11-28"""

LIMITS: Final = {"MemorySize": 10_240, "Timeout": 900}
"""The most that a function may have; same page.  Clients know the least."""

DESTINATIONS: Final = ("events", "lambda", "sns", "sqs")
"""Services that the sandbox reports events to."""

_ORIGINALS: Final[dict[str, Callable[..., Any]]] = {}


class _ThrottledError(LambdaClientError):  # type: ignore[misc]  # the emulator library is typed in part
    code = HTTPStatus.TOO_MANY_REQUESTS.value


class _TooLargeError(LambdaClientError):  # type: ignore[misc]  # same
    code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE.value


class FunctionMends:
    """Methods of a function."""

    def __init__(self, account_id: str, spec: dict[str, Any], region: str, version: str | int = 1) -> None:
        _check_limits(spec)
        self.sandbox_more: dict[str, Any] = {
            name: spec[name] for name in ("DeadLetterConfig", "LoggingConfig") if name in spec
        }
        _ORIGINALS["__init__"](self, account_id, spec, region, version)

    def get_configuration(self, on_create: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002 - the emulator's
        """Return the configuration, with what the emulator drops."""
        made: dict[str, Any] = _ORIGINALS["get_configuration"](self, on_create)
        logging = {"LogFormat": "Text", "LogGroup": log_group(self), **self.sandbox_more.get("LoggingConfig", {})}
        return {**made, **self.sandbox_more, "LoggingConfig": logging}

    def update_configuration(self, config_updates: dict[str, Any]) -> dict[str, Any]:
        """Set the configuration, with what the emulator drops."""
        _check_limits(config_updates)
        updates = dict(config_updates)
        if "Environment" in updates:
            updates["Environment"] = {"Variables": {}, **updates["Environment"]}
        for name in ("DeadLetterConfig", "LoggingConfig"):
            if name in updates:
                self.sandbox_more = {**self.sandbox_more, name: updates[name]}
        if "TracingConfig" in updates:
            self.tracing_config = updates["TracingConfig"]
        if "EphemeralStorage" in updates:
            self.ephemeral_storage = updates["EphemeralStorage"]["Size"]
        if "KMSKeyArn" in updates:
            self.kms_key_arn = updates["KMSKeyArn"]
        answer: dict[str, Any] = _ORIGINALS["update_configuration"](self, updates)
        return answer

    def _set_function_code(self, updated_spec: dict[str, Any]) -> None:
        if "S3Key" in updated_spec and "ZipFile" not in updated_spec:
            _check_archive(self.account_id, self.region, updated_spec)  # type: ignore[attr-defined]
        _ORIGINALS["_set_function_code"](self, updated_spec)

    def invoke(self, body: Any, request_headers: Any, response_headers: Any) -> str:  # noqa: ARG002 - the emulator's
        """Let the function have an event of another service: those never wait for the answer."""
        function, event = snapshot(self), json.loads(body or "{}")
        events.send(function, event, str(uuid4()))
        return ""


class BackendMends:
    """Methods of a Region's functions."""

    def create_event_source_mapping(self, spec: dict[str, Any]) -> Any:  # noqa: ARG002 - refused whatever it says
        """Refuse: nothing here polls queues and streams."""
        raise InvalidParameterValueException("the sandbox does not offer event source mappings")

    def put_function_event_invoke_config(self, function_name: str, config: dict[str, Any]) -> dict[str, Any]:
        """Keep the configuration of events, in the place of an older one."""
        for one in config.get("DestinationConfig", {}).values():
            destination = one.get("Destination", "")
            if destination and destination.split(":")[2] not in DESTINATIONS:
                raise InvalidParameterValueException(
                    f"the sandbox does not offer {destination} as a destination, only {', '.join(DESTINATIONS)}"
                )
        function = self.get_function(function_name)  # type: ignore[attr-defined]
        made = EventInvokeConfig(function.function_arn, function.last_modified, config)
        function.event_invoke_config = [made]
        answer: dict[str, Any] = made.response()
        return answer

    def publish_layer_version(self, spec: dict[str, Any]) -> Any:
        """Keep a layer whose content is there."""
        if "S3Key" in spec["Content"]:
            _check_archive(self.account_id, self.region_name, spec["Content"])  # type: ignore[attr-defined]
        return _ORIGINALS["publish_layer_version"](self, spec)

    def sandbox_stop(self) -> None:
        """End what runs, for everything is about to be forgotten."""
        events.stop()
        POOL.stop()


def install() -> None:
    """Let the emulator's functions run."""
    _ORIGINALS.update(emulator.graft(LambdaFunction, FunctionMends))
    _ORIGINALS.update(emulator.graft(LambdaBackend, BackendMends, new=frozenset({"sandbox_stop"})))
    emulator.replace(LambdaResponse, "invoke", _invoke, takes=())


def _check_limits(spec: Mapping[str, Any]) -> None:
    for name, most in LIMITS.items():
        if int(spec.get(name) or 0) > most:
            raise ValidationException(
                str(spec[name]), f"{name[:1].lower()}{name[1:]}", f"Member must have value less than or equal to {most}"
            )


def _check_archive(account: str, region: str, code: Mapping[str, Any]) -> None:
    """Return when there is an archive where ``code`` says so; the emulator takes an absent one for empty."""
    if code.get("S3ObjectVersion"):
        raise InvalidParameterValueException("the sandbox does not offer S3ObjectVersion: it takes the newest version")
    client = clients.client("s3", region, account)
    try:
        client.head_object(Bucket=code["S3Bucket"], Key=code["S3Key"])
    except client.exceptions.ClientError as error:
        raise InvalidParameterValueException(
            "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: "
            f"The specified key does not exist: s3://{code['S3Bucket']}/{code['S3Key']}"
        ) from error


def log_group(record: Any) -> str:
    """Return the log group of an emulator's function."""
    chosen = record.sandbox_more.get("LoggingConfig", {}).get("LogGroup")
    return str(chosen or record.logs_group_name)


def snapshot(record: Any, invoked: str | None = None) -> Function:
    """Return an emulator's function as an invocation sees it."""
    arn = re.sub(r"(:function:[^:]+):[^:]+$", r"\1", record.function_arn)
    config = record.event_invoke_config[0].config if record.event_invoke_config else {}
    destinations = {
        name: one["Destination"] for name, one in config.get("DestinationConfig", {}).items() if one.get("Destination")
    }
    image = record.package_type == "Image"
    return Function(
        account=record.account_id,
        region=record.region,
        name=record.function_name,
        arn=arn,
        version=str(record.version),
        invoked=invoked or record.function_arn,
        runtime=None if image else record.run_time,
        handler=record.handler or "",
        role=record.role,
        seconds=float(record.timeout),
        memory_mib=int(record.memory_size),
        variables=dict(record.environment_vars),
        archive=b"" if image else record.code_bytes,
        log_group=log_group(record),
        layers=tuple(_layer(record, layer["Arn"]) for layer in record.layers),
        attempts=config.get("MaximumRetryAttempts", DEFAULT_ATTEMPTS),
        age_seconds=config.get("MaximumEventAgeInSeconds", DEFAULT_AGE_SECONDS),
        on_success=destinations.get("OnSuccess"),
        on_failure=destinations.get("OnFailure"),
        dead_letters=record.sandbox_more.get("DeadLetterConfig", {}).get("TargetArn"),
    )


def _layer(record: Any, arn: str) -> bytes:
    from moto.awslambda.models import lambda_backends  # noqa: PLC0415 - made after this module's mends

    found = lambda_backends[record.account_id][record.region].layers_versions_by_arn(arn)
    if found is None:
        raise InvalidParameterValueException(f"Layer version {arn} does not exist.")
    content: bytes = found.code_bytes
    return content


def _invoke(self: Any) -> tuple[int, dict[str, str], str | bytes]:
    """Answer Invoke."""
    name = unquote(self.path.rsplit("/", 2)[-2])
    qualifier = (self.querystring.get("Qualifier") or self.querystring.get("qualifier") or [None])[0]
    kind = self.headers.get("X-Amz-Invocation-Type") or "RequestResponse"
    record = self.backend.get_function(name, qualifier)
    if record.reserved_concurrency == 0 and kind == "RequestResponse":
        raise _ThrottledError("TooManyRequestsException", "Rate Exceeded.")
    named = qualifier or (name.rpartition(":")[2] if re.search(r"function:[^:]+:[^:]+$|^[^:]+:[^:]+$", name) else None)
    unqualified = re.sub(r"(:function:[^:]+):[^:]+$", r"\1", record.function_arn)
    function = snapshot(record, f"{unqualified}:{named}" if named else unqualified)
    event = _event(self.body, MAX_EVENT_BYTES if kind == "Event" else MAX_PAYLOAD_BYTES)
    request_id = str(uuid4())
    headers = {"x-amz-executed-version": function.version, "x-amzn-requestid": request_id}
    try:
        check(function, event)
        if kind == "DryRun":
            return HTTPStatus.NO_CONTENT.value, {**headers, "status": "204"}, ""
        if kind == "Event":
            events.send(function, event, request_id)
            return HTTPStatus.ACCEPTED.value, {**headers, "status": "202"}, ""
        answer = run(function, event, request_id, _client_context(self.headers))
    except NotRunError as error:
        raise InvalidParameterValueException(str(error)) from error
    payload, failed = answer.payload.encode(), answer.failed
    if len(payload) > MAX_PAYLOAD_BYTES:
        message = f"Response payload size exceeded maximum allowed payload size ({MAX_PAYLOAD_BYTES} bytes)."
        payload = json.dumps({"errorMessage": message, "errorType": "Function.ResponseSizeTooLarge"}).encode()
        failed = True
    if failed:
        headers["x-amz-function-error"] = "Unhandled"
    if self.headers.get("X-Amz-Log-Type") == "Tail":
        headers["x-amz-log-result"] = base64.b64encode(log_tail(answer).encode()).decode()
    return HTTPStatus.OK.value, {**headers, "content-type": "application/json"}, payload


def _event(body: Any, longest: int) -> Any:
    text = body.decode() if isinstance(body, bytes) else body
    if len((text or "").encode()) > longest:
        raise _TooLargeError(
            "RequestTooLargeException", f"Request must be smaller than {longest} bytes for the InvokeFunction operation"
        )
    try:
        return json.loads(text or "{}")
    except json.JSONDecodeError as error:
        message = f"Could not parse request body into json: Could not parse payload into json: {error}"
        raise LambdaClientError("InvalidRequestContentException", message) from error


def _client_context(headers: Mapping[str, str]) -> Any:
    given = headers.get("X-Amz-Client-Context")
    return json.loads(base64.b64decode(given)) if given else None
