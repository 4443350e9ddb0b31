"""What a golden image renders, option by option."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import assertions
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_imagebuilder as imagebuilder
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns

from cdk_ami.build.environment import BuildEnvironment
from cdk_ami.build.golden_image import GoldenImage
from cdk_ami.build.schedule import BuildSchedule, StartCondition
from cdk_ami.build.trigger import BuildTrigger
from cdk_ami.distribution.channel import Tracking
from cdk_ami.distribution.distribution import Distribution
from cdk_ami.distribution.target import Target
from cdk_ami.errors import ConfigError
from cdk_ami.recipe.component import Component
from cdk_ami.recipe.volume import Volume
from cdk_ami.source.image import SourceImage
from cdk_ami.source.platform import Architecture
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
from tests.support.synth import ACCOUNT, make_stack, only_resource, resources_of, template_of

LOG_GROUP = "AWS::Logs::LogGroup"


@pytest.fixture(scope="module")
def plain() -> dict[str, Any]:
    """The template of an image with nothing but its name and source."""
    return template_with()


def get_att(name: str, attribute: str = "Arn") -> dict[str, list[str]]:
    return {"Fn::GetAtt": [name, attribute]}


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


# --- the recipe


def test_components_come_in_order_and_tests_after_them() -> None:
    install = Component.from_commands("install", ["dnf -y install httpd"])
    probe = Component.from_commands("probe", ["curl -f localhost"], phase="test")
    agent = Component.aws_managed("amazon-cloudwatch-agent-linux", version="1.0.1")

    recipe = properties_with(RECIPE, components=[agent, install], tests=[probe])

    arns = [str(entry["ComponentArn"]) for entry in recipe["Components"]]
    assert [word for arn in arns for word in ("cloudwatch-agent", "Install", "Probe") if word in arn] == [
        "cloudwatch-agent",
        "Install",
        "Probe",
    ]


def test_no_tests_means_no_tests() -> None:
    recipe = properties_with(RECIPE, components=[Component.aws_managed("update-linux")], tests=[])

    [only] = recipe["Components"]
    assert "update-linux" in str(only["ComponentArn"])


def test_a_recipe_without_components_names_none() -> None:
    assert "Components" not in properties_with(RECIPE, tests=[])
    assert "Components" not in properties_with(RECIPE, run_tests=False)


def test_tests_that_are_not_run_are_pointed_out() -> None:
    stack = make_stack()
    probe = Component.from_commands("probe", ["true"], phase="test")

    make_image(stack, tests=[probe], run_tests=False)

    found = assertions.Annotations.from_stack(stack).find_warning("/S/Web", assertions.Match.any_value())
    assert "run_tests=False" in str(found[0].entry.data)


def test_the_boot_test_is_not_added_twice() -> None:
    recipe = properties_with(RECIPE, components=[Component.aws_managed("simple-boot-test-linux")])

    [only] = recipe["Components"]
    assert "simple-boot-test-linux" in str(only["ComponentArn"])


def test_a_windows_image_gets_the_boot_test_of_windows() -> None:
    recipe = properties_with(RECIPE, source=SourceImage.windows_server())

    assert "simple-boot-test-windows" in str(recipe["Components"][0])


def test_a_component_made_elsewhere_comes_in_by_reference() -> None:
    stack = make_stack()
    made = imagebuilder.CfnComponent(stack, "Made", name="made", platform="Linux", version="1.0.0", data="x")

    recipe = properties_with(RECIPE, stack, components=[made], tests=[])

    assert recipe["Components"] == [{"ComponentArn": {"Ref": "Made"}}]


def test_one_component_of_two_images_is_rendered_once() -> None:
    stack = make_stack()
    install = Component.from_commands("install", ["dnf -y install httpd"])

    make_image(stack, components=[install])
    GoldenImage(stack, "Api", name="api", source=SourceImage.amazon_linux_2023(), components=[install])

    template = template_of(stack)
    [rendered] = resources_of(template, "AWS::ImageBuilder::Component")
    recipes = resources_of(template, RECIPE).values()
    assert [one["Properties"]["Components"][0]["ComponentArn"] for one in recipes] == [
        {"Fn::GetAtt": [rendered, "Arn"]}
    ] * 2


def test_a_data_volume_leaves_the_root_volume_encrypted() -> None:
    recipe = properties_with(RECIPE, volumes=[Volume(device="/dev/sdf", size_gib=50)])

    assert [entry["DeviceName"] for entry in recipe["BlockDeviceMappings"]] == ["/dev/xvda", "/dev/sdf"]
    assert all(entry["Ebs"]["Encrypted"] for entry in recipe["BlockDeviceMappings"])


def test_a_volume_has_the_size_speed_and_key_that_were_asked_for() -> None:
    stack = make_stack()
    key = kms.Key(stack, "Key")

    recipe = properties_with(RECIPE, stack, volumes=[Volume(size_gib=20, iops=4000, throughput_mib=500, kms_key=key)])

    assert recipe["BlockDeviceMappings"] == [
        {
            "DeviceName": "/dev/xvda",
            "Ebs": {
                "DeleteOnTermination": True,
                "Encrypted": True,
                "Iops": 4000,
                "KmsKeyId": get_att("Key961B73FD"),
                "Throughput": 500,
                "VolumeSize": 20,
                "VolumeType": "gp3",
            },
        }
    ]


def test_the_working_directory_and_the_agent_are_as_asked_for() -> None:
    recipe = properties_with(RECIPE, working_directory="/opt/build", keep_ssm_agent=False)

    assert recipe["WorkingDirectory"] == "/opt/build"
    assert recipe["AdditionalInstanceConfiguration"]["SystemsManagerAgent"]["UninstallAfterBuild"] is True


def test_nothing_that_changes_without_the_image_stands_in_the_recipe() -> None:
    recipe = properties_with(RECIPE)

    assert "Description" not in recipe
    assert "Tags" not in recipe


# --- tags


def test_other_tags_change_the_distribution_and_nothing_that_builds() -> None:
    before = template_with(trigger=BuildTrigger.on_change(), tags={"team": "web"})["Resources"]
    after = template_with(trigger=BuildTrigger.on_change(), tags={"team": "api", "cost": "7"})["Resources"]

    changed = [name for name in before if before[name] != after[name]]

    assert changed == ["WebDistribution1559F4E4"]
    (target,) = after[changed[0]]["Properties"]["Distributions"]
    assert target["AmiDistributionConfiguration"]["AmiTags"] == {
        "cdk-ami:image": "web",
        "cost": "7",
        "team": "api",
    }


def test_tags_of_a_distribution_win_over_those_of_the_image() -> None:
    distribution = Distribution.to_regions("us-east-1", tags={"team": "platform"})

    properties = properties_with(DISTRIBUTION, distribution=distribution, tags={"team": "web"})

    tags = properties["Distributions"][0]["AmiDistributionConfiguration"]["AmiTags"]
    assert tags == {"cdk-ami:image": "web", "team": "platform"}


def test_every_start_of_a_build_gives_the_image_resource_the_same_tags() -> None:
    template = template_with(trigger=BuildTrigger.on_change(schedule=BuildSchedule.daily()))

    scheduled = only_resource(template, PIPELINE)["Properties"]["ImageTags"]
    deployed = only_resource(template, IMAGE)["Properties"]["Tags"]

    assert scheduled == deployed == {"cdk-ami:image": "web"}


def test_stack_tags_reach_the_resources_and_leave_the_ami_tags_alone() -> None:
    stack = make_stack()
    cdk.Tags.of(stack).add("team", "web")

    recipe = properties_with(RECIPE, stack)

    assert recipe["Tags"] == {"team": "web"}
    assert recipe["AmiTags"] == {"cdk-ami:image": "web"}


# --- the build environment


def test_a_vpc_always_comes_with_subnet_and_security_group() -> None:
    stack = make_stack()
    vpc = ec2.Vpc(stack, "Vpc", max_azs=1)

    template = template_with(stack, environment=BuildEnvironment(vpc=vpc))

    infrastructure = only_resource(template, INFRASTRUCTURE)["Properties"]
    assert infrastructure["SubnetId"] == {"Ref": "VpcPrivateSubnet1Subnet536B997A"}
    assert infrastructure["SecurityGroupIds"] == [get_att("WebSecurityGroup322089BD", "GroupId")]
    group = template["Resources"]["WebSecurityGroup322089BD"]["Properties"]
    assert "SecurityGroupIngress" not in group
    assert [(rule["CidrIp"], rule["FromPort"], rule["ToPort"]) for rule in group["SecurityGroupEgress"]] == [
        ("0.0.0.0/0", 443, 443),
        ("0.0.0.0/0", 80, 80),
    ]


def test_a_vpc_without_private_subnets_builds_in_a_public_one() -> None:
    stack = make_stack()
    vpc = ec2.Vpc(stack, "Vpc", max_azs=1, nat_gateways=0)

    infrastructure = properties_with(INFRASTRUCTURE, stack, environment=BuildEnvironment(vpc=vpc))

    assert infrastructure["SubnetId"] == {"Ref": "VpcPublicSubnet1Subnet5C2D37C4"}


def test_the_named_subnet_and_groups_are_taken() -> None:
    stack = make_stack()
    vpc = ec2.Vpc(stack, "Vpc", max_azs=2)
    group = ec2.SecurityGroup.from_security_group_id(stack, "Group", "sg-0123456789abcdef0")
    environment = BuildEnvironment(vpc=vpc, subnet=vpc.public_subnets[1], security_groups=[group])

    template = template_with(stack, environment=environment)

    infrastructure = only_resource(template, INFRASTRUCTURE)["Properties"]
    assert infrastructure["SubnetId"] == {"Ref": "VpcPublicSubnet2Subnet691E08A3"}
    assert infrastructure["SecurityGroupIds"] == ["sg-0123456789abcdef0"]
    assert not resources_of(template, "AWS::EC2::SecurityGroup")


def test_all_outbound_opens_the_own_group() -> None:
    stack = make_stack()
    vpc = ec2.Vpc(stack, "Vpc", max_azs=1)

    template = template_with(stack, environment=BuildEnvironment(vpc=vpc, all_outbound=True))

    (rule,) = template["Resources"]["WebSecurityGroup322089BD"]["Properties"]["SecurityGroupEgress"]
    assert (rule["CidrIp"], rule["IpProtocol"]) == ("0.0.0.0/0", "-1")


def test_connections_open_the_build_to_what_it_needs() -> None:
    stack = make_stack()
    vpc = ec2.Vpc(stack, "Vpc", max_azs=1)
    mirror = ec2.SecurityGroup(stack, "Mirror", vpc=vpc)

    image = make_image(stack, environment=BuildEnvironment(vpc=vpc))
    mirror.connections.allow_from(image, ec2.Port.tcp(8081))

    (ingress,) = resources_of(template_of(stack), "AWS::EC2::SecurityGroupIngress").values()
    assert ingress["Properties"]["SourceSecurityGroupId"] == get_att("WebSecurityGroup322089BD", "GroupId")


def test_connections_without_a_vpc_say_what_to_do() -> None:
    image = make_image()

    with pytest.raises(ConfigError, match="build in a network of this app") as caught:
        _ = image.connections

    assert (caught.value.where, caught.value.prop) == ("S/Web", "environment.vpc")


def test_instance_types_are_those_asked_for_as_text_or_object() -> None:
    environment = BuildEnvironment(instance_types=["c6i.xlarge", ec2.InstanceType("c7i.xlarge")])

    infrastructure = properties_with(INFRASTRUCTURE, environment=environment)

    assert infrastructure["InstanceTypes"] == ["c6i.xlarge", "c7i.xlarge"]


def test_an_arm_image_is_built_on_arm() -> None:
    source = SourceImage.amazon_linux_2023(architecture=Architecture.ARM64)

    infrastructure = properties_with(INFRASTRUCTURE, source=source)

    assert infrastructure["InstanceTypes"] == ["m7g.large", "m6g.large", "t4g.large"]


def test_resource_tags_hops_and_failed_instances_are_as_asked_for() -> None:
    environment = BuildEnvironment(resource_tags={"cost": "7"}, hop_limit=1, terminate_on_failure=False)

    infrastructure = properties_with(INFRASTRUCTURE, environment=environment)

    assert infrastructure["ResourceTags"] == {"cost": "7"}
    assert infrastructure["InstanceMetadataOptions"] == {"HttpPutResponseHopLimit": 1, "HttpTokens": "required"}
    assert infrastructure["TerminateInstanceOnFailure"] is False


def test_logs_can_be_kept_for_ever_and_beyond_the_stack() -> None:
    group = only_resource(
        template_with(environment=BuildEnvironment(log_retention_days=None, retain_logs=True)), LOG_GROUP
    )

    assert "RetentionInDays" not in group["Properties"]
    assert (group["DeletionPolicy"], group["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_a_log_bucket_gets_the_logs_under_the_name_of_the_image() -> None:
    stack = make_stack()
    bucket = s3.Bucket(stack, "Logs")

    infrastructure = properties_with(INFRASTRUCTURE, stack, environment=BuildEnvironment(log_bucket=bucket))

    assert infrastructure["Logging"] == {"S3Logs": {"S3BucketName": {"Ref": "Logs6819BB44"}, "S3KeyPrefix": "web"}}


def test_a_topic_hears_of_builds() -> None:
    stack = make_stack()
    topic = sns.Topic(stack, "Topic")

    infrastructure = properties_with(INFRASTRUCTURE, stack, notifications=topic)

    assert infrastructure["SnsTopicArn"] == {"Ref": "TopicBFC7AF6E"}


def test_the_key_of_an_encrypted_topic_admits_the_service_by_its_role() -> None:
    stack = make_stack()
    key = kms.Key(stack, "Key")
    topic = sns.Topic(stack, "Topic", master_key=key)

    policy = properties_with("AWS::KMS::Key", stack, notifications=topic)["KeyPolicy"]

    (statement,) = [one for one in policy["Statement"] if one.get("Sid") == "ImageBuilderNotifies"]
    role = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/imagebuilder.amazonaws.com/AWSServiceRoleForImageBuilder"
    assert statement["Action"] == ["kms:Decrypt", "kms:GenerateDataKey"]
    assert statement["Condition"] == {"StringEquals": {"aws:PrincipalArn": role, "kms:CallerAccount": ACCOUNT}}


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
