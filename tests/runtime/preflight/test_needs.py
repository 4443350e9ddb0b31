"""Templates in, needs out: nothing here calls anything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest

from cdk_ami import BuildEnvironment, BuildTrigger, Distribution, GoldenImage, ImageChannel, ImageFleet, SourceImage
from cdk_ami.runtime.preflight import network
from cdk_ami.runtime.preflight.accounts import Accounts
from cdk_ami.runtime.preflight.model import Status
from cdk_ami.runtime.preflight.needs import ChannelNeed, NetworkNeed, plan
from cdk_ami.runtime.preflight.policies import says, trusts
from cdk_ami.runtime.preflight.templates import Stack, UnreadableError, read
from tests.fleet.network import ZONES
from tests.fleet.network import network as made_network
from tests.support.preflight import THERE, image_stack, target
from tests.support.synth import ACCOUNT, make_app, make_stack


class NoCalls:
    """Accounts that nobody may ask."""

    def client(self, service: str, *_: str) -> object:
        return service


NO_CALLS = cast("Accounts", NoCalls())
HERE = {"account": ACCOUNT, "region": "us-east-1"}


def stack(template: dict[str, Any], **place: Any) -> Stack:
    return Stack("web", place.get("account"), place.get("region"), template)


def test_a_synthesized_app_is_read_with_what_it_needs() -> None:
    app = make_app()
    images = make_stack("Images", app=app)
    vpc = made_network(images)
    GoldenImage(
        images,
        "Image",
        name="web",
        source=SourceImage.amazon_linux_2023(),
        environment=BuildEnvironment(vpc=vpc),
        distribution=Distribution.to_regions("us-east-1", "eu-west-1"),
        trigger=BuildTrigger.on_change(),
    )
    web = ImageChannel("web").machine_image(root_device="/dev/xvda")
    ImageFleet(images, "Fleet", image=web, vpc=vpc, zones=ZONES, instance_type="t3.micro")
    folder = Path(app.synth().directory)

    needs = plan(read([folder]), account="999999999999", region="eu-north-1")

    assert [tuple(one) for one in needs.regions] == [(ACCOUNT, "us-east-1"), (ACCOUNT, "eu-west-1")]
    assert [(one.region, one.name, one.role) for one in needs.parameters] == [
        ("us-east-1", "/imagebuilder/web/latest", None),
        ("eu-west-1", "/imagebuilder/web/latest", None),
    ]
    assert needs.channels == [
        ChannelNeed(ACCOUNT, "us-east-1", "/imagebuilder/web/latest", at_launch=False, writer="Images", built=True)
    ]
    assert [(one.region, one.snapshots, one.amis) for one in needs.quotas] == [("us-east-1", 0, 1), ("eu-west-1", 1, 1)]
    [where] = needs.networks
    assert (where.image, where.unknown) == ("web", "")
    assert needs.encryption[0].by_itself
    assert (needs.keys, needs.target_roles, needs.launch_templates) == ([], [], [])


def test_a_template_without_a_place_is_where_the_caller_is(tmp_path: Path) -> None:
    path = tmp_path / "image.template.json"
    path.write_text(json.dumps(image_stack(distributions=[target("us-east-1")])))

    needs = plan(read([path]), account=ACCOUNT, region="eu-north-1")

    assert [tuple(one) for one in needs.regions] == [(ACCOUNT, "eu-north-1"), (ACCOUNT, "us-east-1")]


def test_stages_and_stacks_without_a_place_are_read_too(tmp_path: Path) -> None:
    template = image_stack(distributions=[target("us-east-1")])
    for folder, artifact in (
        (tmp_path, {"type": "cdk:cloud-assembly", "properties": {"directoryName": "assembly-Prod"}}),
        (
            tmp_path / "assembly-Prod",
            {
                "type": "aws:cloudformation:stack",
                "environment": "aws://unknown-account/unknown-region",
                "properties": {"templateFile": "web.json", "stackName": "Prod-Web"},
            },
        ),
    ):
        folder.mkdir(exist_ok=True)
        (folder / "manifest.json").write_text(
            json.dumps({"artifacts": {"Web": artifact, "Tree": {"type": "cdk:tree"}}})
        )
    (tmp_path / "assembly-Prod" / "web.json").write_text(json.dumps(template))

    [found] = read([tmp_path])

    assert (found.name, found.account, found.region) == ("Prod-Web", None, None)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "does not exist; run cdk synth"),
        ("Resources:\n", "is no JSON"),
        ("[]", "holds no template"),
    ],
)
def test_what_is_no_app_is_refused(tmp_path: Path, content: str | None, problem: str) -> None:
    path = tmp_path / "template.yaml"
    if content is not None:
        path.write_text(content)

    with pytest.raises(UnreadableError, match=problem):
        read([path])
    with pytest.raises(UnreadableError, match=r"holds no manifest\.json"):
        read([tmp_path])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        (True, "true"),
        ({"Ref": "AWS::Region"}, "us-east-1"),
        ({"Ref": "Given"}, "lt-1"),
        ({"Ref": "Channel"}, None),
        ({"Ref": "Made"}, None),
        ({"Fn::Join": [":", ["arn", {"Ref": "AWS::Partition"}, {"Ref": "AWS::AccountId"}]]}, f"arn:aws:{ACCOUNT}"),
        ({"Fn::Join": [":", ["arn", {"Ref": "Made"}]]}, None),
        ({"Fn::Sub": "alias/${Given}/${AWS::Region}"}, "alias/lt-1/us-east-1"),
        ({"Fn::Sub": ["${A}-${Made}", {"A": "x"}]}, None),
        ({"Fn::ImportValue": "elsewhere"}, None),
    ],
)
def test_a_value_is_text_where_it_is_known(value: Any, text: str | None) -> None:
    template = {
        "Parameters": {
            "Given": {"Type": "String", "Default": "lt-1"},
            "Channel": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/name"},
        },
        "Resources": {"Made": {"Type": "AWS::S3::Bucket"}},
    }

    assert stack(template, **HERE).text(value) == text


def test_keys_roles_and_channels_that_the_same_app_makes_are_known_as_made() -> None:
    alias = {"Type": "AWS::KMS::Alias", "Properties": {"AliasName": "alias/golden"}}
    role = {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "EC2ImageBuilderDistributionCrossAccountRole"}}
    image = image_stack(distributions=[target("us-east-1", key="alias/golden", accounts=[THERE])])

    needs = plan(
        [
            stack(image, **HERE),
            Stack("keys", ACCOUNT, "us-east-1", {"Resources": {"Alias": alias}}),
            Stack("target", THERE, "us-east-1", {"Resources": {"Role": role}}),
        ],
        **HERE,
    )

    assert [(one.key, one.made, one.users, one.shared) for one in needs.keys] == [
        ("alias/golden", "keys", (ACCOUNT, THERE), True)
    ]
    assert [(one.account, one.made, one.parameters) for one in needs.target_roles] == [
        (THERE, "target", (("us-east-1", "/imagebuilder/web/latest"),))
    ]


SUBNET = {"Type": "AWS::EC2::Subnet", "Properties": {"MapPublicIpOnLaunch": True}}
LINK = {
    "Type": "AWS::EC2::SubnetRouteTableAssociation",
    "Properties": {"SubnetId": {"Ref": "Subnet"}, "RouteTableId": {"Ref": "Table"}},
}


def route(**leads: Any) -> dict[str, Any]:
    properties = {"RouteTableId": {"Ref": "Table"}, "DestinationCidrBlock": "0.0.0.0/0", **leads}
    return {"Type": "AWS::EC2::Route", "Properties": properties}


def endpoint(service: str) -> dict[str, Any]:
    name = {"Fn::Join": ["", ["com.amazonaws.", {"Ref": "AWS::Region"}, f".{service}"]]}
    return {"Type": "AWS::EC2::VPCEndpoint", "Properties": {"ServiceName": name, "VpcEndpointType": "Interface"}}


ALL = {f"E{service}": endpoint(service) for service in network.ENDPOINTS}
PRIVATE = SUBNET | {"Properties": {"MapPublicIpOnLaunch": False}}
GATEWAY = {"Gateway": {"Type": "AWS::EC2::InternetGateway"}, "Route": route(GatewayId={"Ref": "Gateway"})}


@pytest.mark.parametrize(
    ("others", "status", "message"),
    [
        (GATEWAY, Status.OK, "leads out by igw"),
        (GATEWAY | {"Subnet": PRIVATE}, Status.FAIL, "gives instances no public address"),
        ({"Route": route(NatGatewayId={"Ref": "Nat"}), "Subnet": PRIVATE}, Status.OK, "leads out by"),
        (ALL, Status.OK, "reaches every service by endpoints of its VPC"),
        ({name: one for name, one in ALL.items() if name != "Es3"}, Status.FAIL, "without endpoints for s3:"),
        ({}, Status.FAIL, "has no route out"),
    ],
    ids=["public", "public without addresses", "behind a NAT gateway", "endpoints", "an endpoint short", "nothing"],
)
def test_a_network_of_the_same_stack_is_judged_by_its_template(
    others: dict[str, Any], status: Status, message: str
) -> None:
    template = image_stack(
        distributions=[target("us-east-1")],
        network={"SubnetId": {"Ref": "Subnet"}},
        others={"Subnet": SUBNET, "Table": {"Type": "AWS::EC2::RouteTable"}, "Link": LINK, **others},
    )
    [need] = plan([stack(template, **HERE)], **HERE).networks

    [finding] = network.CHECK.look(need, NO_CALLS)

    assert (finding.status, message in finding.message) == (status, True), finding.message


def test_security_groups_of_the_same_stack_have_to_let_https_out() -> None:
    rule = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "CidrIp": "0.0.0.0/0"}
    group = {"Type": "AWS::EC2::SecurityGroup", "Properties": {"SecurityGroupEgress": [rule]}}
    template = image_stack(
        distributions=[target("us-east-1")],
        network={"SubnetId": {"Ref": "Subnet"}, "SecurityGroupIds": [{"Fn::GetAtt": ["Group", "GroupId"]}]},
        others={"Subnet": SUBNET, "Table": {"Type": "AWS::EC2::RouteTable"}, "Link": LINK, "Group": group, **ALL},
    )
    [need] = plan([stack(template, **HERE)], **HERE).networks

    found = list(network.CHECK.look(need, NO_CALLS))

    assert [(one.status, one.message) for one in found][1:] == [(Status.FAIL, "security groups Group let no HTTPS out")]


def test_a_subnet_that_nobody_knows_is_never_taken_for_right() -> None:
    template = image_stack(distributions=[target("us-east-1")], network={"SubnetId": {"Fn::ImportValue": "subnet"}})
    [need] = plan([stack(template, **HERE)], **HERE).networks

    assert isinstance(need, NetworkNeed)
    assert need.unknown == "the subnet is known to the deployment only"


def policy(principal: Any, actions: Any, **more: Any) -> dict[str, Any]:
    return {"Statement": [{"Effect": "Allow", "Principal": principal, "Action": actions, "Resource": "*", **more}]}


@pytest.mark.parametrize(
    ("document", "missing"),
    [
        (policy({"AWS": f"arn:aws:iam::{THERE}:root"}, "kms:*"), ()),
        (policy({"AWS": [f"arn:aws:iam::{THERE}:role/EC2ImageBuilder"]}, ["kms:Decrypt", "kms:ReEncrypt*"]), ()),
        (policy({"AWS": THERE}, "kms:Decrypt"), ("kms:ReEncryptFrom",)),
        (policy({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "kms:*"), ("kms:Decrypt", "kms:ReEncryptFrom")),
        (policy({"Service": "ec2.amazonaws.com"}, "kms:*"), ("kms:Decrypt", "kms:ReEncryptFrom")),
        (policy("*", "kms:decrypt", Condition={"StringEquals": {"kms:CallerAccount": THERE}}), ("kms:ReEncryptFrom",)),
        (
            policy("*", "kms:*", Condition={"StringEquals": {"kms:CallerAccount": [ACCOUNT]}}),
            ("kms:Decrypt", "kms:ReEncryptFrom"),
        ),
    ],
)
def test_the_policy_of_a_key_is_read_for_an_account(document: dict[str, Any], missing: tuple[str, ...]) -> None:
    said = says(document, THERE, ["kms:Decrypt", "kms:ReEncryptFrom"])

    assert (said.missing, said.open) == (missing, "")


def test_a_policy_that_asks_for_an_organization_is_said_to_be_open() -> None:
    document = policy("*", "kms:*", Condition={"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}})

    said = says(document, THERE, ["kms:Decrypt"])

    assert said.missing == ()
    assert said.open == "it asks for an organization, of which nobody asked whether the account is a member"


def test_a_policy_that_also_denies_is_said_to_be_open() -> None:
    document = policy("*", "kms:*")
    document["Statement"].append({"Effect": "Deny", "Principal": "*", "Action": "kms:Decrypt"})

    assert says(document, THERE, ["kms:Decrypt"]).open == "it denies something as well, which was not weighed"


@pytest.mark.parametrize(
    ("principal", "trusted"),
    [
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, True),
        ({"AWS": ACCOUNT}, True),
        ({"AWS": f"arn:aws:iam::{THERE}:root"}, False),
    ],
)
def test_a_trust_policy_names_the_account_that_builds(principal: dict[str, str], *, trusted: bool) -> None:
    assert trusts(policy(principal, "sts:AssumeRole"), ACCOUNT) == trusted
