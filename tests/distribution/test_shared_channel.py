"""Channels of accounts that only share: what their owner renders, what they read, and what becomes of it."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam

from cdk_ami import (
    ConfigError,
    Distribution,
    GoldenImage,
    ImageChannel,
    LaunchPermission,
    SharedChannel,
    SourceImage,
    Target,
    Tracking,
)
from cdk_ami.runtime.advance_channel import advance
from tests.support.amis import make_ami, point
from tests.support.deployed import Deployed
from tests.support.sandbox import ACCOUNT, MakeClient
from tests.support.synth import make_app, make_stack, only_resource, resources_of, template_of

SHARER = "210987654321"
IN_UNIT = "333333333333"
NAME = "/imagebuilder/web/latest"
ARN = f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter{NAME}"
WEB = ImageChannel.from_shared("web", account=ACCOUNT)
TO_SHARER = LaunchPermission(accounts=[SHARER])
UNIT = "arn:aws:organizations::123456789012:ou/o-a1b2c3d4e5/ou-ab12-c3d4e5f6"


@pytest.fixture(scope="module")
def owner() -> dict[str, Any]:
    """The template of the account that shares."""
    stack = make_stack()
    SharedChannel(
        stack,
        "Shared",
        channels=[ImageChannel("web"), ImageChannel("web", "stable")],
        share_with=LaunchPermission(accounts=[SHARER], organizational_units=[UNIT]),
    )
    return template_of(stack)


@pytest.fixture(scope="module")
def reader() -> cdk.Stack:
    """A stack of the account that reads, in three ways."""
    stack = make_stack(account=SHARER)
    role = iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"))
    WEB.grant_read(role)
    for tracking in (Tracking.AT_DEPLOY, Tracking.AT_LAUNCH):
        ec2.LaunchTemplate(stack, f"T{tracking.name}", machine_image=WEB.machine_image(tracking=tracking))
    return stack


def test_the_share_names_the_channels_and_those_who_may_read(owner: dict[str, Any]) -> None:
    share = only_resource(owner, "AWS::RAM::ResourceShare")

    assert share["Properties"]["Principals"] == [SHARER, UNIT]
    assert share["Properties"]["AllowExternalPrincipals"] is False
    assert [
        json.dumps(arn).count(f":{ACCOUNT}:parameter/imagebuilder/web/") for arn in share["Properties"]["ResourceArns"]
    ] == [1, 1]
    [advanced] = resources_of(owner, "Custom::AdvancedChannels")
    assert share["DependsOn"] == [advanced]


def test_the_function_may_write_these_channels_and_no_other(owner: dict[str, Any]) -> None:
    statements = only_resource(owner, "AWS::IAM::Policy")["Properties"]["PolicyDocument"]["Statement"]

    assert {one.get("Sid"): one["Action"] for one in statements} == {
        "Channels": ["ssm:GetParameter", "ssm:GetParameterHistory", "ssm:PutParameter"],
        "Look": ["ec2:DescribeImages", "ssm:DescribeParameters"],
        None: ["logs:CreateLogStream", "logs:PutLogEvents"],
    }
    assert "*" not in json.dumps(statements[0]["Resource"])
    assert len(only_resource(owner, "AWS::Lambda::Function")["Properties"]["Code"]["ZipFile"]) < 4096


def test_a_shared_channel_is_read_by_its_arn_in_the_stacks_region(reader: cdk.Stack) -> None:
    template = template_of(reader)

    images = [
        found["Properties"]["LaunchTemplateData"]["ImageId"]
        for found in resources_of(template, "AWS::EC2::LaunchTemplate").values()
    ]
    [(parameter, declared)] = [
        (name, one) for name, one in template["Parameters"].items() if "Image::Id" in one["Type"]
    ]
    assert images == [{"Ref": parameter}, f"resolve:ssm:{ARN}"]
    assert declared["Default"] == ARN
    assert f"have the account {ACCOUNT} share it" in declared["Description"]
    [statement] = only_resource(template, "AWS::IAM::Policy")["Properties"]["PolicyDocument"]["Statement"]
    assert f":{ACCOUNT}:parameter/imagebuilder/web/latest" in json.dumps(statement["Resource"])


def test_who_reads_a_shared_channel_is_told_that_its_owner_has_to_share_it(reader: cdk.Stack) -> None:
    infos = [str(entry.data) for entry in reader.node.metadata if entry.type == "aws:cdk:info"]

    [info] = infos
    assert f"Unable to fetch parameters [{ARN}]" in info
    assert f"the account {ACCOUNT} has to share it with this one, by a SharedChannel" in info


def test_in_a_region_that_only_the_deployment_knows_whoever_deploys_gives_the_arn() -> None:
    stack = make_stack(region=None, account=None)
    ec2.LaunchTemplate(stack, "T", machine_image=WEB.machine_image())

    [declared] = [one for one in template_of(stack)["Parameters"].values() if "Image::Id" in one["Type"]]

    assert "Default" not in declared
    assert f"ARN of {NAME}" in declared["Description"]


def read_by(stack: cdk.Stack, *, tracking: Tracking = Tracking.AT_DEPLOY) -> None:
    # Past the CDK's own constructs: an error of Python loses its class on the way through Node.
    ImageChannel("web", "stable").machine_image(tracking=tracking).image_id(stack)


def shared_from(app: cdk.App, **options: Any) -> None:
    given = {"launch_permission": TO_SHARER} | options
    target = Target(region="us-east-1", kms_key="alias/golden", **given)
    Distribution(targets=[target]).render(make_stack("Image", app=app), "Distribution", name="web")


@pytest.mark.parametrize("tracking", [Tracking.AT_DEPLOY, Tracking.AT_LAUNCH])
@pytest.mark.parametrize("reads_first", [True, False], ids=["reads first", "shares first"])
def test_an_account_that_only_shares_cannot_read_a_channel_of_its_own(tracking: Tracking, *, reads_first: bool) -> None:
    app = make_app()
    fleet = make_stack("Fleet", app=app, account=SHARER)

    steps = [partial(read_by, fleet, tracking=tracking), partial(shared_from, app)]
    first, second = steps if reads_first else reversed(steps)
    first()

    with pytest.raises(ConfigError) as caught:
        second()

    assert (caught.value.where.split("/")[0], caught.value.prop) == ("Fleet", "image")
    assert caught.value.got == "/imagebuilder/web/stable"
    assert caught.value.fix == (
        f"read the owner's: ImageChannel.from_shared('web', account='{ACCOUNT}', channel='stable')"
    )


@pytest.mark.parametrize(
    ("account", "region", "options"),
    [
        (SHARER, "us-east-1", {"accounts": [SHARER]}),
        (ACCOUNT, "us-east-1", {"launch_permission": LaunchPermission(accounts=[ACCOUNT, SHARER])}),
        (SHARER, "eu-west-1", {}),
        (IN_UNIT, "us-east-1", {}),
        (None, "us-east-1", {}),
    ],
    ids=["it has copies", "the owner", "another Region", "another account", "an unknown account"],
)
def test_nobody_else_is_refused(account: str | None, region: str, options: dict[str, Any]) -> None:
    app = make_app()
    shared_from(app, **options)

    read_by(make_stack("Fleet", app=app, account=account, region=region))


def test_an_image_knows_the_account_that_it_shares_with() -> None:
    app = make_app()
    target = Target(region="us-east-1", kms_key="alias/golden", launch_permission=TO_SHARER)
    GoldenImage(
        make_stack("Image", app=app),
        "Image",
        name="web",
        source=SourceImage.amazon_linux_2023(),
        distribution=Distribution(targets=[target]),
    )

    with pytest.raises(ConfigError, match="which only shares the AMIs of 123456789012 and so gets none"):
        read_by(make_stack("Fleet", app=app, account=SHARER))


def launched(aws: MakeClient, account: str, template: str) -> str:
    made = aws("ec2", account=account).run_instances(
        LaunchTemplate={"LaunchTemplateName": template}, InstanceType="t3.micro", MinCount=1, MaxCount=1
    )
    image_id: str = made["Instances"][0]["ImageId"]
    return image_id


def organization(aws: MakeClient) -> str:
    """Make an organization of the owner with one account in a unit; return the unit's ARN."""
    client = aws("organizations")
    client.create_organization(FeatureSet="ALL")
    root = client.list_roots()["Roots"][0]["Id"]
    unit = client.create_organizational_unit(ParentId=root, Name="fleets")["OrganizationalUnit"]
    inner = client.create_organizational_unit(ParentId=unit["Id"], Name="web")["OrganizationalUnit"]
    member = client.create_account(Email="fleet@example.com", AccountName="fleet")["CreateAccountStatus"]["AccountId"]
    client.move_account(AccountId=member, SourceParentId=root, DestinationParentId=inner["Id"])
    arn: str = unit["Arn"]
    return f"{arn} {member}"


