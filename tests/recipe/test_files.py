"""Files of the project in an image: the archive, the document that unpacks it, and what is refused."""

from __future__ import annotations

import getpass
import grp
import os
import subprocess
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cdk_ami import Platform
from cdk_ami.errors import ConfigError
from cdk_ami.recipe.component import Component
from cdk_ami.recipe.files import Archive, ImageFile, pack
from tests.contract.refusals.row import image
from tests.support.components import scripts_of, statements_of, steps_of, uploaded
from tests.support.synth import make_stack, only_resource, template_of

KIND = "AWS::ImageBuilder::Component"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "run").write_text("#!/bin/sh\necho running\n")
    (folder / "bin" / "run").chmod(0o700)
    (folder / "app.conf").write_text("port = 80\n")
    (folder / "current").symlink_to("bin")
    return folder


def packed(files: Mapping[str, str | Path | ImageFile], platform: Platform = Platform.LINUX) -> Archive:
    return pack(files, platform=platform, where="test")


def test_an_archive_holds_each_file_with_its_place_owner_and_mode(source: Path) -> None:
    archive = packed({"/opt/app": ImageFile(source, owner="app", group="web"), "/etc/app/": source / "app.conf"})

    found = {entry.path: (oct(entry.mode), entry.owner, entry.group, entry.link) for entry in archive.entries}
    assert found == {
        "etc/app/app.conf": ("0o644", "root", "root", ""),
        "opt/app": ("0o755", "app", "web", ""),
        "opt/app/app.conf": ("0o644", "app", "web", ""),
        "opt/app/bin": ("0o755", "app", "web", ""),
        "opt/app/bin/run": ("0o755", "app", "web", ""),
        "opt/app/current": ("0o777", "app", "web", "bin"),
    }


def test_a_mode_lets_whoever_reads_a_file_enter_its_directories(source: Path) -> None:
    archive = packed({"/opt/app": ImageFile(source, mode="0640")})

    modes = {entry.path: oct(entry.mode) for entry in archive.entries}
    assert (modes["opt/app"], modes["opt/app/bin/run"]) == ("0o750", "0o640")


def test_the_same_files_make_the_same_archive_wherever_and_whenever(source: Path, tmp_path: Path) -> None:
    first = packed({"/opt/app": source})
    os.utime(source / "app.conf", (1, 1))
    moved = source.rename(tmp_path / "elsewhere")

    again = packed({"/opt/app": moved})

    assert first.digest == again.digest
    (moved / "app.conf").write_text("port = 81\n")
    assert packed({"/opt/app": moved}).digest != first.digest


def test_the_archive_that_is_uploaded_is_the_one_that_the_document_verifies(source: Path) -> None:
    stack = make_stack()
    component = Component.from_files("app", {"/opt/app": source})

    image(stack, components=[component])

    template = template_of(stack)
    data = only_resource(template, KIND)["Properties"]["Data"]
    text = (
        "".join(part if isinstance(part, str) else "{}" for part in data["Fn::Join"][1]) if "Fn::Join" in data else data
    )
    (archive,) = component.archives
    assert archive.digest in str(text)
    assert "cdk-ami-archive" not in str(text)
    (objects,) = [one["Resource"] for one in statements_of(template) if one["Sid"] == "Objects"]
    assert [one for one in objects if ".tar" in str(one)]


def test_the_uploaded_file_has_the_checksum(source: Path) -> None:
    stack = make_stack()
    component = Component.from_files("app", {"/opt/app": source})

    bound = component.bind(stack, platform=Platform.LINUX)

    (asset,) = bound.assets
    shown = subprocess.run(["sha256sum", uploaded(stack, asset)], check=True, capture_output=True, text=True).stdout
    assert shown.split()[0] == component.archives[0].digest
    with tarfile.open(uploaded(stack, asset)) as archive:
        assert "opt/app/bin/run" in archive.getnames()


def test_an_edited_file_is_another_component(source: Path) -> None:
    before = Component.from_files("app", {"/opt/app": source}).description
    (source / "app.conf").write_text("port = 81\n")

    assert Component.from_files("app", {"/opt/app": source}).description != before


def test_the_document_downloads_verifies_unpacks_and_checks(source: Path) -> None:
    component = Component.from_files("app", {"/opt/app": source})

    assert [step["action"] for step in steps_of(component)] == ["ExecuteBash", "S3Download", "ExecuteBash"]
    assert [step["name"] for step in steps_of(component, "validate")] == ["Check"]
    (download,) = steps_of(component)[1]["inputs"]
    assert download["destination"].endswith("/files.tar")


def test_its_scripts_put_the_files_in_place_and_leave_what_is_there(source: Path, tmp_path: Path) -> None:
    root = tmp_path / "image"
    (root / "etc").mkdir(parents=True, mode=0o700)
    (root / "etc" / "kept").write_text("kept")
    owner, group = getpass.getuser(), grp.getgrgid(os.getgid()).gr_name
    files: dict[str, Any] = {
        str(root / "etc" / "app.conf"): ImageFile(source / "app.conf", owner=owner, group=group, mode="0600"),
        str(root / "opt" / "app"): ImageFile(source, owner=owner, group=group),
    }
    component = Component.from_files("app", files)

    done = unpacked(component, tmp_path)

    assert done.stderr == ""
    assert done.returncode == 0
    assert (root / "etc" / "kept").read_text() == "kept"
    assert oct((root / "etc").stat().st_mode)[-3:] == "700"
    assert oct((root / "etc" / "app.conf").stat().st_mode)[-3:] == "600"
    assert subprocess.run([root / "opt/app/current/run"], check=True, capture_output=True).stdout == b"running\n"
    checked = subprocess.run(["bash", "-c", scripts_of(component, "validate")["Check"]], check=False)
    assert checked.returncode == 0


