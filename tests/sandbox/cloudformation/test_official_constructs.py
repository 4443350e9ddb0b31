"""Apps with the CDK's own constructs for Image Builder, deployed, built and destroyed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_imagebuilder_alpha as imagebuilder
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_ssm as ssm

from tests.support.deployed import Deployed
from tests.support.sandbox import MakeClient, wait_until

LINUX = "/aws/service/ami-amazon-linux-latest/al2023-ami-minimal-kernel-default-x86_64"

LAUNCHED = {"instanceId.$": "$.stepOutputs.Launch.instanceId"}


def component(stack: cdk.Stack, name: str = "Component", **options: Any) -> imagebuilder.Component:
    step = {"name": "Install", "action": "ExecuteBash", "inputs": {"commands": ["dnf install -y nginx"]}}
    return imagebuilder.Component(
        stack,
        name,
        platform=imagebuilder.Platform.LINUX,
        data=imagebuilder.ComponentData.from_json_object(
            {"schemaVersion": "1.0", "phases": [{"name": "build", "steps": [step]}]}
        ),
        **options,
    )


def workflow(stack: cdk.Stack, **options: Any) -> imagebuilder.Workflow:
    def step(name: str, action: str, inputs: dict[str, Any], failure: str = "Abort") -> dict[str, Any]:
        return {"name": name, "action": action, "onFailure": failure, "inputs": inputs}

    return imagebuilder.Workflow(
        stack,
        "Workflow",
        workflow_type=imagebuilder.WorkflowType.BUILD,
        data=imagebuilder.WorkflowData.from_json_object(
            {
                "schemaVersion": "1.0",
                "steps": [
                    step("Launch", "LaunchInstance", {"waitFor": "ssmAgent"}),
                    step("Apply", "ExecuteComponents", LAUNCHED),
                    step("Create", "CreateImage", LAUNCHED),
                    step("End", "TerminateInstance", LAUNCHED, "Continue"),
                ],
                "outputs": [{"name": "ImageId", "value": "$.stepOutputs.Create.imageId"}],
            }
        ),
        **options,
    )


def test_a_pipeline_with_all_that_belongs_to_it_builds(deployed: Deployed, aws: MakeClient, tmp_path: Path) -> None:
    (tmp_path / "component.yml").write_text(
        "schemaVersion: 1.0\nphases:\n  - name: test\n    steps:\n"
        "      - {name: Serves, action: ExecuteBash, inputs: {commands: ['curl -f localhost']}}\n"
    )
    stack = deployed.stack("Pipeline")
    vpc = ec2.Vpc(
        stack,
        "Vpc",
        availability_zones=["us-east-1a"],
        nat_gateways=0,
        restrict_default_security_group=False,
        subnet_configuration=[ec2.SubnetConfiguration(name="p", subnet_type=ec2.SubnetType.PUBLIC)],
    )
    recipe = imagebuilder.ImageRecipe(
        stack,
        "Recipe",
        base_image=imagebuilder.BaseImage.from_ssm_parameter_name(LINUX),
        components=[
            imagebuilder.ComponentConfiguration(
                component=imagebuilder.AmazonManagedComponent.update_os(
                    stack, "Update", platform=imagebuilder.Platform.LINUX
                )
            ),
            imagebuilder.ComponentConfiguration(
                component=component(stack, kms_key=kms.Key(stack, "Key", removal_policy=cdk.RemovalPolicy.DESTROY))
            ),
            imagebuilder.ComponentConfiguration(
                component=imagebuilder.Component(
                    stack,
                    "FromFile",
                    platform=imagebuilder.Platform.LINUX,
                    data=imagebuilder.ComponentData.from_asset(stack, "File", str(tmp_path / "component.yml")),
                )
            ),
        ],
        block_devices=[
            ec2.BlockDevice(
                device_name="/dev/xvda",
                volume=ec2.BlockDeviceVolume.ebs(20, volume_type=ec2.EbsDeviceVolumeType.GP3),
            )
        ],
        ami_tags={"Environment": "production"},
    )
    infrastructure = imagebuilder.InfrastructureConfiguration(
        stack,
        "Infrastructure",
        instance_types=[ec2.InstanceType.of(ec2.InstanceClass.STANDARD7_INTEL, ec2.InstanceSize.LARGE)],
        vpc=vpc,
        subnet_selection=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC),
        # Without one the construct renders a subnet alone, which the service refuses.
        security_groups=[ec2.SecurityGroup(stack, "Builds", vpc=vpc)],
        logging=imagebuilder.InfrastructureConfigurationLogging(
            s3_bucket=s3.Bucket(
                stack, "Logs", auto_delete_objects=True, removal_policy=cdk.RemovalPolicy.DESTROY, enforce_ssl=True
            ),
            s3_key_prefix="builds",
        ),
        resource_tags={"Environment": "production"},
    )
    template = ec2.LaunchTemplate(
        stack, "Template", machine_image=ec2.MachineImage.from_ssm_parameter(LINUX), require_imdsv2=True
    )
    distribution = imagebuilder.DistributionConfiguration(
        stack,
        "Distribution",
        ami_distributions=[
            imagebuilder.AmiDistribution(
                region="us-east-2",
                ami_name="far-{{ imagebuilder:buildDate }}",
                ssm_parameters=[
                    imagebuilder.SSMParameterConfigurations(
                        parameter=ssm.StringParameter.from_string_parameter_attributes(
                            stack, "Far", parameter_name="/imagebuilder/far", force_dynamic_reference=True
                        )
                    )
                ],
            )
        ],
    )
    distribution.add_ami_distributions(
        imagebuilder.AmiDistribution(
            ami_name="near-{{ imagebuilder:buildDate }}",
            ami_description="Build AMI",
            ami_launch_permission=imagebuilder.AmiLaunchPermission(account_ids=["234567890123"]),
            ami_tags={"Version": "{{ imagebuilder:buildVersion }}"},
            launch_templates=[
                imagebuilder.LaunchTemplateConfiguration(launch_template=template, set_default_version=True)
            ],
        )
    )
    pipeline = imagebuilder.ImagePipeline(
        stack,
        "Pipeline",
        recipe=recipe,
        infrastructure_configuration=infrastructure,
        distribution_configuration=distribution,
        schedule=imagebuilder.ImagePipelineSchedule(
            expression=events.Schedule.rate(cdk.Duration.days(7)),
            start_condition=imagebuilder.ScheduleStartCondition.EXPRESSION_MATCH_AND_DEPENDENCY_UPDATES_AVAILABLE,
            auto_disable_failure_count=3,
        ),
        status=imagebuilder.ImagePipelineStatus.ENABLED,
        image_log_group=logs.LogGroup(stack, "ImageLogs", removal_policy=cdk.RemovalPolicy.DESTROY),
        image_pipeline_log_group=logs.LogGroup(stack, "PipelineLogs", removal_policy=cdk.RemovalPolicy.DESTROY),
        workflows=[
            imagebuilder.WorkflowConfiguration(workflow=workflow(stack)),
            imagebuilder.WorkflowConfiguration(workflow=imagebuilder.AmazonManagedWorkflow.test_image(stack, "Test")),
        ],
        execution_role=iam.Role(
            stack,
            "Execution",
            assumed_by=iam.ServicePrincipal("imagebuilder.amazonaws.com"),
            managed_policies=[iam.ManagedPolicy.from_aws_managed_policy_name("EC2ImageBuilderExecutionPolicy")],
        ),
        enhanced_image_metadata_enabled=True,
    )
    imagebuilder.LifecyclePolicy(
        stack,
        "Lifecycle",
        resource_type=imagebuilder.LifecyclePolicyResourceType.AMI_IMAGE,
        details=[
            imagebuilder.LifecyclePolicyDetail(
                action=imagebuilder.LifecyclePolicyAction(
                    type=imagebuilder.LifecyclePolicyActionType.DELETE, include_amis=True, include_snapshots=True
                ),
                filter=imagebuilder.LifecyclePolicyFilter(
                    age_filter=imagebuilder.LifecyclePolicyAgeFilter(age=cdk.Duration.days(60), retain_at_least=3)
                ),
            )
        ],
        resource_selection=imagebuilder.LifecyclePolicyResourceSelection(tags={"Environment": "testing"}),
    )
    pipeline.grant_start_execution(iam.Role(stack, "Starter", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com")))
    cdk.CfnOutput(stack, "Arn", value=pipeline.image_pipeline_arn)

    stacks = deployed.deploy("Pipeline")

    builder = aws("imagebuilder")
    started = builder.start_image_pipeline_execution(imagePipelineArn=stacks.outputs("Pipeline")["Arn"])
    arn = started["imageBuildVersionArn"]

    def state() -> dict[str, Any]:
        found: dict[str, Any] = builder.get_image(imageBuildVersionArn=arn)["image"]["state"]
        return found

    wait_until(lambda: state()["status"] in {"AVAILABLE", "FAILED"}, seconds=60)
    assert state()["status"] == "AVAILABLE", state()
    amis = builder.get_image(imageBuildVersionArn=arn)["image"]["outputResources"]["amis"]
    where = {ami["region"]: ami["image"] for ami in amis}
    assert sorted(where) == ["us-east-1", "us-east-2"]
    far = aws("ssm", "us-east-2").get_parameter(Name="/imagebuilder/far")["Parameter"]["Value"]
    assert far == where["us-east-2"]
    assert stacks.delete("Pipeline") == "DELETE_COMPLETE", stacks.reasons("Pipeline")
    assert builder.list_image_pipelines()["imagePipelineList"] == []


@pytest.mark.parametrize("system", ["linux", "windows"])
def test_an_image_is_built_by_the_deployment(deployed: Deployed, aws: MakeClient, system: str) -> None:
    stack = deployed.stack("Image")
    if system == "linux":
        base = imagebuilder.BaseImage.from_ssm_parameter_name(LINUX)
    else:
        base = imagebuilder.AmazonManagedImage.windows_server2022_full(
            stack,
            "Base",
            image_type=imagebuilder.ImageType.AMI,
            image_architecture=imagebuilder.ImageArchitecture.X86_64,
        ).to_base_image()
    recipe = imagebuilder.ImageRecipe(stack, "Recipe", base_image=base)
    image = imagebuilder.Image(stack, "Image", recipe=recipe, deletion_execution_role=None, image_tests_enabled=False)
    cdk.CfnOutput(stack, "Ami", value=image.image_id)

    stacks = deployed.deploy("Image")

    found = aws("ec2").describe_images(ImageIds=[stacks.outputs("Image")["Ami"]])["Images"][0]
    assert (found["State"], found.get("Platform")) == ("available", None if system == "linux" else "windows")
    assert stacks.delete("Image") == "DELETE_COMPLETE", stacks.reasons("Image")
    assert aws("imagebuilder").list_images()["imageVersionList"] == []
