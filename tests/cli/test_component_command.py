from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result

from cdk_ami.cli.main import main
from cdk_ami.runtime.component.aws import CallersAws
from cdk_ami.sandbox.server import Sandbox
from tests.cli.conftest import Command
from tests.support.synth import ROOT

GOOD = """
name: greeting
schemaVersion: 1.0
parameters: [{Word: {type: string, default: hello}}]
phases:
  - name: build
    steps:
      - {name: Say, action: ExecuteBash, inputs: {commands: ['echo {{ Word }}', 'echo careful >&2']}}
      - {name: Skip, action: Reboot, if: {fileExists: /nowhere}}
  - name: validate
    steps:
      - {name: Check, action: ExecuteBash, inputs: {commands: ['[ {{ Word }} = hello ]']}}
"""
BROKEN = """
schemaVersion: 1.0
phases:
  - name: biuld
    steps:
      - {name: One, action: ExecuteBash, inputs: {commands: []}}
"""
ODD = GOOD.replace("action: Reboot", "action: TeleportFile")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with documents."""
    for name, text in (
        ("good.yaml", GOOD),
        ("broken.yaml", BROKEN),
        ("odd.yaml", ODD),
        ("tab.yaml", "phases:\n\t- x\n"),
    ):
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    return tmp_path


def component(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["component", *arguments])


def on_this_host(*arguments: str) -> Result:
    return component("run", *arguments, "--in", "host", "--yes-on-this-host")


@pytest.mark.usefixtures("folder")
def test_lint_shows_every_fault_of_every_file_with_its_rule() -> None:
    shown = component("lint", "good.yaml", "broken.yaml", "tab.yaml", "none.yaml", ".")

    assert shown.exit_code == 1
    assert "phases[0].name is no phase that Image Builder runs, got 'biuld'; did you mean 'build'?" in shown.output
    assert "phases[0].steps[0].inputs.commands" in shown.output
    assert "is indented with a tab at line 2" in shown.output
    assert "path does not exist, got 'none.yaml'" in shown.output
    assert "path is a directory, got '.'" in shown.output
    assert "cdk-ami::PhaseName" in shown.output
    assert shown.output.endswith("5 documents, 5 faults, 0 warnings.\n")


@pytest.mark.usefixtures("folder")
def test_lint_warns_of_what_only_the_service_may_know_and_fails_nothing() -> None:
    shown = component("lint", "odd.yaml")

    assert shown.exit_code == 0
    assert "cdk-ami::UnknownAction" in shown.output
    assert shown.output.endswith("1 document, 0 faults, 1 warning.\n")


@pytest.mark.usefixtures("folder")
def test_lint_prints_json() -> None:
    shown = component("lint", "broken.yaml", "odd.yaml", "--json")

    found = json.loads(shown.output)
    assert (shown.exit_code, found["files"]) == (1, 2)
    assert [(fault["file"], fault["at"], fault["rule"]) for fault in found["faults"]] == [
        ("broken.yaml", "phases[0].steps[0].inputs.commands", "cdk-ami::ActionInputs"),
        ("broken.yaml", "phases[0].name", "cdk-ami::PhaseName"),
    ]
    assert [(warning["file"], warning["rule"]) for warning in found["warnings"]] == [
        ("odd.yaml", "cdk-ami::UnknownAction")
    ]


@pytest.mark.usefixtures("folder")
def test_lint_of_a_hundred_documents_is_quick() -> None:
    component("lint", "good.yaml")  # reads the schema
    began = time.process_time()

    shown = component("lint", *["good.yaml"] * 100)

    assert shown.output == "100 documents, 0 faults, 0 warnings.\n"
    # Of this process alone, whatever else the machine does.
    assert time.process_time() - began < 2


@pytest.mark.usefixtures("folder")
def test_run_shows_lines_steps_and_a_table() -> None:
    shown = on_this_host("good.yaml")

    assert shown.exit_code == 0, shown.output
    lines = shown.output.splitlines()
    assert lines[0] == "build/Say > ExecuteBash"
    assert {"build/Say | hello", "build/Say ! careful"} <= set(lines)
    assert any(line.startswith("build/Say = success in ") for line in lines)
    assert "good.yaml in host" in shown.output
    assert lines[-1].startswith("success in ")
    assert lines[-1].endswith(": 2 success, 1 skipped")


def test_run_fails_with_the_step_and_writes_junit(folder: Path) -> None:
    shown = on_this_host("good.yaml", "--param", "Word=no", "--junit", "out.xml")

    assert shown.exit_code == 1
    assert "validate/Check = failed" in shown.output
    suite = ET.fromstring((folder / "out.xml").read_text())[0]  # noqa: S314 - our own
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "1", "1")


@pytest.mark.usefixtures("folder")
def test_run_takes_the_phases_it_is_given() -> None:
    shown = on_this_host("good.yaml", "--phase", "validate", "--json")

    assert shown.exit_code == 0
    result = json.loads(shown.stdout)
    assert [(step["phase"], step["name"], step["status"]) for step in result["steps"]] == [
        ("validate", "Check", "success")
    ]
    assert (result["status"], result["place"]) == ("success", "host")
    assert "validate/Check > ExecuteBash" in shown.stderr


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["good.yaml"], "say where to run it: --in docker:IMAGE, --in chroot:DIR or --in host"),
        (["good.yaml", "--in", "host"], "add --yes-on-this-host"),
        (["good.yaml", "--in", "podman:x"], "--in is no place, got 'podman:x'; write docker:IMAGE, chroot:DIR or host"),
        (["good.yaml", "--in", "chroot:none"], "/none is no directory; make one"),
        (["good.yaml", "--in", "chroot:/", "--copy"], "chroot:/ is this machine itself; say host"),
        (["good.yaml", "--in", "docker:x", "--copy"], "--copy copies the directory of chroot:DIR"),
        (["good.yaml", "--in", "chroot:.", "--keep"], "--keep keeps a container"),
        (["good.yaml", "--in", "chroot:.", "--param", "Word"], "--param takes NAME=VALUE, got 'Word'"),
        (["good.yaml", "--in", "chroot:.", "--param", "Wort=x"], "did you mean 'Word'?"),
        (["good.yaml", "--in", "chroot:.", "--phase", "test"], "phase is not in the document, got 'test'"),
        (["good.yaml", "--in", "chroot:.", "--junit", "none/out.xml"], "--junit writes into a directory that exists"),
        (["broken.yaml", "--in", "chroot:."], "2 faults"),
        (["none.yaml", "--in", "chroot:."], "path does not exist"),
    ],
)
def test_run_refuses_what_cannot_be_with_exit_code_2(arguments: list[str], problem: str) -> None:
    shown = component("run", *arguments)

    assert shown.exit_code == 2
    assert problem in shown.output


@pytest.mark.usefixtures("folder")
def test_run_tells_warnings_first() -> None:
    shown = on_this_host("odd.yaml", "--phase", "build")

    assert shown.exit_code == 0
    assert "is no action module known here" in shown.stderr


@pytest.mark.debian("mmdebstrap")
@pytest.mark.usefixtures("folder")
def test_run_in_a_copy_of_a_root_keeps_it_when_asked(root: Path) -> None:
    shown = component("run", "good.yaml", "--in", f"chroot:{root}", "--copy", "--keep")

    assert shown.exit_code == 0, shown.output
    kept = Path(shown.output.splitlines()[-1].removeprefix("Kept the copy in "))
    assert (kept / "etc/passwd").exists()
    subprocess.run(["rm", "-rf", str(kept)], check=True)


@pytest.mark.debian("mmdebstrap")
def test_a_run_that_is_terminated_removes_its_copy(root: Path, folder: Path, tmp_path: Path) -> None:
    (folder / "slow.yaml").write_text(GOOD.replace("echo careful >&2", "sleep 300"))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    command = [
        sys.executable,
        "-m",
        "cdk_ami.cli.main",
        "component",
        "run",
        "slow.yaml",
        "--in",
        f"chroot:{root}",
        "--copy",
    ]
    running = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)},
    )
    assert running.stdout is not None
    assert [running.stdout.readline() for _ in range(2)][-1] == "build/Say | hello\n"

    running.terminate()
    running.stdout.close()

    assert running.wait() == 143
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("arguments", [["--help"], ["component", "--help"], ["component", "run", "--help"]])
def test_help_loads_neither_boto3_nor_the_cdk(arguments: list[str]) -> None:
    program = (
        "import sys\nfrom cdk_ami.cli.main import main\n"
        f"try: main({arguments!r})\nexcept SystemExit: pass\n"
        "print(sorted({'boto3', 'botocore', 'moto', 'jsii', 'aws_cdk', 'rich', 'yaml'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)

    assert shown.stdout.splitlines()[-1] == "[]"
    assert "component" in shown.stdout


@pytest.mark.parametrize(
    "arguments",
    [["component", "lint", "FILE"], ["component", "run", "FILE", "--in", "host", "--yes-on-this-host", "--json"]],
)
def test_what_needs_no_aws_loads_neither_boto3_nor_the_cdk(tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "good.yaml").write_text(GOOD)
    given = [argument.replace("FILE", f"{tmp_path}/good.yaml") for argument in arguments]
    program = (
        "import sys\nfrom cdk_ami.cli.main import main\n"
        f"try: main({given!r})\nexcept SystemExit: pass\n"
        "print(sorted({'boto3', 'botocore', 'moto', 'jsii', 'aws_cdk'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)

    assert shown.stdout.splitlines()[-1] == "[]"
    assert "Error" not in shown.stderr


FETCH = """
schemaVersion: 1.0
phases:
  - name: build
    steps:
      - {name: Fetch, action: S3Download, inputs: [{source: 's3://files/page', destination: FOLDER/}]}
      - name: Tell
        action: ExecuteBash
        inputs: {commands: ['echo "${AWS_ENDPOINT_URL:-none} ${AWS_ACCESS_KEY_ID:-none}"']}
