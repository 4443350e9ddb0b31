"""What tests need of the Debian packages of the machine, and a small root file system made of some.

A test that is marked ``debian("mmdebstrap")`` is skipped where the command is missing, or where it could not work.
``CDK_AMI_REQUIRE=mmdebstrap`` turns the skip into a failure: a CI that installed the package must not pass without it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

REQUIRED = "CDK_AMI_REQUIRE"
"""Variable that names the commands, separated by commas, without which nothing may be skipped."""

PACKAGES = "base-files,base-passwd,bash,coreutils,dash,grep,libc-bin,sed"
"""What the root file system holds: a shell, its tools, and nothing that runs by itself."""

_WITHOUT = ("usr/share/locale", "usr/share/doc", "usr/share/man", "usr/share/info", "var/lib/apt", "var/cache/apt")


def missing(command: str) -> str:
    """Return why a command cannot be used here, or nothing."""
    if shutil.which(command) is None:
        return f"{command} is not installed; apt-get install {command}"
    return "" if os.geteuid() == 0 else f"{command} needs root here"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip, or fail, a test whose command is missing."""
    for marker in item.iter_markers("debian"):
        why = missing(marker.args[0])
        if why and marker.args[0] in os.environ.get(REQUIRED, "").split(","):
            pytest.fail(f"{why}, and {REQUIRED} asks for it")
        if why:
            pytest.skip(why)


@pytest.fixture(scope="session")
def root_template(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root file system, unpacked once a session; change only copies of it.

    Its archive stays in pytest's cache: to fetch the packages is what takes its time.
    """
    assert request.config.cache is not None
    archive = request.config.cache.mkdir("debian") / f"{_suite()}-{PACKAGES.replace(',', '-')}.tar"
    root = tmp_path_factory.mktemp("debian") / "root"
    root.mkdir()
    if not archive.exists():
        _fetch(archive)
    subprocess.run(["tar", "--extract", "--file", str(archive), "--directory", str(root)], check=True)
    # Packages are unpacked, not set up; these are all that the tests need of it.
    for folder in ("opt", "srv"):
        (root / folder).mkdir()
    for name in ("passwd", "group"):
        shutil.copy(root / f"usr/share/base-passwd/{name}.master", root / f"etc/{name}")
    return root


def _fetch(archive: Path) -> None:
    """Make the archive from packages.  Where they come from is the machine's own matter: its sources, its proxies."""
    sources = [str(path) for path in _sources()]
    options = [f"--aptopt={line}" for line in _apt_options()]
    command = ["mmdebstrap", "--quiet", "--variant=extract", f"--include={PACKAGES}", *options]
    with tempfile.TemporaryDirectory() as folder:
        root, packed = Path(folder) / "root", Path(folder) / "root.tar"
        made = subprocess.run(
            [*command, _suite(), str(root), *sources], capture_output=True, text=True, check=False, timeout=240
        )
        assert made.returncode == 0, made.stderr
        left_out = [f"--exclude=./{part}" for part in _WITHOUT]
        subprocess.run(["tar", "--create", "--file", str(packed), "--directory", str(root), *left_out, "."], check=True)
        shutil.move(packed, archive)


@pytest.fixture
def root(root_template: Path, tmp_path: Path) -> Iterator[Path]:
    """A root file system for one test.  Its programs below /usr are shared: add to them, and change none."""
    copy = tmp_path / "root"
    copy.mkdir(mode=0o755)
    for part in sorted(root_template.iterdir()):
        shared = ["--link"] if part.name == "usr" else []
        subprocess.run(["cp", "--archive", *shared, str(part), str(copy)], check=True)
    yield copy
    shutil.rmtree(copy, ignore_errors=True)


def wait_for(path: Path, *, seconds: float = 60.0) -> None:
    """Return when a file exists."""
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} has not come"
        time.sleep(0.02)


def _sources() -> Iterator[Path]:
    folder = Path("/etc/apt")
    for path in [folder / "sources.list", *sorted((folder / "sources.list.d").glob("*"))]:
        if path.suffix in (".list", ".sources") and path.is_file() and path.read_text().strip():
            yield path


def _apt_options() -> list[str]:
    shown = subprocess.run(["apt-config", "dump", "Acquire"], capture_output=True, text=True, check=True).stdout
    return [line for line in shown.splitlines() if line.lower().startswith(("acquire::http", "acquire::retries"))]


def _suite() -> str:
    words = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    return words.get("VERSION_CODENAME", "stable").strip('"')
