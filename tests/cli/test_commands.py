from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Command
from tests.support.amis import make_ami, make_pipeline, point

Aws = Callable[..., Any]

SETTINGS = """
[image]
name = "web"
region = "us-east-1"
source = "amazon-linux-2023"
copy_to = ["eu-west-1"]

[[fleet]]
region = "eu-west-1"
zones = ["eu-west-1a"]
"""


def test_images_prints_both_tables_with_whole_ids(command: Command, aws: Aws) -> None:
    mine = make_ami(aws("ec2"))
    point(aws("ssm"), "/imagebuilder/web/latest", mine.image_id)
    runner = aws("ec2").run_instances(ImageId=mine.image_id, MinCount=1, MaxCount=1, InstanceType="t3.micro")

    shown = command("images", "web", "--region", "us-east-1")

    assert shown.exit_code == 0
    ami_line = next(line for line in shown.output.splitlines() if "web 1.0.0-1" in line)
    assert ami_line.split()[:6] == ["us-east-1", mine.image_id, "1.0.0/1", "latest", "available", "yes"]
    assert runner["Instances"][0]["InstanceId"] in shown.output


def test_images_prints_json_with_the_same_facts(command: Command, aws: Aws) -> None:
    mine = make_ami(aws("ec2"))

    shown = json.loads(command("images", "web", "--region", "us-east-1", "--json").output)

    assert shown["image"] == "web"
    assert shown["failed"] == {}
    assert shown["instances"] == []
    assert shown["amis"] == [
        {
            "region": "us-east-1",
            "image_id": mine.image_id,
            "name": "web 1.0.0-1",
            "version": "1.0.0/1",
            "image_arn": mine.image_arn,
            "state": "available",
            "created": shown["amis"][0]["created"],
            "encrypted": True,
            "snapshots": [mine.snapshot_id],
            "source": "",
            "channels": [],
        }
    ]


def test_an_image_that_nobody_built_is_said_to_be_none(command: Command) -> None:
    shown = command("images", "web", "--region", "us-east-1", "--region", "eu-west-1")

    assert (shown.exit_code, shown.output) == (0, "No AMI of the image web in us-east-1, eu-west-1.\n")


def test_the_settings_file_names_image_and_regions(command: Command, aws: Aws) -> None:
    Path("cdk-ami.toml").write_text(SETTINGS)
    there = make_ami(aws("ec2", "eu-west-1"))

    shown = json.loads(command("images", "--json").output)

    assert [(ami["region"], ami["image_id"]) for ami in shown["amis"]] == [("eu-west-1", there.image_id)]


def test_a_broken_settings_file_is_one_plain_error(command: Command) -> None:
    Path("cdk-ami.toml").write_text("[image]\nname = 3\n")

    shown = command("images")

    assert shown.exit_code == 1
    assert "cdk-ami.toml: " in shown.output
    assert "image.name is a number, not text, got 3; give text" in shown.output


@pytest.mark.parametrize("arguments", [["images"], ["channels", "list"], ["leftovers"]])
def test_no_image_and_no_settings_file_is_a_usage_error(command: Command, arguments: list[str]) -> None:
    shown = command(*arguments)

    assert shown.exit_code == 2
    assert "no IMAGE was given and there is no cdk-ami.toml here; name the image" in shown.output


def test_without_settings_or_option_the_region_comes_from_the_environment(command: Command, aws: Aws) -> None:
    there = make_ami(aws("ec2", "eu-west-1"))

    shown = command("images", "web", "--json", AWS_REGION="eu-west-1")

    assert [ami["image_id"] for ami in json.loads(shown.output)["amis"]] == [there.image_id]


def test_a_region_that_fails_is_named_and_hides_no_other(command: Command, aws: Aws) -> None:
    mine = make_ami(aws("ec2"))

    # Nothing listens at that port.
    shown = command(
        "images",
        "web",
        "--region",
        "us-east-1",
        "--json",
        AWS_ENDPOINT_URL_SSM="http://127.0.0.1:1",
        AWS_MAX_ATTEMPTS="1",
    )

    assert shown.exit_code == 1
    assert "us-east-1: " in shown.stderr
    assert json.loads(shown.stdout)["amis"] == []
    assert mine.image_id not in shown.stdout


def test_channels_are_listed_by_region(command: Command, aws: Aws) -> None:
    mine = make_ami(aws("ec2"))
    point(aws("ssm"), "/imagebuilder/web/latest", mine.image_id)

    listed = json.loads(command("channels", "list", "web", "--region", "us-east-1", "--json").output)
    shown = command("channels", "list", "web", "--region", "us-east-1").output
    nothing = command("channels", "list", "shop", "--region", "us-east-1").output

    assert listed["channels"] == [{"region": "us-east-1", "name": "/imagebuilder/web/latest", "ami": mine.image_id}]
    assert mine.image_id in shown
    assert nothing == "No channel of the image shop in us-east-1.\n"


def test_a_channel_is_seeded_from_the_entry_channel_in_every_region(command: Command, aws: Aws) -> None:
    for region in ("us-east-1", "eu-west-1"):
        point(aws("ssm", region), "/imagebuilder/web/latest", make_ami(aws("ec2", region)).image_id)

    shown = command("channels", "seed", "web", "stable", "--region", "us-east-1", "--region", "eu-west-1")

    assert shown.exit_code == 0
    for region in ("us-east-1", "eu-west-1"):
        held = {
            name: aws("ssm", region).get_parameter(Name=f"/imagebuilder/web/{name}")["Parameter"]["Value"]
            for name in ("latest", "stable")
        }
        assert held["latest"] == held["stable"]
        assert f"{region}: stable of web now holds {held['stable']}" in shown.output


