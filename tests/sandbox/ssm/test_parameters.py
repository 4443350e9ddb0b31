from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

AL2023 = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"


@pytest.fixture
def image(aws: Any) -> str:
    instance = aws("ec2").run_instances(
        ImageId=f"resolve:ssm:{AL2023}", InstanceType="t3.micro", MinCount=1, MaxCount=1
    )["Instances"][0]["InstanceId"]
    return str(aws("ec2").create_image(InstanceId=instance, Name="golden-1")["ImageId"])


def put(aws: Any, value: str, region: str = "us-east-1", account: str = "123456789012", **request: Any) -> int:
    request = {"Name": "/imagebuilder/web/latest", "Type": "String", "DataType": "aws:ec2:image", **request}
    return int(aws("ssm", region, account=account).put_parameter(Value=value, **request)["Version"])


def test_a_channel_holds_an_image_that_exists_here(aws: Any, image: str) -> None:
    put(aws, image)

    parameter = aws("ssm").get_parameter(Name="/imagebuilder/web/latest")["Parameter"]

    assert (parameter["Value"], parameter["DataType"], parameter["Version"]) == (image, "aws:ec2:image", 1)


@pytest.mark.parametrize(
    ("value", "message"),
    [("latest", "has not the form of an AMI id"), ("ami-0123456789abcdef0", "does not exist")],
)
def test_a_channel_cannot_hold_what_is_no_image(aws: Any, value: str, message: str) -> None:
    with pytest.raises(ClientError, match=message):
        put(aws, value)
    with pytest.raises(ClientError, match="ParameterNotFound"):
        aws("ssm").get_parameter(Name="/imagebuilder/web/latest")


def test_a_channel_cannot_hold_an_image_of_another_region_or_account(aws: Any, image: str) -> None:
    with pytest.raises(ClientError, match="in eu-west-1"):
        put(aws, image, "eu-west-1")
    with pytest.raises(ClientError, match="for account 210987654321"):
        put(aws, image, account="210987654321")

    aws("ec2").modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"UserId": "210987654321"}]})

    assert put(aws, image, account="210987654321") == 1


def test_a_channel_keeps_its_history(aws: Any, image: str) -> None:
    ssm = aws("ssm")
    public = ssm.get_parameter(Name=AL2023)["Parameter"]["Value"]
    put(aws, public)
    with pytest.raises(ClientError, match="ParameterAlreadyExists"):
        put(aws, image)

    version = put(aws, image, Overwrite=True)
    ssm.label_parameter_version(Name="/imagebuilder/web/latest", ParameterVersion=1, Labels=["previous"])

    history = ssm.get_parameter_history(Name="/imagebuilder/web/latest")["Parameters"]
    assert [(each["Version"], each["Value"]) for each in history] == [(1, public), (2, image)]
    assert version == 2
    assert ssm.get_parameter(Name="/imagebuilder/web/latest:1")["Parameter"]["Value"] == public
    assert ssm.get_parameter(Name="/imagebuilder/web/latest:previous")["Parameter"]["Value"] == public


def test_channels_are_listed_by_path_without_the_public_ones(aws: Any, image: str) -> None:
    put(aws, image)
    put(aws, image, Name="/imagebuilder/web/stable")
    aws("ssm").get_parameter(Name=AL2023)

    by_path = aws("ssm").get_parameters_by_path(Path="/imagebuilder/web")["Parameters"]
    everything = aws("ssm").describe_parameters()["Parameters"]

    names = ["/imagebuilder/web/latest", "/imagebuilder/web/stable"]
    assert sorted(each["Name"] for each in by_path) == names
    assert sorted(each["Name"] for each in everything) == names


def test_nobody_writes_where_aws_publishes(aws: Any, image: str) -> None:
    with pytest.raises(ClientError, match="No access to reserved parameter name"):
        put(aws, image, Name="/aws/service/mine")
