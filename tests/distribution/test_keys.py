"""Whose keys encrypt an image in each Region, and what lets others use them."""

from __future__ import annotations

import json
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_kms as kms

from cdk_ami import Distribution, ImageKey, KeyGrant, LaunchPermission, Target, Volume
from cdk_ami.distribution.keys import KeyUse, key_alias, key_arns, key_uses, policy_text, unit_path
from cdk_ami.errors import ConfigError
from tests.support.images import DISTRIBUTION, RECIPE, make_image, template_with
from tests.support.synth import get_att, make_stack, only_resource, resources_of, template_of

OWN, OTHER, THIRD = "123456789012", "210987654321", "333333333333"
ORGANIZATION = "arn:aws:organizations::123456789012:organization/o-a1b2c3d4e5"
UNIT = "arn:aws:organizations::123456789012:ou/o-a1b2c3d4e5/ou-ab12-c3d4e5f6"
FOREIGN = "arn:aws:kms:eu-west-1:123456789012:key/11112222-3333-4444-5555-666677778888"
KEYS = key_arns("web", ["us-east-1", "eu-west-1"], account=OWN)
SHARED = Distribution(
    targets=[
        Target(region="us-east-1"),
        Target(
            region="eu-west-1",
            accounts=[OTHER],
            launch_permission=LaunchPermission(
                accounts=[THIRD], organizations=[ORGANIZATION], organizational_units=[UNIT]
            ),
        ),
    ],
    kms_keys=KEYS,
)


def by_sid(use: KeyUse) -> dict[str, Any]:
    return {statement["Sid"]: statement for statement in use.statements()}


# --- who uses which key


def test_who_copies_uses_the_key_of_the_build_and_of_the_target_and_who_launches_the_latter() -> None:
    home, target = key_uses(SHARED, build_region="us-east-1", owner=OWN)

    assert (home.region, home.copiers, home.launchers, home.organizations) == ("us-east-1", (OTHER,), (), ())
    assert (target.region, target.copiers, target.launchers) == ("eu-west-1", (OTHER,), (OTHER, THIRD))
    assert (target.organizations, target.organizational_units) == ((ORGANIZATION,), (UNIT,))


def test_the_owner_is_nobody_else() -> None:
    distribution = Distribution(targets=[Target(region="us-east-1", accounts=[OWN])])

    (use,) = key_uses(distribution, build_region="us-east-1", owner=OWN)

    assert not use.is_shared
    assert list(by_sid(use)) == ["OwnGroups", "OwnGroupsAttach"]


def test_each_statement_admits_whom_it_is_for_and_no_more() -> None:
    _, use = key_uses(SHARED, build_region="us-east-1", owner=OWN)

    statements = by_sid(use)

    through_ec2 = {"StringEquals": {"kms:ViaService": "ec2.eu-west-1.amazonaws.com"}}
    assert statements["Copy"]["Principal"] == {"AWS": f"arn:aws:iam::{OTHER}:root"}
    assert statements["Copy"]["Condition"] == {
        "ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/EC2ImageBuilderDistributionCrossAccountRole"}
    }
    assert statements["Launch"]["Principal"]["AWS"] == [f"arn:aws:iam::{one}:root" for one in (OTHER, THIRD)]
    assert statements["Launch"]["Condition"] == through_ec2
    assert statements["LaunchAttach"]["Condition"] == {**through_ec2, "Bool": {"kms:GrantIsForAWSResource": "true"}}
    assert statements["LaunchInOrganization"]["Condition"] == {
        "StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5", **through_ec2["StringEquals"]}
    }
    assert statements["LaunchInUnit"]["Condition"] == {
        "ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-a1b2c3d4e5/r-ab12/*ou-ab12-c3d4e5f6/*"},
        **through_ec2,
    }
    launching = (
        "role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling*",
        "role/aws-service-role/spot.amazonaws.com/AWSServiceRoleForEC2Spot",
    )
    assert statements["GrantToGroups"]["Condition"] == {
        "StringLike": {
            "kms:GranteePrincipal": [f"arn:aws:iam::{one}:{role}" for one in (OTHER, THIRD) for role in launching]
        }
    }
    assert statements["GrantToGroupsInUnit"]["Condition"]["StringLike"] == {
        "kms:GranteePrincipal": [f"arn:aws:iam::*:{role}" for role in launching]
    }
    assert {one["Effect"] for one in statements.values()} == {"Allow"}
    # Nobody else administers the key.
    assert [sid for sid, one in statements.items() if "kms:*" in one["Action"] or "kms:Put" in str(one["Action"])] == []


