"""Plain answers where the emulator has none.

The emulator answers an operation it has not implemented, a service it does not know, and a fault of its own with a page
of HTML and status 500.  Clients retry that for half a minute and then show nothing.  Here all three become what AWS
would send for a bad request: a code, a message that names service and operation, status 400.
"""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final
from xml.sax.saxutils import escape

from moto.core import responses
from moto.core.exceptions import ServiceException
from werkzeug.exceptions import HTTPException

from cdk_ami.sandbox import emulator

_LOG: Final = logging.getLogger("cdk_ami.sandbox")

NOT_OFFERED: Final = {
    "ec2": "UnsupportedOperation",
    "query": "InvalidAction",
    "json": "UnknownOperationException",
    "rest-json": "UnknownOperationException",
    "rest-xml": "NotImplemented",
}
"""What AWS calls an operation that it does not know, by protocol of the service."""

FAULT: Final = "SandboxFault"
"""Code of an error inside the sandbox.  No service of AWS has it."""


PATIENCE: Final = 5
"""How often a request is answered anew when another thread changed what it was reading."""


def install() -> None:
    """Make every service of the emulator answer plainly."""

    def call_action(self: Any) -> Any:
        try:
            return _with_patience(original, self)
        except NotImplementedError as error:
            return _refuse(self, *_not_offered(self, error))
        except (ServiceException, HTTPException):
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller must hear of it
            _LOG.error("%s", traceback.format_exc())
            operation = self._get_action()
            return _refuse(
                self, FAULT, f"the sandbox failed to answer {operation}: {type(error).__name__}: {error}", operation
            )

    original = emulator.replace(responses.BaseResponse, "call_action", call_action, takes=())


def _with_patience(call_action: Callable[[Any], Any], response: Any) -> Any:
    """Answer, again if a record changed while it was being read: the emulator walks through dictionaries unlocked."""
    for _ in range(PATIENCE):
        try:
            return call_action(response)
        except RuntimeError as error:
            if "during iteration" not in str(error):
                raise
    return call_action(response)


def _not_offered(response: Any, error: NotImplementedError) -> tuple[str, str, str]:
    operation = response._get_action()  # noqa: SLF001 - moto's only way to the operation's name
    service = response.boto3_service_name
    code = NOT_OFFERED.get(_protocol(service), "UnknownOperationException")
    part = str(error).partition(" has not been implemented")[0]
    if part.startswith("The filter "):
        return code, f"the sandbox does not offer {part[0].lower()}{part[1:]}", operation
    return code, f"the sandbox does not offer the operation {operation} of {service}", operation


def _protocol(service: str) -> str:
    return str(responses.get_service_model(service).metadata.get("protocol", "json"))


def _refuse(response: Any, code: str, message: str, operation: str) -> Any:
    headers, body = plain(code, message, protocol=_protocol(response.boto3_service_name))
    _LOG.info("refused %s: %s", operation, message)
    return 400, {**response.response_headers, **headers}, body


def refuse_request(error: Exception) -> Any:
    """Answer what reached no operation at all: a path that the service does not have, or a fault on the way there."""
    from flask import Response, request  # noqa: PLC0415 - half the cost of a server's start

    if isinstance(error, HTTPException) and error.code != HTTPStatus.NOT_FOUND:
        return error
    protocol = "query" if _is_form(request.content_type) else "json"
    if isinstance(error, (HTTPException, NotImplementedError)):
        code, problem = "UnknownOperationException", f"the sandbox does not offer {request.method} {request.path}"
    else:
        _LOG.error("%s", traceback.format_exc())
        code, problem = FAULT, f"the sandbox failed to answer: {type(error).__name__}: {error}"
    headers, body = plain(code, problem, protocol=protocol)
    return Response(body, status=HTTPStatus.BAD_REQUEST, headers=headers)


def _is_form(content_type: str | None) -> bool:
    return (content_type or "").startswith("application/x-www-form-urlencoded")


def plain(code: str, message: str, *, protocol: str) -> tuple[dict[str, str], str]:
    """Return headers and body of an error in the form of a protocol: ``ec2``, ``query``, ``rest-xml``, else JSON."""
    xml = protocol in {"ec2", "query", "rest-xml"}
    headers = {"x-amzn-ErrorType": code, "Content-Type": "text/xml" if xml else "application/x-amz-json-1.1"}
    if not xml:
        return headers, json.dumps({"__type": code, "message": message})
    error = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    if protocol == "ec2":
        return headers, f"<Response><Errors><Error>{error}</Error></Errors><RequestID>sandbox</RequestID></Response>"
    if protocol == "rest-xml":
        return headers, f"<Error>{error}<RequestId>sandbox</RequestId></Error>"
    body = f"<Error><Type>Sender</Type>{error}</Error>"
    return headers, f"<ErrorResponse>{body}<RequestId>sandbox</RequestId></ErrorResponse>"


def unknown_service(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """Answer, as a WSGI application, a request to a service that the sandbox does not have."""
    scope = environ.get("HTTP_AUTHORIZATION", "").partition("Credential=")[2].split(",")[0].split("/")
    service = scope[3] if len(scope) > 3 else "unknown"  # noqa: PLR2004 - key, date, Region, service, "aws4_request"
    protocol = "query" if _is_form(environ.get("CONTENT_TYPE")) else "json"
    operation = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2] or (
        f"{environ.get('REQUEST_METHOD')} {environ.get('PATH_INFO')}"
    )
    headers, body = plain(
        "UnknownOperationException",
        f"the sandbox does not offer the service {service} ({operation})",
        protocol=protocol,
    )
    start_response("400 Bad Request", [*headers.items(), ("Content-Length", str(len(body.encode())))])
    return [body.encode()]
