"""Workflows: like components, documents with versions."""

from __future__ import annotations

from typing import Any, Final

from cdk_ami.sandbox.imagebuilder.documents import DocumentError
from cdk_ami.sandbox.imagebuilder.errors import invalid_value
from cdk_ami.sandbox.imagebuilder.models import ImageBuilderBackend
from cdk_ami.sandbox.imagebuilder.operations.common import (
    Operation,
    by_name,
    delete,
    existing_builds,
    filtered,
    member,
    owned,
    paged,
    stop_dry_run,
    versions,
    with_references,
)
from cdk_ami.sandbox.imagebuilder.operations.components import builds_of, checked_document, next_build
from cdk_ami.sandbox.imagebuilder.records import Record, present, timestamp
from cdk_ami.sandbox.imagebuilder.workflow_documents import read_workflow


def create_workflow(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """Create a workflow, or the next build version of one."""
    text = checked_document(backend, request)
    name, version, workflow_type = request["name"], request["semanticVersion"], request["type"]
    kind = f"workflow/{workflow_type.lower()}"
    try:
        document = read_workflow(text, workflow_type=workflow_type)
    except DocumentError as error:
        raise invalid_value("data" if "data" in request else "uri", f"{error}.") from error
    build = next_build(list(existing_builds(backend, kind, name, version)), text, "Workflow")
    stop_dry_run(request)
    body = present(
        {
            "name": name,
            "version": version,
            "description": request.get("description"),
            "changeDescription": request.get("changeDescription"),
            "type": workflow_type,
            "owner": backend.account_id,
            "data": text,
            "kmsKeyId": request.get("kmsKeyId"),
            "dateCreated": timestamp(),
            "parameters": [
                present(
                    {
                        "name": parameter.name,
                        "type": parameter.kind,
                        "defaultValue": None if parameter.default is None else list(parameter.default),
                        "description": parameter.description or None,
                    }
                )
                for parameter in document.parameters
            ]
            or None,
        }
    )
    arn = backend.arn(kind, name, version, build)
    backend.own[arn] = Record(arn=arn, body=body, tags=dict(request.get("tags") or {}), workflow=document)
    return with_references({"workflowBuildVersionArn": arn}, arn)


def get_workflow(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """Answer with the workflow that an ARN names, the newest where it leaves a choice."""
    record = backend.get(request["workflowBuildVersionArn"])
    return with_references({"workflow": record.shown()}, record.arn)


def list_workflows(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """List workflow versions, which nobody shares."""
    if request.get("owner") in ("Shared", "ThirdParty"):
        raise invalid_value("owner", "Workflows are owned by Self or Amazon.")
    found = by_name(request, filtered(request, versions(owned(backend, request, "workflow")), _FILTERS))
    return paged(request, "workflowVersionList", found)


_FILTERS: Final = {name: member(name) for name in ("name", "version", "description", "type")}


def list_workflow_build_versions(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """List the builds of one workflow version, or all builds."""
    return paged(request, "workflowSummaryList", builds_of(backend, "workflow", request.get("workflowVersionArn")))


def delete_workflow(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """Delete one build version of a workflow that no pipeline needs."""
    return delete(backend, "workflowBuildVersionArn", request["workflowBuildVersionArn"])


OPERATIONS: Final[dict[str, Operation]] = {
    "CreateWorkflow": create_workflow,
    "GetWorkflow": get_workflow,
    "ListWorkflows": list_workflows,
    "ListWorkflowBuildVersions": list_workflow_build_versions,
    "DeleteWorkflow": delete_workflow,
}
