"""What others say of a whole distribution: cfn-lint in every commercial Region, and the official construct."""

from __future__ import annotations

import json
from typing import Any

import cfnlint.api
import cfnlint.config
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_imagebuilder_alpha as official
from aws_cdk import aws_kms as kms
from aws_cdk import aws_ssm as ssm
from cfnlint.helpers import REGIONS

from cdk_ami import Distribution, FastLaunch, LaunchPermission, LaunchTemplateUpdate, Target
from cdk_ami.checks.regions import PARTITION_OF
from tests.support.images import DISTRIBUTION
from tests.support.synth import make_stack, only_resource, template_of

OTHER = "210987654321"
ORGANIZATION = "arn:aws:organizations::123456789012:organization/o-a1b2c3d4e5"
UNIT = "arn:aws:organizations::123456789012:ou/o-a1b2c3d4e5/ou-ab12-c3d4e5f6"
LICENSE = "arn:aws:license-manager:eu-west-1:123456789012:license-configuration:lic-0123456789abcdef0123456789abcdef"
KEY = "arn:aws:kms:eu-west-1:123456789012:key/11112222-3333-4444-5555-666677778888"
NAME = "web {{ imagebuilder:buildDate }}"
TEMPLATE = "lt-0123456789abcdef0"
COMMERCIAL = sorted(region for region, partition in PARTITION_OF.items() if partition == "aws" and region in REGIONS)

WHOLE = Target(
    region="eu-west-1",
    ami_name=NAME,
    description="Web servers",
    tags={"Team": "web"},
    kms_key=KEY,
    accounts=[OTHER],
    launch_permission=LaunchPermission(accounts=[OTHER], organizations=[ORGANIZATION], organizational_units=[UNIT]),
    launch_templates=[
        LaunchTemplateUpdate(launch_template_id=TEMPLATE, set_default_version=False, account=OTHER),
    ],
    channels=["candidate"],
    fast_launches=[
        FastLaunch(snapshots=7, parallel_launches=8, launch_template_id=TEMPLATE, launch_template_version="3")
    ],
    license_configurations=[LICENSE],
)
PUBLIC = Target(region="us-east-1", launch_permission=LaunchPermission(public=True))


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    """The template of a distribution with every option of a target."""
    stack = make_stack()
    Distribution(targets=[WHOLE, PUBLIC]).render(stack, "Distribution", name="web")
    return template_of(stack)


def test_cfn_lint_passes_a_whole_distribution_in_every_commercial_region(template: dict[str, Any]) -> None:
    config = cfnlint.config.ManualArgs(regions=COMMERCIAL, include_checks=["E", "W"])

    found = [str(match) for match in cfnlint.api.lint(json.dumps(template), config=config)]

    assert found == []
    assert len(COMMERCIAL) >= 34


def test_cfn_lint_would_see_a_misspelt_property(template: dict[str, Any]) -> None:
    spoilt = json.dumps(template).replace('"TargetResourceCount": 7', '"TargetResourceCount": "many"')

    found = cfnlint.api.lint(spoilt, config=cfnlint.config.ManualArgs(regions=["eu-west-1"]))

    assert [match.rule.id for match in found] == ["E3012"]


def test_the_official_construct_renders_the_same_of_what_both_have(template: dict[str, Any]) -> None:
    stack = make_stack()
    launch_template = ec2.LaunchTemplate.from_launch_template_attributes(
        stack, "Template", launch_template_id=TEMPLATE, version_number="3"
    )

    parameters = {
        channel: ssm.StringParameter.from_string_parameter_name(stack, channel, f"/imagebuilder/web/{channel}")
        for channel in ("latest", "candidate")
    }
    official.DistributionConfiguration(
        stack,
        "Official",
        distribution_configuration_name="web",
        description="Where the AMIs of web go",
        ami_distributions=[
            official.AmiDistribution(
                region="eu-west-1",
                ami_name=NAME,
                ami_description="Web servers",
                ami_tags={"Team": "web"},
                ami_kms_key=kms.Key.from_key_arn(stack, "Key", KEY),
                ami_target_account_ids=[OTHER],
                ami_launch_permission=official.AmiLaunchPermission(
                    account_ids=[OTHER], organization_arns=[ORGANIZATION], organizational_unit_arns=[UNIT]
                ),
                launch_templates=[
                    official.LaunchTemplateConfiguration(
                        launch_template=launch_template, account_id=OTHER, set_default_version=False
                    )
                ],
                fast_launch_configurations=[
                    official.FastLaunchConfiguration(
                        enabled=True,
                        launch_template=launch_template,
                        max_parallel_launches=8,
                        target_snapshot_count=7,
                    )
                ],
                license_configuration_arns=[LICENSE],
                ssm_parameters=[
                    official.SSMParameterConfigurations(
                        parameter=parameters[channel],
                        ami_account=account,
                        data_type=ssm.ParameterDataType.AWS_EC2_IMAGE,
                    )
                    for account in (None, OTHER)
                    for channel in parameters
                ],
            ),
            official.AmiDistribution(
                region="us-east-1",
                ami_name="web-{{ imagebuilder:buildDate }}",
                ami_description="web, a golden image",
                ami_launch_permission=official.AmiLaunchPermission(is_public_user_group=True),
                ssm_parameters=[
                    official.SSMParameterConfigurations(
                        parameter=parameters["latest"], data_type=ssm.ParameterDataType.AWS_EC2_IMAGE
                    )
                ],
            ),
        ],
    )

    theirs = only_resource(template_of(stack), DISTRIBUTION)["Properties"]

    ours = only_resource(template, DISTRIBUTION)["Properties"]
    assert theirs == ours
