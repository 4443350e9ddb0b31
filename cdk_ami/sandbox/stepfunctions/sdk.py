"""Calls of any service as the AWS SDK for Java names things: members begin with a capital, errors carry its classes.

https://docs.aws.amazon.com/step-functions/latest/dg/supported-services-awssdk.html, read 2026-11-28
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, UnknownServiceError
from botocore.model import ListShape, MapShape, Shape, StructureShape

from cdk_ami.sandbox import clients
from cdk_ami.sandbox.service_models import service_model, session
from cdk_ami.sandbox.stepfunctions.errors import StateError

_NAMES: Final = {
    "cloudwatchlogs": "logs",
    "configservice": "config",
    "eventbridge": "events",
    "sfn": "stepfunctions",
    "marketplacecatalog": "marketplace-catalog",
    "servicequotas": "service-quotas",
    "resourcegroupstaggingapi": "resourcegroupstaggingapi",
    "resourcegroups": "resource-groups",
    "ssmincidents": "ssm-incidents",
    "elasticloadbalancing": "elb",
    "elasticloadbalancingv2": "elbv2",
    "ec2instanceconnect": "ec2-instance-connect",
}
"""botocore's names of services that the AWS SDK for Java calls otherwise."""


@cache
def service_of(name: str) -> str:
    """Return botocore's name of the service of an SDK integration.

    Raises:
        UnknownServiceError: When there is none.
    """
    service = _NAMES.get(name, name)
    known = session().get_available_services()
    if service not in known:
        raise UnknownServiceError(service_name=name, known_service_names=", ".join(known))
    return service


@cache
def prefix(service: str) -> str:
    """Return what the SDK for Java begins its names with, such as ``Ec2``, ``AutoScaling``, ``Imagebuilder``."""
    words = re.findall(r"[A-Z]{2,}(?=[A-Z][a-z])|[A-Z]+[a-z0-9]*|[a-z0-9]+", str(service_model(service).service_id))
    return "".join(word[:1].upper() + word[1:].lower() for word in words)


def call(
    service: str, operation: str, method: str, parameters: Any, *, region: str, account: str, role: str
) -> dict[str, Any]:
    """Return the answer of an operation, named as Step Functions hands it on.

    Args:
        service: botocore's name.
        operation: The operation's name in the model.
        method: boto3's name of it.
        parameters: The parameters as a state gives them.
        region: Region of the state machine: an integration never leaves it.
        account: Account whose resources are meant.
        role: ARN of the role that acts.

    Raises:
        StateError: When the service answers with an error.
    """
    shape = service_model(service).operation_model(operation)
    if not isinstance(parameters, Mapping):
        raise StateError("States.Runtime", f"the parameters of {service}:{operation} are an object")
    request = {} if shape.input_shape is None else to_api(shape.input_shape, parameters, operation)
    client = clients.client(service, region, account)
    try:
        with clients.acting_by(role, for_service="states.amazonaws.com"):
            answer = getattr(client, method)(**request)
        return {} if shape.output_shape is None else dict(from_api(shape.output_shape, answer))
    except ClientError as error:
        raise failure(service, error) from error
    except HTTPClientError as error:
        raise StateError(f"{prefix(service)}.SdkClientException", f"Unable to execute HTTP request: {error}") from error
    except BotoCoreError as error:
        raise StateError("States.Runtime", f"{service}:{operation}: {error}") from error


def failure(service: str, error: ClientError) -> StateError:
    """Return the error of a state for the error of a service."""
    found = error.response["Error"]
    meta = error.response["ResponseMetadata"]
    cause = (
        f"{found['Message']} (Service: {prefix(service)}, Status Code: {meta['HTTPStatusCode']}, "
        f"Request ID: {meta.get('RequestId', 'sandbox')})"
    )
    return StateError(f"{prefix(service)}.{_class(service, found['Code'])}", cause)


def _class(service: str, code: str) -> str:
    """Return the class of an error: of its shape where the model has one, else that of all errors of the service."""
    for shape in service_model(service).error_shapes:
        if code in {shape.name, shape.error_code}:
            name = shape.name.removesuffix("Fault")
            return name if name.endswith("Exception") else f"{name}Exception"
    return f"{prefix(service)}Exception"


def to_api(shape: Shape, value: Any, path: str) -> Any:
    """Return a value of a state as botocore takes it.

    Raises:
        StateError: When the API has no such member.
    """
    if isinstance(shape, StructureShape) and isinstance(value, Mapping):
        members = _members(shape)
        made = {}
        for name, item in value.items():
            if name not in members:
                raise StateError("States.Runtime", f"The field '{name}' of {path} is not supported by Step Functions.")
            made[members[name]] = to_api(shape.members[members[name]], item, f"{path}/{name}")
        return made
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [to_api(shape.member, item, path) for item in value]
    if isinstance(shape, MapShape) and isinstance(value, Mapping):
        return {key: to_api(shape.value, item, f"{path}/{key}") for key, item in value.items()}
    if shape.type_name == "blob":
        return (value if isinstance(value, str) else json.dumps(value)).encode()
    if shape.type_name in {"integer", "long"} and isinstance(value, float) and value.is_integer():
        return int(value)
    return value


@cache
def _members(shape: StructureShape) -> Mapping[str, str]:
    return {name[:1].upper() + name[1:]: name for name in shape.members}


def from_api(shape: Shape, value: Any) -> Any:
    """Return a value of botocore's as a state gets it: capitals, times as texts, no metadata."""
    if isinstance(shape, StructureShape):
        return {
            capital: from_api(shape.members[name], value[name])
            for capital, name in _members(shape).items()
            if value.get(name) is not None
        }
    if isinstance(shape, ListShape):
        return [from_api(shape.member, item) for item in value]
    if isinstance(shape, MapShape):
        return {key: from_api(shape.value, item) for key, item in value.items()}
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if hasattr(value, "read"):
        value = value.read()
    return value.decode(errors="replace") if isinstance(value, bytes) else value
