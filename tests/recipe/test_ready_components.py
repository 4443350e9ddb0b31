"""The components of the default image."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from cdk_ami.recipe.component import Component
from cdk_ami.recipe.document import read_document
from cdk_ami.source.platform import Platform

FOLDER = Path(__file__).parents[2] / "components"
FILES = sorted(FOLDER.glob("*.yaml"))


def test_the_default_image_has_its_components() -> None:
    assert {file.stem for file in FILES} >= {"apache", "cloudwatch-agent"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_ready_component_builds_validates_and_tests_on_linux(file: Path) -> None:
    component = Component.from_file(file)

    assert component.document is not None
    assert component.name == file.stem
    assert component.document.phases == ("build", "validate", "test")
    assert component.platform is Platform.LINUX
    assert component.document.warnings == ()
    assert all(default is not None for default in component.document.parameters.values())


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_script_of_a_ready_component_is_bash_that_stops_at_failures(file: Path) -> None:
    bash = shutil.which("bash")
    assert bash is not None

    for script in _scripts(read_document(file).data):
        done = subprocess.run([bash, "-n"], input=script, capture_output=True, text=True, check=False)
        assert done.stderr == ""
        assert script.startswith("set -euo pipefail") or len(script.splitlines()) == 1


def test_the_agents_configuration_is_json_once_its_parameters_are_filled_in() -> None:
    document = read_document(FOLDER / "cloudwatch-agent.yaml")
    (step,) = [step for step in document.data["phases"][0]["steps"] if step["action"] == "CreateFile"]

    text = step["inputs"][0]["content"]
    for name, default in document.parameters.items():
        text = text.replace("{{ " + name + " }}", str(default))

    configuration = json.loads(text)
    collected = configuration["logs"]["logs_collected"]["files"]["collect_list"]
    assert [entry["retention_in_days"] for entry in collected] == [30, 30, 30]
    assert set(configuration["metrics"]["metrics_collected"]) == {"mem", "disk"}


def test_checking_a_document_costs_a_few_milliseconds() -> None:
    file = FOLDER / "cloudwatch-agent.yaml"
    read_document(file)

    started = time.process_time()
    for _ in range(20):
        read_document(file)
    each = (time.process_time() - started) / 20

    # It takes about 1.5 ms; ten times that would be a mistake and not a slow machine.
    assert each < 0.02


def _scripts(data: Any) -> list[str]:
    return [
        "\n".join(str(command) for command in step["inputs"]["commands"])
        for phase in data["phases"]
        for step in phase["steps"]
        if step["action"] == "ExecuteBash"
    ]
