"""``AwsCustomResource``: one call of the SDK for each kind of request.

https://docs.aws.amazon.com/cdk/api/v2/docs/aws-cdk-lib.custom_resources.AwsCustomResource.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

import boto3
from botocore import xform_name
from botocore.exceptions import ClientError

from cdk_ami.sandbox import clients
from cdk_ami.sandbox.lambda_.function import Function

PHYSICAL_ID: Final = "PHYSICAL:RESOURCEID:"
"""Stands for the physical id in the parameters of a call."""

ALIASES: Final[Mapping[str, str]] = {
    "applicationautoscaling": "application-autoscaling",
    "cloudwatchevents": "events",
    "cloudwatchlogs": "logs",
    "elasticloadbalancing": "elb",
    "elasticloadbalancingv2": "elbv2",
    "eventbridge": "events",
    "sfn": "stepfunctions",
    "simpleemailservice": "ses",
}
"""Services whose name in the SDK for JavaScript is not boto3's without its dashes."""


READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "boolean": lambda text: text.lower() == "true",
    "double": float,
    "float": float,
    "integer": int,
    "long": int,
}
"""What turns text into values of other kinds."""


def is_meant(event: Mapping[str, Any]) -> bool:
    """Return whether an event is meant for this provider: its type is the user's choice, this property is not."""
    return "InstallLatestAwsSdk" in event.get("ResourceProperties", {})


def call(function: Function, event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Make the call for this kind of request, when there is one."""
    kind = event["RequestType"]
    calls = {
        name: json.loads(text)
        for name, text in event["ResourceProperties"].items()
        if name in {"Create", "Update", "Delete"}
    }
    physical_id = _physical_id(event, calls)
    made = calls.get(kind)
    if made is None:
        return {"PhysicalResourceId": physical_id, "Data": {}}
    flat: dict[str, Any] = {}
    try:
        flat = dict(_flat(_invoke(function, made, physical_id)))
    except ClientError as error:
        ignored = made.get("ignoreErrorCodesMatching")
        if not ignored or not re.search(ignored, error.response["Error"]["Code"]):
            raise
    wanted = made.get("outputPaths") or ([made["outputPath"]] if made.get("outputPath") else None)
    data = {key: value for key, value in flat.items() if wanted is None or any(key.startswith(path) for path in wanted)}
    path = (made.get("physicalResourceId") or {}).get("responsePath")
    return {"PhysicalResourceId": str(flat.get(path, physical_id)) if path else physical_id, "Data": data}


def _physical_id(event: Mapping[str, Any], calls: Mapping[str, Any]) -> str:
    def named(kind: str) -> str | None:
        found: str | None = (calls.get(kind, {}).get("physicalResourceId") or {}).get("id")
        return found

    if event["RequestType"] == "Create":
        return named("Create") or named("Update") or named("Delete") or str(event["LogicalResourceId"])
    return named(event["RequestType"]) or str(event["PhysicalResourceId"])


def _invoke(function: Function, made: Mapping[str, Any], physical_id: str) -> Any:
    service = _service(made["service"])
    region = made.get("region") or function.region
    client = clients.client(service, region, function.account)
    if role := made.get("assumedRoleArn"):
        keys = clients.client("sts", region, function.account).assume_role(
            RoleArn=role, RoleSessionName="aws-custom-resource"
        )["Credentials"]
        client = boto3.client(
            service,
            region_name=region,
            endpoint_url=clients.endpoint(),
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys["SessionToken"],
        )
    action = made["action"].removesuffix("Command")
    operation = f"{action[:1].upper()}{action[1:]}"
    shape = client.meta.service_model.operation_model(operation).input_shape
    given = _substituted(made.get("parameters") or {}, physical_id)
    answer = getattr(client, xform_name(operation))(**_coerced(shape, given))
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def _service(name: str) -> str:
    """Return boto3's name of a service of the SDK for JavaScript, such as ``@aws-sdk/client-ssm`` or ``SSM``."""
    plain = name.removeprefix("@aws-sdk/client-").replace("-", "").lower()
    known = {one.replace("-", ""): one for one in boto3.session.Session().get_available_services()}
    found = known.get(plain) or ALIASES.get(plain)
    if found is None:
        raise ValueError(f"the sandbox knows no service {name}")
    return found


def _substituted(value: Any, physical_id: str) -> Any:
    if isinstance(value, dict):
        return {key: _substituted(item, physical_id) for key, item in value.items()}
    if isinstance(value, list):
        return [_substituted(item, physical_id) for item in value]
    return physical_id if value == PHYSICAL_ID else value


def _coerced(shape: Any, value: Any) -> Any:
    """Return ``value`` with text turned into what the API takes: CloudFormation makes text of numbers."""
    kind = shape.type_name if shape is not None else None
    if isinstance(value, dict):
        inner = shape.members.get if kind == "structure" else lambda _: getattr(shape, "value", None)
        return {name: _coerced(inner(name), item) for name, item in value.items()}
    if isinstance(value, list):
        return [_coerced(getattr(shape, "member", None), item) for item in value]
    read = READERS.get(str(kind))
    return read(value) if read and isinstance(value, str) else value


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each single value with its path, such as ``Parameters.0.Name``."""
    if isinstance(value, Mapping):
        pairs = [(str(key), item) for key, item in value.items()]
    elif isinstance(value, list):
        pairs = [(str(index), item) for index, item in enumerate(value)]
    else:
        yield path, _plain(value)
        return
    for key, item in pairs:
        yield from _flat(item, f"{path}.{key}" if path else key)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if hasattr(value, "read"):
        value = value.read()
    return value.decode(errors="replace") if isinstance(value, bytes) else value
