from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from cdk_ami.sandbox.pace import PACE
from tests.support.happenings import ACCOUNT, Happenings

AL2023 = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"


@pytest.fixture
def image(aws: Any) -> str:
    instance = aws("ec2").run_instances(
        ImageId=f"resolve:ssm:{AL2023}", InstanceType="t3.micro", MinCount=1, MaxCount=1
    )["Instances"][0]["InstanceId"]
    return str(aws("ec2").create_image(InstanceId=instance, Name="golden-1")["ImageId"])


def put(it: Happenings, value: str, region: str = "us-east-1", account: str = ACCOUNT, **request: Any) -> int:
    """Write a channel, and return its version when the value stands or was dropped."""
    request = {"Name": "/imagebuilder/web/latest", "Type": "String", "DataType": "aws:ec2:image", **request}
    version = it.aws("ssm", region, account=account).put_parameter(Value=value, **request)["Version"]
    it.settle()
    return int(version)


def held(it: Happenings, region: str = "us-east-1", account: str = ACCOUNT) -> list[str]:
    found = it.aws("ssm", region, account=account).get_parameters(Names=["/imagebuilder/web/latest"])["Parameters"]
    return [parameter["Value"] for parameter in found]


def changes(it: Happenings) -> list[dict[str, Any]]:
    return [event["detail"] for event in it.log("Parameter Store Change")]


def test_a_channel_holds_an_image_that_exists_here(it: Happenings, image: str) -> None:
    put(it, image)

    parameter = it.aws("ssm").get_parameter(Name="/imagebuilder/web/latest")["Parameter"]

    assert (parameter["Value"], parameter["DataType"], parameter["Version"]) == (image, "aws:ec2:image", 1)


@pytest.mark.parametrize(
    ("value", "exception"),
    [("latest", "Invalid AMI ID format"), ("ami-0123456789abcdef0", "Unable to Describe Resource")],
)
def test_a_channel_cannot_hold_what_is_no_image_and_says_so_in_an_event(
    it: Happenings, value: str, exception: str
) -> None:
    assert put(it, value, Description="the newest") == 1

    assert held(it) == []
    assert it.aws("ssm").describe_parameters()["Parameters"] == []
    assert changes(it) == [
        {
            "operation": "Create",
            "name": "/imagebuilder/web/latest",
            "type": "String",
            "dataType": "aws:ec2:image",
            "description": "the newest",
            "exception": exception,
        }
    ]


def test_a_value_that_is_dropped_leaves_the_one_before(it: Happenings, image: str) -> None:
    put(it, image)

    put(it, "ami-0123456789abcdef0", Overwrite=True)

    assert held(it) == [image]
    history = it.aws("ssm").get_parameter_history(Name="/imagebuilder/web/latest")["Parameters"]
    assert [version["Version"] for version in history] == [1]
    assert [(change["operation"], "exception" in change) for change in changes(it)] == [
        ("Create", False),
        ("Update", True),
    ]


def test_readers_see_the_old_value_until_the_new_one_is_checked(
    it: Happenings, image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    public = it.aws("ssm").get_parameter(Name=AL2023)["Parameter"]["Value"]
    put(it, public)
    monkeypatch.setattr(PACE, "parameter", 30.0)

    assert put(it, image, Overwrite=True) == 2
    assert held(it) == [public]

    it.advance(30)

    assert held(it) == [image]


def test_of_two_that_create_at_once_the_first_stands(
    it: Happenings, image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    public = it.aws("ssm").get_parameter(Name=AL2023)["Parameter"]["Value"]
    monkeypatch.setattr(PACE, "parameter", 30.0)
    put(it, public)
    put(it, image)

    it.advance(30)

    assert held(it) == [public]
    assert [change.get("exception") for change in changes(it)] == [None, "ParameterAlreadyExists"]


def test_a_channel_cannot_hold_an_image_of_another_region_or_account(it: Happenings, image: str) -> None:
    put(it, image, "eu-west-1")
    put(it, image, account="210987654321")
    assert held(it, "eu-west-1") == held(it, account="210987654321") == []

    it.aws("ec2").modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"UserId": "210987654321"}]})
    put(it, image, account="210987654321")

    assert held(it, account="210987654321") == [image]


def test_only_a_string_can_hold_an_image(it: Happenings, image: str) -> None:
    with pytest.raises(ClientError, match="parameters of type String only"):
        put(it, image, Type="StringList")


