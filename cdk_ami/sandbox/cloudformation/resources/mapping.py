"""Properties to API parameters: CloudFormation's PascalCase into whatever case the service's model has."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cdk_ami.sandbox.cloudformation.errors import ResourceError
from cdk_ami.sandbox.cloudformation.intrinsics import as_text
from cdk_ami.sandbox.service_models import service_model


def api_parameters(
    service: str,
    operation: str,
    properties: Mapping[str, Any],
    *,
    renames: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return ``properties`` as parameters of ``operation``, by botocore's model.

    Args:
        service: Service as botocore names it.
        operation: Operation, such as ``CreateImageRecipe``.
        properties: Properties as CloudFormation names them.
        renames: API names of properties that differ in more than case.

    Raises:
        ResourceError: When the API has no such parameter.
    """
    shape = service_model(service).operation_model(operation).input_shape
    return _structure(shape, properties, operation, renames or {})


def shaped(service: str, shape: str, value: Any, *, renames: Mapping[str, str] | None = None) -> Any:
    """Return ``value`` as the shape named ``shape`` of the service's model takes it."""
    return _value(service_model(service).shape_for(shape), value, shape, renames or {})


def _value(shape: Any, value: Any, path: str, renames: Mapping[str, str]) -> Any:  # noqa: PLR0911 - one case per kind
    kind = shape.type_name
    if kind == "structure" and isinstance(value, Mapping):
        return _structure(shape, value, path, renames)
    if kind == "list":
        items = value if isinstance(value, list) else [value]
        return [_value(shape.member, item, f"{path}/{index}", renames) for index, item in enumerate(items)]
    if kind == "map" and isinstance(value, Mapping):
        return {key: _value(shape.value, item, f"{path}/{key}", renames) for key, item in value.items()}
    if kind == "string":
        return json.dumps(value) if isinstance(value, dict | list) else as_text(value)
    if kind in {"integer", "long"}:
        return int(value)
    if kind in {"float", "double"}:
        return float(value)
    if kind == "boolean":
        return value if isinstance(value, bool) else str(value).lower() == "true"
    return value


def _structure(shape: Any, value: Mapping[str, Any], path: str, renames: Mapping[str, str]) -> dict[str, Any]:
    members = _members(shape)
    made = {}
    for name, item in value.items():
        member = members.get(renames.get(name, name).lower())
        # CloudFormation's names begin with a capital; a service never takes them by the API's case.
        if member is None or name[:1].islower():
            raise ResourceError(f"{path}/{name}: the API has no such parameter")
        made[member] = _value(shape.members[member], item, f"{path}/{name}", renames)
    return made


def _members(shape: Any) -> dict[str, str]:
    return {name.lower(): name for name in shape.members}