def test_china_has_names_of_its_own() -> None:
    use = KeyUse(region="cn-north-1", owner=OWN, partition="aws-cn", launchers=(OTHER,))

    launch = by_sid(use)["Launch"]

    assert launch["Principal"] == {"AWS": f"arn:aws-cn:iam::{OTHER}:root"}
    assert launch["Condition"]["StringEquals"] == {"kms:ViaService": "ec2.cn-north-1.amazonaws.com.cn"}


def test_a_unit_is_found_in_the_path_of_whoever_is_in_it_or_below() -> None:
    assert unit_path(UNIT) == "o-a1b2c3d4e5/r-ab12/*ou-ab12-c3d4e5f6/*"


def test_the_text_for_people_shows_no_token() -> None:
    use = KeyUse(region="us-east-1", owner=cdk.Aws.ACCOUNT_ID, copiers=(OTHER,))

    text = policy_text(use.statements())

    assert "Token" not in text
    assert '"kms:CallerAccount":"ACCOUNT"' in text
    assert [one["Sid"] for one in json.loads(text)][-1] == "CopyAttach"


# --- the key of this library


@pytest.fixture(scope="module")
def key() -> dict[str, Any]:
    """The template of the key of eu-west-1."""
    stack = make_stack(region="eu-west-1")
    made = ImageKey(stack, "Key", image="Web", distribution=SHARED, build_region="us-east-1")
    assert made.alias_arn == KEYS["eu-west-1"]
    cdk.CfnOutput(stack, "Arn", value=made.key_arn)
    return template_of(stack)


def test_a_key_has_exactly_the_policy_of_its_region_and_outlives_its_stack(key: dict[str, Any]) -> None:
    resource = only_resource(key, "AWS::KMS::Key")

    _, use = key_uses(SHARED, build_region="us-east-1", owner=OWN)
    assert resource["Properties"] == {
        "Description": "Encrypts the AMIs of Web",
        "EnableKeyRotation": True,
        "KeyPolicy": use.policy(),
        "PendingWindowInDays": 30,
    }
    assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_a_key_is_found_by_the_alias_that_its_image_names(key: dict[str, Any]) -> None:
    alias = only_resource(key, "AWS::KMS::Alias")["Properties"]

    assert alias == {"AliasName": "alias/imagebuilder/web", "TargetKeyId": {"Ref": "Key961B73FD"}}
    assert key_alias("Web") == alias["AliasName"]


# --- keys in a distribution


def test_keys_by_region_reach_each_target_and_the_volumes_of_the_build() -> None:
    template = template_with(distribution=SHARED, volumes=[Volume(size_gib=9, device="/dev/sdf")])

    targets = only_resource(template, DISTRIBUTION)["Properties"]["Distributions"]
    devices = only_resource(template, RECIPE)["Properties"]["BlockDeviceMappings"]
    assert [target["AmiDistributionConfiguration"]["KmsKeyId"] for target in targets] == list(KEYS.values())
    assert [(one["DeviceName"], one["Ebs"]["KmsKeyId"]) for one in devices] == [
        ("/dev/xvda", KEYS["us-east-1"]),
        ("/dev/sdf", KEYS["us-east-1"]),
    ]


def test_a_volume_keeps_the_key_that_it_names_and_one_without_encryption_gets_none() -> None:
    other = "arn:aws:kms:us-east-1:123456789012:alias/data"
    volumes = [Volume(encrypted=False), Volume(size_gib=9, device="/dev/sdf", kms_key=other)]

    template = template_with(distribution=SHARED, volumes=volumes)

    devices = only_resource(template, RECIPE)["Properties"]["BlockDeviceMappings"]
    assert [one["Ebs"].get("KmsKeyId") for one in devices] == [None, other]