"""


def test_steps_reach_the_local_aws_of_the_environment(
    command: Command, aws: Callable[..., Any], sandbox: Sandbox, tmp_path: Path
) -> None:
    aws("s3").create_bucket(Bucket="files")
    aws("s3").put_object(Bucket="files", Key="page", Body=b"hello")
    (tmp_path / "fetch.yaml").write_text(FETCH.replace("FOLDER", str(tmp_path)))

    shown = command("component", "run", str(tmp_path / "fetch.yaml"), "--in", "host", "--yes-on-this-host")

    assert shown.exit_code == 0, shown.output
    assert (tmp_path / "page").read_text() == "hello"
    assert f"build/Tell | {sandbox.endpoint} sandbox" in shown.output


@pytest.mark.parametrize(
    ("endpoint", "local"),
    [
        ("", False),
        ("https://vpce.example.com", False),
        ("http://127.0.0.1:5000", True),
        ("http://localhost:4566", True),
    ],
)
def test_processes_of_steps_get_credentials_for_a_local_aws_only(
    endpoint: str, monkeypatch: pytest.MonkeyPatch, *, local: bool
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    monkeypatch.setenv("AWS_PROFILE", "work")

    variables = CallersAws().variables

    assert ("AWS_SECRET_ACCESS_KEY" in variables) == local
    assert "AWS_PROFILE" not in variables
