"""Builds that run their components for real, in copies of a small root file system."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cdk_ami.cli.main import main
from cdk_ami.runtime.component.place import PlaceError
from cdk_ami.runtime.component.where import WhereError
from cdk_ami.sandbox.imagebuilder.engine import machines
from cdk_ami.sandbox.imagebuilder.engine.machines import MACHINES
from cdk_ami.sandbox.server import Sandbox
from tests.sandbox.imagebuilder.conftest import SOURCE, Account
from tests.support.sandbox import reset, wait_until
from tests.support.synth import ROOT

pytestmark = pytest.mark.debian("mmdebstrap")

PATIENCE = 240
"""Seconds for a build on a busy machine: each of its instances gets a copy of the root file system."""

WEB = """
schemaVersion: 1.0
parameters: [{Heading: {type: string, default: none}}]
phases:
  - name: build
    steps:
      - {name: Fetch, action: S3Download, inputs: [{source: 's3://files/page', destination: /srv/page}]}
      - name: Write
        action: ExecuteBash
        inputs: {commands: ['echo "{{ Heading }}" >> /srv/page', 'echo wrote $AWS_REGION']}
      - {name: Reboot, action: Reboot}
  - name: validate
    steps:
      - name: Check
        action: ExecuteBash
        inputs: {commands: ['[ "{{ build.Write.outputs.stdout }}" = "wrote us-east-1" ]']}
  - name: test
    steps:
      - {name: Serve, action: ExecuteBash, inputs: {commands: ['cat /srv/page; cp /srv/page /srv/tested']}}
"""


def document(*commands: str, phase: str = "build") -> str:
    listed = "".join(f"\n          - |-\n            {command}" for command in commands)
    return (
        f"schemaVersion: 1.0\nphases:\n  - name: {phase}\n    steps:\n      - name: Install\n"
        f"        action: ExecuteBash\n        inputs:\n          commands:{listed}\n"
    )


@pytest.fixture
def running(root: Path, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Let the builds of a test run their components; the directory that copies are made in."""
    copies = tmp_path / "copies"
    copies.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(copies))
    MACHINES.use(f"chroot:{root}")
    yield copies
    MACHINES.use(None)
    reset(sandbox)


@pytest.fixture
def build(running: Path, account: Account, aws: Callable[..., Any]) -> Callable[..., dict[str, Any]]:
    """Build an image of components and return it when it has ended."""
    assert running.exists()
    aws("s3").create_bucket(Bucket="files")
    aws("s3").put_object(Bucket="files", Key="page", Body=b"page\n")
    infrastructure = account.infrastructure()

    def run(*components: dict[str, Any], name: str = "web", parent: str = SOURCE) -> dict[str, Any]:
        recipe = account.recipe(name, parent=parent, components=list(components))
        pipeline = account.pipeline(recipe, infrastructure, name=name)
        started = account.builder.start_image_pipeline_execution(imagePipelineArn=pipeline)
        return account.ended(started["imageBuildVersionArn"], seconds=PATIENCE)

    return run


def reason(image: dict[str, Any]) -> str:
    assert image["state"]["status"] == "FAILED"
    return str(image["state"]["reason"])


def log_of(aws: Callable[..., Any], image: dict[str, Any]) -> list[str]:
    version, number = image["version"].split("/")
    events = aws("logs").get_log_events(
        logGroupName=f"/aws/imagebuilder/{image['name']}", logStreamName=f"{version}/{number}", startFromHead=True
    )
    return [event["message"] for event in events["events"]]


def test_a_build_runs_its_components_and_tests_what_the_build_left_behind(
    build: Callable[..., dict[str, Any]], account: Account, aws: Callable[..., Any], root: Path, running: Path
) -> None:
    web = {"componentArn": account.component("web", WEB), "parameters": [{"name": "Heading", "value": ["hello"]}]}

    image = build(web)

    assert image["state"]["status"] == "AVAILABLE", image["state"]
    log = log_of(aws, image)
    assert "stdout: wrote us-east-1" in log
    tested = log.index("State TESTING")
    assert log[tested:].count("stdout: page") == log[tested:].count("stdout: hello") == 1
    assert any("step Check (ExecuteBash): success in " in line for line in log)
    assert not (root / "srv/page").exists()
    # The copies of both instances are gone, the files of the AMI are kept, as the build left them.
    (kept,) = running.iterdir()
    assert (kept / "srv/page").read_text() == "page\nhello\n"
    assert not (kept / "srv/tested").exists()


def test_a_step_that_fails_fails_the_build_with_its_name_and_its_output(
    build: Callable[..., dict[str, Any]], account: Account, aws: Callable[..., Any], running: Path
) -> None:
    arn = account.component("broken", document("echo looking for httpd", "echo 'no package httpd' >&2; exit 5"))

    image = build({"componentArn": arn})

    said = reason(image)
    assert said.startswith(
        "The step ApplyBuildComponents failed: component broken, phase build, step Install: exit code 5: "
        "no package httpd"
    )
    assert "looking for httpd" in said
    assert image["state"]["failureContext"]["failedStep"] == "ApplyBuildComponents"
    log = log_of(aws, image)
    assert "stdout: looking for httpd" in log
    assert "stderr: no package httpd" in log
    assert list(running.iterdir()) == []


