from __future__ import annotations

import getpass
import os
from pathlib import Path
from typing import Any

import pytest

from cdk_ami.runtime.component.outcome import Status, StepOutcome
from tests.runtime.component.conftest import Bench, bash


def tree(folder: Path) -> dict[str, str]:
    """Return the files below a folder with what they hold."""
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


def failed(step: StepOutcome) -> str:
    assert step.status is Status.FAILED
    return step.message


@pytest.fixture
def source(here: Path) -> Path:
    """A folder with files, one of them hidden, and a folder in it."""
    folder = here / "source"
    (folder / "deep").mkdir(parents=True)
    for name in ("a.log", "b.log", "c d.txt", ".hidden", "deep/e.log"):
        (folder / name).write_text(name)
    return folder


def test_create_file_makes_folders_and_sets_what_it_is_told(bench: Bench, here: Path) -> None:
    me = getpass.getuser()
    step = bench.act(
        "CreateFile",
        [
            {"path": f"{here}/deep/er/one", "content": "äöü\n", "permissions": 755, "owner": me},
            {"path": f"{here}/two words", "content": "x", "encoding": "UTF-16", "permissions": "0640"},
            {"path": f"{here}/-empty"},
        ],
    )

    assert step.status is Status.SUCCESS
    assert (here / "deep/er/one").read_text() == "äöü\n"
    assert oct((here / "deep/er/one").stat().st_mode & 0o7777) == "0o755"
    assert (here / "two words").read_bytes() == b"x\0"
    assert oct((here / "two words").stat().st_mode & 0o7777) == "0o640"
    assert (here / "-empty").read_bytes() == b""


def test_create_file_writes_over_what_is_there_unless_told_not_to(bench: Bench, here: Path) -> None:
    file = here / "file"
    file.write_text("long old content")

    assert bench.act("CreateFile", [{"path": str(file), "content": "new"}]).status is Status.SUCCESS
    assert file.read_text() == "new"
    message = failed(bench.act("CreateFile", [{"path": str(file), "content": "newer", "overwrite": False}]))
    assert message == f"{file} exists, and overwrite is false"
    assert file.read_text() == "new"


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({"encoding": "latin-1"}, "'latin-1' is no encoding"),
        ({"permissions": "rw"}, "'rw' are no permissions"),
        ({"owner": "nobody-of-that-name"}, "invalid user"),
        ({"overwrite": "maybe"}, "overwrite is true or false, got 'maybe'"),
    ],
)
def test_create_file_says_what_it_cannot_do(bench: Bench, here: Path, entry: dict[str, Any], problem: str) -> None:
    assert problem in failed(bench.act("CreateFile", [{"path": f"{here}/file", **entry}]))


def test_append_file_adds_to_files_that_are_there(bench: Bench, here: Path) -> None:
    (here / "file").write_text("one\n")

    step = bench.act("AppendFile", [{"path": f"{here}/file", "content": "two\n"}, {"path": f"{here}/file"}])

    assert step.status is Status.SUCCESS
    assert (here / "file").read_text() == "one\ntwo\n"
    assert "does not exist" in failed(bench.act("AppendFile", [{"path": f"{here}/none", "content": "x"}]))


def test_read_file_leaves_contents_for_later_steps(bench: Bench, here: Path) -> None:
    (here / "file").write_text("one\ntwo")
    (here / "wide").write_bytes("ä".encode("utf-16-be"))

    outcome = bench.run(
        {
            "name": "Read",
            "action": "ReadFile",
            "inputs": [
                {"path": f"{here}/file", "printFileContent": True},
                {"path": f"{here}/wide", "encoding": "utf16-BE"},
            ],
        },
        bash("echo '{{ build.Read.outputs[1].content }}'"),
    )

    assert outcome.steps[0].outputs == ({"content": "one\ntwo"}, {"content": "ä"})
    assert outcome.steps[1].outputs == ({"stdout": "ä"},)
    assert ("stdout", "two") in bench.heard.lines


def test_read_file_needs_a_text_file(bench: Bench, here: Path) -> None:
    (here / "binary").write_bytes(b"\xff\xfe\xfa")

    assert failed(bench.act("ReadFile", [{"path": f"{here}/binary"}])) == f"{here}/binary is no text in utf-8"
    assert "No such file" in failed(bench.act("ReadFile", [{"path": f"{here}/none"}]))
    assert failed(bench.act("ReadFile", [{"path": str(here)}])) == f"{here} is a folder"


