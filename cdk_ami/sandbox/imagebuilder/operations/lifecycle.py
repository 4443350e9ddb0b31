"""Lifecycle policies, their runs, and single changes of an image's state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.imagebuilder import arns, lookups, validation
from cdk_ami.sandbox.imagebuilder.engine import lifecycles
from cdk_ami.sandbox.imagebuilder.engine.retire import STATES, Action
from cdk_ami.sandbox.imagebuilder.errors import ImageBuilderError, already_exists, invalid_value
from cdk_ami.sandbox.imagebuilder.models import ImageBuilderBackend, Lifecycle
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
    body = {"name": request["name"], "dateCreated": CLOCK.now(), **_policy(request)}
    record = Record(arn=arn, body=body, tags=dict(request.get("tags") or {}))
    backend.own[arn] = record
    lifecycles.plan_policy(backend, record)
    return {"lifecyclePolicyArn": arn}


def update_lifecycle_policy(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """Replace everything but name and tags."""
    record = backend.get(request["lifecyclePolicyArn"])
    _check(backend, request)
    if request["resourceType"] != record.body["resourceType"]:
        raise invalid_value("resourceType", "The type of the resources of a policy cannot be changed.")
    kept = present({name: record.body.get(name) for name in ("name", "dateCreated", "dateLastRun")})
    record.body = {**kept, "dateUpdated": CLOCK.now(), **_policy(request)}
    lifecycles.plan_policy(backend, record)
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
    """Delete a lifecycle policy; what it did stays done."""
    lifecycles.forget_policy(backend, request["lifecyclePolicyArn"])
    return delete(backend, "lifecyclePolicyArn", request["lifecyclePolicyArn"])


def list_lifecycle_executions(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """List the runs of a policy, or the changes of an image's state, newest first."""
    arn = request["resourceArn"]
    found = arns.parse(arn)
    if found is None or found.kind not in ("lifecycle-policy", "image"):
        raise ImageBuilderError("InvalidRequestException", f"'{arn}' is neither a lifecycle policy nor an image.")
    shown = [run.shown for run in backend.lifecycles.values() if run.resource == arn]
    if not shown:
        backend.get(arn)
    return paged(request, "lifecycleExecutions", shown[::-1])


def get_lifecycle_execution(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """Answer with one run."""
    return {"lifecycleExecution": _run(backend, request).shown}


def list_lifecycle_execution_resources(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """List the images of a run, or the AMIs of one of them."""
    run = _run(backend, request)
    parent = request.get("parentResourceId")
    found = run.resources if parent is None else run.children.get(parent, [])
    head = {name: run.shown[key] for name, key in _HEAD.items()}
    return {**paged(request, "resources", found), **head}


_HEAD: Final = {"lifecycleExecutionId": "lifecycleExecutionId", "lifecycleExecutionState": "state"}


def cancel_lifecycle_execution(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """Stop a run that is on its way, or waits for its day."""
    run = _run(backend, request)
    status = run.shown["state"]["status"]
    if status not in ("IN_PROGRESS", "PENDING"):
        raise ImageBuilderError(
            "InvalidRequestException", f"The lifecycle execution has the status {status} and cannot be cancelled."
        )
    lifecycles.cancel(run)
    return {"lifecycleExecutionId": request["lifecycleExecutionId"]}


def _run(backend: ImageBuilderBackend, request: Mapping[str, Any]) -> Lifecycle:
    run = backend.lifecycles.get(request["lifecycleExecutionId"])
    if run is None:
        raise ImageBuilderError(
            "ResourceNotFoundException", f"The lifecycle execution '{request['lifecycleExecutionId']}' cannot be found."
        )
    return run


def start_resource_state_update(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """Change the state of an image, and of its AMIs and snapshots where they are included."""
    image = backend.get(request["resourceArn"])
    if image.arn not in backend.own:
        raise ImageBuilderError("ForbiddenException", f"The resource '{image.arn}' belongs to Amazon.")
    now = CLOCK.now()
    for why in validation.state_faults(request, image.body["state"]["status"], now=now):
        raise ImageBuilderError("InvalidRequestException", why)
    if request.get("executionRole"):
        lookups.check_role(backend, request["executionRole"])
    if any(
        run.resource == image.arn and run.shown["state"]["status"] in ("IN_PROGRESS", "PENDING", "CANCELLING")
        for run in backend.lifecycles.values()
    ):
        raise ImageBuilderError("ResourceInUseException", f"The image '{image.arn}' has a lifecycle execution already.")
    included = request.get("includeResources") or {}
    name = {state: action for action, state in STATES.items()}[request["state"]["status"]]
    action = Action(
        name=name,
        reason="StartResourceStateUpdate asks for it.",
        amis=bool(included.get("amis")),
        snapshots=bool(included.get("snapshots")),
        exclusions=(request.get("exclusionRules") or {}).get("amis") or {},
        due=validation.moment(request.get("updateAt")),
    )
    if not included and action.due is None:
        lifecycles.change_at_once(image, name)
        return {"resourceArn": image.arn}
    run = lifecycles.start_update(backend, image, action, role=request.get("executionRole"))
    return {"lifecycleExecutionId": run.shown["lifecycleExecutionId"], "resourceArn": image.arn}


OPERATIONS: Final[dict[str, Operation]] = {
    "CreateLifecyclePolicy": create_lifecycle_policy,
    "UpdateLifecyclePolicy": update_lifecycle_policy,
    "GetLifecyclePolicy": get_lifecycle_policy,
    "ListLifecyclePolicies": list_lifecycle_policies,
    "DeleteLifecyclePolicy": delete_lifecycle_policy,
    "ListLifecycleExecutions": list_lifecycle_executions,
    "GetLifecycleExecution": get_lifecycle_execution,
    "CancelLifecycleExecution": cancel_lifecycle_execution,
    "ListLifecycleExecutionResources": list_lifecycle_execution_resources,
    "StartResourceStateUpdate": start_resource_state_update,
}
