"""`cdk-ami capture`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.cli.conftest import Command
from tests.support.stacks import trust

Aws = Callable[..., Any]
PUBLIC = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
HERE = ("--name", "shop", "--region", "us-east-1")


def server(aws: Aws) -> str:
    public = aws("ssm").get_parameter(Name=PUBLIC)["Parameter"]["Value"]
    launched = aws("ec2").run_instances(ImageId=public, MinCount=1, MaxCount=1, InstanceType="t3.micro")
    return str(launched["Instances"][0]["InstanceId"])


def test_a_server_is_captured_and_distributed_and_the_same_command_makes_nothing_twice(
    command: Command, aws: Aws
) -> None:
    document = json.dumps(trust("imagebuilder.amazonaws.com"))
    aws("iam").create_role(RoleName="distribute", AssumeRolePolicyDocument=document)
    instance, ec2 = server(aws), aws("ec2")
    to: tuple[str, ...] = ("--to", "us-east-1,eu-west-1", "--role", "distribute")

    refused = command("capture", instance, *HERE, *to)
    nobody = command("capture", instance, *HERE, "--to", "eu-west-1", "--role", "Nobody", "--dry-run")
    to = (*to, "--allow-unencrypted")
    planned = command("capture", instance, *HERE, *to, "--dry-run")
    untouched = ec2.describe_images(Owners=["self"])["Images"]
    shown = command("capture", instance, *HERE, *to)
    again = json.loads(command("capture", instance, *HERE, *to, "--json").output)

    assert (refused.exit_code, nobody.exit_code, planned.exit_code, untouched) == (1, 1, 0, [])
    assert "cannot be captured: it is not encrypted at /dev/" in refused.output
    assert "the role Nobody does not exist" in nobody.output
    assert f"{instance} is running and would be stopped; afterwards: as-before" in planned.output
    assert shown.exit_code == 0, shown.output
    assert f"Stopping {instance}" in shown.output
    assert f"{instance} runs again" in shown.output
    (snapshot,) = again["snapshots"]
    assert f"{snapshot['snapshot_id']} of {snapshot['volume_id']}" in shown.output
    assert (snapshot["state"], snapshot["progress"], again["status"]) == ("completed", "100%", "AVAILABLE")
    assert {one["region"] for one in again["amis"]} == {"us-east-1", "eu-west-1"}
    assert len(ec2.describe_images(Owners=["self"])["Images"]) == 2
    assert (
        ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]["State"]["Name"] == "running"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("i-shop", *HERE), "INSTANCE is no instance id"),
        (("i-0123456789abcdef0", *HERE, "--to", "eu-west-1"), "--to needs --role"),
        (("i-0123456789abcdef0", *HERE, "--no-reboot", "--then", "start"), "--no-reboot stops none"),
        (("i-0123456789abcdef0", *HERE, "--without", "volume"), "--without is no device name"),
    ],
)
def test_a_command_that_does_not_fit_together_is_wrong_usage(
    command: Command, arguments: tuple[str, ...], said: str
) -> None:
    shown = command("capture", *arguments)

    assert (shown.exit_code, said in shown.output) == (2, True), shown.output
