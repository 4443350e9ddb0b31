"""`AmiChecks` in apps: what it reports, what is acknowledged, and what it says of the official constructs."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_imagebuilder as ib
from aws_cdk import aws_imagebuilder_alpha as official
from aws_cdk import aws_sns as sns

from cdk_ami import AmiChecks
from cdk_ami.checks.template.registry import all_rules
from tests.support.synth import ACCOUNT, app_context, make_stack


def report_of(app: cdk.App) -> dict[str, Any]:
    # An error interrupts the synthesis, and the report stands in the file all the same.
    with contextlib.suppress(RuntimeError):
        app.synth()
    report = json.loads((Path(app.outdir) / "validation-report.json").read_text())
    (ours,) = [plugin for plugin in report["pluginReports"] if plugin["pluginName"] == "cdk-ami"]
    found: dict[str, Any] = ours
    return found


def app_in(folder: Path) -> cdk.App:
    return cdk.App(context=app_context(), outdir=str(folder), analytics_reporting=False)


def environment(stack: cdk.Stack, name: str = "Build", **more: Any) -> ib.CfnInfrastructureConfiguration:
    options = ib.CfnInfrastructureConfiguration.InstanceMetadataOptionsProperty(http_tokens="required")
    return ib.CfnInfrastructureConfiguration(
        stack, name, name=name, instance_profile_name="build", instance_metadata_options=options, **more
    )


def test_a_finding_names_the_construct_and_interrupts_and_an_acknowledged_one_is_suppressed(tmp_path: Path) -> None:
    app = app_in(tmp_path)
    stack = make_stack("Web", app=app)
    environment(stack, subnet_id="subnet-0a", security_group_ids=[])
    known = environment(stack, "Lab", key_pair="ops")
    ec2.CfnInstance(stack, "Server", image_id=ec2.MachineImage.lookup(name="web-*").get_image(stack).image_id)
    cdk.Validations.of(app).add_plugins(AmiChecks(app))
    cdk.Validations.of(known).acknowledge(cdk.Acknowledgment(id="cdk-ami::KeyPair", reason="the lab"))

    report = report_of(app)

    assert report["conclusion"] == "failure"
    assert [
        (found["ruleName"], found["severity"], found["violatingConstructs"][0]["constructPath"])
        for found in report["violations"]
    ] == [
        ("cdk-ami::SubnetWithGroup", "error", "Web/Build"),
        ("cdk-ami::LookupOwners", "error", "Web/Server"),
    ]
    assert report["violations"][0]["suggestedFix"] == "name a security group of the subnet's VPC"
    assert [(found["ruleName"], found["reason"]) for found in report["suppressedViolations"]] == [
        ("cdk-ami::KeyPair", "the lab")
    ]


@pytest.mark.parametrize(
    ("fail_on", "conclusion", "severity"), [("error", "success", "warning"), ("warning", "failure", "error")]
)
def test_a_warning_interrupts_only_where_it_is_asked_to(
    tmp_path: Path, fail_on: Any, conclusion: str, severity: str
) -> None:
    app = app_in(tmp_path)
    environment(make_stack("Web", app=app), key_pair="ops")
    cdk.Validations.of(app).add_plugins(AmiChecks(fail_on=fail_on))

    report = report_of(app)

    assert (report["conclusion"], report["violations"][0]["severity"]) == (conclusion, severity)


def test_the_plugin_says_who_it_is() -> None:
    plugin = AmiChecks()

    assert plugin.name == "cdk-ami"
    assert plugin.version.count(".") == 2
    assert plugin.rule_ids == list(all_rules())


def test_the_known_flaws_of_the_official_constructs_are_named(tmp_path: Path) -> None:
    app = app_in(tmp_path)
    stack = make_stack("Official", app=app)
    vpc = ec2.Vpc.from_vpc_attributes(
        stack, "Vpc", vpc_id="vpc-0a", availability_zones=["us-east-1a"], private_subnet_ids=["subnet-0a"]
    )
    recipe = official.ImageRecipe(
        stack,
        "Recipe",
        base_image=official.BaseImage.from_ssm_parameter_name("/base/latest"),
        image_recipe_version="1.0.0",
    )
    pipeline = official.ImagePipeline(
        stack,
        "Pipeline",
        recipe=recipe,
        infrastructure_configuration=official.InfrastructureConfiguration(stack, "Build", vpc=vpc),
        distribution_configuration=official.DistributionConfiguration(
            stack,
            "Out",
            ami_distributions=[
                official.AmiDistribution(
                    ami_name="web-{{ imagebuilder:buildDate }}",
                    ami_launch_permission=official.AmiLaunchPermission(account_ids=["210987654321"]),
                )
            ],
        ),
    )
    topic = sns.Topic.from_topic_arn(stack, "Topic", f"arn:aws:sns:us-east-1:{ACCOUNT}:builds")
    pipeline.on_image_build_failed("Failed", target=targets.SnsTopic(topic))
    age = official.LifecyclePolicyAgeFilter(age=cdk.Duration.days(30))
    official.LifecyclePolicy(
        stack,
        "End",
        resource_type=official.LifecyclePolicyResourceType.AMI_IMAGE,
        resource_selection=official.LifecyclePolicyResourceSelection(recipes=[recipe]),
        details=[
            official.LifecyclePolicyDetail(
                action=official.LifecyclePolicyAction(type=official.LifecyclePolicyActionType.DEPRECATE),
                filter=official.LifecyclePolicyFilter(age_filter=age),
            )
        ],
    )
    cdk.Validations.of(app).add_plugins(AmiChecks(app))

    report = report_of(app)

    assert sorted({found["ruleName"].removeprefix("cdk-ami::") for found in report["violations"]}) == [
        "EventsOfAllImages",
        "ImageEncryption",
        "LifecycleMissesOld",
        "LifecycleResources",
        "SharedWithoutKey",
        "SourceParameter",
        "SubnetWithGroup",
        "TrustSourceAccount",
    ]