def test_a_test_that_fails_fails_the_image_and_leaves_its_ami(
    build: Callable[..., dict[str, Any]], account: Account, running: Path
) -> None:
    image = build({"componentArn": account.component("picky", document("[ -e /srv/never ]", phase="test"))})

    assert "ApplyTestComponents failed: component picky, phase test, step Install: exit code 1" in reason(image)
    assert len(list(running.iterdir())) == 0  # nothing ran in the build, so that its AMI has no files of its own


def test_a_build_from_an_image_starts_from_its_files_wherever_it_was_copied(
    build: Callable[..., dict[str, Any]], account: Account, aws: Callable[..., Any]
) -> None:
    base = build({"componentArn": account.component("base", document("echo base > /srv/base"))}, name="base")
    ami = base["outputResources"]["amis"][0]["image"]
    there = aws("ec2", "eu-west-1").copy_image(Name="there", SourceImageId=ami, SourceRegion="us-east-1")["ImageId"]
    back = aws("ec2").copy_image(Name="back", SourceImageId=there, SourceRegion="eu-west-1")["ImageId"]
    wait_until(lambda: account.image(back)["State"] == "available")

    second = build({"componentArn": account.component("second", document("[ $(cat /srv/base) = base ]"))}, parent=back)

    assert second["state"]["status"] == "AVAILABLE", second["state"]


def test_components_that_aws_manages_pass_and_say_so(
    build: Callable[..., dict[str, Any]], aws: Callable[..., Any]
) -> None:
    image = build({"componentArn": "arn:aws:imagebuilder:us-east-1:aws:component/update-linux/x.x.x"})

    assert image["state"]["status"] == "AVAILABLE"
    assert any("update-linux" in line and "its document is not here" in line for line in log_of(aws, image))


def test_a_cancelled_build_ends_what_it_runs(running: Path, account: Account) -> None:
    recipe = account.recipe(
        components=[{"componentArn": account.component("slow", document("touch /srv/started", "sleep 300"))}]
    )
    pipeline = account.pipeline(recipe, account.infrastructure())
    started = account.builder.start_image_pipeline_execution(imagePipelineArn=pipeline)["imageBuildVersionArn"]
    wait_until(lambda: any(running.glob("*/srv/started")), seconds=PATIENCE)

    account.builder.cancel_image_creation(imageBuildVersionArn=started)

    assert account.ended(started, seconds=PATIENCE)["state"]["status"] == "CANCELLED"
    wait_until(lambda: list(running.iterdir()) == [], seconds=PATIENCE)


def test_only_the_newest_amis_keep_their_files_and_a_reset_removes_them(
    sandbox: Sandbox, running: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machines, "AMIS_KEPT", 1)
    machine = MACHINES.on("i-1", list)
    for number in range(3):
        MACHINES.keep("i-1", f"ami-{number}")

    assert len(list(running.iterdir())) == 2
    reset(sandbox)
    assert list(running.iterdir()) == []
    assert machine.place.label.startswith("chroot:")


@pytest.mark.parametrize(
    ("where", "kind", "problem"),
    [
        ("host", PlaceError, "do not run on the host"),
        ("chroot:/nowhere", PlaceError, "is no directory"),
        ("nowhere", WhereError, "write docker:IMAGE, chroot:DIR or host"),
    ],
)
def test_a_place_of_no_use_is_refused_before_anything_runs(where: str, kind: type[Exception], problem: str) -> None:
    with pytest.raises(kind, match=problem):
        MACHINES.use(where)

    assert not MACHINES.asked


PROGRAM = """
import json, time, boto3
builder, iam = boto3.client("imagebuilder"), boto3.client("iam")
iam.create_role(RoleName="builder", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}]}))
iam.create_instance_profile(InstanceProfileName="builder")
iam.add_role_to_instance_profile(InstanceProfileName="builder", RoleName="builder")
component = builder.create_component(name="broken", semanticVersion="1.0.0", platform="Linux", data=DOCUMENT)
recipe = builder.create_image_recipe(name="web", semanticVersion="1.0.x", parentImage=SOURCE,
    components=[{"componentArn": component["componentBuildVersionArn"]}])
infrastructure = builder.create_infrastructure_configuration(name="builds", instanceProfileName="builder")
image = builder.create_image(imageRecipeArn=recipe["imageRecipeArn"],
    infrastructureConfigurationArn=infrastructure["infrastructureConfigurationArn"])["imageBuildVersionArn"]
def state():
    return builder.get_image(imageBuildVersionArn=image)["image"]["state"]
while state()["status"] not in ("FAILED", "AVAILABLE"):
    time.sleep(0.05)
print(state()["reason"])
"""


def test_the_command_runs_the_components_of_what_is_built_and_leaves_no_files(root: Path, tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    program = PROGRAM.replace("DOCUMENT", repr(document("cat /etc/shells", "exit 3"))).replace("SOURCE", repr(SOURCE))

    shown = subprocess.run(
        [
            *(sys.executable, "-m", "cdk_ami.cli.main", "sandbox", f"--run-components=chroot:{root}", "--"),
            *(sys.executable, "-c", program),
        ],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert "component broken, phase build, step Install: exit code 3" in shown.stdout
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("where", ["host", "nowhere", "chroot:/nowhere"])
def test_the_command_refuses_a_place_of_no_use(where: str) -> None:
    shown = CliRunner().invoke(main, ["sandbox", f"--run-components={where}", "--", "true"])

    assert shown.exit_code in (1, 2)
    assert shown.output.splitlines()[-1].startswith("Error: ")
