"""Images: what builds make, or made."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Final

from cdk_ami.sandbox.imagebuilder import arns
from cdk_ami.sandbox.imagebuilder.engine import build
from cdk_ami.sandbox.imagebuilder.engine.plan import ComponentUse, Stages
from cdk_ami.sandbox.imagebuilder.errors import ImageBuilderError, has_dependents, not_found, not_in_sandbox
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


def start_image(
    backend: ImageBuilderBackend, settings: Mapping[str, Any], *, pipeline: Record | None, tags: dict[str, str]
) -> str:
    """Create an image and start its build; ``settings`` are those of a pipeline or of the request, checked before."""
    recipe = backend.get(settings["imageRecipeArn"])
    stages = _stages(backend, settings)
    version_arn = backend.arn("image", recipe.body["name"], recipe.parsed.version)
    backend.numbers[version_arn] += 1
    number = backend.numbers[version_arn]
    distribution = settings.get("distributionConfigurationArn")
    body = present(
        {
            "type": "AMI",
            "name": recipe.body["name"],
            "version": f"{recipe.parsed.version}/{number}",
            "platform": recipe.body["platform"],
            "enhancedImageMetadataEnabled": settings.get("enhancedImageMetadataEnabled") is not False,
            "state": {"status": "PENDING"},
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
            "dateCreated": timestamp(),
            "outputResources": {"amis": []},
            "buildType": "USER_INITIATED",
            "imageSource": "CUSTOM",
            "owner": backend.account_id,
            "executionRole": settings.get("executionRole"),
            "workflows": settings.get("workflows"),
            "loggingConfiguration": settings.get("loggingConfiguration"),
        }
    )
    arn = f"{version_arn}/{number}"
    image = Record(arn=arn, body=copy.deepcopy(body), tags=tags)
    backend.own[arn] = image
    build.start(backend, image, components=_components(backend, recipe), stages=stages)
    return arn


def _components(backend: ImageBuilderBackend, recipe: Record) -> tuple[ComponentUse, ...]:
    found = [backend.get(used["componentArn"]) for used in recipe.body.get("components") or ()]
    return tuple(
        ComponentUse(arn=record.arn, name=record.body["name"], document=record.document)
        for record in found
        if record.document is not None
    )


def _stages(backend: ImageBuilderBackend, settings: Mapping[str, Any]) -> Stages:
    """Return which of the managed workflows run: listed ones take the place of all."""
    tests = (settings.get("imageTestsConfiguration") or {}).get("imageTestsEnabled") is not False
    listed = [backend.get(workflow["workflowArn"]).parsed for workflow in settings.get("workflows") or ()]
    if any(found.account != arns.MANAGED for found in listed):
        raise not_in_sandbox("A build by workflows of one's own")
    if not listed:
        return Stages(test=tests)
    kinds = {found.kind for found in listed}
    if "workflow/build" not in kinds:
        raise ImageBuilderError("InvalidRequestException", "The workflows do not include a build workflow.")
    return Stages(test=tests and "workflow/test" in kinds)


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
