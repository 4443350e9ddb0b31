"""Image recipes: a parent image and components, in versions that may count by themselves."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from cdk_ami.sandbox.imagebuilder import arns, documents, validation
from cdk_ami.sandbox.imagebuilder.errors import (
    ImageBuilderError,
    already_exists,
    invalid_value,
    not_found,
    not_in_sandbox,
)
from cdk_ami.sandbox.imagebuilder.models import ImageBuilderBackend
from cdk_ami.sandbox.imagebuilder.operations.common import (
    Operation,
    delete,
    filtered,
    member,
    owned,
    paged,
    refuse,
    stop_dry_run,
    with_references,
)
from cdk_ami.sandbox.imagebuilder.records import Record, present, timestamp

COMPONENTS_MAX: Final = 20
"""https://docs.aws.amazon.com/general/latest/gr/imagebuilder.html, read 2026-11-22"""

_AMI: Final = re.compile(r"ami-[0-9a-f]{8}(?:[0-9a-f]{9})?")


def create_image_recipe(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """Create a recipe; a wildcard in its version takes the next free number."""
    pattern = request["semanticVersion"]
    if fault := arns.version_fault(pattern):
        raise ImageBuilderError("InvalidVersionNumberException", f"The version '{pattern}' is not valid: {fault}.")
    if len(request.get("components") or ()) > COMPONENTS_MAX:
        raise ImageBuilderError(
            "ServiceQuotaExceededException", f"A recipe has at most {COMPONENTS_MAX} components by default."
        )
    refuse(validation.block_device_faults(request.get("blockDeviceMappings") or ()))
    platform = _platform(backend, request)
    name = request["name"]
    existing = [
        record.parsed.version
        for record in backend.kind("image-recipe")
        if record.arn.startswith(f"{backend.arn('image-recipe', name)}/")
    ]
    version = arns.next_version(pattern, existing)
    arn = backend.arn("image-recipe", name, version)
    if version in existing:
        raise already_exists("ImageRecipe", arn)
    stop_dry_run(request)
    body = present(
        {
            "type": "AMI",
            "name": name,
            "description": request.get("description"),
            "platform": platform,
            "owner": backend.account_id,
            "version": version,
            "components": request.get("components"),
            "parentImage": request["parentImage"],
            "blockDeviceMappings": request.get("blockDeviceMappings"),
            "dateCreated": timestamp(),
            "workingDirectory": request.get("workingDirectory"),
            "additionalInstanceConfiguration": request.get("additionalInstanceConfiguration"),
            "amiTags": request.get("amiTags"),
            "amiWatermarks": request.get("amiWatermarks"),
        }
    )
    backend.own[arn] = Record(arn=arn, body=body, tags=dict(request.get("tags") or {}))
    return with_references({"imageRecipeArn": arn}, arn)


def _platform(backend: ImageBuilderBackend, request: Mapping[str, Any]) -> str:
    """Return the platform that the parent image and all components share."""
    parent = request["parentImage"]
    found = _parent_platform(backend, parent)
    managed = backend.resolve(parent) if parent.startswith("arn:") else None
    system = None if managed is None else managed.body.get("osVersion")
    for index, used in enumerate(request.get("components") or ()):
        at = f"components[{index}]"
        component = backend.resolve(used["componentArn"])
        if component is None:
            raise invalid_value(f"{at}.componentArn", f"The component '{used['componentArn']}' does not exist.")
        given = {parameter["name"]: parameter["value"] for parameter in used.get("parameters") or ()}
        if component.document and (fault := documents.parameter_fault(component.document, given)):
            raise invalid_value(f"{at}.parameters", fault)
        if found is not None and component.body["platform"] != found:
            raise invalid_value(
                f"{at}.componentArn", f"The component is for {component.body['platform']}, the recipe is for {found}."
            )
        found = component.body["platform"]
        supported = component.body.get("supportedOsVersions") or ()
        if system and supported and not any(system.startswith(version) for version in supported):
            raise invalid_value(
                f"{at}.componentArn", f"The component supports {', '.join(supported)}, the parent image is {system}."
            )
    return found or "Linux"


def _parent_platform(backend: ImageBuilderBackend, parent: str) -> str | None:
    if parent.startswith("prod-"):
        raise not_in_sandbox("A Marketplace product as the parent image")
    if parent.startswith("ssm:"):
        if not parent.removeprefix("ssm:"):
            raise invalid_value("parentImage", "The name of the parameter is missing after ssm:.")
        return None
    if parent.startswith("arn:"):
        wanted = arns.parse(parent)
        if wanted is None or wanted.kind != "image":
            raise invalid_value("parentImage", f"'{parent}' is not the ARN of an image.")
        found = backend.resolve(parent)
        if found is None:
            raise invalid_value("parentImage", f"The image '{parent}' does not exist.")
        return str(found.body["platform"])
    if not _AMI.fullmatch(parent):
        raise invalid_value("parentImage", f"'{parent}' is no AMI id, ssm: parameter or image ARN.")
    return None


def get_image_recipe(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """Answer with the recipe that an ARN names, the newest where it leaves a choice."""
    record = backend.get(request["imageRecipeArn"])
    return with_references({"imageRecipe": record.shown()}, record.arn)


def get_image_recipe_policy(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """Answer that there is no policy: the sandbox shares no recipes."""
    raise not_found(backend.get(request["imageRecipeArn"]).arn + " policy")


def list_image_recipes(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """List recipes."""
    shown = [record.shown() for record in owned(backend, request, "image-recipe")]
    return paged(request, "imageRecipeSummaryList", filtered(request, shown, _FILTERS))


_FILTERS: Final = {name: member(name) for name in ("name", "parentImage", "platform")}


def list_container_recipes(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001
    """List container recipes, of which the sandbox has none."""
    return paged(request, "containerRecipeSummaryList", [])


def delete_image_recipe(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """Delete a recipe that no pipeline needs."""
    return delete(backend, "imageRecipeArn", request["imageRecipeArn"])


OPERATIONS: Final[dict[str, Operation]] = {
    "CreateImageRecipe": create_image_recipe,
    "GetImageRecipe": get_image_recipe,
    "GetImageRecipePolicy": get_image_recipe_policy,
    "ListImageRecipes": list_image_recipes,
    "ListContainerRecipes": list_container_recipes,
    "DeleteImageRecipe": delete_image_recipe,
}
