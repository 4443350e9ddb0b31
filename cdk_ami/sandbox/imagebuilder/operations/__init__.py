"""The operations of the API, one function each, and what holds for all of them."""

from __future__ import annotations

import copy
from typing import Any, Final
from uuid import uuid4

from cdk_ami.sandbox.imagebuilder import shapes
from cdk_ami.sandbox.imagebuilder.errors import ImageBuilderError, invalid_value, not_in_sandbox
from cdk_ami.sandbox.imagebuilder.models import ImageBuilderBackend
from cdk_ami.sandbox.imagebuilder.operations import (
    components,
    configurations,
    distribution,
    executions,
    images,
    lifecycle,
    pipelines,
    recipes,
    scanning,
    tags,
    workflows,
)
from cdk_ami.sandbox.imagebuilder.operations.common import Operation

OPERATIONS: Final[dict[str, Operation]] = {
    **components.OPERATIONS,
    **configurations.OPERATIONS,
    **distribution.OPERATIONS,
    **executions.OPERATIONS,
    **images.OPERATIONS,
    **lifecycle.OPERATIONS,
    **pipelines.OPERATIONS,
    **recipes.OPERATIONS,
    **scanning.OPERATIONS,
    **tags.OPERATIONS,
    **workflows.OPERATIONS,
}
"""Every operation that the sandbox has, by its name; the others are refused by name."""


def perform(backend: ImageBuilderBackend, name: str, request: dict[str, Any]) -> dict[str, Any]:
    """Return the answer to a request.

    Raises:
        ImageBuilderError: When the service would answer with an error, or the sandbox lacks the operation.
    """
    operation = OPERATIONS.get(name)
    if operation is None:
        raise not_in_sandbox(f"The operation {name}")
    for parameter, why in shapes.faults(name, request):
        raise invalid_value(parameter, why)
    token = request.get("clientToken")
    with backend.lock:
        if token is None or request.get("dryRun"):
            answer = operation(backend, request)
        else:
            answer = _once(backend, name, token, request, operation)
    return {**answer, "requestId": str(uuid4()), "clientToken": token}


def _once(
    backend: ImageBuilderBackend, name: str, token: str, request: dict[str, Any], operation: Operation
) -> dict[str, Any]:
    before = backend.answers.get((name, token))
    if before is None:
        asked = copy.deepcopy(request)
        answer = operation(backend, request)
        backend.answers[name, token] = (asked, copy.deepcopy(answer))
        return answer
    asked, answer = before
    if asked != request:
        raise ImageBuilderError(
            "IdempotentParameterMismatchException",
            f"The client token '{token}' was used before with other parameters.",
        )
    return copy.deepcopy(answer)
