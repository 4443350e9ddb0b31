"""Image pipelines: recipe, infrastructure, distribution and schedule under one name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cdk_ami.sandbox.imagebuilder import lookups, validation
from cdk_ami.sandbox.imagebuilder.errors import already_exists, invalid_combination, invalid_value, not_in_sandbox
from cdk_ami.sandbox.imagebuilder.models import ImageBuilderBackend
from cdk_ami.sandbox.imagebuilder.operations import scheduling
from cdk_ami.sandbox.imagebuilder.operations.common import (
    Operation,
    delete,
    filtered,
    member,
    paged,
    refuse,
    stop_dry_run,
    with_references,
)
from cdk_ami.sandbox.imagebuilder.operations.images import Order, start_image
from cdk_ami.sandbox.imagebuilder.records import Record, present, timestamp
from cdk_ami.sandbox.imagebuilder.workflow_documents import given_fault


def create_image_pipeline(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """Create a pipeline."""
    arn = backend.arn("image-pipeline", request["name"])
    if arn in backend.own:
        raise already_exists("ImagePipeline", arn)
    check_sources(backend, request)
    refuse(validation.schedule_faults(request["schedule"]) if request.get("schedule") else ())
    stop_dry_run(request)
    body = {"name": request["name"], "dateCreated": timestamp(), "consecutiveFailures": 0}
    record = Record(arn=arn, body={**body, **_pipeline(backend, request)}, tags=dict(request.get("tags") or {}))
    backend.own[arn] = record
    scheduling.plan_pipeline(backend, record)
    return {"imagePipelineArn": arn}


def update_image_pipeline(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """Replace everything but name, tags and what the runs left; failures are counted anew."""
    record = backend.get(request["imagePipelineArn"])
    check_sources(backend, request)
    refuse(validation.schedule_faults(request["schedule"]) if request.get("schedule") else ())
    keep = ("name", "dateCreated", "dateLastRun", "lastRunStatus", "newestImage", "dependencies")
    kept = present({name: record.body.get(name) for name in keep})
    record.body = {**kept, "consecutiveFailures": 0, "dateUpdated": timestamp(), **_pipeline(backend, request)}
    scheduling.plan_pipeline(backend, record)
    return {"imagePipelineArn": record.arn}


def check_sources(backend: ImageBuilderBackend, request: Mapping[str, Any]) -> None:
    """Refuse a pipeline or image whose parts do not exist or do not fit."""
    if request.get("containerRecipeArn"):
        raise not_in_sandbox("containerRecipeArn")
    if not request.get("imageRecipeArn"):
        raise invalid_combination("Specify exactly one of imageRecipeArn and containerRecipeArn.")
    refuse(validation.scanning_faults(request))
    for name in ("imageRecipeArn", "infrastructureConfigurationArn", "distributionConfigurationArn"):
        if request.get(name) and backend.resolve(request[name]) is None:
            raise invalid_value(name, f"The resource '{request[name]}' does not exist.")
    for index, listed in enumerate(request.get("workflows") or ()):
        _check_workflow(backend, listed, f"workflows[{index}]")
    refuse(validation.execution_faults(request))
    if request.get("executionRole"):
        lookups.check_role(backend, request["executionRole"])


def _check_workflow(backend: ImageBuilderBackend, listed: Mapping[str, Any], at: str) -> None:
    found = backend.resolve(listed["workflowArn"])
    if found is None or found.workflow is None:
        raise invalid_value(f"{at}.workflowArn", f"The workflow '{listed['workflowArn']}' does not exist.")
    given = {parameter["name"]: parameter["value"] for parameter in listed.get("parameters") or ()}
    if fault := given_fault(found.workflow, given):
        raise invalid_value(f"{at}.parameters", fault)


def _pipeline(backend: ImageBuilderBackend, request: Mapping[str, Any]) -> dict[str, Any]:
    members = (
        "description",
        "imageRecipeArn",
        "infrastructureConfigurationArn",
        "distributionConfigurationArn",
        "imageTags",
        "imageScanningConfiguration",
        "executionRole",
        "workflows",
        "loggingConfiguration",
    )
    schedule = request.get("schedule")
    if schedule is not None:
        start = "EXPRESSION_MATCH_AND_DEPENDENCY_UPDATES_AVAILABLE"
        schedule = {"timezone": "Etc/UTC", "pipelineExecutionStartCondition": start, **schedule}
    return {
        **present({name: request.get(name) for name in members}),
        **present({"schedule": schedule}),
        "platform": backend.get(request["imageRecipeArn"]).body["platform"],
        "status": request.get("status") or "ENABLED",
        "enhancedImageMetadataEnabled": request.get("enhancedImageMetadataEnabled") is not False,
        "imageTestsConfiguration": {
            "imageTestsEnabled": True,
            "timeoutMinutes": 720,
            **(request.get("imageTestsConfiguration") or {}),
        },
    }


def get_image_pipeline(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """Answer with a pipeline."""
    return {"imagePipeline": backend.get(request["imagePipelineArn"]).shown()}


def list_image_pipelines(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """List pipelines."""
    shown = [record.shown() for record in backend.kind("image-pipeline")]
    return paged(request, "imagePipelineList", filtered(request, shown, _FILTERS))


_FILTERS: Final = {
    name: member(name)
    for name in (
        "description",
        "distributionConfigurationArn",
        "imageRecipeArn",
        "infrastructureConfigurationArn",
        "name",
        "status",
    )
}


def list_image_pipeline_images(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """List the images that a pipeline made, newest first."""
    arn = backend.get(request["imagePipelineArn"]).arn
    shown = [record.shown() for record in backend.kind("image") if record.body.get("sourcePipelineArn") == arn]
    filters = {name: member(name) for name in ("name", "version")}
    return paged(request, "imageSummaryList", filtered(request, shown[::-1], filters))


def start_image_pipeline_execution(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """Start a build; a disabled pipeline can be started too."""
    record = backend.get(request["imagePipelineArn"])
    settings = scheduling.settings_of(record)
    check_sources(backend, settings)
    order = Order(
        pipeline=record,
        tags=dict(request.get("tags") or {}),
        ended=scheduling.ending(backend, record, scheduled=False),
    )
    started = start_image(backend, settings, order)
    return {"imageBuildVersionArn": started.image_arn}


def create_image(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """Start a build without a pipeline."""
    check_sources(backend, request)
    started = start_image(backend, request, Order(tags=dict(request.get("tags") or {})))
    return with_references({"imageBuildVersionArn": started.image_arn}, started.image_arn)


def delete_image_pipeline(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """Delete a pipeline; its images stay."""
    answer = delete(backend, "imagePipelineArn", request["imagePipelineArn"])
    scheduling.forget_pipeline(backend, request["imagePipelineArn"])
    return answer


OPERATIONS: Final[dict[str, Operation]] = {
    "CreateImagePipeline": create_image_pipeline,
    "UpdateImagePipeline": update_image_pipeline,
    "GetImagePipeline": get_image_pipeline,
    "ListImagePipelines": list_image_pipelines,
    "ListImagePipelineImages": list_image_pipeline_images,
    "StartImagePipelineExecution": start_image_pipeline_execution,
    "CreateImage": create_image,
    "DeleteImagePipeline": delete_image_pipeline,
}