def test_accounts_without_a_copy_deploy_and_launch_once_the_owner_shares(aws: MakeClient) -> None:
    unit, member = organization(aws).split()
    ami, newer = (make_ami(aws("ec2"), version=version, encrypted=False).image_id for version in ("1.0.0/1", "1.0.1/1"))
    for image_id in (ami, newer):
        permission = [{"UserId": SHARER}, {"OrganizationalUnitArn": unit}]
        aws("ec2").modify_image_attribute(ImageId=image_id, LaunchPermission={"Add": permission})
    point(aws("ssm"), NAME, ami)
    readers = {account: template_for(account) for account in (SHARER, member)}
    refused = aws("cloudformation", account=SHARER)
    with pytest.raises(refused.exceptions.ClientError, match="Unable to fetch parameters"):
        refused.create_stack(StackName="Reads", TemplateBody=json.dumps(readers[SHARER]))

    owner = Deployed(aws)
    SharedChannel(
        owner.stack("Shares"),
        "Shared",
        channels=[ImageChannel("web")],
        share_with=LaunchPermission(accounts=[SHARER], organizational_units=[unit]),
        outside=True,
    )
    owner.deploy("Shares")
    for account, template in readers.items():
        aws("cloudformation", account=account).create_stack(StackName="Reads", TemplateBody=json.dumps(template))

    history = aws("ssm").get_parameter_history(Name=NAME)["Parameters"]
    assert [(one["Value"], one["Tier"]) for one in history] == [(ami, "Standard"), (ami, "Advanced")]
    assert [launched(aws, account, name) for account in readers for name in ("deployed", "launched")] == [ami] * 4
    point(aws("ssm"), NAME, newer)  # as a build writes it: without a tier
    assert [launched(aws, account, "launched") for account in readers] == [newer] * 2


