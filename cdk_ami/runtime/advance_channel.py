"""Moves channels to the advanced tier of Parameter Store, the only one whose parameters can be shared.

It stands in a template as it is, so it is one file, shorter than 4,096 characters, that imports nothing of ours.
A parameter keeps its tier when others write it afterwards, and no call raises the tier alone: the value goes with it.
https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html
"""

import time
from collections.abc import Callable
from typing import Any

import boto3


def handler(event: dict[str, Any], context: Any) -> None:
    """Answer CloudFormation; the end of the resource changes nothing, because a tier never goes back."""
    import cfnresponse  # type: ignore[import-not-found]  # noqa: PLC0415 - Lambda lays it beside code that stands in a template

    try:
        if event["RequestType"] != "Delete":
            for name in event["ResourceProperties"]["Names"]:
                advance(boto3.client("ssm"), name)
    except Exception as error:  # noqa: BLE001 - whatever it is, CloudFormation has to hear of it
        cfnresponse.send(event, context, "FAILED", {}, "channels", reason=str(error))
        return
    cfnresponse.send(event, context, "SUCCESS", {}, "channels")


def advance(ssm: Any, name: str, sleep: Callable[[float], object] = time.sleep) -> bool:
    """Move the channel ``name`` to the advanced tier with the value it has; return whether anything was done."""
    chosen = [{"Key": "Name", "Option": "Equals", "Values": [name]}]
    found = every(ssm, "describe_parameters", ParameterFilters=chosen)
    if not found:
        raise RuntimeError(f"the channel {name} does not exist here; build the image first, or seed the channel")
    if found[0]["Tier"] == "Advanced":
        return False
    version, value = current(ssm, name)
    while True:
        ours = put(ssm, name, value)
        stands(ssm, name, ours, sleep)
        # Nobody can write on a condition: what another wrote between our look and our write comes back.
        history = every(ssm, "get_parameter_history", Name=name)
        missed = [one["Value"] for one in history if version < one["Version"] < ours]
        if not missed or missed[-1] == value:
            return True
        version, value = ours, missed[-1]


def every(ssm: Any, operation: str, **given: Any) -> list[dict[str, Any]]:
    """Return the parameters of all pages of an answer."""
    return [one for page in ssm.get_paginator(operation).paginate(**given) for one in page["Parameters"]]


def current(ssm: Any, name: str) -> tuple[int, str]:
    """Return version and value of the parameter."""
    found = ssm.get_parameter(Name=name)["Parameter"]
    return found["Version"], found["Value"]


def put(ssm: Any, name: str, value: str) -> int:
    """Write the value in the advanced tier and return its version."""
    kind = {"Type": "String", "DataType": "aws:ec2:image"}
    version: int = ssm.put_parameter(Name=name, Value=value, Overwrite=True, Tier="Advanced", **kind)["Version"]
    return version


def stands(ssm: Any, name: str, version: int, sleep: Callable[[float], object]) -> None:
    """Return when the version stands: the service checks an AMI id after it has answered."""
    for _ in range(60):
        if current(ssm, name)[0] >= version:
            return
        sleep(1)
    raise RuntimeError(f"version {version} of {name} was not accepted: its AMI does not exist any more")
