"""What the sandbox holds is saved, and taken up again."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.server import Sandbox
from tests.support.amis import make_ami, make_pipeline
from tests.support.control import ask, refusal
from tests.support.sandbox import MakeClient, reset
from tests.support.stacks import Stacks, parameter


def test_what_was_saved_is_there_again_and_goes_on_working(aws: MakeClient, sandbox: Sandbox, tmp_path: Path) -> None:
    ec2, there, kms, ssm = aws("ec2"), aws("ec2", "eu-west-1"), aws("kms"), aws("ssm")
    source = make_ami(ec2)
    copy = there.copy_image(Name="copy", SourceImageId=source.image_id, SourceRegion="us-east-1")["ImageId"]
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    sealed = kms.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
    aws("s3").create_bucket(Bucket="bucket")
    aws("s3").put_object(Bucket="bucket", Key="a b", Body=b"v" * 100_000)
    aws("sqs", account="210987654321").create_queue(QueueName="queue")
    pipeline = make_pipeline(aws("imagebuilder"), aws("iam"))
    stacks = Stacks(aws("cloudformation"))
    stacks.create("stack", {"One": parameter("/one")})
    ask(sandbox, "clock", advance=86_400)
    before = datetime.fromisoformat(ask(sandbox, "clock", method="GET")["now"])
    file = str(tmp_path / "state")

    ask(sandbox, "state", save=file)
    reset(sandbox)
    assert aws("s3").list_buckets()["Buckets"] == []
    ask(sandbox, "state", load=file)

    assert [image["ImageId"] for image in ec2.describe_images(Owners=["self"])["Images"]] == [source.image_id]
    assert there.describe_images(ImageIds=[copy])["Images"][0]["State"] == "available"
    assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == b"secret"
    assert aws("s3").get_object(Bucket="bucket", Key="a b")["Body"].read() == b"v" * 100_000
    assert len(aws("sqs", account="210987654321").list_queues()["QueueUrls"]) == 1
    assert aws("imagebuilder").get_image_pipeline(imagePipelineArn=pipeline)["imagePipeline"]["name"] == "web"
    now = datetime.fromisoformat(ask(sandbox, "clock", method="GET")["now"])
    assert timedelta(0) <= now - before < timedelta(minutes=5)

    assert stacks.update("stack", {"One": parameter("/one", "two")}) == "UPDATE_COMPLETE"
    assert ssm.get_parameter(Name="/one")["Parameter"]["Value"] == "two"
    assert stacks.delete("stack") == "DELETE_COMPLETE"
    ec2.deregister_image(ImageId=source.image_id)
    assert ec2.describe_images(Owners=["self"])["Images"] == []


def test_nothing_is_saved_while_something_waits_for_the_clock(sandbox: Sandbox, tmp_path: Path) -> None:
    CLOCK.after(3600, lambda: None)

    assert "while 1 things wait for the clock" in refusal(sandbox, "state", save=str(tmp_path / "state"))
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\x80\x05N.", "is no state of a sandbox"),
        (b'{"kind": "other"}\n', "is no state of a sandbox"),
        (
            json.dumps({"kind": "cdk-ami sandbox state", "format": 1, "moto": "5.1.0", "python": "3.9.0"}).encode(),
            "was saved by moto 5.1.0 instead of",
        ),
    ],
)
def test_a_file_from_elsewhere_is_refused_and_changes_nothing(
    aws: MakeClient, sandbox: Sandbox, tmp_path: Path, content: bytes, told: str
) -> None:
    (tmp_path / "state").write_bytes(content)
    aws("sns").create_topic(Name="kept")

    assert told in refusal(sandbox, "state", load=str(tmp_path / "state"))
    assert len(aws("sns").list_topics()["Topics"]) == 1


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"save": "relative"}, "save takes an absolute path, got 'relative'"),
        ({"load": "/no/such/file"}, "/no/such/file cannot be read: No such file or directory"),
        ({"save": "/no/such/folder/file"}, "/no/such/folder/file cannot be written: No such file or directory"),
        ({}, "state takes save or load with a path, got {}"),
    ],
)
def test_what_cannot_be_done_is_refused_plainly(sandbox: Sandbox, asked: dict[str, Any], told: str) -> None:
    assert refusal(sandbox, "state", **asked) == told


def test_the_command_takes_up_a_file_that_is_there_and_leaves_one(
    aws: MakeClient, sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "state"
    command = import_module("cdk_ami.cli.sandbox")  # its name in the package is that of the command
    command._take_up(file)
    aws("sns").create_topic(Name="kept")

    assert command._leave(file) == 0
    reset(sandbox)
    command._take_up(file)

    assert len(aws("sns").list_topics()["Topics"]) == 1
    assert command._leave(tmp_path / "none" / "state") == 1
    assert "cannot be written" in capsys.readouterr().err