def test_an_archive_that_is_not_the_uploaded_one_fails_the_build(source: Path, tmp_path: Path) -> None:
    component = Component.from_files("app", {str(tmp_path / "image"): source})

    done = unpacked(component, tmp_path, spoilt=True)

    assert done.returncode == 1
    assert "its checksum differs" in done.stderr
    assert not (tmp_path / "image").exists()


def test_an_owner_who_is_not_there_fails_the_build_with_a_word(source: Path, tmp_path: Path) -> None:
    component = Component.from_files("app", {str(tmp_path / "image"): ImageFile(source, owner="no-such-user")})

    done = unpacked(component, tmp_path)

    assert done.returncode == 1
    assert "there is no user no-such-user" in done.stderr


def unpacked(component: Component, folder: Path, *, spoilt: bool = False) -> subprocess.CompletedProcess[str]:
    """Run the step that unpacks, as if the one before had downloaded the archive."""
    (archive,) = component.archives
    place = Path(steps_of(component)[1]["inputs"][0]["destination"]).parent
    script = scripts_of(component)["Unpack"].replace(str(place), str(folder / "staged"))
    (folder / "staged").mkdir()
    archive.write(folder / "staged" / "files.tar")
    if spoilt:
        with (folder / "staged" / "files.tar").open("ab") as file:
            file.write(b"more")
    return subprocess.run(["bash", "-c", script], check=False, capture_output=True, text=True)


def test_files_go_to_windows_as_a_zip_archive_by_drive(source: Path, tmp_path: Path) -> None:
    (source / "current").unlink()
    component = Component.from_files(
        "app", {"C:\\App": source, "d:\\data\\": source / "app.conf"}, platform=Platform.WINDOWS
    )

    (archive,) = component.archives
    archive.write(tmp_path / "files.zip")
    with zipfile.ZipFile(tmp_path / "files.zip") as written:
        assert written.namelist() == ["C/App/", "C/App/app.conf", "C/App/bin/", "C/App/bin/run", "D/data/app.conf"]
        assert {info.compress_type for info in written.infolist()} == {zipfile.ZIP_STORED}
    script = scripts_of(component)["Unpack"]
    assert archive.digest.upper() in script
    assert "\\files\\C\\*' -Destination 'C:\\'" in script
    assert "\\files\\D\\*' -Destination 'D:\\'" in script
    assert component.platform is Platform.WINDOWS


WINDOWS = Platform.WINDOWS
REFUSED: list[tuple[Any, Platform, str, str, str]] = [
    ({}, Platform.LINUX, "Files", "files", "give them as"),
    ({"opt/app": "app"}, Platform.LINUX, "FileDestination", "files['opt/app']", "/etc/app.conf"),
    ({"/": "app"}, Platform.LINUX, "FileDestination", "files['/']", "plain path"),
    ({"/opt/../etc": "app"}, Platform.LINUX, "FileDestination", "files['/opt/../etc']", "plain path"),
    ({"/opt/app": "app"}, WINDOWS, "FileDestination", "files['/opt/app']", "C:\\App"),
    ({"/opt/app": "apq"}, Platform.LINUX, "FileSource", "files['/opt/app'].source", "'app'"),
    ({"/a": ImageFile("app", mode="rw")}, Platform.LINUX, "FileMode", "files['/a'].mode", "octal"),
    ({"C:\\a": ImageFile("app/bin", mode="0644")}, WINDOWS, "FileMode", "files['C:\\\\a'].mode", "leave it out"),
    ({"/a": ImageFile("app", owner="-x")}, Platform.LINUX, "FileOwner", "files['/a'].owner", "'root'"),
    ({"/a": ImageFile("app", group="a b")}, Platform.LINUX, "FileOwner", "files['/a'].group", "'root'"),
    ({"C:\\a": ImageFile("app/bin", owner="me")}, WINDOWS, "FileOwner", "files['C:\\\\a'].owner", "leave it out"),
    ({"C:\\a": "app"}, WINDOWS, "FileKind", "files['C:\\\\a']", "the file itself"),
    ({"/a": "app", "/a/bin/run": "app/app.conf"}, Platform.LINUX, "FilesOnce", "files", "drop all but one"),
]


@pytest.mark.parametrize(("files", "platform", "rule", "prop", "fix"), REFUSED)
def test_files_that_cannot_go_into_an_image_are_refused(  # noqa: PLR0917 - one row of the table
    files: Any, platform: Platform, rule: str, prop: str, fix: str, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(source.parent)

    with pytest.raises(ConfigError) as caught:
        Component.from_files("app", files, platform=platform)

    fault = next(fault for fault in caught.value.faults if fault.rule == f"cdk-ami::{rule}")
    assert (caught.value.where, fault.prop) == ("Component.from_files('app')", prop)
    assert fix in fault.fix


def test_a_link_that_leads_out_of_its_directory_is_refused(source: Path) -> None:
    (source / "out").symlink_to("../..")

    with pytest.raises(ConfigError) as caught:
        packed({"/opt/app": source})

    assert "leads out of it" in str(caught.value)


def test_an_owner_whom_only_the_deployment_knows_is_refused(source: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        packed({"/opt/app": ImageFile(source, owner="${Token[Owner.1]}")})

    assert (caught.value.prop, caught.value.fix) == ("files['/opt/app']", "write path, owner, group and mode out")
