"""A copy of the project, and a local AWS in a process of its own, as a user has them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from cdk_ami.sandbox.environment import variables
from tests.support.synth import JSII_CACHE, ROOT

CDK_AMI = Path(sys.executable).with_name("cdk-ami")
CDK = ROOT / "node_modules" / ".bin" / "cdk"
COPIED = ("app.py", "cdk.json", "cdk-ami.toml", "stacks", "components")


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A copy of the project that tests may edit, and the local AWS it deploys to."""

    folder: Path
    endpoint: str

    def run(self, *command: str | Path, ok: bool = True, folder: Path | None = None) -> str:
        """Run a command as a user would; return what it printed on both streams."""
        done = subprocess.run(
            [str(part) for part in command],
            cwd=folder or self.folder,
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder), "CI": "true"}
            | JSII_CACHE
            | variables(self.endpoint)
            | {
                "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "18,20",
                # 4 s a synthesis; tests/stacks runs the CDK's validation on the same templates.
                "CDK_VALIDATION": "false",
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert (done.returncode == 0) == ok, f"{command} ended with {done.returncode}:\n{done.stdout}"
        return done.stdout

    def cdk(self, *arguments: str, ok: bool = True, folder: Path | None = None) -> str:
        return self.run(CDK, *arguments, ok=ok, folder=folder)

    def deploy(self, *, ok: bool = True) -> str:
        return self.cdk("deploy", "--all", "--require-approval", "never", ok=ok)

    def cdk_ami(self, *arguments: str, ok: bool = True) -> str:
        return self.run(CDK_AMI, *arguments, ok=ok)

    def images(self) -> Any:
        return json.loads(self.cdk_ami("images", "--json"))

    def client(self, service: str, region: str) -> Any:
        return boto3.client(
            service,
            region_name=region,
            endpoint_url=self.endpoint,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )

    def edit(self, path: str, old: str, new: str) -> None:
        """Change one place of one file."""
        file = self.folder / path
        text = file.read_text()
        assert text.count(old) == 1, f"{path} holds {old!r} {text.count(old)} times"
        file.write_text(text.replace(old, new))


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with subprocess.Popen(
        [CDK_AMI, "sandbox", "--port", "0"], stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        ready = process.stdout.readline().split()
        assert ready[:1] == ["ready"], ready
        yield ready[1]
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0


@pytest.fixture(scope="module")
def project(endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("project")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    (folder / ".venv").symlink_to(Path(sys.prefix))
    return Project(folder=folder, endpoint=endpoint)