def test_a_target_may_have_another_key_than_its_region() -> None:
    own = "arn:aws:kms:us-east-1:123456789012:alias/own"

    distribution = Distribution(targets=[Target(region="us-east-1", kms_key=own)], kms_keys={"us-east-1": "alias/web"})

    assert distribution.targets[0].kms_key == own


def test_a_key_of_the_same_app_gets_the_statements_and_any_other_an_output_with_them() -> None:
    stack = make_stack()
    made, foreign = kms.Key(stack, "Made"), "arn:aws:kms:eu-west-1:333333333333:alias/theirs"

    make_image(
        stack,
        distribution=Distribution(
            targets=[
                Target(region="us-east-1", kms_key=made, accounts=[OTHER]),
                Target(region="eu-west-1", kms_key=foreign, accounts=[OTHER]),
            ]
        ),
    )

    template = template_of(stack)
    policy = only_resource(template, "AWS::KMS::Key")["Properties"]["KeyPolicy"]
    sids = [statement.get("Sid") for statement in policy["Statement"]]
    assert sids == [
        None,
        "OwnGroups",
        "OwnGroupsAttach",
        "Copy",
        "CopyAttach",
        "Launch",
        "LaunchAttach",
        "GrantToGroups",
    ]
    (output,) = template["Outputs"].values()
    assert foreign in output["Description"]
    _, use = key_uses(
        Distribution(targets=[Target(region="us-east-1"), Target(region="eu-west-1", accounts=[OTHER])]),
        build_region="us-east-1",
        owner=OWN,
    )
    assert json.loads(output["Value"]) == use.statements()


def test_the_key_of_a_volume_is_opened_to_whoever_copies() -> None:
    stack = make_stack()
    key = kms.Key(stack, "Made")
    distribution = Distribution(
        targets=[Target(region="eu-west-1", accounts=[OTHER], kms_key="arn:aws:kms:eu-west-1:123456789012:alias/web")]
    )

    make_image(stack, distribution=distribution, volumes=[Volume(kms_key=key)])

    template = template_of(stack)
    sids = [one.get("Sid") for one in only_resource(template, "AWS::KMS::Key")["Properties"]["KeyPolicy"]["Statement"]]
    device = only_resource(template, RECIPE)["Properties"]["BlockDeviceMappings"][0]
    assert sids == [None, "OwnGroups", "OwnGroupsAttach", "Copy", "CopyAttach"]
    (name,) = resources_of(template, "AWS::KMS::Key")
    assert device["Ebs"]["KmsKeyId"] == get_att(name)


def test_a_key_that_this_library_made_in_the_app_needs_no_output() -> None:
    app = cdk.App()
    there, here = make_stack("There", region="eu-west-1", app=app), make_stack("Here", app=app)
    for stack in (there, here):
        ImageKey(stack, "Key", image="web", distribution=SHARED, build_region="us-east-1")

    make_image(here, distribution=SHARED)

    assert template_of(here).get("Outputs") is None
    assert len(resources_of(template_of(there), "AWS::KMS::Key")) == 1


# --- what is refused, in the Region of the build


