"""Shares of parameters, as stacks make and change them."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.support.sandbox import ACCOUNT, MakeClient
from tests.support.stacks import Stacks, resource

ARN = f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/team/{{}}"


def readable(aws: MakeClient, account: str) -> list[str]:
    found = aws("ssm", account=account).get_parameters(Names=[ARN.format("one"), ARN.format("two")])["Parameters"]
    return sorted(one["Value"] for one in found)


def share(principals: list[str], names: list[str], title: str = "team") -> dict[str, Any]:
    arns = [ARN.format(name) for name in names]
    return {"Share": resource("RAM::ResourceShare", {"Name": title, "Principals": principals, "ResourceArns": arns})}


def test_a_stack_adds_and_takes_away_whom_and_what_a_share_names(aws: MakeClient) -> None:
    for name in ("one", "two"):
        aws("ssm").put_parameter(Name=f"/team/{name}", Value=name, Type="String", Tier="Advanced")
    stacks = Stacks(aws("cloudformation"))

    assert stacks.create("Shares", share(["210987654321"], ["one"])) == "CREATE_COMPLETE"
    first = [readable(aws, account) for account in ("210987654321", "333333333333")]
    assert stacks.update("Shares", share(["333333333333"], ["two"], "others")) == "UPDATE_COMPLETE"
    second = [readable(aws, account) for account in ("210987654321", "333333333333")]
    stacks.delete("Shares")

    assert (first, second) == ([["one"], []], [[], ["two"]])
    assert readable(aws, "333333333333") == []


def test_a_unit_that_does_not_exist_is_refused(aws: MakeClient) -> None:
    aws("ssm").put_parameter(Name="/team/one", Value="one", Type="String", Tier="Advanced")
    unit = f"arn:aws:organizations::{ACCOUNT}:ou/o-a1b2c3d4e5/ou-ab12-c3d4e5f6"

    with pytest.raises(ClientError, match="OrganizationalUnit ou-ab12-c3d4e5f6 could not be found"):
        aws("ram").create_resource_share(name="team", resourceArns=[ARN.format("one")], principals=[unit])
    share_arn = f"arn:aws:ram:us-east-1:{ACCOUNT}:resource-share/none"
    with pytest.raises(ClientError, match="could not be found"):
        aws("ram").associate_resource_share(resourceShareArn=share_arn, principals=["210987654321"])


def test_the_history_of_a_parameter_tells_who_wrote_each_version(aws: MakeClient) -> None:
    aws("ssm").put_parameter(Name="plain", Value="one", Type="String")
    iam = aws("iam", account="210987654321")
    trust = '{"Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]}'
    role = iam.create_role(RoleName="Writer", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    keys = aws("sts").assume_role(RoleArn=role, RoleSessionName="ann")["Credentials"]
    client = boto3.client(
        "ssm",
        region_name="us-east-1",
        endpoint_url=aws("ssm").meta.endpoint_url,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )
    client.put_parameter(Name="theirs", Value="one", Type="String")

    [own] = aws("ssm").get_parameter_history(Name="plain")["Parameters"]
    [theirs] = client.get_parameter_history(Name="theirs")["Parameters"]
    assert own["LastModifiedUser"] == f"arn:aws:iam::{ACCOUNT}:root"
    assert theirs["LastModifiedUser"] == "arn:aws:sts::210987654321:assumed-role/Writer/ann"
