from __future__ import annotations

import json
import os
import site
import subprocess
import sys
import venv
from pathlib import Path

from cdk_ami import ReadyComponent
from tests.support.synth import JSII_CACHE, ROOT

PROGRAM = """
import json, sys
import aws_cdk as cdk
import cdk_ami
from cdk_ami import BuildTrigger, Component, Distribution, GoldenImage, SourceImage

app = cdk.App()
stack = cdk.Stack(app, "Web", env=cdk.Environment(account="123456789012", region="us-east-1"))
GoldenImage(
    stack,
    "Image",
    name="web",
    source=SourceImage.amazon_linux_2023(),
    components=[Component.from_commands("hello", ["echo hello"])],
    distribution=Distribution.to_regions("us-east-1", "eu-west-1"),
    trigger=BuildTrigger.on_change(),
)
resources = app.synth().get_stack_by_name("Web").template["Resources"]
print(json.dumps({"from": cdk_ami.__file__, "types": sorted({found["Type"] for found in resources.values()})}))
"""


def test_the_wheel_installs_and_synthesizes_in_a_clean_environment(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path / "dist", ROOT],
        check=True,
        capture_output=True,
    )
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    python = new_environment(tmp_path / "venv", wheel)

    shown = subprocess.run(
        [python, "-c", PROGRAM],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)} | JSII_CACHE,
    )

    result = json.loads(shown.stdout.splitlines()[-1])
    assert Path(result["from"]).is_relative_to(tmp_path)
    assert "AWS::ImageBuilder::ImagePipeline" in result["types"]


def test_the_wheel_holds_its_data_files_and_nothing_but_the_package(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, ROOT],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")

    listed = subprocess.run(
        [sys.executable, "-m", "zipfile", "-l", wheel], check=True, capture_output=True, text=True
    ).stdout.splitlines()[1:]
    names = {line.split()[0] for line in listed}

    ready = {f"cdk_ami/recipe/ready/{name}.yaml" for name in ReadyComponent}
    assert {"cdk_ami/py.typed", "cdk_ami/settings.schema.json", "cdk_ami/recipe/component.schema.json"} | ready <= names
    assert {name.split("/")[0].split("-")[0] for name in names} == {"cdk_ami"}


def new_environment(folder: Path, wheel: Path) -> Path:
    """Make an environment that holds the wheel, and sees the dependencies of this one, but not its cdk_ami."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", wheel], check=True, capture_output=True
    )
    (packages,) = (folder / "lib").glob("python*/site-packages")
    # What a .pth file names comes last on the path, and its own .pth files, the editable install's, are not read.
    (packages / "dependencies.pth").write_text("\n".join(site.getsitepackages()))
    return python
