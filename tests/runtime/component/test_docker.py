"""The command lines for Docker, by a stand-in for the command: no engine runs here, see tests/support/docker.py."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from cdk_ami.runtime.component.docker import Docker
from cdk_ami.runtime.component.outcome import Status
from cdk_ami.runtime.component.place import PlaceError
from tests.runtime.component.conftest import Bench, NoAws, bash
from tests.support.sandbox import wait_until
from tests.support.synth import ROOT


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that the stand-in notes its calls in."""
    program = tmp_path / "bin/docker"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {ROOT}/tests/support/docker.py "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.setenv("DOCKER_STANDIN", str(tmp_path))
    return tmp_path / "calls.jsonl"


def listed(calls: Path) -> list[list[str]]:
    return [json.loads(line) for line in calls.read_text().splitlines()]


class LocalAws(NoAws):
    variables: Mapping[str, str] = {"AWS_ENDPOINT_URL": "http://127.0.0.1:5000", "AWS_SECRET_ACCESS_KEY": "hush"}


def test_a_container_is_started_once_and_removed_in_the_end(calls: Path) -> None:
    with Docker("amazonlinux:2023") as place:
        outcome = Bench(place, NoAws()).run(bash("echo $HOME"), bash("echo two"))

    assert [step.outputs for step in outcome.steps] == [({"stdout": "/root"},), ({"stdout": "two"},)]
    assert outcome.place == "docker:amazonlinux:2023"
    commands = listed(calls)
    assert [command[0] for command in commands] == ["run", "exec", "exec", "rm"]
    start = ["run", "--detach", "--init", "--user", "0", "--entrypoint", "/bin/sh", "amazonlinux:2023", "-c"]
    assert commands[0][:-1] == start
    assert commands[-1] == ["rm", "--force", "--volumes", place.container]


def test_credentials_reach_a_step_but_no_command_line(calls: Path) -> None:
    with Docker("debian:12", host_network=True) as place:
        step = Bench(place, LocalAws()).act("ExecuteBash", {"commands": ["echo $AWS_SECRET_ACCESS_KEY"]})

    assert step.outputs == ({"stdout": "hush"},)
    assert "hush" not in calls.read_text()
    assert listed(calls)[0][3:5] == ["--network", "host"]


def test_a_step_that_takes_too_long_is_ended_inside_the_container(calls: Path) -> None:
    with Docker("debian:12") as place:
        step = Bench(place, NoAws()).act(
            "ExecuteBash", {"commands": [f"echo $$ > {calls.parent}/pid", "sleep 300"]}, timeoutSeconds=1
        )

    assert step.message == "it took longer than its 1 s, and was ended"
    assert "kill -s KILL" in listed(calls)[2][-2]
    # A machine so busy that the script had not begun has ended it all the same.
    if (pid := calls.parent / "pid").exists():
        wait_until(lambda: not Path(f"/proc/{pid.read_text().strip()}").exists())


def test_a_restart_restarts_the_container_and_a_kept_one_stays(calls: Path) -> None:
    with Docker("debian:12", keep=True) as place:
        outcome = Bench(place, NoAws()).run({"action": "Reboot"}, bash("true"))

    assert [step.status for step in outcome.steps] == [Status.SUCCESS] * 2
    assert [command[0] for command in listed(calls)] == ["run", "restart", "exec"]


def test_file_actions_work_through_the_container_alone(calls: Path, tmp_path: Path) -> None:
    with Docker("debian:12") as place:
        step = Bench(place, NoAws()).act("CreateFile", [{"path": f"{tmp_path}/new/file", "content": "x"}])

    assert step.status is Status.SUCCESS, step.message
    assert (tmp_path / "new/file").read_text() == "x"
    assert {command[0] for command in listed(calls)} == {"run", "exec", "rm"}


def test_an_image_that_cannot_be_had_is_told_in_dockers_words(calls: Path) -> None:
    assert not calls.exists()

    with pytest.raises(PlaceError, match="docker:no-such-image: docker run: Error: pull access denied"):
        Docker("no-such-image").__enter__()


def test_a_machine_without_docker_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(PlaceError, match="needs the command docker, which this machine lacks"):
        Docker("debian:12").__enter__()
