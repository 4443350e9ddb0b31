"""The program of the child process in which a handler runs: Lambda's Python runtime, as far as a handler can see it.

It is started by path and imports nothing of this library, whose packages a function's own may shadow.  Each line on its
standard input is one invocation and each line on its standard output one answer, both JSON; what the handler prints
goes to standard error.  https://docs.aws.amazon.com/lambda/latest/dg/python-handler.html
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import sys
import time
import traceback
from typing import Any

END_OF_LOG = "\0end"
"""Line on standard error after the last line of an invocation."""


class Context:
    """What a handler is told beside its event.

    https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
    """

    identity = None

    def __init__(self, request: dict[str, Any]) -> None:
        self.aws_request_id = request["request_id"]
        self.invoked_function_arn = request["arn"]
        self.client_context = request.get("client_context")
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self._end = time.monotonic() + request["seconds"]

    def get_remaining_time_in_millis(self) -> int:
        """Return how long the handler may still run."""
        return max(0, int((self._end - time.monotonic()) * 1000))


class LogLines(logging.Handler):
    """Prints records as Lambda's runtime does, each with the id of its request."""

    request_id = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        sys.stdout.write(
            f"[{record.levelname}]\t{stamp}.{int(record.msecs):03d}Z\t{self.request_id}\t{self.format(record)}\n"
        )


def fault(kind: str, message: str, request_id: str = "", trace: list[str] | None = None) -> dict[str, Any]:
    """Return an error in the runtime's form."""
    return {"errorMessage": message, "errorType": kind, "requestId": request_id, "stackTrace": trace or []}


def load(name: str) -> Any:
    """Return the handler named ``module.function``, or the fault for which there is none."""
    module_name, dot, function_name = name.rpartition(".")
    if not dot:
        return fault("Runtime.MalformedHandlerName", f"Bad handler '{name}': not enough values to unpack")
    module_name = module_name.replace("/", ".")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        return fault("Runtime.ImportModuleError", f"Unable to import module '{module_name}': {error}")
    except SyntaxError as error:
        return fault("Runtime.UserCodeSyntaxError", f"Syntax error in module '{module_name}': {error}")
    except Exception as error:  # noqa: BLE001 - whatever the module's own code raises
        return fault(type(error).__name__, str(error), trace=traceback.format_tb(error.__traceback__)[1:])
    handler = getattr(module, function_name, None)
    if handler is None:
        return fault("Runtime.HandlerNotFound", f"Handler '{function_name}' missing on module '{module_name}'")
    return handler


def answer(handler: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Return what a handler makes of one invocation: ``{"result": text}`` or ``{"error": fault}``."""
    request_id = request["request_id"]
    if isinstance(handler, dict):
        return {"error": {**handler, "requestId": request_id}}
    try:
        result = handler(request["event"], Context(request))
    except Exception as error:  # noqa: BLE001 - whatever the handler raises
        trace = traceback.format_tb(error.__traceback__)[1:]
        return {"error": fault(type(error).__name__, str(error), request_id, trace)}
    try:
        return {"result": json.dumps(result)}
    except (TypeError, ValueError) as error:
        return {"error": fault("Runtime.MarshalError", f"Unable to marshal response: {error}", request_id)}


def main() -> None:
    """Answer invocations until standard input ends."""
    requests, answers = os.fdopen(os.dup(0), encoding="utf-8"), os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", buffering=1)
    lines = LogLines()
    logging.getLogger().addHandler(lines)
    handler = load(os.environ["_HANDLER"])
    for line in requests:
        request = json.loads(line)
        lines.request_id = request["request_id"]
        made = answer(handler, request)
        sys.stdout.flush()
        sys.stderr.write(f"{END_OF_LOG}\n")
        sys.stderr.flush()
        answers.write(f"{json.dumps(made)}\n")
        answers.flush()


if __name__ == "__main__":
    main()
