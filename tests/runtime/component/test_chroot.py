from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cdk_ami.runtime.component.chroot import Chroot
from cdk_ami.runtime.component.outcome import Status
from cdk_ami.runtime.component.place import PlaceError
from tests.runtime.component.conftest import Bench, NoAws, bash
from tests.support.debian import wait_for
from tests.support.synth import ROOT

pytestmark = pytest.mark.debian("mmdebstrap")


@pytest.fixture
def inside(root: Path) -> Iterator[Bench]:
    with Chroot(root) as place:
        yield Bench(place, NoAws())


def test_steps_see_the_root_and_nothing_else(inside: Bench, root: Path) -> None:
    (root / "etc/only-here").write_text("here\n")

    outcome = inside.run(
        bash("cat /etc/only-here; id -un; echo $HOME; [ -c /dev/null ] && echo x > /dev/null && pwd"),
        {"action": "ReadFile", "inputs": [{"path": "/etc/only-here"}]},
        {"action": "ExecuteBash", "inputs": {"commands": [f"ls {ROOT}"]}},
    )

    assert outcome.steps[0].outputs == ({"stdout": "here\nroot\n/root\n/tmp"},)
    assert outcome.steps[1].outputs == ({"content": "here\n"},)
    assert outcome.steps[2].status is Status.FAILED


