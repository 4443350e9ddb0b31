"""References between stacks of two Regions: one provider writes parameters over there, another marks them as used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from botocore.exceptions import ClientError

from cdk_ami.sandbox import clients
from cdk_ami.sandbox.lambda_.function import Function

BATCH: Final = 10
"""Parameters in one call of DeleteParameters."""


def write(function: Function, event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Write the exports into the other Region, and remove those that are exported no more."""
    properties = event["ResourceProperties"]["WriterProps"]
    exports: Mapping[str, str] = properties["exports"]
    client = clients.client("ssm", properties["region"], function.account)
    if event["RequestType"] == "Delete":
        _delete(client, exports)
        return {}
    before: Mapping[str, str] = {}
    if event["RequestType"] == "Update":
        before = event["OldResourceProperties"]["WriterProps"]["exports"]
        _delete(client, [name for name in before if name not in exports])
    for name, value in exports.items():
        if name not in before:
            client.put_parameter(Name=name, Value=value, Type="String", Overwrite=True)
    return {}


def read(function: Function, event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Mark the imports as used by this stack, those of before as free, and return their values."""
    properties = event["ResourceProperties"]["ReaderProps"]
    imports: Mapping[str, str] = properties["imports"]
    tag = f"aws-cdk:strong-ref:{properties['prefix']}"
    client = clients.client("ssm", properties["region"], function.account)
    if event["RequestType"] == "Delete":
        _release(client, imports, tag)
        return {}
    before: Mapping[str, str] = {}
    if event["RequestType"] == "Update":
        before = event["OldResourceProperties"]["ReaderProps"]["imports"]
        _release(client, [name for name in before if name not in imports], tag)
    for name in imports:
        if name not in before:
            client.add_tags_to_resource(ResourceType="Parameter", ResourceId=name, Tags=[{"Key": tag, "Value": "true"}])
    return {"Data": dict(imports)}


def _delete(client: Any, names: Iterable[str]) -> None:
    doomed = sorted(names)
    for start in range(0, len(doomed), BATCH):
        client.delete_parameters(Names=doomed[start : start + BATCH])


def _release(client: Any, names: Iterable[str], tag: str) -> None:
    for name in names:
        try:
            client.remove_tags_from_resource(ResourceType="Parameter", ResourceId=name, TagKeys=[tag])
        except ClientError as error:
            if error.response["Error"]["Code"] != "InvalidResourceId":
                raise
