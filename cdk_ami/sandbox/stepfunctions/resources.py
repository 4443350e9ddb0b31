"""What the Resource of a Task names, by the models of botocore; pure.

https://docs.aws.amazon.com/step-functions/latest/dg/integrate-services.html, read 2026-11-28
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import botocore.exceptions
from botocore import xform_name

from cdk_ami.sandbox.service_models import service_model
from cdk_ami.sandbox.stepfunctions.sdk import service_of

CALLBACK: Final = "waitForTaskToken"

OPTIMIZED: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("lambda", "invoke"): ("", CALLBACK),
    ("sns", "publish"): ("", CALLBACK),
    ("sqs", "sendMessage"): ("", CALLBACK),
    ("events", "putEvents"): ("", CALLBACK),
    ("states", "startExecution"): ("", "sync", "sync:2", CALLBACK),
    ("codebuild", "startBuild"): ("", "sync"),
    ("codebuild", "stopBuild"): ("",),
    ("dynamodb", "getItem"): ("",),
    ("dynamodb", "putItem"): ("",),
    ("dynamodb", "updateItem"): ("",),
    ("dynamodb", "deleteItem"): ("",),
}
"""The optimized integrations that the sandbox has, with the patterns of each."""

SERVICES: Final = {"states": "stepfunctions"}
"""botocore's names of services that the integrations call otherwise."""

_INTEGRATION: Final = re.compile(
    r"arn:aws(?:-cn|-us-gov)?:states:[^:]*:[^:]*:(?P<sdk>aws-sdk:)?(?P<service>[A-Za-z0-9-]+):(?P<action>[A-Za-z0-9]+)"
    r"(?:\.(?P<pattern>sync:2|sync|waitForTaskToken))?"
)
_FUNCTION: Final = re.compile(r"arn:aws(?:-cn|-us-gov)?:lambda:[^:]+:\d{12}:function:[^:]+(?::[^:]+)?")


class ResourceError(ValueError):
    """A resource that is none, or that the sandbox does not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """What a Task calls.

    Attributes:
        kind: ``function``, ``optimized`` or ``sdk``.
        service: botocore's name of the service.
        operation: The operation as its model names it, such as ``DescribeImages``.
        method: boto3's name of it.
        pattern: Empty, ``sync``, ``sync:2`` or ``waitForTaskToken``.
        shown_type: ``resourceType`` of history events.
        shown: ``resource`` of history events.
    """

    kind: str
    service: str
    operation: str
    method: str
    pattern: str
    shown_type: str
    shown: str


@cache
def parse(text: str) -> Resource:
    """Return what a resource names.

    Raises:
        ResourceError: When it is none that the sandbox has.
    """
    if _FUNCTION.fullmatch(text):
        return Resource(
            kind="function", service="lambda", operation="Invoke", method="invoke", pattern="", shown_type="lambda",
            shown=text,
        )  # fmt: skip
    if ":activity:" in text:
        raise ResourceError(f"the sandbox has no activities: {text}")
    match = _INTEGRATION.fullmatch(text)
    if match is None:
        raise ResourceError(f"{text!r} is not a resource of a Task")
    pattern = match["pattern"] or ""
    if match["sdk"]:
        return _sdk(text, match["service"], match["action"], pattern)
    patterns = OPTIMIZED.get((match["service"], match["action"]))
    if patterns is None or pattern not in patterns:
        raise ResourceError(f"the sandbox does not have the integration {text}")
    return _made("optimized", SERVICES.get(match["service"], match["service"]), match, pattern)


def _sdk(text: str, name: str, action: str, pattern: str) -> Resource:
    if pattern not in {"", CALLBACK}:
        raise ResourceError(f"an SDK integration is not waited for by .{pattern}: {text}")
    try:
        service = service_of(name)
    except botocore.exceptions.UnknownServiceError as error:
        raise ResourceError(f"there is no service {name}: {text}") from error
    match = {"service": f"aws-sdk:{name}", "action": action}
    if action[:1].isupper() or f"{action[:1].upper()}{action[1:]}" not in _operations(service):
        raise ResourceError(f"the service {name} has no operation {action}: {text}")
    return _made("sdk", service, match, pattern)


def _made(kind: str, service: str, match: Any, pattern: str) -> Resource:
    action = match["action"]
    operation = _operations(service)[f"{action[:1].upper()}{action[1:]}"]
    return Resource(
        kind=kind,
        service=service,
        operation=operation,
        method=xform_name(operation),
        pattern=pattern,
        shown_type=match["service"],
        shown=f"{action}.{pattern}" if pattern else action,
    )


@cache
def _operations(service: str) -> Mapping[str, str]:
    return {name[:1].upper() + name[1:]: name for name in service_model(service).operation_names}
