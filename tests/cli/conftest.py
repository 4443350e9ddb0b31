from __future__ import annotations

import pytest
from click.testing import CliRunner, Result

from cdk_ami.cli.main import main
from cdk_ami.sandbox import environment
from cdk_ami.sandbox.server import Sandbox


class Command:
    """`cdk-ami`, called in this process with the environment of the local AWS."""

    def __init__(self, variables: dict[str, str]) -> None:
        self._variables = variables

    def __call__(self, *arguments: str, **variables: str) -> Result:
        return CliRunner().invoke(main, arguments, env=self._variables | variables)


@pytest.fixture
def command(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Command:
    # Away from the project: its settings file would name the image and the Regions.
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    return Command(environment.variables(sandbox.endpoint))
