"""Images: what builds make, or made."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cdk_ami.sandbox.imagebuilder import managed, managed_workflows
from cdk_ami.sandbox.imagebuilder.engine import build
from cdk_ami.sandbox.imagebuilder.engine.plan import ComponentUse, Scan, Stages, WorkflowUse, groups_of
from cdk_ami.sandbox.imagebuilder.errors import ImageBuilderError, has_dependents, not_found
from cdk_ami.sandbox.imagebuilder.models import ImageBuilderBackend
from cdk_ami.sandbox.imagebuilder.operations.common import (
    Operation,
    by_name,
    filtered,
    member,
    owned,
    paged,
    versions,
    with_references,
)
from cdk_ami.sandbox.imagebuilder.operations.components import builds_of
from cdk_ami.sandbox.imagebuilder.records import Record, present, timestamp

_FILTERS: Final = {name: member(name) for name in ("name", "osVersion", "platform", "type", "version")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Who has an image built, beside its configurations.

    Attributes:
        tags: Tags of the image resource.
        pipeline: The pipeline, if it is one.
        scheduled: Whether its schedule has done it.
        ended: Hears how the build ended.
    """

    tags: Mapping[str, str] = field(default_factory=dict)
    pipeline: Record | None = None
    scheduled: bool = False
    ended: build.Ended | None = None


def start_image(backend: ImageBuilderBackend, settings: Mapping[str, Any], order: Order) -> build.Build:
    """Create an image and start its build; ``settings`` are those of a pipeline or of the request, checked before."""
    recipe = backend.get(settings["imageRecipeArn"])
    stages = stages_of(backend, settings)
    distribution = settings.get("distributionConfigurationArn")
    pipeline = order.pipeline
    body = {
        "platform": recipe.body["platform"],
        "enhancedImageMetadataEnabled": settings.get("enhancedImageMetadataEnabled") is not False,
        "imageRecipe": recipe.shown(),
        "sourcePipelineName": pipeline and pipeline.body["name"],
        "sourcePipelineArn": pipeline and pipeline.arn,
        "infrastructureConfiguration": backend.get(settings["infrastructureConfigurationArn"]).shown(),
        "distributionConfiguration": backend.get(distribution).shown() if distribution else None,
        "imageTestsConfiguration": {
            "imageTestsEnabled": True,
            "timeoutMinutes": 720,
            **(settings.get("imageTestsConfiguration") or {}),
        },
        "imageScanningConfiguration": settings.get("imageScanningConfiguration"),
        "scanState": {"status": "PENDING"} if stages.scan else None,
        "buildType": "SCHEDULED" if order.scheduled else "USER_INITIATED",
        "executionRole": settings.get("executionRole"),
        "workflows": settings.get("workflows"),
        "loggingConfiguration": settings.get("loggingConfiguration"),
    }
    image = new_image(backend, recipe.body["name"], recipe.parsed.version, body, tags=dict(order.tags))
    if pipeline is not None:
        pipeline.body.update(dateLastRun=timestamp(), lastRunStatus="PENDING", newestImage=image.arn)
    return build.start(
        backend,
        image,
        components=_components(backend, recipe),
        stages=stages,
        source=recipe.body["parentImage"],
        ended=order.ended,
    )


def new_image(
    backend: ImageBuilderBackend, name: str, version: str, body: Mapping[str, Any], *, tags: dict[str, str]
) -> Record:
    """Create the resource of an image that is to be built: the next build version."""
    version_arn = backend.arn("image", name, version)
    backend.numbers[version_arn] += 1
    number = backend.numbers[version_arn]
    whole = {
        "type": "AMI",
        "name": name,
        "version": f"{version}/{number}",
        "state": {"status": "PENDING"},
        "dateCreated": timestamp(),
        "outputResources": {"amis": []},
        "imageSource": "CUSTOM",
        "owner": backend.account_id,
        **body,
    }
    image = Record(arn=f"{version_arn}/{number}", body=copy.deepcopy(present(whole)), tags=tags)
    backend.own[image.arn] = image
    return image


def _components(backend: ImageBuilderBackend, recipe: Record) -> tuple[ComponentUse, ...]:
    found = [backend.get(used["componentArn"]) for used in recipe.body.get("components") or ()]
    return tuple(
        ComponentUse(arn=record.arn, name=record.body["name"], document=record.document, text=record.body["data"])
        for record in found
        if record.document is not None
    )


def stages_of(backend: ImageBuilderBackend, settings: Mapping[str, Any]) -> Stages:
    """Return what an image runs through: the workflows that are listed take the place of all the default ones.

    Without a distribution workflow the image is distributed all the same.
    https://docs.aws.amazon.com/imagebuilder/latest/userguide/manage-image-workflows.html, read 2026-11-28
    """
    listed = [_use(backend, one) for one in settings.get("workflows") or ()]
    if not listed:
        listed = [_managed(backend, managed_workflows.BUILD), _managed(backend, managed_workflows.TEST)]
    by_kind = {kind: [use for use in listed if use.kind == kind] for kind in ("BUILD", "TEST", "DISTRIBUTION")}
    enabled = (settings.get("imageTestsConfiguration") or {}).get("imageTestsEnabled") is not False
    return Stages(
        build=next(iter(by_kind["BUILD"]), None),
        tests=groups_of(by_kind["TEST"]) if enabled else (),
        distribution=next(iter(by_kind["DISTRIBUTION"]), _managed(backend, managed_workflows.DISTRIBUTION)),
        scan=_scan(settings.get("imageScanningConfiguration") or {}),
    )


