"""Image Builder: documents, recipes, configurations and pipelines."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from cdk_ami.sandbox.cloudformation.resources.base import Context, Handler, Made, handles
from cdk_ami.sandbox.cloudformation.resources.mapping import api_parameters

RENAMES: Final = {"Version": "semanticVersion", "LaunchPermissionConfiguration": "launchPermission"}
"""API names that differ in more than case."""

LATEST: Final = {
    "LatestVersion.Arn": "latestVersionArn",
    "LatestVersion.Major": "latestMajorVersionArn",
    "LatestVersion.Minor": "latestMinorVersionArn",
    "LatestVersion.Patch": "latestPatchVersionArn",
}
"""Attributes of versioned resources with their API names."""

DEPLOYMENT_SEPARATOR: Final = "|"
"""Stands between a pipeline's ARN and the digest of its configuration in a deployment id."""

DIGEST_CHARACTERS: Final = 32


def retag(context: Context, arn: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Change the tags of a resource."""
    put, remove = context.retag(old.get("Tags"), new.get("Tags"))
    client = context.client("imagebuilder")
    if put:
        client.tag_resource(resourceArn=arn, tags=put)
    if remove:
        client.untag_resource(resourceArn=arn, tagKeys=remove)


def parameters(context: Context, operation: str, new: Mapping[str, Any]) -> dict[str, Any]:
    """Return a resource's properties as parameters of a create operation, tags of the stack included."""
    made = api_parameters(
        "imagebuilder", operation, {name: value for name, value in new.items() if name != "Tags"}, renames=RENAMES
    )
    tags = context.tag_map(new.get("Tags"))
    return {**made, "tags": tags} if tags else made


class _Resource(Handler):
    """What all resources share: a create call, an ARN, tags, a delete call.

    Attributes:
        noun: The resource in the API's operation names.
        answer: Name of the ARN in the answer of the create call.
        argument: Name of the ARN in the delete call.
    """

    noun: ClassVar[str]
    answer: ClassVar[str]
    argument: ClassVar[str]

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Make the resource."""
        operation = f"Create{self.noun}"
        call = getattr(context.client("imagebuilder"), f"create_{self._snake()}")
        made = call(**parameters(context, operation, new))
        return self.made(context, made[self.answer], made.get("latestVersionReferences") or {}, new)

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:
        """Change the tags: all else of a versioned resource replaces it."""
        retag(context, physical_id, old, new)
        return self.made(context, physical_id, {}, new)

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Remove the resource."""
        getattr(context.client("imagebuilder"), f"delete_{self._snake()}")(**{self.argument: physical_id})

    def made(self, context: Context, arn: str, latest: Mapping[str, str], new: Mapping[str, Any]) -> Made:  # noqa: ARG002
        """Return the resource with its attributes."""
        attributes: dict[str, Any] = {"Arn": arn}
        attributes |= {name: latest[key] for name, key in LATEST.items() if key in latest}
        if "Version" in self.handles:
            # .../name/1.0.3 or .../name/1.0.3/2
            attributes["Version"] = arn.split("/")[2]
        return Made(physical_id=arn, attributes=attributes)

    def _snake(self) -> str:
        return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in self.noun).lstrip("_")


@handles(
    "AWS::ImageBuilder::Component",
    "ChangeDescription Data Description KmsKeyId Name Platform SupportedOsVersions Tags Uri Version",
)
class Component(_Resource):
    """A component document."""

    noun = "Component"
    answer = argument = "componentBuildVersionArn"

    def made(self, context: Context, arn: str, latest: Mapping[str, str], new: Mapping[str, Any]) -> Made:
        """Return the component with its kind."""
        made = super().made(context, arn, latest, new)
        found = context.client("imagebuilder").get_component(componentBuildVersionArn=arn)["component"]
        more = {"Type": found.get("type", "BUILD"), "Encrypted": found.get("encrypted", True)}
        return Made(physical_id=arn, attributes={**made.attributes, **more})


@handles("AWS::ImageBuilder::Workflow", "ChangeDescription Data Description KmsKeyId Name Tags Type Uri Version")
class Workflow(_Resource):
    """A workflow document."""

    noun = "Workflow"
    answer = argument = "workflowBuildVersionArn"


@handles(
    "AWS::ImageBuilder::ImageRecipe",
    "AdditionalInstanceConfiguration AmiTags AmiWatermarks BlockDeviceMappings Components Description Name ParentImage "
    "Tags Version WorkingDirectory",
)
class ImageRecipe(_Resource):
    """A recipe of a machine image."""

    noun = "ImageRecipe"
    answer = argument = "imageRecipeArn"


class _Configuration(_Resource):
    """A resource whose update call takes everything but name and tags anew."""

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:
        """Set everything again."""
        retag(context, physical_id, old, new)
        own = {name: value for name, value in new.items() if name not in {"Name", "Tags"}}
        call = getattr(context.client("imagebuilder"), f"update_{self._snake()}")
        found = api_parameters("imagebuilder", f"Update{self.noun}", own, renames=RENAMES)
        call(**found, **{self.argument: physical_id})
        return self.made(context, physical_id, {}, new)


@handles(
    "AWS::ImageBuilder::InfrastructureConfiguration",
    "Description InstanceMetadataOptions InstanceProfileName InstanceTypes KeyPair Logging Name ParentInstance "
    "Placement ResourceTags SecurityGroupIds SnsTopicArn SubnetId Tags TerminateInstanceOnCompletion "
    "TerminateInstanceOnFailure",
)
class InfrastructureConfiguration(_Configuration):
    """Where builds run."""

    noun = "InfrastructureConfiguration"
    answer = argument = "infrastructureConfigurationArn"


@handles("AWS::ImageBuilder::DistributionConfiguration", "Description Distributions Name Tags")
class DistributionConfiguration(_Configuration):
    """Where images go."""

    noun = "DistributionConfiguration"
    answer = argument = "distributionConfigurationArn"


@handles(
    "AWS::ImageBuilder::LifecyclePolicy",
    "Description ExecutionRole Name PolicyDetails ResourceSelection ResourceType Status Tags",
)
class LifecyclePolicy(_Configuration):
    """How images end."""

    noun = "LifecyclePolicy"
    answer = argument = "lifecyclePolicyArn"


@handles(
    "AWS::ImageBuilder::ImagePipeline",
    "ContainerRecipeArn Description DistributionConfigurationArn EnhancedImageMetadataEnabled ExecutionRole "
    "ImageRecipeArn ImageScanningConfiguration ImageTags ImageTestsConfiguration InfrastructureConfigurationArn "
    "LoggingConfiguration Name Schedule Status Tags Workflows",
)
class ImagePipeline(_Configuration):
    """A pipeline; its deployment id is another after each change of its configuration."""

    noun = "ImagePipeline"
    answer = argument = "imagePipelineArn"

    def made(self, context: Context, arn: str, latest: Mapping[str, str], new: Mapping[str, Any]) -> Made:
        """Return the pipeline with its deployment id."""
        made = super().made(context, arn, latest, new)
        # The same configuration has the same id, so that a roll back does not look like another deployment.
        content = json.dumps({name: new[name] for name in new if name != "Tags"}, sort_keys=True)
        digest = hashlib.sha256(content.encode()).hexdigest()[:DIGEST_CHARACTERS]
        deployment = f"{arn}{DEPLOYMENT_SEPARATOR}{digest}"
        return Made(physical_id=arn, attributes={**made.attributes, "DeploymentId": deployment})