def test_a_channel_keeps_its_history(it: Happenings, image: str) -> None:
    ssm = it.aws("ssm")
    public = ssm.get_parameter(Name=AL2023)["Parameter"]["Value"]
    put(it, public)
    with pytest.raises(ClientError, match="ParameterAlreadyExists"):
        put(it, image)

    version = put(it, image, Overwrite=True)
    ssm.label_parameter_version(Name="/imagebuilder/web/latest", ParameterVersion=1, Labels=["previous"])

    history = ssm.get_parameter_history(Name="/imagebuilder/web/latest")["Parameters"]
    assert [(each["Version"], each["Value"]) for each in history] == [(1, public), (2, image)]
    assert version == 2
    assert ssm.get_parameter(Name="/imagebuilder/web/latest:1")["Parameter"]["Value"] == public
    assert ssm.get_parameter(Name="/imagebuilder/web/latest:previous")["Parameter"]["Value"] == public


def test_each_change_of_a_parameter_is_told(it: Happenings) -> None:
    ssm = it.aws("ssm")
    ssm.put_parameter(Name="plain", Value="1", Type="String")
    ssm.put_parameter(Name="plain", Value="2", Overwrite=True)
    ssm.label_parameter_version(Name="plain", Labels=["good"])
    ssm.delete_parameter(Name="plain")

    events = it.log("Parameter Store Change")

    operations = ["Create", "Update", "LabelParameterVersion", "Delete"]
    assert [event["detail"] for event in events] == [
        {"operation": operation, "name": "plain", "type": "String"} for operation in operations
    ]
    assert {event["resources"][0] for event in events} == {f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/plain"}
    assert {event["source"] for event in events} == {"aws.ssm"}


def test_another_account_reads_what_is_shared_with_it_by_its_arn(it: Happenings, image: str) -> None:
    it.aws("ec2").modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"UserId": "210987654321"}]})
    put(it, image, Tier="Advanced")
    arn = f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/imagebuilder/web/latest"
    there = it.aws("ssm", account="210987654321")
    with pytest.raises(ClientError, match="AccessDenied"):
        there.get_parameter(Name=arn)
    assert there.get_parameters(Names=[arn])["InvalidParameters"] == [arn]

    it.aws("ram").create_resource_share(name="channel", resourceArns=[arn], principals=["210987654321"])

    assert there.get_parameter(Name=arn)["Parameter"]["Value"] == image
    assert there.get_parameters(Names=[arn])["Parameters"][0]["ARN"] == arn
    made = it.aws("ec2", account="210987654321").run_instances(
        ImageId=f"resolve:ssm:{arn}", InstanceType="t3.micro", MinCount=1, MaxCount=1
    )
    assert made["Instances"][0]["ImageId"] == image
    with pytest.raises(ClientError, match="AccessDenied"):
        it.aws("ssm", account="333333333333").get_parameter(Name=arn)
    with pytest.raises(ClientError, match="of another Region"):
        it.aws("ssm", "eu-west-1", account="210987654321").get_parameter(Name=arn)


def test_a_parameter_of_the_standard_tier_is_not_shared(it: Happenings, image: str) -> None:
    put(it, image)
    arn = f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/imagebuilder/web/latest"

    with pytest.raises(ClientError, match="not of the advanced tier"):
        it.aws("ram").create_resource_share(name="channel", resourceArns=[arn], principals=["210987654321"])


def test_the_tier_grows_with_the_value_and_never_back(it: Happenings) -> None:
    ssm = it.aws("ssm")
    with pytest.raises(ClientError, match="Standard tier parameters do not support"):
        ssm.put_parameter(Name="long", Value="x" * 4097, Type="String")

    made = ssm.put_parameter(Name="long", Value="x" * 4097, Type="String", Tier="Intelligent-Tiering")

    assert made["Tier"] == "Advanced"
    with pytest.raises(ClientError, match="can't downgrade"):
        ssm.put_parameter(Name="long", Value="x", Overwrite=True, Tier="Standard")


def test_channels_are_listed_by_path_without_the_public_ones(it: Happenings, aws: Any, image: str) -> None:
    put(it, image)
    put(it, image, Name="/imagebuilder/web/stable")
    aws("ssm").get_parameter(Name=AL2023)

    by_path = aws("ssm").get_parameters_by_path(Path="/imagebuilder/web")["Parameters"]
    everything = aws("ssm").describe_parameters()["Parameters"]

    names = ["/imagebuilder/web/latest", "/imagebuilder/web/stable"]
    assert sorted(each["Name"] for each in by_path) == names
    assert sorted(each["Name"] for each in everything) == names


def test_nobody_writes_where_aws_publishes(it: Happenings, image: str) -> None:
    with pytest.raises(ClientError, match="No access to reserved parameter name"):
        put(it, image, Name="/aws/service/mine")