@pytest.mark.parametrize("link", ["absolute", "relative"])
def test_no_file_action_follows_a_link_out_of_the_root(inside: Bench, root: Path, tmp_path: Path, link: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("untouched")
    (root / "trap").symlink_to(
        outside if link == "absolute" else Path("../../../../../../../..") / outside.relative_to("/")
    )

    steps: list[dict[str, Any]] = [
        {"action": "ReadFile", "inputs": [{"path": "/trap/secret"}]},
        {"action": "CreateFile", "inputs": [{"path": "/trap/secret", "content": "taken"}]},
        {"action": "AppendFile", "inputs": [{"path": "/trap/secret", "content": "taken"}]},
        {"action": "SetFilePermissions", "inputs": [{"path": "/trap/secret", "permissions": "0777"}]},
        {"action": "DeleteFolder", "inputs": [{"path": "/trap", "force": True}]},
        {"action": "ExecuteBash", "inputs": {"commands": ["echo taken > /trap/secret"]}},
    ]
    outcome = inside.run(*({"onFailure": "Ignore", **step} for step in steps))

    assert outcome.steps[0].status is Status.IGNORED
    assert (outside / "secret").read_text() == "untouched"
    assert oct((outside / "secret").stat().st_mode & 0o777) != "0o777"
    assert [path.name for path in outside.iterdir()] == ["secret"]


def test_processes_see_only_each_other_and_live_from_step_to_step(inside: Bench) -> None:
    outcome = inside.run(
        bash("sleep 300 > /dev/null 2>&1 & echo $! > /tmp/pid"),
        bash("kill -0 $(cat /tmp/pid) && ls -d /proc/[0-9]* | wc -l"),
    )

    assert outcome.status == "success", outcome.steps
    assert int(outcome.steps[1].outputs[0]["stdout"]) < 10


def test_a_restart_ends_what_runs_and_keeps_the_files(inside: Bench) -> None:
    outcome = inside.run(
        bash("sleep 300 > /dev/null 2>&1 & echo $! > /var/pid"),
        {"action": "Reboot", "inputs": {"delaySeconds": 60}},
        bash("! kill -0 $(cat /var/pid) 2>/dev/null"),
    )

    assert [step.status.value for step in outcome.steps] == ["success"] * 3


def test_nothing_runs_on_when_the_place_is_left(root: Path) -> None:
    with Chroot(root) as place:
        Bench(place, NoAws()).run(
            bash("sleep 300 > /dev/null 2>&1 &", "while :; do touch /tmp/alive; sleep 0.05; done &")
        )
        wait_for(root / "tmp/alive")

    (root / "tmp/alive").unlink()
    # Whatever still ran would have a root of its own that the machine knows.
    assert not [pid for pid in os.listdir("/proc") if pid.isdigit() and _root_of(pid) == str(root)]  # noqa: PTH208 - /proc changes while it is read
    assert not (root / "tmp/alive").exists()


def _root_of(pid: str) -> str:
    try:
        return str(Path(f"/proc/{pid}/root").readlink())
    except OSError:
        return ""


def test_a_runner_that_is_killed_leaves_nothing_running(root: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path\n"
        "from cdk_ami.runtime.component.chroot import Chroot\n"
        "place = Chroot(Path(sys.argv[1])).__enter__(); print(place._pid, flush=True); time.sleep(300)\n"
    )
    runner = subprocess.Popen([sys.executable, "-c", program, str(root)], stdout=subprocess.PIPE, cwd=ROOT)
    assert runner.stdout is not None
    init = Path(f"/proc/{int(runner.stdout.readline())}/root")

    assert init.exists()
    runner.kill()
    runner.wait()
    runner.stdout.close()

    for _ in range(200):
        if not os.path.lexists(init):
            break
        time.sleep(0.05)
    assert not os.path.lexists(init)


def test_without_namespaces_root_alone_will_do_and_what_was_left_running_is_ended(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cdk_ami.runtime.component.chroot._INIT", "exit 1")
    with Chroot(root) as place:
        outcome = Bench(place, NoAws()).run(bash("sleep 300 > /dev/null 2>&1 & echo $!"))
        pid = outcome.steps[0].outputs[0]["stdout"]
        assert _root_of(pid) == str(root)

    for _ in range(200):
        if _root_of(pid) != str(root):
            break
        time.sleep(0.05)
    assert _root_of(pid) != str(root)


def test_without_root_rights_a_user_namespace_serves(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with Chroot(root) as place:
        step = Bench(place, NoAws()).act("ExecuteBash", {"commands": ["id -u", "cat /proc/self/uid_map | wc -l"]})

    assert step.outputs == ({"stdout": "0\n1"},)


def test_a_copy_leaves_the_root_as_it_is_and_goes_when_it_is_left(root: Path) -> None:
    with Chroot.copy_of(root) as place:
        Bench(place, NoAws()).run(bash("touch /etc/changed"))
        assert (place.root / "etc/changed").exists()

    assert not place.root.exists()
    assert not (root / "etc/changed").exists()
    assert place.label == f"chroot:{root}, a copy"


def test_files_get_owners_that_only_the_root_knows(inside: Bench, root: Path) -> None:
    (root / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nweb:x:4711:4712::/srv:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\nweb:x:4712:\n")

    step = inside.act("CreateFile", [{"path": "/srv/web/index.html", "owner": "web", "group": "web"}])

    assert step.status is Status.SUCCESS, step.message
    found = (root / "srv/web/index.html").stat()
    assert (found.st_uid, found.st_gid) == (4711, 4712)


@pytest.mark.parametrize(
    ("manager", "inputs", "expected"),
    [
        ("yum", {}, ["--assumeyes update"]),
        ("yum", {"exclude": ["kernel", "docker"]}, ["--assumeyes --exclude=kernel --exclude=docker update"]),
        ("yum", {"include": ["curl", "zlib"], "exclude": ["zlib"]}, ["--assumeyes --exclude=zlib update curl"]),
        ("apt-get", {}, ["--quiet update", "--quiet --yes upgrade"]),
        ("apt-get", {"include": ["curl"]}, ["--quiet update", "--quiet --yes install --only-upgrade curl"]),
    ],
)
def test_updates_are_left_to_the_package_manager_that_is_there(
    inside: Bench, root: Path, manager: str, *, inputs: dict[str, list[str]], expected: list[str]
) -> None:
    program(root, manager)

    step = inside.act("UpdateOS", inputs)

    assert step.status is Status.SUCCESS, step.message
    assert (root / f"tmp/{manager}").read_text().splitlines() == expected


def test_packages_that_apt_is_to_leave_are_held_for_the_time(inside: Bench, root: Path) -> None:
    program(root, "apt-get")
    program(root, "apt-mark")

    step = inside.act("UpdateOS", {"exclude": ["grub-common"]})

    assert step.status is Status.SUCCESS, step.message
    assert (root / "tmp/apt-mark").read_text().splitlines() == ["hold grub-common", "unhold grub-common"]


def test_updates_that_cannot_be_fail(inside: Bench) -> None:
    assert inside.act("UpdateOS", None).message == "exit code 1: neither yum nor apt-get is here"
    assert inside.act("UpdateOS", {"include": ["$(id)"]}).message == "'$(id)' is no name of a package"


def program(root: Path, name: str) -> None:
    """Put a program into a root that notes how it was called."""
    path = root / "usr/local/bin" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\necho "$*" >> /tmp/{name}\n')
    path.chmod(0o755)


def test_a_restart_follows_no_link_that_a_component_has_put_in_its_way(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    with Chroot(root) as place:
        steps: list[dict[str, Any]] = [
            bash(f"mv /dev /old && ln -s {outside} /dev"),
            {"action": "Reboot"},
            bash("true"),
        ]
        Bench(place, NoAws()).run(*steps)

    assert list(outside.iterdir()) == []


def test_a_copy_that_cannot_be_entered_is_removed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr("cdk_ami.runtime.component.chroot._INIT", "echo not here >&2; exit 1")
    place = Chroot.copy_of(root)

    with pytest.raises(PlaceError, match="which this machine refuses: not here"):
        place.__enter__()

    assert not place.root.exists()


def test_what_is_no_root_directory_is_refused_with_what_to_do(tmp_path: Path) -> None:
    for folder, problem in (
        (tmp_path / "none", "is no directory; make one"),
        (tmp_path, "holds no /bin/sh; name the root directory"),
        (Path("/"), "is this machine itself; say host"),
    ):
        with pytest.raises(PlaceError, match=problem), Chroot(folder):
            pytest.fail("the place was made")
