"""The roles of an account that receives copies: trust, statements, and where they come from."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cdk_ami import (
    ConfigError,
    Delivery,
    Distribution,
    LaunchTemplateUpdate,
    Target,
    TargetAccountRole,
)
from cdk_ami.distribution.target_account import Receiver
from tests.support.synth import make_stack, resources_of, template_of

BUILDS, RECEIVES, OTHER = "123456789012", "210987654321", "333333333333"
TEMPLATE = "lt-0123456789abcdef0"
SLR = f"arn:aws:iam::{BUILDS}:role/aws-service-role/imagebuilder.amazonaws.com/AWSServiceRoleForImageBuilder"


def alias(region: str) -> str:
    return f"arn:aws:kms:{region}:{BUILDS}:alias/golden"


DISTRIBUTION = Distribution(
    targets=[
        Target(region="us-east-1", kms_key=alias("us-east-1")),
        Target(
            region="eu-west-1",
            kms_key=alias("eu-west-1"),
            accounts=[RECEIVES, OTHER],
            channels=["candidate"],
        ),
        Target(
            region="eu-central-1",
            kms_key=f"arn:aws:kms:eu-central-1:{BUILDS}:key/1234",
            accounts=[RECEIVES],
            launch_templates=[
                LaunchTemplateUpdate(launch_template_id=TEMPLATE, set_default_version=True, account=RECEIVES),
                LaunchTemplateUpdate(launch_template_id="lt-0123456789abcdef1", set_default_version=False),
            ],
        ),
    ]
)
DELIVERIES = DISTRIBUTION.deliveries("Web", account=RECEIVES, source_region="us-east-1", promoted=["stable"])


@pytest.fixture(scope="module")
def roles() -> dict[str, Any]:
    """The properties of both roles, by their names."""
    stack = make_stack(account=RECEIVES)
    TargetAccountRole(stack, "Images", source_account=BUILDS, deliveries=DELIVERIES)
    found = resources_of(template_of(stack), "AWS::IAM::Role").values()
    return {role["Properties"]["RoleName"]: role["Properties"] for role in found}


@pytest.fixture
def statements(roles: dict[str, Any]) -> dict[str, Any]:
    """The statements of the distribution role, by their ids."""
    (policy,) = roles["EC2ImageBuilderDistributionCrossAccountRole"]["Policies"]
    return {statement["Sid"]: statement for statement in policy["PolicyDocument"]["Statement"]}


def test_deliveries_tell_what_an_account_receives_in_each_region() -> None:
    first, second = DELIVERIES

    assert (first.image, first.region) == ("web", "eu-west-1")
    assert first.parameters == tuple(f"/imagebuilder/web/{name}" for name in ("latest", "candidate", "stable"))
    assert first.keys == (alias("us-east-1"), alias("eu-west-1"))
    assert (second.launch_templates, second.default_launch_templates) == ((TEMPLATE,), (TEMPLATE,))
    assert [one.region for one in DISTRIBUTION.deliveries("web", account=OTHER)] == ["eu-west-1"]
    assert [one.region for one in DISTRIBUTION.deliveries("web")] == ["eu-west-1", "eu-central-1"]
    assert DISTRIBUTION.deliveries("web", account="444444444444") == ()


def test_deliveries_come_back_from_a_file_as_they_were() -> None:
    text = json.dumps([one.to_data() for one in DELIVERIES])

    assert tuple(Delivery.read(one) for one in json.loads(text)) == DELIVERIES


def test_both_roles_have_the_names_that_the_service_looks_for_and_trust_the_builds_alone(
    roles: dict[str, Any],
) -> None:
    (distribution,) = roles["EC2ImageBuilderDistributionCrossAccountRole"]["AssumeRolePolicyDocument"]["Statement"]
    (lifecycle,) = roles["Ec2ImageBuilderCrossAccountLifecycleAccess"]["AssumeRolePolicyDocument"]["Statement"]

    assert distribution["Principal"] == {"AWS": f"arn:aws:iam::{BUILDS}:root"}
    assert distribution["Condition"] == {"ArnLike": {"aws:PrincipalArn": [SLR]}}
    assert lifecycle["Principal"] == {"Service": "imagebuilder.amazonaws.com"}
    assert lifecycle["Condition"] == {
        "StringEquals": {"aws:SourceAccount": BUILDS},
        "ArnLike": {"aws:SourceArn": f"arn:aws:imagebuilder:*:{BUILDS}:image/*/*/*"},
    }


def test_the_distribution_role_writes_each_parameter_in_its_regions_by_name(statements: dict[str, Any]) -> None:
    both = {"StringEquals": {"aws:RequestedRegion": ["eu-central-1", "eu-west-1"]}}
    parameter = f"arn:aws:ssm:*:{RECEIVES}:parameter/imagebuilder/web"

    written = {sid: (one["Resource"], one["Condition"]) for sid, one in statements.items() if "Channels" in sid}

    assert written == {
        "Channels1": ([f"{parameter}/latest", f"{parameter}/stable"], both),
        "Channels2": (f"{parameter}/candidate", {"StringEquals": {"aws:RequestedRegion": ["eu-west-1"]}}),
    }


def test_the_distribution_role_uses_the_keys_of_both_regions_through_ec2_alone(statements: dict[str, Any]) -> None:
    through = {"StringLike": {"kms:ViaService": "ec2.*"}}

    assert statements["KeyUse"]["Resource"] == f"arn:aws:kms:eu-central-1:{BUILDS}:key/1234"
    assert statements["KeyUse"]["Condition"] == through
    assert statements["Alias1Use"]["Resource"] == [
        f"arn:aws:kms:us-east-1:{BUILDS}:key/*",
        f"arn:aws:kms:eu-west-1:{BUILDS}:key/*",
    ]
    assert statements["Alias1Use"]["Condition"] == through | {
        "ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/golden"}
    }
    assert statements["Alias1Grants"]["Condition"]["Bool"] == {"kms:GrantIsForAWSResource": "true"}


def test_the_distribution_role_changes_the_named_launch_templates_that_the_service_may_change(
    statements: dict[str, Any],
) -> None:
    arn = f"arn:aws:ec2:eu-central-1:{RECEIVES}:launch-template/{TEMPLATE}"
    tagged = {"StringEquals": {"aws:ResourceTag/CreatedBy": "EC2 Image Builder"}}

    for sid in ("UpdateTemplates", "MakeDefault"):
        assert (statements[sid]["Resource"], statements[sid]["Condition"]) == (arn, tagged)


def test_what_a_distribution_does_not_do_its_role_may_not() -> None:
    (plain,) = Distribution(targets=[Target(region="eu-west-1", accounts=[RECEIVES])]).deliveries("web")

    document = Receiver(account=RECEIVES, deliveries=[plain]).distribution_document()

    assert [one["Sid"] for one in document["Statement"]] == ["Look", "Copy", "Tag", "Share", "Channels1"]


@pytest.mark.parametrize(
    ("key", "resource"),
    [
        ("alias/own", f"arn:aws:kms:eu-west-1:{RECEIVES}:key/*"),
        (
            "1234abcd-12ab-34cd-56ef-1234567890ab",
            f"arn:aws:kms:eu-west-1:{RECEIVES}:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        ),
        ("${Token[Key.1]}", "${Token[Key.1]}"),
    ],
)
def test_a_key_without_an_account_is_the_receiving_accounts_own(key: str, resource: str) -> None:
    delivery = Delivery(image="web", region="eu-west-1", parameters=(), kms_key=key)

    document = Receiver(account=RECEIVES, deliveries=[delivery]).distribution_document()

    assert document["Statement"][4]["Resource"] == resource


def test_images_of_several_distributions_share_the_roles() -> None:
    shop = Distribution(targets=[Target(region="eu-west-1", accounts=[RECEIVES])]).deliveries("shop")
    receiver = Receiver(account=RECEIVES, deliveries=[*DELIVERIES, *shop])

    statements = {one["Sid"]: one for one in receiver.distribution_document()["Statement"]}
    retired = {one["Sid"]: one for one in receiver.lifecycle_document()["Statement"]}

    assert statements["Tag"]["Condition"]["StringEqualsIfExists"]["aws:ResourceTag/cdk-ami:image"] == ["shop", "web"]
    assert statements["Share"]["Condition"]["StringEquals"]["aws:ResourceTag/cdk-ami:image"] == ["shop", "web"]
    assert retired["Retire"]["Condition"]["StringEquals"]["aws:ResourceTag/cdk-ami:image"] == ["shop", "web"]
    assert any("imagebuilder/shop/latest" in str(one["Resource"]) for one in statements.values())


def test_without_retirement_there_is_one_role_and_trusted_roles_join_image_builders_own() -> None:
    stack = make_stack(account=RECEIVES)
    promotes = f"arn:aws:iam::{BUILDS}:role/Promotion"

    made = TargetAccountRole(
        stack, "Images", source_account=BUILDS, deliveries=DELIVERIES, trusted_roles=[promotes], retire=False
    )

    (role,) = resources_of(template_of(stack), "AWS::IAM::Role").values()
    (statement,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert made.lifecycle_role is None
    assert statement["Condition"]["ArnLike"]["aws:PrincipalArn"] == [SLR, promotes]


def test_all_faults_of_a_call_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        TargetAccountRole(
            make_stack(account=RECEIVES),
            "Images",
            source_account="42",
            deliveries=[Delivery(image="w", region="eu-west-9", parameters=("/x//y",))],
            trusted_roles=["Promotion"],
        )

    assert caught.value.where == "S/Images"
    assert [fault.prop for fault in caught.value.faults] == [
        "source_account",
        "trusted_roles[0]",
        "deliveries[0].image",
        "deliveries[0].region",
        "deliveries[0].parameters[0]",
    ]
