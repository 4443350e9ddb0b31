"""Lifecycle policies: kept and checked; the sandbox has no clock that runs them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from cdk_ami.sandbox.imagebuilder import lookups, validation
from cdk_ami.sandbox.imagebuilder.errors import ImageBuilderError, already_exists
from cdk_ami.sandbox.imagebuilder.models import ImageBuilderBackend
from cdk_ami.sandbox.imagebuilder.operations.common import (
    Operation,
    delete,
    filtered,
    member,
    paged,
    refuse,
    stop_dry_run,
)
from cdk_ami.sandbox.imagebuilder.records import Record, present


def create_lifecycle_policy(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """Create a lifecycle policy."""
    arn = backend.arn("lifecycle-policy", request["name"])
    if arn in backend.own:
        raise already_exists("LifecyclePolicy", arn)
    _check(backend, request)
    stop_dry_run(request)
    body = {"name": request["name"], "dateCreated": datetime.now(tz=UTC), **_policy(request)}
    backend.own[arn] = Record(arn=arn, body=body, tags=dict(request.get("tags") or {}))
    return {"lifecyclePolicyArn": arn}


def update_lifecycle_policy(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """Replace everything but name and tags."""
    record = backend.get(request["lifecyclePolicyArn"])
    _check(backend, request)
    kept = {"name": record.body["name"], "dateCreated": record.body["dateCreated"], "dateUpdated": datetime.now(tz=UTC)}
    record.body = {**kept, **_policy(request)}
    return {"lifecyclePolicyArn": record.arn}


def _check(backend: ImageBuilderBackend, request: Mapping[str, Any]) -> None:
    refuse(validation.lifecycle_faults(request))
    lookups.check_role(backend, request["executionRole"])


def _policy(request: Mapping[str, Any]) -> dict[str, Any]:
    members = ("description", "executionRole", "resourceType", "policyDetails", "resourceSelection")
    return {**present({name: request.get(name) for name in members}), "status": request.get("status") or "ENABLED"}


def get_lifecycle_policy(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """Answer with a lifecycle policy."""
    return {"lifecyclePolicy": backend.get(request["lifecyclePolicyArn"]).shown()}


def list_lifecycle_policies(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """List lifecycle policies."""
    shown = [record.shown() for record in backend.kind("lifecycle-policy")]
    return paged(request, "lifecyclePolicySummaryList", filtered(request, shown, _FILTERS))


_FILTERS: Final = {name: member(name) for name in ("name", "resourceType", "status")}


def delete_lifecycle_policy(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """Delete a lifecycle policy."""
    return delete(backend, "lifecyclePolicyArn", request["lifecyclePolicyArn"])


def list_lifecycle_executions(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """List the runs of a policy, of which there are none."""
    backend.get(request["resourceArn"])
    return paged(request, "lifecycleExecutions", [])


def no_lifecycle_execution(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001
    """Answer that a run does not exist."""
    raise ImageBuilderError(
        "ResourceNotFoundException", f"The lifecycle execution '{request['lifecycleExecutionId']}' cannot be found."
    )


OPERATIONS: Final[dict[str, Operation]] = {
    "CreateLifecyclePolicy": create_lifecycle_policy,
    "UpdateLifecyclePolicy": update_lifecycle_policy,
    "GetLifecyclePolicy": get_lifecycle_policy,
    "ListLifecyclePolicies": list_lifecycle_policies,
    "DeleteLifecyclePolicy": delete_lifecycle_policy,
    "ListLifecycleExecutions": list_lifecycle_executions,
    "GetLifecycleExecution": no_lifecycle_execution,
    "CancelLifecycleExecution": no_lifecycle_execution,
    "ListLifecycleExecutionResources": no_lifecycle_execution,
}