def distribution_only(backend: ImageBuilderBackend) -> Stages:
    """Return what an image runs through that exists already."""
    return Stages(build=None, tests=(), distribution=_managed(backend, managed_workflows.DISTRIBUTION))


def _use(backend: ImageBuilderBackend, listed: Mapping[str, Any]) -> WorkflowUse:
    record = backend.get(listed["workflowArn"])
    assert record.workflow is not None  # noqa: S101 - the ARN was checked to be a workflow's
    given = {parameter["name"]: parameter["value"] for parameter in listed.get("parameters") or ()}
    return WorkflowUse(
        arn=record.arn,
        kind=record.body["type"],
        document=record.workflow,
        parameters=record.workflow.values(given),
        goes_on=listed.get("onFailure") == "CONTINUE",
        group=listed.get("parallelGroup") or "",
    )


def _managed(backend: ImageBuilderBackend, kind_and_name: str) -> WorkflowUse:
    return _use(backend, {"workflowArn": managed.workflow_arn(backend.region_name, kind_and_name)})


def _scan(scanning: Mapping[str, Any]) -> Scan | None:
    if not scanning.get("imageScanningEnabled"):
        return None
    condition = scanning.get("scanResultCondition") or {}
    return Scan(
        on_demand=scanning.get("imageScanningTypes") == ["ON_DEMAND_AMI_CVE"],
        highest=condition.get("maximumSeverityLabel") or "",
        fixable=condition.get("fixAvailable") is not False,
    )


def get_image(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """Answer with the image that an ARN names, the newest where it leaves a choice."""
    record = backend.get(request["imageBuildVersionArn"])
    return with_references({"image": copy.deepcopy(record.shown())}, record.arn)


def get_image_policy(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """Answer that there is no policy: the sandbox shares no images."""
    raise not_found(backend.get(request["imageArn"]).arn + " policy")


def list_images(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """List image versions."""
    found = by_name(request, filtered(request, versions(owned(backend, request, "image")), _FILTERS))
    return paged(request, "imageVersionList", found)


def list_image_build_versions(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """List the builds of one image version, or all builds."""
    found = builds_of(backend, "image", request.get("imageVersionArn"))
    return paged(request, "imageSummaryList", filtered(request, copy.deepcopy(found), _FILTERS))


def list_image_packages(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """List the packages of an image: none, for nothing is installed in the sandbox."""
    backend.get(request["imageBuildVersionArn"])
    return paged(request, "imagePackageList", [])


def delete_image(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """Delete an image whose build has ended; its AMIs stay."""
    record = backend.get(request["imageBuildVersionArn"])
    if record.arn in backend.builds:
        raise has_dependents(record.arn, ["its build, which is still running"])
    if backend.own.pop(record.arn, None) is None:
        raise ImageBuilderError("ForbiddenException", f"The resource '{record.arn}' belongs to Amazon.")
    backend.halted.pop(record.arn, None)
    return {"imageBuildVersionArn": record.arn}


def cancel_image_creation(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """Cancel a build that runs; the AMIs it has made stay."""
    record = backend.get(request["imageBuildVersionArn"])
    running = backend.builds.get(record.arn)
    if running is None:
        status = record.body["state"]["status"]
        raise ImageBuilderError(
            "InvalidRequestException", f"The image '{record.arn}' has the status {status} and cannot be cancelled."
        )
    running.cancel()
    return {"imageBuildVersionArn": record.arn}


def retry_image(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """Go on with a build that failed or was cancelled, at the phase where it stopped."""
    record = backend.get(request["imageBuildVersionArn"])
    status = record.body["state"]["status"]
    if status not in ("FAILED", "CANCELLED"):
        raise ImageBuilderError(
            "InvalidRequestException", f"The image '{record.arn}' has the status {status} and cannot be retried."
        )
    if record.arn not in backend.halted:
        raise ImageBuilderError(
            "InvalidRequestException", f"The image '{record.arn}' has no AMI yet to go on from; start it anew."
        )
    build.retry(backend, record)
    return {"imageBuildVersionArn": record.arn}


OPERATIONS: Final[dict[str, Operation]] = {
    "GetImage": get_image,
    "GetImagePolicy": get_image_policy,
    "ListImages": list_images,
    "ListImageBuildVersions": list_image_build_versions,
    "ListImagePackages": list_image_packages,
    "DeleteImage": delete_image,
    "CancelImageCreation": cancel_image_creation,
    "RetryImage": retry_image,
}
