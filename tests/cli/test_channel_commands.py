"""What `cdk-ami channels show` and `history` tell."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cdk_ami.sandbox.server import Sandbox
from tests.cli.conftest import Command
from tests.support.amis import make_ami, point
from tests.support.control import ask
from tests.support.sandbox import ACCOUNT, MakeClient, wait_until

ROOT = f"arn:aws:iam::{ACCOUNT}:root"
BOTH = ("--region", "us-east-1", "--region", "eu-west-1")


def promote(ssm: Any, name: str, ami: str, why: str) -> None:
    ssm.put_parameter(Name=name, Value=ami, Overwrite=True, Type="String", DataType="aws:ec2:image", Description=why)
    wait_until(lambda: bool(ssm.get_parameter(Name=name)["Parameter"]["Value"] == ami))


def test_show_tells_what_each_channel_holds_who_moved_it_and_who_uses_it(command: Command, aws: MakeClient) -> None:
    old, new = (make_ami(aws("ec2"), version=version) for version in ("1.0.0/1", "1.0.1/2"))
    point(aws("ssm"), "/imagebuilder/web/latest", new.image_id)
    point(aws("ssm"), "/imagebuilder/web/stable", old.image_id)
    aws("ec2").run_instances(ImageId=old.image_id, MinCount=2, MaxCount=2, InstanceType="t3.micro")
    data = {"ImageId": old.image_id, "InstanceType": "t3.micro"}
    aws("ec2").create_launch_template(LaunchTemplateName="web", LaunchTemplateData=data)

    told = json.loads(command("channels", "show", "web", "--region", "us-east-1", "--json").output)
    shown = command("channels", "show", "web", "stable", "--region", "us-east-1")

    assert [(one["channel"], one["ami"], one["build"], one["state"]) for one in told["channels"]] == [
        ("latest", new.image_id, "1.0.1/2", "available"),
        ("stable", old.image_id, "1.0.0/1", "available"),
    ]
    assert told["channels"][1]["users"] == {"instance": 2, "launch template": 1}
    assert {(one["by"], one["tier"]) for one in told["channels"]} == {(ROOT, "Standard")}
    assert shown.exit_code == 0, shown.output
    assert "2 instances, 1 launch template" in shown.output
    assert "0 h" in shown.output
    assert new.image_id not in shown.output


def test_show_says_where_a_channel_is_missing_and_what_to_do(command: Command, aws: MakeClient) -> None:
    mine = make_ami(aws("ec2"))
    point(aws("ssm"), "/imagebuilder/web/stable", mine.image_id)

    shown = command("channels", "show", "web", *BOTH)
    nowhere = command("channels", "show", "shop", "--region", "us-east-1")

    assert (shown.exit_code, nowhere.exit_code) == (1, 1)
    assert mine.image_id in shown.stdout
    assert shown.stderr == (
        "eu-west-1: stable of web does not exist: build the image, or run cdk-ami channels seed web stable\n"
    )
    assert "latest of shop does not exist" in nowhere.stderr


def test_show_tells_of_a_channel_whose_ami_is_gone(command: Command, aws: MakeClient) -> None:
    mine = make_ami(aws("ec2"))
    point(aws("ssm"), "/imagebuilder/web/latest", mine.image_id)
    aws("ec2").deregister_image(ImageId=mine.image_id)

    shown = command("channels", "show", "web", "--region", "us-east-1")

    assert shown.exit_code == 1
    assert f"us-east-1: latest of web holds {mine.image_id}, which is gone" in shown.stderr


def test_history_tells_when_by_whom_from_what_to_what_and_why(command: Command, aws: MakeClient) -> None:
    old, new = (make_ami(aws("ec2"), version=version).image_id for version in ("1.0.0/1", "1.0.1/2"))
    for ami, why in (
        (old, "made"),
        (new, "promoted after 2 h"),
        (old, "rolled back: alarm"),
        (new, "rolled back: alarm"),
    ):
        promote(aws("ssm"), "/imagebuilder/web/stable", ami, why)

    told = json.loads(command("channels", "history", "web", "stable", "--json", *BOTH).output)
    shown = command("channels", "history", "web", "stable", *BOTH)

    assert [(one["version"], one["came_from"], one["ami"], one["why"]) for one in told["moves"]] == [
        (4, old, new, ""),
        (3, new, old, "rolled back: alarm"),
        (2, old, new, "promoted after 2 h"),
        (1, "", old, "made"),
    ]
    assert {(one["region"], one["by"]) for one in told["moves"]} == {("us-east-1", ROOT)}
    assert [one["build"] for one in told["moves"][:2]] == ["1.0.1/2", "1.0.0/1"]
    assert told["missing"] == ["eu-west-1"]
    assert shown.exit_code == 0
    assert "No channel stable of the image web in eu-west-1." in shown.output


@pytest.mark.parametrize("verb", [("show", "web"), ("history", "web", "latest")])
def test_a_region_that_fails_hides_no_other(
    command: Command, aws: MakeClient, sandbox: Sandbox, verb: tuple[str, ...]
) -> None:
    mine = make_ami(aws("ec2"))
    point(aws("ssm"), "/imagebuilder/web/latest", mine.image_id)
    point(aws("ssm", "eu-west-1"), "/imagebuilder/web/latest", make_ami(aws("ec2", "eu-west-1")).image_id)
    ask(sandbox, "faults", service="ssm", region="eu-west-1", throttle={})

    shown = command("channels", *verb, "--json", *BOTH, AWS_MAX_ATTEMPTS="1")

    assert shown.exit_code == 1
    assert "eu-west-1: could not look: " in shown.stderr
    assert mine.image_id in shown.stdout