def test_set_file_encoding_writes_a_file_anew(bench: Bench, here: Path) -> None:
    (here / "file").write_text("aä")

    assert bench.act("SetFileEncoding", [{"path": f"{here}/file", "encoding": "utf-32-BE"}]).status is Status.SUCCESS
    assert (here / "file").read_bytes() == "aä".encode("utf-32-be")


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"source": "a.log", "destination": "new/name"}, {"new/name": "a.log"}),
        ({"source": "a.log", "destination": "new/"}, {"new/a.log": "a.log"}),
        ({"source": "*.log", "destination": "new/"}, {"new/a.log": "a.log", "new/b.log": "b.log"}),
        ({"source": "c d*", "destination": "there"}, {"there/c d.txt": "c d.txt"}),
        ({"source": "b.log", "destination": "taken"}, {"taken": "b.log"}),
    ],
)
@pytest.mark.parametrize("action", ["CopyFile", "MoveFile"])
def test_files_are_copied_and_moved(
    bench: Bench, here: Path, source: Path, action: str, *, entry: dict[str, str], expected: dict[str, str]
) -> None:
    target = here / "target"
    (target / "there").mkdir(parents=True)
    (target / "taken").write_text("old")
    before = tree(source)

    step = bench.act(
        action, [{"source": f"{source}/{entry['source']}", "destination": f"{target}/{entry['destination']}"}]
    )

    assert step.status is Status.SUCCESS, step.message
    assert tree(target) == {"taken": "old", **expected}
    gone = set(before) - set(tree(source))
    assert gone == (set() if action == "CopyFile" else set(expected.values()))


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({"source": "none", "destination": "x"}, "none does not exist"),
        ({"source": "*.zip", "destination": "x/"}, "nothing matches"),
        ({"source": "*.log", "destination": "x"}, "end the destination"),
        ({"source": "deep", "destination": "x"}, "is a folder, no file"),
        ({"source": "d*p/e.log", "destination": "x"}, "has a wildcard before its last part"),
        ({"source": "a.log", "destination": "taken", "overwrite": False}, "exists, and overwrite is false"),
    ],
)
@pytest.mark.parametrize("action", ["CopyFile", "MoveFile"])
def test_files_that_cannot_be_copied_or_moved_stay(
    bench: Bench, here: Path, source: Path, action: str, *, entry: dict[str, Any], problem: str
) -> None:
    (here / "taken").write_text("old")
    before = tree(here)
    paths = {"source": f"{source}/{entry['source']}", "destination": f"{here}/{entry['destination']}"}

    assert problem in failed(bench.act(action, [entry | paths]))
    assert tree(here) == before


@pytest.mark.parametrize("action", ["CopyFolder", "MoveFolder"])
def test_folders_are_copied_and_moved_with_all_they_hold(bench: Bench, here: Path, source: Path, action: str) -> None:
    (here / "over").mkdir()
    (here / "over/kept").write_text("kept")
    (source / "link").symlink_to("a.log")
    held = tree(source)

    bench.act("CopyFolder", [{"source": str(source), "destination": f"{here}/over"}])
    step = bench.act(action, [{"source": f"{here}/sour*", "destination": f"{here}/into/"}])

    assert step.status is Status.SUCCESS, step.message
    assert tree(here / "over") == {"kept": "kept", **held}
    assert tree(here / "into/source") == held
    assert (here / "into/source/link").is_symlink()
    assert source.exists() == (action == "CopyFolder")


def test_a_folder_moves_over_one_that_is_there_unless_told_not_to(bench: Bench, here: Path, source: Path) -> None:
    (here / "there").mkdir()
    entry = {"source": str(source), "destination": f"{here}/there"}

    assert "overwrite is false" in failed(bench.act("MoveFolder", [entry | {"overwrite": "false"}]))
    assert bench.act("MoveFolder", [entry]).status is Status.SUCCESS
    assert (here / "there/deep/e.log").exists()
    assert not source.exists()


def test_create_folder_empties_one_that_is_there_as_documented_and_says_so(bench: Bench, source: Path) -> None:
    step = bench.act("CreateFolder", [{"path": f"{source}/", "permissions": "0700"}, {"path": f"{source}/new/deep"}])

    assert step.status is Status.SUCCESS
    assert sorted(path.name for path in source.rglob("*")) == ["deep", "new"]
    assert oct(source.stat().st_mode & 0o777) == "0o700"
    assert any("was there and is emptied" in line for _, line in bench.heard.lines)


def test_create_folder_never_empties_what_stands_right_below_the_root(bench: Bench, source: Path) -> None:
    assert "would empty it" in failed(bench.act("CreateFolder", [{"path": "/usr/"}]))
    assert "overwrite is false" in failed(bench.act("CreateFolder", [{"path": str(source), "overwrite": False}]))
    assert (source / "a.log").exists()