def test_seeding_without_an_entry_channel_says_what_to_do(command: Command) -> None:
    shown = command("channels", "seed", "web", "stable", "--region", "us-east-1")

    assert shown.exit_code == 1
    assert "us-east-1: the entry channel of web does not exist; build the image, or give --ami" in shown.output


def test_an_ami_seeds_one_region_only(command: Command) -> None:
    shown = command(
        "channels",
        "seed",
        "web",
        "stable",
        "--ami",
        "ami-0123456789abcdef0",
        "--region",
        "us-east-1",
        "--region",
        "eu-west-1",
    )

    assert shown.exit_code == 2
    assert "an AMI belongs to one Region, got us-east-1, eu-west-1; give one --region with --ami" in shown.output


def test_leftovers_are_removed_only_when_told(command: Command, aws: Aws) -> None:
    mine = make_ami(aws("ec2"))

    dry = command("leftovers", "web", "--region", "us-east-1")
    still = json.loads(command("leftovers", "web", "--region", "us-east-1", "--json").output)
    wet = command("leftovers", "web", "--region", "us-east-1", "--remove")
    after = command("leftovers", "web", "--region", "us-east-1")

    assert "To remove it: cdk-ami leftovers web --region us-east-1 --remove" in dry.output
    assert [left["name"] for left in still["leftovers"]] == [mine.image_id, mine.snapshot_id]
    assert wet.output.splitlines() == [
        f"us-east-1: removed ami {mine.image_id}",
        f"us-east-1: removed snapshot {mine.snapshot_id}",
    ]
    assert after.output == "Nothing remains of the image web in us-east-1.\n"


def test_nothing_is_removed_while_a_region_gives_no_answer(command: Command, aws: Aws) -> None:
    mine = make_ami(aws("ec2"))
    silent = {"AWS_ENDPOINT_URL_SSM": "http://127.0.0.1:1", "AWS_MAX_ATTEMPTS": "1"}

    shown = command("leftovers", "web", "--region", "us-east-1", "--remove", **silent)

    assert shown.exit_code == 1
    assert "Nothing is removed: what is in use in a Region that gave no answer cannot be seen." in shown.stderr
    assert "us-east-1: could not look" in shown.stderr
    assert aws("ec2").describe_images(ImageIds=[mine.image_id])["Images"]


def test_what_is_in_use_is_kept_and_named(command: Command, aws: Aws) -> None:
    mine = make_ami(aws("ec2"))
    started = aws("ec2").run_instances(ImageId=mine.image_id, MinCount=1, MaxCount=1, InstanceType="t3.micro")
    runner = started["Instances"][0]["InstanceId"]

    shown = command("leftovers", "web", "--region", "us-east-1", "--remove", "--json")

    result = json.loads(shown.stdout)
    assert result["removed"] == []
    assert [(left["name"], left["used_by"]) for left in result["kept"]] == [
        (mine.image_id, [runner]),
        (mine.snapshot_id, [runner]),
    ]
    assert f"us-east-1: kept ami {mine.image_id}, used by {runner}" in shown.stderr
    assert aws("ec2").describe_images(ImageIds=[mine.image_id])["Images"]


def test_help_teaches_every_command(command: Command) -> None:
    shown = command("--help").output

    for name in ("channels", "images", "leftovers", "promote", "rollback", "sandbox"):
        assert name in shown
    for arguments in (["channels", "seed"], ["images"], ["leftovers"], ["promote"], ["rollback"]):
        assert "Examples:" in command(*arguments, "--help").output
    assert "cdk-ami sandbox -- make test" in command("sandbox", "--help").output
    assert "Exit codes: 0 done, 1 failed or refused, 2 wrong usage." in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["images", "web", "--region", "us-esat-1"], "--region is no AWS Region, got 'us-esat-1'"),
        (["channels", "seed", "web", "Sta ble", "--region", "us-east-1"], "CHANNEL "),
        (["channels", "seed", "web", "stable", "--ami", "ami-x", "--region", "us-east-1"], "--ami "),
    ],
)
def test_a_value_that_can_never_work_is_refused_before_aws_is_asked(
    command: Command, arguments: list[str], message: str
) -> None:
    shown = command(*arguments)

    assert shown.exit_code == 2
    assert message in shown.output


def test_nothing_is_removed_while_a_pipeline_builds_the_image(command: Command, aws: Aws) -> None:
    there = make_ami(aws("ec2", "eu-west-1"))
    pipeline = make_pipeline(aws("imagebuilder"), aws("iam"))

    listed = command("leftovers", "web", "--region", "eu-west-1")
    refused = command("leftovers", "web", "--region", "eu-west-1", "--remove")
    still = aws("ec2", "eu-west-1").describe_images(ImageIds=[there.image_id])["Images"]
    forced = command("leftovers", "web", "--region", "eu-west-1", "--remove", "--force")

    assert f"The image is still built, by {pipeline}" in listed.output
    assert refused.exit_code == 1
    assert f"{pipeline} still builds web; destroy its stack first, or add --force" in refused.output
    assert len(still) == 1
    assert (forced.exit_code, forced.output.splitlines()[0]) == (0, f"eu-west-1: removed ami {there.image_id}")


def test_what_a_launch_template_names_is_kept(command: Command, aws: Aws) -> None:
    mine = make_ami(aws("ec2"))
    template = aws("ec2").create_launch_template(
        LaunchTemplateName="web", LaunchTemplateData={"ImageId": mine.image_id, "InstanceType": "t3.micro"}
    )["LaunchTemplate"]["LaunchTemplateId"]

    shown = command("leftovers", "web", "--region", "us-east-1", "--remove")

    assert f"us-east-1: kept ami {mine.image_id}, used by {template}" in shown.output
    assert aws("ec2").describe_images(ImageIds=[mine.image_id])["Images"]
