"""Builds of Image Builder as resources: made when the image is available."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from cdk_ami.sandbox.cloudformation.errors import ResourceError
from cdk_ami.sandbox.cloudformation.resources.base import Context, Handler, Made, handles, wait
from cdk_ami.sandbox.cloudformation.resources.imagebuilder import DEPLOYMENT_SEPARATOR, LATEST, parameters, retag

FAILED: Final = frozenset({"FAILED", "CANCELLED", "DELETED", "DEPRECATED", "DISABLED"})
"""States from which an image does not become available."""

BUILDING: Final = frozenset({"PENDING", "CREATING", "BUILDING", "TESTING", "DISTRIBUTING", "INTEGRATING"})
"""States in which a build must be cancelled before it is deleted."""


@handles(
    "AWS::ImageBuilder::Image",
    "DeletionSettings DistributionConfigurationArn EnhancedImageMetadataEnabled ExecutionRole "
    "ImagePipelineExecutionSettings ImageRecipeArn ImageScanningConfiguration ImageTestsConfiguration "
    "InfrastructureConfigurationArn LoggingConfiguration Tags Workflows",
    updates="DeletionSettings ExecutionRole ImagePipelineExecutionSettings LoggingConfiguration Tags",
)
class Image(Handler):
    """One build, by itself or as a run of a pipeline.

    A run belongs to a deployment of its pipeline: with ``OnUpdate``, another deployment id is another build.
    """

    def problems(self, properties: Mapping[str, Any]) -> Iterable[str]:
        """Return settings that name no pipeline."""
        settings = properties.get("ImagePipelineExecutionSettings")
        if settings is not None and DEPLOYMENT_SEPARATOR not in settings.get("DeploymentId", ""):
            yield "ImagePipelineExecutionSettings/DeploymentId: must be the attribute DeploymentId of a pipeline"

    def replaces(self, changed: frozenset[str], old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:  # noqa: ARG002
        """Build again when the deployment is another one and the image follows updates."""
        settings = new.get("ImagePipelineExecutionSettings") or {}
        before = old.get("ImagePipelineExecutionSettings") or {}
        return bool(settings.get("OnUpdate")) and settings.get("DeploymentId") != before.get("DeploymentId")

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Build the image and wait until it is available."""
        client = context.client("imagebuilder")
        if settings := new.get("ImagePipelineExecutionSettings"):
            pipeline = settings["DeploymentId"].partition(DEPLOYMENT_SEPARATOR)[0]
            tags = context.tag_map(new.get("Tags"))
            options = {"tags": tags} if tags else {}
            answer = client.start_image_pipeline_execution(imagePipelineArn=pipeline, **options)
        else:
            answer = client.create_image(**parameters(context, "CreateImage", new))
        arn = answer["imageBuildVersionArn"]
        context.began(arn)
        wait(lambda: self._available(client, arn), what=arn)
        return self._made(context, arn)

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:
        """Change the tags: what else changes in place concerns builds to come."""
        retag(context, physical_id, old, new)
        return self._made(context, physical_id)

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:
        """Remove the image resource; the machine images that it made stay, unless the deletion settings name a role."""
        client = context.client("imagebuilder")
        if self._state(client, physical_id)["status"] in BUILDING:
            client.cancel_image_creation(imageBuildVersionArn=physical_id)
            wait(lambda: self._state(client, physical_id)["status"] not in BUILDING, what=physical_id)
        settings = properties.get("DeletionSettings")
        if settings and self._state(client, physical_id)["status"] not in FAILED:
            self._delete_all(client, physical_id, settings["ExecutionRole"])
        else:
            client.delete_image(imageBuildVersionArn=physical_id)

    def _delete_all(self, client: Any, arn: str, role: str) -> None:
        """Remove an image with its machine images and their snapshots, in every Region and account."""
        run = client.start_resource_state_update(
            resourceArn=arn,
            state={"status": "DELETED"},
            executionRole=role,
            includeResources={"amis": True, "snapshots": True},
        )["lifecycleExecutionId"]

        def state() -> Mapping[str, Any]:
            found = client.get_lifecycle_execution(lifecycleExecutionId=run)["lifecycleExecution"]
            shown: Mapping[str, Any] = found["state"]
            return shown

        wait(lambda: state()["status"] not in {"PENDING", "IN_PROGRESS"}, what=f"the deletion of {arn}")
        if state()["status"] != "SUCCESS":
            raise ResourceError(f"The deletion of {arn} is {state()['status']}: {state().get('reason', 'no reason')}")

    def _state(self, client: Any, arn: str) -> Mapping[str, str]:
        state: Mapping[str, str] = client.get_image(imageBuildVersionArn=arn)["image"]["state"]
        return state

    def _available(self, client: Any, arn: str) -> bool:
        state = self._state(client, arn)
        if state["status"] in FAILED:
            raise ResourceError(f"The image {arn} is {state['status']}: {state.get('reason', 'no reason given')}")
        return state["status"] == "AVAILABLE"

    def _made(self, context: Context, arn: str) -> Made:
        answer = context.client("imagebuilder").get_image(imageBuildVersionArn=arn)
        image, latest = answer["image"], answer.get("latestVersionReferences") or {}
        amis = image.get("outputResources", {}).get("amis", [])
        here = [ami["image"] for ami in amis if ami.get("region") == context.region and "image" in ami]
        attributes = {"Arn": arn, "Name": image["name"], "ImageId": here[0] if here else ""}
        attributes |= {name: latest[key] for name, key in LATEST.items() if key in latest}
        return Made(physical_id=arn, attributes=attributes)
