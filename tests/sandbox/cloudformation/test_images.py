"""Image Builder's resources: a pipeline that builds in the deployment, again when its configuration changes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.sandbox import MakeClient
from tests.support.stacks import Stacks, resource, trust

AL2023 = "ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
RETAINED = {"UpdateReplacePolicy": "Retain", "DeletionPolicy": "Retain"}


def document(command: str) -> str:
    step = {"name": "Step", "action": "ExecuteBash", "inputs": {"commands": [command]}}
    return json.dumps({"schemaVersion": 1.0, "phases": [{"name": "build", "steps": [step]}]})


def pipeline(
    command: str = "echo one", parent: str = AL2023, regions: tuple[str, ...] = ("us-east-1",)
) -> dict[str, Any]:
    distributions = [
        {
            "Region": region,
            "AmiDistributionConfiguration": {"Name": "web-{{ imagebuilder:buildDate }}"},
            "SsmParameterConfigurations": [{"ParameterName": "/imagebuilder/web/latest", "DataType": "aws:ec2:image"}],
        }
        for region in regions
    ]
    disk = {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": "10", "VolumeType": "gp3", "Encrypted": "true"}}
    return {
        "Role": resource(
            "IAM::Role",
            {
                "AssumeRolePolicyDocument": trust(),
                "ManagedPolicyArns": [
                    "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore",
                    "arn:aws:iam::aws:policy/EC2InstanceProfileForImageBuilder",
                ],
            },
        ),
        "Profile": resource("IAM::InstanceProfile", {"Roles": [{"Ref": "Role"}]}),
        "Component": resource(
            "ImageBuilder::Component",
            {"Name": "web", "Version": "1.0.0", "Platform": "Linux", "Data": document(command), "Tags": {"a": "b"}},
        ),
        "Recipe": resource(
            "ImageBuilder::ImageRecipe",
            {
                "Name": "web",
                "Version": "1.0.x",
                "ParentImage": parent,
                "Components": [{"ComponentArn": {"Ref": "Component"}}],
                "BlockDeviceMappings": [disk],
            },
        ),
        "Infrastructure": resource(
            "ImageBuilder::InfrastructureConfiguration",
            {"Name": "web", "InstanceProfileName": {"Ref": "Profile"}, "InstanceTypes": ["t3.small"]},
        ),
        "Distribution": resource(
            "ImageBuilder::DistributionConfiguration", {"Name": "web", "Distributions": distributions}
        ),
        "Pipeline": resource(
            "ImageBuilder::ImagePipeline",
            {
                "Name": "web",
                "ImageRecipeArn": {"Ref": "Recipe"},
                "InfrastructureConfigurationArn": {"Ref": "Infrastructure"},
                "DistributionConfigurationArn": {"Ref": "Distribution"},
            },
        ),
    }


def built(*, on_update: bool = True) -> dict[str, Any]:
    settings = {"DeploymentId": {"Fn::GetAtt": ["Pipeline", "DeploymentId"]}, "OnUpdate": on_update}
    return {"Image": resource("ImageBuilder::Image", {"ImagePipelineExecutionSettings": settings}, **RETAINED)}


OUTPUTS = {
    "Outputs": {
        "Ami": {"Value": {"Fn::GetAtt": ["Image", "ImageId"]}},
        "Name": {"Value": {"Fn::GetAtt": ["Image", "Name"]}},
        "Recipe": {"Value": {"Fn::GetAtt": ["Recipe", "Version"]}},
    }
}


def channel(aws: MakeClient, region: str = "us-east-1") -> str:
    return str(aws("ssm", region).get_parameter(Name="/imagebuilder/web/latest")["Parameter"]["Value"])


def test_a_deployment_builds_the_image_and_waits_for_it(stacks: Stacks, aws: MakeClient) -> None:
    status = stacks.create("image", {**pipeline(regions=("us-east-1", "eu-west-1")), **built()}, sections=OUTPUTS)

    assert status == "CREATE_COMPLETE", stacks.reasons("image")
    outputs = stacks.outputs("image")
    assert outputs["Name"] == "web"
    assert outputs["Ami"] == channel(aws)
    assert channel(aws, "eu-west-1") != outputs["Ami"]
    image = aws("imagebuilder").get_image(imageBuildVersionArn=stacks.physical_id("image", "Image"))["image"]
    assert image["state"]["status"] == "AVAILABLE"


def test_another_component_builds_another_image_and_keeps_the_first(stacks: Stacks, aws: MakeClient) -> None:
    stacks.create("image", {**pipeline("echo one"), **built()}, sections=OUTPUTS)
    first, ami = stacks.physical_id("image", "Image"), channel(aws)

    status = stacks.update("image", {**pipeline("echo two"), **built()}, sections=OUTPUTS)

    assert status == "UPDATE_COMPLETE", stacks.reasons("image")
    second = stacks.physical_id("image", "Image")
    assert first != second
    assert stacks.outputs("image")["Ami"] == channel(aws) != ami
    arns = {one["arn"] for one in aws("imagebuilder").list_images()["imageVersionList"]}
    assert {first.rpartition("/")[0], second.rpartition("/")[0]} <= arns
    assert aws("ec2").describe_images(ImageIds=[ami])["Images"][0]["State"] == "available"


def test_without_on_update_another_configuration_builds_nothing(stacks: Stacks, aws: MakeClient) -> None:
    stacks.create("image", {**pipeline("echo one"), **built(on_update=False)})
    ami = channel(aws)

    assert stacks.update("image", {**pipeline("echo two"), **built(on_update=False)}) == "UPDATE_COMPLETE"

    assert channel(aws) == ami


def test_deploying_the_same_again_builds_nothing(stacks: Stacks) -> None:
    resources = {**pipeline(), **built()}
    stacks.create("image", resources)

    with pytest.raises(ClientError, match="No updates are to be performed"):
        stacks.update("image", resources)


def test_a_failed_build_rolls_the_update_back_and_leaves_the_channel(stacks: Stacks, aws: MakeClient) -> None:
    stacks.create("image", {**pipeline(), **built()})
    first, ami = stacks.physical_id("image", "Image"), channel(aws)
    recipe = stacks.physical_id("image", "Recipe")

    status = stacks.update("image", {**pipeline(parent="ssm:/nowhere/at/all"), **built()})

    assert status == "UPDATE_ROLLBACK_COMPLETE"
    assert any("FAILED" in reason for reason in stacks.reasons("image"))
    assert (stacks.physical_id("image", "Image"), channel(aws)) == (first, ami)
    now = aws("imagebuilder").get_image_pipeline(imagePipelineArn=stacks.physical_id("image", "Pipeline"))
    assert now["imagePipeline"]["imageRecipeArn"] == recipe


def test_a_failed_first_build_rolls_the_stack_back(stacks: Stacks, aws: MakeClient) -> None:
    status = stacks.create("image", {**pipeline(parent="ssm:/nowhere/at/all"), **built()})

    assert status == "ROLLBACK_COMPLETE"
    assert aws("imagebuilder").list_image_pipelines()["imagePipelineList"] == []
    assert aws("imagebuilder").list_images()["imageVersionList"] == []


def test_an_image_may_name_its_recipe_itself(stacks: Stacks) -> None:
    parts = {"ImageRecipeArn": {"Ref": "Recipe"}, "InfrastructureConfigurationArn": {"Ref": "Infrastructure"}}

    stacks.create("image", {**pipeline(), "Image": resource("ImageBuilder::Image", parts)}, sections=OUTPUTS)

    assert stacks.outputs("image")["Ami"].startswith("ami-")


def test_deleting_leaves_retained_images_and_nothing_else(stacks: Stacks, aws: MakeClient) -> None:
    stacks.create("image", {**pipeline(), **built()})

    assert stacks.delete("image") == "DELETE_COMPLETE"

    imagebuilder = aws("imagebuilder")
    assert len(imagebuilder.list_images()["imageVersionList"]) == 1
    assert imagebuilder.list_image_pipelines()["imagePipelineList"] == []
    assert imagebuilder.list_image_recipes()["imageRecipeSummaryList"] == []
    assert imagebuilder.list_components()["componentVersionList"] == []
    assert imagebuilder.list_distribution_configurations()["distributionConfigurationSummaryList"] == []


def test_configurations_change_in_place(stacks: Stacks, aws: MakeClient) -> None:
    stacks.create("image", pipeline())
    resources = pipeline()
    resources["Infrastructure"]["Properties"]["InstanceTypes"] = ["m7i.large"]
    resources["Pipeline"]["Properties"]["Status"] = "DISABLED"
    resources["Distribution"]["Properties"]["Description"] = "everywhere"

    assert stacks.update("image", resources) == "UPDATE_COMPLETE"

    imagebuilder = aws("imagebuilder")
    arn = stacks.physical_id("image", "Infrastructure")
    found = imagebuilder.get_infrastructure_configuration(infrastructureConfigurationArn=arn)
    assert found["infrastructureConfiguration"]["instanceTypes"] == ["m7i.large"]
    arn = stacks.physical_id("image", "Pipeline")
    assert imagebuilder.get_image_pipeline(imagePipelineArn=arn)["imagePipeline"]["status"] == "DISABLED"
    arn = stacks.physical_id("image", "Distribution")
    found = imagebuilder.get_distribution_configuration(distributionConfigurationArn=arn)
    assert found["distributionConfiguration"]["description"] == "everywhere"


def test_keys_in_the_api_s_case_are_refused(stacks: Stacks) -> None:
    resources = pipeline()
    resources["Distribution"]["Properties"]["Distributions"][0]["AmiDistributionConfiguration"] = {"name": "x"}

    with pytest.raises(ClientError) as caught:
        stacks.create("image", resources)

    assert "Distributions/0/AmiDistributionConfiguration/name" in str(caught.value)


def test_a_lifecycle_policy_and_a_workflow_are_made_and_removed(stacks: Stacks, aws: MakeClient) -> None:
    steps = [
        {"name": "Launch", "action": "LaunchInstance", "onFailure": "Abort", "inputs": {"waitFor": "ssmAgent"}},
        {
            "name": "Image",
            "action": "CreateImage",
            "onFailure": "Abort",
            "inputs": {"instanceId.$": "$.stepOutputs.Launch.instanceId"},
        },
        {
            "name": "End",
            "action": "TerminateInstance",
            "onFailure": "Continue",
            "inputs": {"instanceId.$": "$.stepOutputs.Launch.instanceId"},
        },
    ]
    data = json.dumps(
        {
            "name": "build",
            "schemaVersion": 1.0,
            "steps": steps,
            "outputs": [{"name": "ImageId", "value": "$.stepOutputs.Image.imageId"}],
        }
    )
    resources = {
        "Role": resource("IAM::Role", {"AssumeRolePolicyDocument": trust("imagebuilder.amazonaws.com")}),
        "Policy": resource(
            "ImageBuilder::LifecyclePolicy",
            {
                "Name": "old-images",
                "ExecutionRole": {"Fn::GetAtt": ["Role", "Arn"]},
                "ResourceType": "AMI_IMAGE",
                "PolicyDetails": [
                    {
                        "Action": {"Type": "DEPRECATE", "IncludeResources": {"Amis": True}},
                        "Filter": {"Type": "AGE", "Value": 6, "Unit": "MONTHS"},
                    }
                ],
                "ResourceSelection": {"TagMap": {"team": "web"}},
            },
        ),
        "Workflow": resource(
            "ImageBuilder::Workflow", {"Name": "build", "Version": "1.0.0", "Type": "BUILD", "Data": data}
        ),
    }

    status = stacks.create("ends", resources)

    assert status == "CREATE_COMPLETE", stacks.reasons("ends")
    arn = stacks.physical_id("ends", "Policy")
    found = aws("imagebuilder").get_lifecycle_policy(lifecyclePolicyArn=arn)["lifecyclePolicy"]
    assert found["policyDetails"][0]["filter"] == {"type": "AGE", "value": 6, "unit": "MONTHS"}
    assert stacks.delete("ends") == "DELETE_COMPLETE"


def test_deletion_settings_take_the_machine_images_too(stacks: Stacks, aws: MakeClient) -> None:
    policy = "arn:aws:iam::aws:policy/service-role/EC2ImageBuilderLifecycleExecutionPolicy"
    role = resource(
        "IAM::Role",
        {
            "AssumeRolePolicyDocument": trust("imagebuilder.amazonaws.com"),
            "ManagedPolicyArns": [policy],
        },
    )
    image = built()["Image"]
    settings = {"DeletionSettings": {"ExecutionRole": {"Fn::GetAtt": ["Deleting", "Arn"]}}}
    resources = {
        "Deleting": role,
        "Image": {"Type": image["Type"], "Properties": {**image["Properties"], **settings}},
    }
    stacks.create("image", {**pipeline("echo one"), **resources}, sections=OUTPUTS)
    first = stacks.outputs("image")["Ami"]

    status = stacks.update("image", {**pipeline("echo two"), **resources}, sections=OUTPUTS)

    assert status == "UPDATE_COMPLETE", stacks.reasons("image")
    second = stacks.outputs("image")["Ami"]
    own = [one["ImageId"] for one in aws("ec2").describe_images(Owners=["self"])["Images"]]
    assert own == [second] != [first], "a replacement removes the image that it replaces"
    assert stacks.delete("image") == "DELETE_COMPLETE", stacks.reasons("image")
    assert aws("ec2").describe_images(Owners=["self"])["Images"] == []
    assert aws("ec2").describe_snapshots(OwnerIds=["self"])["Snapshots"] == []
    assert aws("imagebuilder").list_images()["imageVersionList"] == []


def test_container_recipes_are_refused_by_name(stacks: Stacks) -> None:
    recipe = resource(
        "ImageBuilder::ContainerRecipe",
        {
            "Name": "c",
            "Version": "1.0.0",
            "ContainerType": "DOCKER",
            "ParentImage": "amazonlinux",
            "TargetRepository": {"Service": "ECR", "RepositoryName": "r"},
        },
    )

    with pytest.raises(ClientError, match=r"not support these resource types: Recipe \(AWS::ImageBuilder::Container"):
        stacks.create("container", {"Recipe": recipe})
