"""`cdk-ami distribute` and `cdk-ami retry`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from cdk_ami.sandbox.server import Sandbox
from tests.cli.conftest import Command
from tests.distribution.test_producer import REGIONS, own_ami
from tests.support.control import ask
from tests.support.stacks import trust

Aws = Callable[..., Any]
HERE = ("--region", "us-east-1")
SECRET = ("--name", "shop", "--to", "us-east-1,eu-west-1", "--role", "distribute", *HERE)
# The AMIs of these tests are copies of public ones, which are not encrypted.
TO = (*SECRET, "--allow-unencrypted")


@pytest.fixture(autouse=True)
def _role(aws: Aws) -> None:
    aws("iam").create_role(
        RoleName="distribute", AssumeRolePolicyDocument=json.dumps(trust("imagebuilder.amazonaws.com"))
    )


def copies(aws: Aws, ami: str) -> list[int]:
    found = [aws("ec2", region).describe_images(Owners=["self"])["Images"] for region in REGIONS]
    return [len([image for image in images if image.get("SourceImageId") == ami]) for images in found]


def test_an_ami_goes_to_the_regions_named_and_the_same_command_copies_nothing_twice(command: Command, aws: Aws) -> None:
    ami = own_ami(aws("ec2"), "baked")

    planned = command("distribute", ami, *TO, "--dry-run")
    before = copies(aws, ami)
    shown = command("distribute", ami, *TO)
    again = json.loads(command("distribute", ami, *TO, "--json").output)
    told = json.loads(command("distribute", ami, *TO, "--dry-run", "--json").output)

    assert planned.exit_code == 0
    assert "would go to us-east-1, eu-west-1" in planned.output
    assert "does not exist and would be made" in planned.output
    assert before == [0, 0]
    assert (shown.exit_code, copies(aws, ami)) == (0, [1, 1]), shown.output
    assert (again["status"], again["ami"]) == ("AVAILABLE", ami)
    assert {one["image_id"] for one in again["amis"]} <= set(shown.output.split())
    for one in again["amis"]:
        channel = aws("ssm", one["region"]).get_parameter(Name="/imagebuilder/shop/latest")
        assert channel["Parameter"]["Value"] == one["image_id"]
    assert (told["earlier"], told["status"], told["makes_configuration"]) == (again["image"], "AVAILABLE", False)


def test_a_failed_distribution_is_retried_without_another_copy(command: Command, aws: Aws, sandbox: Sandbox) -> None:
    ami = own_ami(aws("ec2"), "baked")
    ask(sandbox, "faults", copies="failed", region="eu-west-1")
    failed = command("distribute", ami, *TO)
    ask(sandbox, "faults", method="DELETE")
    image = aws("imagebuilder").list_image_build_versions()["imageSummaryList"][0]["arn"]

    mended = command("retry", image, "--follow")
    refused = command("retry", image)
    unknown = command("retry", "nothing", *HERE)

    assert (failed.exit_code, f"cdk-ami retry {image}" in failed.output) == (1, True)
    assert "eu-west-1" in failed.output
    assert (mended.exit_code, f"{image} goes on" in mended.output) == (0, True), mended.output
    assert copies(aws, ami)[0] == 1
    assert (refused.exit_code, "only builds that are FAILED or CANCELLED" in refused.output) == (1, True)
    assert (unknown.exit_code, "there is no build nothing in us-east-1" in unknown.output) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "nothing says where the AMI goes"),
        (("--to", "eu-west-1", "--role", "distribute"), "--to needs --name"),
        (("--to", "eu-west-1", "--name", "shop"), "--to needs --role"),
        (("--to", "eu-west-9", "--name", "shop", "--role", "x"), "--to"),
        (("--to", "eu-west-1", "--name", "shop", "--configuration", "shop"), "give one"),
    ],
)
def test_a_command_that_says_too_little_or_too_much_is_wrong_usage(
    command: Command, arguments: tuple[str, ...], said: str
) -> None:
    shown = command("distribute", "ami-0123456789abcdef0", *arguments, *HERE)

    assert (shown.exit_code, said in shown.output) == (2, True), shown.output


def test_a_source_that_is_not_there_is_said_to_be_none(command: Command, aws: Aws) -> None:
    shown = command("distribute", "ami-0123456789abcdef0", *TO)

    assert (shown.exit_code, "ami-0123456789abcdef0" in shown.output) == (1, True)
    assert aws("imagebuilder").list_distribution_configurations()["distributionConfigurationSummaryList"] == []


def test_what_would_not_go_well_is_told_before_anything_is_made_and_by_a_dry_run_too(
    command: Command, aws: Aws
) -> None:
    ec2 = aws("ec2")
    plain = own_ami(ec2, "plain")
    secret = ec2.copy_image(SourceImageId=plain, SourceRegion="us-east-1", Name="secret", Encrypted=True)["ImageId"]

    shown = [command("distribute", plain, *SECRET), command("distribute", plain, *SECRET, "--dry-run")]
    roleless = [command("distribute", secret, *SECRET, "--role", "Nobody", *more) for more in ((), ("--dry-run",))]
    producerless = [command("distribute", secret, "--name", "shop", *HERE, *more) for more in ((), ("--dry-run",))]
    made = aws("imagebuilder").list_distribution_configurations()["distributionConfigurationSummaryList"]
    good = command("distribute", secret, *SECRET)

    assert [one.exit_code for one in (*shown, *roleless, *producerless)] == [1] * 6
    for one in shown:
        assert f"{plain} is not encrypted at /dev/" in one.output
        assert "no key is named for its copies in us-east-1, eu-west-1" in one.output
    for one in roleless:
        assert "the role Nobody does not exist; take the execution role of an ImageProducer" in one.output
    for one in producerless:
        assert "there is no distribution configuration shop in us-east-1; deploy an ImageProducer" in one.output
    assert (made, good.exit_code, copies(aws, secret), copies(aws, plain)[1]) == ([], 0, [1, 1], 0), good.output
