"""What a golden image renders, option by option."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_iam as iam
from aws_cdk import aws_imagebuilder as imagebuilder

from cdk_ami.build.environment import BuildEnvironment
from cdk_ami.build.schedule import BuildSchedule, StartCondition
from cdk_ami.build.trigger import BuildTrigger
from cdk_ami.distribution.channel import Tracking
from cdk_ami.distribution.distribution import Distribution
from cdk_ami.distribution.target import Target
from cdk_ami.recipe.volume import Volume
from cdk_ami.source.image import SourceImage
from tests.support.images import (
    DISTRIBUTION,
    IMAGE,
    INFRASTRUCTURE,
    PIPELINE,
    RECIPE,
    make_image,
    properties_with,
    template_with,
)
from tests.support.synth import get_att, make_stack, only_resource, resources_of, template_of

LOG_GROUP = "AWS::Logs::LogGroup"


@pytest.fixture(scope="module")
def plain() -> dict[str, Any]:
    """The template of an image with nothing but its name and source."""
    return template_with()


# --- what an image is by default


def test_the_logical_ids_of_an_image_stay_as_they_are() -> None:
    template = template_with(trigger=BuildTrigger.on_change())

    assert sorted(name for name in template["Resources"] if name.startswith("Web")) == [
        "WebDistribution1559F4E4",
        "WebImage085F8B43",
        "WebInfrastructure330B68F4",
        "WebInstanceProfile4AD67746",
        "WebLogGroup6ECE5103",
        "WebPipelineF7944AB3",
        "WebRecipe8CF55D4D",
        "WebRole8DB59236",
    ]


def test_a_plain_image_has_a_recipe_that_counts_its_own_versions(plain: dict[str, Any]) -> None:
    recipe = only_resource(plain, RECIPE)["Properties"]

    assert recipe == {
        "Name": "web",
        "Version": "1.0.x",
        "ParentImage": "ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
        "Components": [{"ComponentArn": "arn:aws:imagebuilder:us-east-1:aws:component/simple-boot-test-linux/x.x.x"}],
        "BlockDeviceMappings": [
            {
                "DeviceName": "/dev/xvda",
                "Ebs": {"DeleteOnTermination": True, "Encrypted": True, "VolumeType": "gp3"},
            }
        ],
        "AmiTags": {"cdk-ami:image": "web"},
        "AdditionalInstanceConfiguration": {"SystemsManagerAgent": {"UninstallAfterBuild": False}},
    }


def test_a_plain_image_is_built_in_the_default_vpc_with_imdsv2(plain: dict[str, Any]) -> None:
    infrastructure = only_resource(plain, INFRASTRUCTURE)["Properties"]

    assert infrastructure == {
        "Name": "web",
        "Description": "Where web is built",
        "InstanceMetadataOptions": {"HttpPutResponseHopLimit": 2, "HttpTokens": "required"},
        "InstanceProfileName": {"Ref": "WebInstanceProfile4AD67746"},
        "InstanceTypes": ["m6i.large", "m5.large", "t3.large"],
        "TerminateInstanceOnFailure": True,
    }
    assert not resources_of(plain, "AWS::EC2::SecurityGroup")


def test_a_plain_image_has_a_pipeline_that_nothing_starts(plain: dict[str, Any]) -> None:
    pipeline = only_resource(plain, PIPELINE)["Properties"]

    assert pipeline == {
        "Name": "web",
        "Description": "Builds web",
        "ImageRecipeArn": get_att("WebRecipe8CF55D4D"),
        "InfrastructureConfigurationArn": get_att("WebInfrastructure330B68F4"),
        "DistributionConfigurationArn": get_att("WebDistribution1559F4E4"),
        "EnhancedImageMetadataEnabled": True,
        "ImageTags": {"cdk-ami:image": "web"},
        "ImageTestsConfiguration": {"ImageTestsEnabled": True},
        "LoggingConfiguration": {
            "ImageLogGroupName": {"Ref": "WebLogGroup6ECE5103"},
            "PipelineLogGroupName": {"Ref": "WebLogGroup6ECE5103"},
        },
    }
    assert not resources_of(plain, IMAGE)


def test_a_plain_image_goes_to_its_own_region_and_writes_the_entry_channel(plain: dict[str, Any]) -> None:
    (target,) = only_resource(plain, DISTRIBUTION)["Properties"]["Distributions"]

    assert target["Region"] == "us-east-1"
    assert target["AmiDistributionConfiguration"]["AmiTags"] == {"cdk-ami:image": "web"}
    assert target["SsmParameterConfigurations"] == [
        {"ParameterName": "/imagebuilder/web/latest", "DataType": "aws:ec2:image"}
    ]


def test_logs_are_kept_for_ninety_days_and_go_with_the_stack(plain: dict[str, Any]) -> None:
    group = only_resource(plain, LOG_GROUP)

    assert group["Properties"] == {"LogGroupName": "/aws/imagebuilder/web", "RetentionInDays": 90}
    assert "DeletionPolicy" not in group


def test_a_name_in_another_spelling_is_the_same_name_everywhere() -> None:
    stack = make_stack()

    image = make_image(stack, name="Web_Server 2")

    template = template_of(stack)
    assert image.image_name == "web-server-2"
    assert image.channel.parameter_name == "/imagebuilder/web-server-2/latest"
    for kind in (RECIPE, INFRASTRUCTURE, DISTRIBUTION, PIPELINE):
        assert only_resource(template, kind)["Properties"]["Name"] == "web-server-2"
    assert only_resource(template, LOG_GROUP)["Properties"]["LogGroupName"] == "/aws/imagebuilder/web-server-2"


# --- the pipeline and its triggers


def test_a_schedule_is_rendered_whole() -> None:
    schedule = BuildSchedule(
        expression="cron(30 2 ? * mon-fri *)",
        time_zone="Europe/Berlin",
        start_condition=StartCondition.ALWAYS,
        disable_after_failures=3,
    )

    pipeline = properties_with(PIPELINE, trigger=BuildTrigger.schedule(schedule))

    assert pipeline["Schedule"] == {
        "ScheduleExpression": "cron(30 2 ? * mon-fri *)",
        "Timezone": "Europe/Berlin",
        "PipelineExecutionStartCondition": "EXPRESSION_MATCH_ONLY",
        "AutoDisablePolicy": {"FailureCount": 3},
    }


def test_a_schedule_waits_for_updates_and_disables_after_five_failures_unless_told_otherwise() -> None:
    pipeline = properties_with(PIPELINE, trigger=BuildTrigger.schedule(BuildSchedule.weekly()))

    assert pipeline["Schedule"] == {
        "ScheduleExpression": "cron(0 4 ? * sun *)",
        "Timezone": "Etc/UTC",
        "PipelineExecutionStartCondition": "EXPRESSION_MATCH_AND_DEPENDENCY_UPDATES_AVAILABLE",
        "AutoDisablePolicy": {"FailureCount": 5},
    }


def test_on_change_builds_in_the_deployment_and_keeps_every_build() -> None:
    image = only_resource(template_with(trigger=BuildTrigger.on_change()), IMAGE)

    assert image["Properties"] == {
        "ImagePipelineExecutionSettings": {
            "DeploymentId": get_att("WebPipelineF7944AB3", "DeploymentId"),
            "OnUpdate": True,
        },
        "Tags": {"cdk-ami:image": "web"},
    }
    assert (image["DeletionPolicy"], image["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_a_new_region_changes_the_pipeline_so_that_on_change_builds() -> None:
    def description(*regions: str) -> str:
        pipeline = properties_with(
            PIPELINE, distribution=Distribution.to_regions(*regions), trigger=BuildTrigger.on_change()
        )
        return str(pipeline["Description"])

    assert description("us-east-1") != description("us-east-1", "eu-west-1")
    assert description("us-east-1", "eu-west-1") == description("eu-west-1", "us-east-1")


def test_a_new_account_or_another_reason_changes_the_pipeline_so_that_on_change_builds() -> None:
    def description(trigger: BuildTrigger, *accounts: str) -> str:
        distribution = Distribution(targets=[Target(region="us-east-1", accounts=accounts, kms_key="alias/images")])
        return str(properties_with(PIPELINE, distribution=distribution, trigger=trigger)["Description"])

    plain = description(BuildTrigger.on_change())

    assert description(BuildTrigger.on_change(), "210987654321") != plain
    assert description(BuildTrigger.on_change(also=["2026-12"])) != plain
    assert description(BuildTrigger.manual()) == "Builds web"


def test_tests_metadata_and_scan_are_as_asked_for() -> None:
    scanned = properties_with(PIPELINE, scan=True, enhanced_metadata=False)
    untested = properties_with(PIPELINE, run_tests=False)

    assert scanned["ImageScanningConfiguration"] == {"ImageScanningEnabled": True}
    assert scanned["EnhancedImageMetadataEnabled"] is False
    assert untested["ImageTestsConfiguration"] == {"ImageTestsEnabled": False}


def test_an_execution_role_runs_the_workflow() -> None:
    stack = make_stack()
    role = iam.Role(stack, "Runner", assumed_by=iam.ServicePrincipal("imagebuilder.amazonaws.com"))

    pipeline = properties_with(
        PIPELINE, stack, execution_role=role, source=SourceImage.from_ssm_parameter("/own/ami", root_device="/dev/xvda")
    )

    assert pipeline["ExecutionRole"] == get_att("RunnerA54BCE97")


def test_a_distribution_made_elsewhere_comes_in_by_reference_and_the_recipe_carries_the_tags() -> None:
    stack = make_stack()
    made = imagebuilder.CfnDistributionConfiguration(
        stack, "Made", name="made", distributions=[{"region": "us-east-1", "amiDistributionConfiguration": {}}]
    )

    template = template_with(stack, distribution=made, tags={"team": "web"}, trigger=BuildTrigger.on_change())

    assert only_resource(template, PIPELINE)["Properties"]["DistributionConfigurationArn"] == {"Ref": "Made"}
    assert only_resource(template, RECIPE)["Properties"]["AmiTags"] == {"cdk-ami:image": "web", "team": "web"}


def test_the_image_knows_its_entry_channel_and_machine_image() -> None:
    distribution = Distribution.to_regions("us-east-1", entry_channel="candidate")

    image = make_image(distribution=distribution)

    assert image.channel.parameter_name == "/imagebuilder/web/candidate"
    assert image.machine_image(tracking=Tracking.AT_DEPLOY) is not None


# --- tokens and determinism


def test_a_stack_without_account_and_region_is_rendered_with_references() -> None:
    template = template_with(make_stack(region=None, account=None), trigger=BuildTrigger.on_change())

    (target,) = only_resource(template, DISTRIBUTION)["Properties"]["Distributions"]
    assert target["Region"] == {"Ref": "AWS::Region"}


def test_tokens_are_never_refused() -> None:
    stack = make_stack()

    def token(name: str) -> str:
        return cdk.CfnParameter(stack, name).value_as_string

    def number(name: str) -> Any:
        return cdk.CfnParameter(stack, name, type="Number").value_as_number

    template = template_with(
        stack,
        name=token("Name"),
        source=SourceImage.from_ami_id(token("Ami"), root_device="/dev/xvda"),
        working_directory=token("Directory"),
        tags={"team": token("Team")},
        volumes=[Volume(size_gib=number("Size"))],
        environment=BuildEnvironment(
            instance_types=[token("Type")],
            hop_limit=number("Hops"),
            log_retention_days=number("Days"),
            log_prefix=token("Prefix"),
            resource_tags={"cost": token("Cost")},
        ),
        distribution=Distribution.to_regions(token("Target")),
        trigger=BuildTrigger.on_change(
            schedule=BuildSchedule(
                expression=token("Cron"), time_zone=token("Zone"), disable_after_failures=number("Failures")
            )
        ),
    )

    assert only_resource(template, RECIPE)["Properties"]["Name"] == {"Ref": "Name"}
    assert only_resource(template, INFRASTRUCTURE)["Properties"]["InstanceTypes"] == [{"Ref": "Type"}]


def test_the_fingerprint_does_not_depend_on_the_numbers_of_tokens() -> None:
    def description(tokens_before: int) -> str:
        stack = make_stack(region=None, account=None)
        for index in range(tokens_before):
            _ = cdk.CfnParameter(stack, f"P{index}").value_as_string
        template = template_with(stack, trigger=BuildTrigger.on_change(also=[stack.region]))
        return str(only_resource(template, PIPELINE)["Properties"]["Description"])

    assert description(0) == description(7)