@pytest.mark.parametrize(
    ("distribution", "prop"),
    [
        (
            Distribution(targets=[Target(region="us-east-1", launch_permission=LaunchPermission(accounts=[OTHER]))]),
            "distribution.targets[0].kms_key",
        ),
        (
            Distribution(
                targets=[
                    Target(region="us-east-1"),
                    Target(region="eu-west-1", accounts=[OTHER], kms_key=KEYS["eu-west-1"]),
                ]
            ),
            "distribution.targets[0].kms_key",
        ),
        (
            Distribution(targets=[Target(region="eu-west-1", accounts=[OTHER], kms_key=KEYS["eu-west-1"])]),
            "volumes",
        ),
    ],
    ids=["shared there", "copied from there", "copied from there, which is no target"],
)
def test_what_others_read_in_the_region_of_the_build_needs_a_key_of_it(distribution: Distribution, prop: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_image(distribution=distribution)

    assert (caught.value.where, caught.value.prop) == ("S/Web", prop)
    assert "name a customer managed key of us-east-1, whose policy holds [" in caught.value.fix
    assert len(caught.value.faults) == 1


def test_others_copy_unencrypted_volumes_without_any_key() -> None:
    stack = make_stack()

    make_image(
        stack,
        volumes=[Volume(encrypted=False)],
        distribution=Distribution(targets=[Target(region="us-east-1", accounts=[OTHER])]),
    )

    assert "KmsKeyId" not in str(template_of(stack))


def test_the_managed_key_of_a_volume_is_refused_where_others_copy_from_it() -> None:
    with pytest.raises(ConfigError) as caught:
        make_image(
            volumes=[Volume(kms_key="alias/aws/ebs")],
            distribution=Distribution(targets=[Target(region="eu-west-1", accounts=[OTHER], kms_key="alias/web")]),
        )

    assert (caught.value.prop, caught.value.got) == ("volumes", "alias/aws/ebs")


def test_a_key_of_another_region_encrypts_no_volume_here() -> None:
    with pytest.raises(ConfigError) as caught:
        make_image(volumes=[Volume(), Volume(size_gib=9, device="/dev/sdf", kms_key=KEYS["eu-west-1"])])

    assert (caught.value.where, caught.value.prop, caught.value.got) == (
        "S/Web",
        "volumes[1].kms_key",
        KEYS["eu-west-1"],
    )
    assert "name a key of us-east-1" in caught.value.fix


# --- the grant of a fleet in another account


@pytest.fixture(scope="module")
def granted() -> dict[str, dict[str, Any]]:
    """The grants of a fleet with Spot Instances, by the name of the role that gets each."""
    stack = make_stack(account=OTHER, region="eu-west-1")
    KeyGrant(stack, "Grant", key_arn=FOREIGN, role_suffix="web", spot=True)
    template = template_of(stack)
    found = {}
    for grant, policy in zip(
        resources_of(template, "Custom::KeyGrant").values(),
        resources_of(template, "AWS::IAM::Policy").values(),
        strict=True,
    ):
        role = json.loads(grant["Properties"]["Create"])["parameters"]["GranteePrincipal"].rpartition("/")[2]
        found[role] = {**grant["Properties"], "Allowed": policy["Properties"]["PolicyDocument"]["Statement"]}
    return found


@pytest.mark.parametrize(
    ("role", "service"),
    [("AWSServiceRoleForAutoScaling_web", "autoscaling"), ("AWSServiceRoleForEC2Spot", "spot")],
)
def test_a_grant_is_made_for_each_role_that_launches_and_retired_by_the_account(
    granted: dict[str, dict[str, Any]], role: str, service: str
) -> None:
    grant, grantee = granted[role], f"arn:aws:iam::{OTHER}:role/aws-service-role/{service}.amazonaws.com/{role}"

    create, delete = (json.loads(grant[kind]) for kind in ("Create", "Delete"))

    assert (create["action"], delete["action"]) == ("createGrant", "retireGrant")
    assert grant["Update"] == grant["Create"]
    assert create["physicalResourceId"] == {"responsePath": "GrantId"}
    assert {name: create["parameters"][name] for name in ("KeyId", "GranteePrincipal", "RetiringPrincipal")} == {
        "KeyId": FOREIGN,
        "GranteePrincipal": grantee,
        "RetiringPrincipal": f"arn:aws:iam::{OTHER}:root",
    }
    assert delete["parameters"] == {"KeyId": FOREIGN, "GrantId": "PHYSICAL:RESOURCEID:"}
    to_role = {"StringEquals": {"kms:GranteePrincipal": grantee}}
    assert grant["Allowed"] == [
        {"Effect": "Allow", "Action": "kms:CreateGrant", "Resource": FOREIGN, "Condition": to_role},
        {"Effect": "Allow", "Action": "kms:RetireGrant", "Resource": FOREIGN},
    ]
