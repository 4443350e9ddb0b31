"""Tags of EC2 resources: set when the resource is made, changed by their own calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cdk_ami.sandbox.cloudformation.resources.base import Context


def specification(context: Context, resource_type: str, new: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameter ``TagSpecifications`` of a create call, or nothing when there are no tags."""
    tags = context.tags(new.get("Tags"))
    return {"TagSpecifications": [{"ResourceType": resource_type, "Tags": tags}]} if tags else {}


def retag(context: Context, resource_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Change the tags of a resource."""
    put, remove = context.retag(old.get("Tags"), new.get("Tags"))
    client = context.client("ec2")
    if put:
        client.create_tags(Resources=[resource_id], Tags=[{"Key": key, "Value": value} for key, value in put.items()])
    if remove:
        client.delete_tags(Resources=[resource_id], Tags=[{"Key": key} for key in remove])
