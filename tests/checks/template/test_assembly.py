"""Templates as they lie on a disk, and what lies beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cdk_ami.checks.template.assembly import sources_in, unowned_lookups
from cdk_ami.checks.template.engine import Acknowledgement
from cdk_ami.checks.template.lines import Lines
from cdk_ami.checks.template.loading import TemplateError
from cdk_ami.limits import LOOKED_UP_AMI

BUCKET = {"Resources": {"Logs": {"Type": "AWS::S3::Bucket"}}}
UNOWNED = "ami:account=1:filters.name.0=web-*:region=us-east-1"
OWNED = "ami:account=1:filters.name.0=web-*:owners.0=amazon:region=us-east-1"


def write(folder: Path, files: dict[str, Any]) -> Path:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(data if isinstance(data, str) else json.dumps(data))
    return folder


def stack(environment: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "aws:cloudformation:stack",
        "environment": environment,
        "properties": {"templateFile": "Web.template.json"},
        **more,
    }


def test_an_assembly_says_where_a_template_is_deployed_and_what_its_app_acknowledges(tmp_path: Path) -> None:
    note = [{"type": "aws:cdk:acknowledged-rules", "data": {"cdk-ami::KeyPair": "lab"}}, {"type": "aws:cdk:logicalId"}]
    artifact = stack("aws://123456789012/eu-west-1", additionalMetadataFile="Web.metadata.json")
    missing = [{"provider": "ami", "key": UNOWNED, "props": {"filters": {}}}]
    files = {
        "manifest.json": {"artifacts": {"Web": artifact}, "missing": missing},
        "Web.metadata.json": {"/Web/Build": note},
        "Web.template.json": BUCKET,
        "tree.json": BUCKET,
        "asset.0a/Other.template.json": BUCKET,
    }

    found = list(sources_in(write(tmp_path, files)))

    assert [source.path.name for source in found] == ["Web.template.json"]
    assert found[0].environment == ("eu-west-1", "123456789012", {}, {LOOKED_UP_AMI: UNOWNED})
    assert found[0].acknowledgements == (Acknowledgement("cdk-ami::KeyPair", "lab", "Web/Build"),)


@pytest.mark.parametrize("missing", [[], [{"provider": "vpc"}], [{"provider": "ami", "props": {"owners": ["amazon"]}}]])
def test_an_unknown_environment_stays_unknown(tmp_path: Path, missing: list[Any]) -> None:
    artifact = stack(
        "aws://unknown-account/unknown-region", metadata={"/Web": [{"type": "aws:cdk:acknowledged-rules"}]}
    )
    files = {"manifest.json": {"artifacts": {"Web": artifact}, "missing": missing}, "Web.template.json": BUCKET}

    (found,) = sources_in(write(tmp_path, files))

    assert found.environment == (None, None, {}, {})
    assert found.acknowledgements == ()


def test_look_ups_of_the_context_beside_an_assembly_are_those_without_an_owner(tmp_path: Path) -> None:
    context = {UNOWNED: "ami-0a", OWNED: "ami-0b", "availability-zones": ["a"], "ami:x": 3}
    write(tmp_path, {"cdk.context.json": context, "cdk.out/web.yaml": "Resources: {A: {Type: 'AWS::S3::Bucket'}}"})

    (found,) = sources_in(tmp_path / "cdk.out")

    assert found.environment.unowned == {"ami-0a": UNOWNED} == unowned_lookups(context)


def test_a_directory_without_a_manifest_is_searched_for_what_looks_like_a_template(tmp_path: Path) -> None:
    files = {"a/web.yml": BUCKET, "b.template": BUCKET, "c.json": [1], "d.yaml": "a: [", "e.txt": "x", "f.json": {}}

    assert [source.path.name for source in sources_in(write(tmp_path, files))] == ["web.yml", "b.template"]


@pytest.mark.parametrize(
    ("name", "data", "problem"),
    [
        ("a.json", {"Resources": {}}, "no Resources with a Type"),
        ("a.yaml", "a: [", "neither JSON nor YAML"),
    ],
)
def test_a_file_that_is_named_must_be_a_template(tmp_path: Path, name: str, data: Any, problem: str) -> None:
    with pytest.raises(TemplateError, match=problem):
        list(sources_in(write(tmp_path, {name: data}) / name))


def test_a_template_of_an_assembly_that_cannot_be_read_is_not_passed_over(tmp_path: Path) -> None:
    write(tmp_path, {"manifest.json": {"artifacts": {}}, "Web.template.json": "{"})

    with pytest.raises(TemplateError, match=r"Web\.template\.json"):
        list(sources_in(tmp_path))


def test_a_line_is_that_of_the_value_or_of_what_comes_nearest() -> None:
    lines = Lines("Resources:\n  Web:\n    Type: A\n    Properties:\n      Zones:\n        - a\n        - {b: 1}\n")

    assert lines.of("Resources", "Web", "Properties.Zones[1].b") == 7
    assert lines.of("Resources", "Web", "Properties.Zones[0]") == 6
    assert lines.of("Resources", "Web", "Properties.Missing.More") == 4
    assert lines.of("Resources", "Other", "Properties") == 1
    assert Lines("{\t").of("Resources", "Web", "Properties") == 1
