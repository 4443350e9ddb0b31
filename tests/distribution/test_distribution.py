"""What a distribution renders."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms

from cdk_ami.distribution.distribution import Distribution, ami_distribution_configuration
from cdk_ami.distribution.launch_permission import LaunchPermission
from cdk_ami.distribution.target import LaunchTemplateUpdate, Target
from tests.support.synth import make_stack, only_resource, resources_of, template_of

OTHER = "210987654321"
ORGANIZATION = "arn:aws:organizations::123456789012:organization/o-a1b2c3d4e5"
UNIT = "arn:aws:organizations::123456789012:ou/o-a1b2c3d4e5/ou-ab12-c3d4e5f6"
KEY = "arn:aws:kms:eu-west-1:123456789012:alias/golden"
TEMPLATE = "lt-0123456789abcdef0"

FULL = Target(
    region="eu-west-1",
    ami_name="web {{ imagebuilder:buildDate }}",
    description="Web servers",
    tags={"Team": "web", "Stage": "prod"},
    kms_key=KEY,
    accounts=[OTHER],
    launch_permission=LaunchPermission(accounts=[OTHER], organizations=[ORGANIZATION], organizational_units=[UNIT]),
    launch_templates=[LaunchTemplateUpdate(launch_template_id=TEMPLATE, set_default_version=False, account=OTHER)],
    channels=["candidate"],
)


def rendered(distribution: Distribution, stack: cdk.Stack | None = None) -> dict[str, Any]:
    stack = stack or make_stack()
    distribution.render(stack, "Distribution", name="web")
    resource = only_resource(template_of(stack), "AWS::ImageBuilder::DistributionConfiguration")
    properties: dict[str, Any] = resource["Properties"]
    return properties


def warnings(stack: cdk.Stack) -> list[str]:
    return [str(entry.data) for child in stack.node.children for entry in child.node.metadata if "warn" in entry.type]


def test_a_list_of_regions_is_a_whole_distribution_with_the_entry_channel_everywhere() -> None:
    distribution = Distribution.to_regions("us-east-1", "eu-west-1")

    properties = rendered(distribution)

    target = {
        "AmiDistributionConfiguration": {
            "Name": "web-{{ imagebuilder:buildDate }}",
            "Description": "web, a golden image",
        },
        "SsmParameterConfigurations": [{"ParameterName": "/imagebuilder/web/latest", "DataType": "aws:ec2:image"}],
    }
    assert properties == {
        "Name": "web",
        "Description": "Where the AMIs of web go",
        "Distributions": [{"Region": "us-east-1", **target}, {"Region": "eu-west-1", **target}],
    }


def test_every_option_of_a_target_reaches_the_template_in_the_case_that_the_service_takes() -> None:
    distribution = Distribution(targets=[FULL], tags={"Stage": "dev", "Owner": "platform"}, entry_channel="built")

    properties = rendered(distribution)

    assert properties["Distributions"] == [
        {
            "Region": "eu-west-1",
            "AmiDistributionConfiguration": {
                "Name": "web {{ imagebuilder:buildDate }}",
                "Description": "Web servers",
                "AmiTags": {"Stage": "prod", "Owner": "platform", "Team": "web"},
                "KmsKeyId": KEY,
                "TargetAccountIds": [OTHER],
                "LaunchPermissionConfiguration": {
                    "UserIds": [OTHER],
                    "OrganizationArns": [ORGANIZATION],
                    "OrganizationalUnitArns": [UNIT],
                },
            },
            "LaunchTemplateConfigurations": [
                {"LaunchTemplateId": TEMPLATE, "SetDefaultVersion": False, "AccountId": OTHER}
            ],
            "SsmParameterConfigurations": [
                {"ParameterName": "/imagebuilder/web/built", "DataType": "aws:ec2:image"},
                {"ParameterName": "/imagebuilder/web/candidate", "DataType": "aws:ec2:image"},
                {"ParameterName": "/imagebuilder/web/built", "DataType": "aws:ec2:image", "AmiAccountId": OTHER},
                {"ParameterName": "/imagebuilder/web/candidate", "DataType": "aws:ec2:image", "AmiAccountId": OTHER},
            ],
        }
    ]


def test_the_untyped_field_is_rendered_in_pascal_case_all_the_way_down() -> None:
    configuration = ami_distribution_configuration(FULL, image="web", tags={})

    keys = [*configuration, *configuration["LaunchPermissionConfiguration"]]
    assert [key for key in keys if not key[0].isupper()] == []


def test_what_is_not_asked_for_is_not_rendered() -> None:
    configuration = ami_distribution_configuration(Target(region="us-east-1"), image="web", tags={})

    assert set(configuration) == {"Name", "Description"}


def test_a_public_permission_is_the_group_of_all_accounts() -> None:
    assert LaunchPermission(public=True).to_configuration() == {"UserGroups": ["all"]}


def test_a_key_construct_is_named_by_its_arn() -> None:
    stack = make_stack(region="eu-west-1")
    key = kms.Key.from_key_arn(
        stack, "Key", "arn:aws:kms:eu-west-1:123456789012:key/11112222-3333-4444-5555-666677778888"
    )

    properties = rendered(Distribution(targets=[Target(region="eu-west-1", kms_key=key)]), stack)

    configuration = properties["Distributions"][0]["AmiDistributionConfiguration"]
    assert configuration["KmsKeyId"] == "arn:aws:kms:eu-west-1:123456789012:key/11112222-3333-4444-5555-666677778888"


def test_a_key_of_the_same_stack_is_a_reference() -> None:
    stack = make_stack()

    properties = rendered(Distribution(targets=[Target(region="us-east-1", kms_key=kms.Key(stack, "Key"))]), stack)

    configuration = properties["Distributions"][0]["AmiDistributionConfiguration"]
    assert configuration["KmsKeyId"] == {"Fn::GetAtt": ["Key961B73FD", "Arn"]}


def test_a_launch_template_of_the_app_is_named_by_its_id() -> None:
    stack = make_stack()
    update = LaunchTemplateUpdate.of(ec2.LaunchTemplate(stack, "Template"), set_default_version=True)

    properties = rendered(Distribution(targets=[Target(region="us-east-1", launch_templates=[update])]), stack)

    (name,) = resources_of(template_of(stack), "AWS::EC2::LaunchTemplate")
    assert properties["Distributions"][0]["LaunchTemplateConfigurations"] == [
        {"LaunchTemplateId": {"Ref": name}, "SetDefaultVersion": True}
    ]


def test_a_region_that_only_the_deployment_knows_is_let_through() -> None:
    stack = make_stack(region=None, account=None)

    properties = rendered(Distribution.to_regions(stack.region), stack)

    assert properties["Distributions"][0]["Region"] == {"Ref": "AWS::Region"}


def test_tokens_are_let_through_wherever_a_string_is_taken() -> None:
    stack = make_stack()
    unknown = cdk.Token.as_string(cdk.Fn.ref("Unknown"))
    unknown_list = cdk.Token.as_list(cdk.Fn.ref("Unknown"))
    target = Target(
        region=unknown,
        ami_name=unknown,
        description=unknown,
        tags={"Team": unknown},
        kms_key=unknown,
        accounts=unknown_list,
        launch_permission=LaunchPermission(accounts=unknown_list, organizations=unknown_list),
        launch_templates=[LaunchTemplateUpdate(launch_template_id=unknown, set_default_version=True, account=unknown)],
    )

    Distribution(targets=[target]).render(stack, "Distribution", name="web")

    assert stack.node.try_find_child("Distribution") is not None


def test_it_says_which_regions_accounts_and_parameters_it_covers() -> None:
    distribution = Distribution(targets=[Target(region="us-east-1"), FULL])

    assert distribution.regions == ("us-east-1", "eu-west-1")
    assert distribution.accounts == (OTHER,)
    assert distribution.covers("us-east-1")
    assert distribution.covers("eu-west-1", account=OTHER)
    assert not distribution.covers("us-east-1", account=OTHER)
    assert not distribution.covers("us-west-2")
    assert distribution.parameters("web") == (
        ("us-east-1", None, "/imagebuilder/web/latest"),
        ("eu-west-1", None, "/imagebuilder/web/latest"),
        ("eu-west-1", None, "/imagebuilder/web/candidate"),
        ("eu-west-1", OTHER, "/imagebuilder/web/latest"),
        ("eu-west-1", OTHER, "/imagebuilder/web/candidate"),
    )


@pytest.mark.parametrize(
    "target",
    [
        Target(region="us-east-1", accounts=[OTHER]),
        Target(region="us-east-1", launch_permission=LaunchPermission(organizational_units=[UNIT])),
    ],
    ids=["copied", "shared"],
)
def test_sharing_without_a_key_is_a_warning_that_names_the_region(target: Target) -> None:
    stack = make_stack()

    Distribution(targets=[target]).render(stack, "Distribution", name="web")

    [warning] = warnings(stack)
    assert "us-east-1" in warning
    assert "cdk-ami::SharedWithoutKey" in warning


def test_a_public_image_is_a_warning_of_its_own() -> None:
    stack = make_stack()
    public = Target(region="us-east-1", launch_permission=LaunchPermission(public=True))

    Distribution(targets=[public]).render(stack, "Distribution", name="web")

    [warning] = warnings(stack)
    assert "every AWS account may launch the AMIs in us-east-1" in warning
    assert "cdk-ami::PublicImage" in warning


def test_sharing_with_a_key_is_no_warning() -> None:
    stack = make_stack()

    Distribution(targets=[FULL]).render(stack, "Distribution", name="web")

    assert warnings(stack) == []


def test_copies_into_many_accounts_recommend_to_share() -> None:
    stack = make_stack()
    accounts = [f"{number:012}" for number in range(1, 12)]
    few, many = (
        Distribution(targets=[Target(region="eu-west-1", accounts=some)]) for some in (accounts[:10], accounts)
    )

    many.render(stack, "Distribution", name="web")

    (info,) = [
        str(entry.data)
        for child in stack.node.find_all()
        for entry in child.node.metadata
        if entry.type == "aws:cdk:info"
    ]
    assert few.many_copies() == ""
    assert "11 accounts in eu-west-1" in info
    assert "cdk-ami::ManyCopies" in info


def test_the_same_distribution_renders_the_same_template() -> None:
    first, second = (rendered(Distribution(targets=[FULL, Target(region="us-east-1")])) for _ in range(2))

    assert first == second


def test_a_distribution_keeps_what_it_was_given() -> None:
    accounts, tags = [OTHER], {"Team": "web"}
    target = Target(region="us-east-1", accounts=accounts, tags=tags)

    accounts.append("999999999999")
    tags["Team"] = "other"

    assert (target.accounts, target.tags) == ((OTHER,), {"Team": "web"})
