"""Tags of every kind of resource."""

from __future__ import annotations

from typing import Any, Final

from cdk_ami.sandbox.imagebuilder.errors import ImageBuilderError, invalid_value
from cdk_ami.sandbox.imagebuilder.models import ImageBuilderBackend
from cdk_ami.sandbox.imagebuilder.operations.common import Operation

_TAGS_MAX: Final = 50


def tag_resource(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """Add tags, or change them."""
    record = backend.get(request["resourceArn"])
    if record.arn not in backend.own:
        raise ImageBuilderError("InvalidRequestException", f"The resource '{record.arn}' belongs to Amazon.")
    merged = {**record.tags, **request["tags"]}
    if len(merged) > _TAGS_MAX:
        raise invalid_value("tags", f"A resource has at most {_TAGS_MAX} tags.")
    record.tags = merged
    return {}


def untag_resource(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """Take tags away."""
    record = backend.get(request["resourceArn"])
    record.tags = {key: value for key, value in record.tags.items() if key not in request["tagKeys"]}
    return {}


def list_tags_for_resource(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """List tags."""
    return {"tags": dict(backend.get(request["resourceArn"]).tags)}


OPERATIONS: Final[dict[str, Operation]] = {
    "TagResource": tag_resource,
    "UntagResource": untag_resource,
    "ListTagsForResource": list_tags_for_resource,
}