def template_for(account: str) -> dict[str, Any]:
    stack = make_stack(account=account)
    for name, tracking in (("deployed", Tracking.AT_DEPLOY), ("launched", Tracking.AT_LAUNCH)):
        image = WEB.machine_image(tracking=tracking)
        ec2.LaunchTemplate(stack, name.title(), launch_template_name=name, machine_image=image)
    template = template_of(stack)
    template.pop("Rules")
    template["Parameters"].pop("BootstrapVersion")
    return template


def test_a_channel_that_does_not_exist_stops_the_sharing_with_what_to_do(aws: MakeClient) -> None:
    with pytest.raises(RuntimeError, match=f"{NAME} does not exist here; build the image first, or seed the channel"):
        advance(aws("ssm"), NAME)


class RacedParameters:
    """A client between whose look and write a build writes."""

    def __init__(self, ssm: Any, theirs: str) -> None:
        self._ssm, self._theirs = ssm, [theirs]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ssm, name)

    def put_parameter(self, **given: Any) -> Any:
        if self._theirs:
            point(self._ssm, NAME, self._theirs.pop())
        return self._ssm.put_parameter(**given)


def test_what_a_build_writes_meanwhile_is_not_lost(aws: MakeClient) -> None:
    old, new = (make_ami(aws("ec2"), version=version).image_id for version in ("1.0.0/1", "1.0.1/1"))
    point(aws("ssm"), NAME, old)

    moved = [advance(RacedParameters(aws("ssm"), new), NAME, sleep=lambda _: None) for _ in range(2)]

    assert moved == [True, False]
    assert aws("ssm").get_parameter(Name=NAME)["Parameter"]["Value"] == new
    [described] = aws("ssm").describe_parameters()["Parameters"]
    assert described["Tier"] == "Advanced"