def test_links_are_made_to_what_is_there(bench: Bench, here: Path, source: Path) -> None:
    link = {"path": f"{here}/links/one", "target": f"{source}/a.log"}

    assert bench.act("CreateSymlink", [link]).status is Status.SUCCESS
    assert (here / "links/one").readlink() == source / "a.log"
    assert "force is false" in failed(bench.act("CreateSymlink", [link]))
    assert bench.act("CreateSymlink", [link | {"target": f"{source}/deep", "force": True}]).status is Status.SUCCESS
    assert (here / "links/one").readlink() == source / "deep"
    assert "does not exist" in failed(bench.act("CreateSymlink", [link | {"target": f"{here}/none"}]))
    assert "is no link" in failed(bench.act("CreateSymlink", [link | {"path": f"{source}/b.log", "force": True}]))


def test_files_are_deleted_by_name_and_by_wildcard(bench: Bench, source: Path) -> None:
    (source / "dead").symlink_to("nowhere")
    entries = [{"path": f"{source}/{name}"} for name in ("*.log", "c d.txt", "dead", "*.zip")]

    assert bench.act("DeleteFile", entries).status is Status.SUCCESS
    assert tree(source) == {".hidden": ".hidden", "deep/e.log": "deep/e.log"}
    assert not (source / "dead").is_symlink()
    assert "does not exist" in failed(bench.act("DeleteFile", [{"path": f"{source}/a.log"}]))


def test_folders_are_deleted_by_force_when_they_hold_something(bench: Bench, source: Path) -> None:
    assert "not empty" in failed(bench.act("DeleteFolder", [{"path": str(source)}])).lower()
    assert bench.act("DeleteFolder", [{"path": str(source), "force": True}]).status is Status.SUCCESS
    assert not source.exists()
    assert "does not exist" in failed(bench.act("DeleteFolder", [{"path": str(source)}]))


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, [".hidden", "a.log", "b.log", "c d.txt"]),
        ({"fileNamePattern": "*.log"}, ["a.log", "b.log"]),
        ({"fileNamePattern": "*.log", "recursive": True}, ["a.log", "b.log", "deep/e.log"]),
        ({"fileNamePattern": "[ab].log"}, []),
    ],
)
def test_files_are_listed_for_later_steps(
    bench: Bench, source: Path, more: dict[str, Any], expected: list[str]
) -> None:
    step = bench.act("ListFiles", [{"path": f"{source}/", **more}])

    assert step.outputs == ({"files": ",".join(f"{source}/{name}" for name in expected)},)


def test_a_folder_that_is_not_there_lists_nothing(bench: Bench, here: Path) -> None:
    assert failed(bench.act("ListFiles", [{"path": f"{here}/none"}])) == f"{here}/none is no folder"


@pytest.mark.parametrize("more", [{}, {"recursive": False}])
def test_permissions_are_set_with_all_that_is_in_a_folder_unless_told_otherwise(
    bench: Bench, source: Path, more: dict[str, Any]
) -> None:
    bench.act("SetFilePermissions", [{"path": f"{source}/a.log", "permissions": "0600"}])
    bench.act("SetFolderPermissions", [{"path": str(source), "permissions": 711, **more}])

    assert oct(source.stat().st_mode & 0o777) == "0o711"
    assert oct((source / "a.log").stat().st_mode & 0o777) == ("0o600" if more else "0o711")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
@pytest.mark.parametrize("more", [{}, {"recursive": False}])
def test_owners_are_set_with_all_that_is_in_a_folder_unless_told_otherwise(
    bench: Bench, source: Path, more: dict[str, Any]
) -> None:
    bench.act("SetFolderOwner", [{"path": str(source), "owner": "daemon", **more}])

    assert (source.owner(), source.group()) == ("daemon", "daemon")
    assert (source / "deep/e.log").owner() == ("root" if more else "daemon")
    bench.act("SetFileOwner", [{"path": f"{source}/a.log", "owner": "bin", "group": "sys"}])
    assert ((source / "a.log").owner(), (source / "a.log").group()) == ("bin", "sys")


@pytest.mark.parametrize("action", ["SetFileOwner", "SetFilePermissions", "SetFolderOwner", "SetFolderPermissions"])
def test_what_is_not_there_gets_neither_owner_nor_permissions(bench: Bench, here: Path, action: str) -> None:
    entry = {"path": f"{here}/none", "owner": "root", "permissions": "0644"}

    assert "does not exist" in failed(bench.act(action, [entry]))
