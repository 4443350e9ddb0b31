"""What `cdk-ami channels show` and `history` tell."""

from __future__ import annotations

import json
from datetime import datetime
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
    three = aws("ec2").run_instances(ImageId=old.image_id, MinCount=3, MaxCount=3, InstanceType="t3.micro")["Instances"]
    # It is told of for a while, and uses nothing.
    aws("ec2").terminate_instances(InstanceIds=[three[0]["InstanceId"]])
    data = {"ImageId": old.image_id, "InstanceType": "t3.micro"}
    aws("ec2").create_launch_template(LaunchTemplateName="web", LaunchTemplateData=data)

    shown = command("channels", "show", "web", "--region", "us-east-1")

    assert shown.exit_code == 0, shown.output
    latest, stable = (line.split() for line in shown.output.splitlines() if "ami-" in line)
    moved = latest[7]
    assert latest == ["us-east-1", "latest", new.image_id, "1.0.1/2", "available", "0", "h", moved, ROOT, "Standard"]
    assert stable[1:5] == ["stable", old.image_id, "1.0.0/1", "available"]
    assert " ".join(stable[10:]) == "2 instances, 1 launch template"
    assert datetime.fromisoformat(moved).tzinfo is not None


def test_show_says_what_is_missing_or_gone_and_what_to_do(command: Command, aws: MakeClient) -> None:
    mine = make_ami(aws("ec2"))
    point(aws("ssm"), "/imagebuilder/web/stable", mine.image_id)
    aws("ec2").deregister_image(ImageId=mine.image_id)

    shown = command("channels", "show", "web", "--json", *BOTH)

    assert shown.exit_code == 1
    assert [(one["ami"], one["state"], one["users"]) for one in json.loads(shown.stdout)["channels"]] == [
        (mine.image_id, "gone", {})
    ]
    assert shown.stderr.splitlines() == [
        f"us-east-1: stable of web holds {mine.image_id}, which is gone",
        "eu-west-1: latest of web does not exist: build the image, or if a build failed run cdk-ami retry web",
    ]


def test_history_tells_when_by_whom_from_what_to_what_and_why(command: Command, aws: MakeClient) -> None:
    old, new = (make_ami(aws("ec2"), version=version).image_id for version in ("1.0.0/1", "1.0.1/2"))
    back = "rolled back: alarm"
    for ami, why in ((old, "made"), (new, "promoted after 2 h"), (old, back), (new, back)):
        promote(aws("ssm"), "/imagebuilder/web/stable", ami, why)

    shown = command("channels", "history", "web", "stable", "--json", *BOTH)
    told = json.loads(shown.stdout)

    assert [(one["version"], one["came_from"], one["ami"], one["build"], one["why"]) for one in told["moves"]] == [
        (4, old, new, "1.0.1/2", ""),
        (3, new, old, "1.0.0/1", "rolled back: alarm"),
        (2, old, new, "1.0.1/2", "promoted after 2 h"),
        (1, "", old, "1.0.0/1", "made"),
    ]
    assert {(one["region"], one["by"]) for one in told["moves"]} == {("us-east-1", ROOT)}
    assert (shown.exit_code, told["missing"], told["regions"]) == (1, ["eu-west-1"], ["us-east-1", "eu-west-1"])
    seed = "cdk-ami channels seed web stable"
    assert shown.stderr == f"eu-west-1: stable of web does not exist: promote a build, or run {seed}\n"


def test_the_regions_that_were_asked_are_told(command: Command, aws: MakeClient) -> None:
    point(aws("ssm"), "/imagebuilder/web/latest", make_ami(aws("ec2")).image_id)

    shown = [command("channels", *verb, "--region", "us-east-1") for verb in (("list", "web"), ("history", "web"))]

    titles = [one.output.splitlines()[0].strip() for one in shown]
    assert titles == ["Channels of web in us-east-1", "History of latest of web in us-east-1"]


@pytest.mark.parametrize("verb", [("show", "web"), ("history", "web", "latest")])
def test_a_region_that_fails_hides_no_other(
    command: Command, aws: MakeClient, sandbox: Sandbox, verb: tuple[str, ...]
) -> None:
    mine = make_ami(aws("ec2"))
    point(aws("ssm"), "/imagebuilder/web/latest", mine.image_id)
    ask(sandbox, "faults", service="ssm", region="eu-west-1", throttle={})

    shown = command("channels", *verb, *BOTH, AWS_MAX_ATTEMPTS="1")

    assert shown.exit_code == 1
    assert shown.stderr.startswith("eu-west-1: could not look: ")
    assert mine.image_id in shown.stdout
