"""`cdk-ami check`, as a person and as a pipeline calls it."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cdk_ami.cli.main import main

TEMPLATE = """
Parameters: {Tokens: {Type: String}}
Resources:
  Build:
    Type: AWS::ImageBuilder::InfrastructureConfiguration
    Properties:
      Name: web
      InstanceProfileName: build
      KeyPair: ops <lab>
      InstanceMetadataOptions: {HttpTokens: !Ref Tokens}
      SubnetId: subnet-0a
"""


@pytest.fixture
def template(tmp_path: Path) -> Path:
    path = tmp_path / "web.yaml"
    path.write_text(TEMPLATE)
    return path


def run(*words: object) -> Result:
    return CliRunner().invoke(main, ["check", *map(str, words)])


def test_a_table_says_what_was_found_where_and_what_to_do(template: Path) -> None:
    done = run(template)

    assert done.exit_code == 1
    assert "cdk-ami::KeyPair" in done.output
    assert "Properties.SecurityGroupIds is missing beside SubnetId; name a security group" in done.output
    assert "2 findings in 1 template." in done.output


def test_json_holds_every_finding_with_its_reason_and_page(template: Path) -> None:
    done = run(template, "--json", "--parameter", "Tokens=optional", "--acknowledge", "KeyPair@Build=the lab")

    answer = json.loads(done.stdout)
    assert [(found["rule_id"], found["severity"], found["path"]) for found in answer["findings"]] == [
        ("cdk-ami::SubnetWithGroup", "error", "Properties.SecurityGroupIds"),
        ("cdk-ami::ImdsV2", "error", "Properties.InstanceMetadataOptions.HttpTokens"),
    ]
    assert [(found["rule_id"], found["reason"]) for found in answer["acknowledged"]] == [
        ("cdk-ami::KeyPair", "the lab")
    ]
    assert answer["findings"][0]["source"].startswith("https://docs.aws.amazon.com/")


def test_sarif_names_rules_lines_and_suppressions(template: Path) -> None:
    done = run(template, "--sarif", "--acknowledge", "KeyPair=the lab")

    report = json.loads(done.stdout)
    driver, results = report["runs"][0]["tool"]["driver"], report["runs"][0]["results"]
    assert report["version"] == "2.1.0"
    assert [(one["ruleId"], one["level"]) for one in results] == [
        ("cdk-ami::SubnetWithGroup", "error"),
        ("cdk-ami::KeyPair", "warning"),
    ]
    assert [driver["rules"][one["ruleIndex"]]["id"] for one in results] == [one["ruleId"] for one in results]
    assert [one["locations"][0]["physicalLocation"]["region"]["startLine"] for one in results] == [6, 9]
    assert [one.get("suppressions") for one in results] == [None, [{"kind": "external", "justification": "the lab"}]]


def test_junit_fails_a_case_for_each_finding_and_skips_what_is_acknowledged(template: Path, tmp_path: Path) -> None:
    clean = tmp_path / "clean.yaml"
    clean.write_text("Resources: {A: {Type: 'AWS::S3::Bucket'}}")

    done = run(template, clean, "--junit", "--acknowledge", "SubnetWithGroup=the lab")

    root = ET.fromstring(done.stdout)  # noqa: S314 - our own output
    assert root.attrib == {"tests": "3", "failures": "1"}
    assert [case.attrib["name"] for case in root.iter("testcase")] == [
        "cdk-ami::KeyPair Properties.KeyPair",
        "cdk-ami::SubnetWithGroup Properties.SecurityGroupIds",
        "no findings",
    ]
    assert [failure.attrib["message"] for failure in root.iter("failure")] == [
        "Properties.KeyPair lets the holder of a key in, got 'ops <lab>'; drop it, and use Session Manager"
    ]


@pytest.mark.parametrize(
    ("options", "code", "count"),
    [
        ((), 1, 2),
        (("--severity", "error"), 1, 1),
        (("--fail-on", "error"), 1, 2),
        (("--fail-on", "never"), 0, 2),
        (("--fail-on", "error", "--acknowledge", "SubnetWithGroup=lab"), 0, 1),
        (("--acknowledge", "cdk-ami::SubnetWithGroup@Build#Properties=lab", "--acknowledge", "KeyPair=lab"), 0, 0),
    ],
)
def test_severity_decides_what_is_shown_and_fail_on_how_it_ends(
    template: Path, options: tuple[str, ...], code: int, count: int
) -> None:
    done = run(template, "--json", *options)

    assert done.exit_code == code
    assert len(json.loads(done.stdout)["findings"]) == count


def test_a_file_acknowledges_and_what_it_covers_no_more_is_told(template: Path, tmp_path: Path) -> None:
    file = tmp_path / "known.yaml"
    file.write_text(
        "- {id: KeyPair, reason: the lab, resource: Build, path: Properties.KeyPair}\n"
        "- {id: SubnetWithGroup, reason: old, resource: Gone}\n"
    )

    done = run(template, "--acknowledgements", file)

    assert "1 finding in 1 template, 1 acknowledged." in done.stdout
    assert done.stderr == "The acknowledgement of SubnetWithGroup covers nothing: remove it, or mend its resource.\n"


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--acknowledge", "KeyPair"), "give a reason"),
        (("--acknowledge", "KeyPairs=lab"), "did you mean 'KeyPair'?"),
        (("--acknowledge", "Zebra=lab"), "see docs/reference/checks.md"),
        (("--parameter", "Tokens"), "write it as Size=large"),
    ],
)
def test_a_wrong_option_is_refused_with_what_to_do(template: Path, words: tuple[str, ...], problem: str) -> None:
    done = run(template, *words)

    assert done.exit_code == 2
    assert problem in done.output


@pytest.mark.parametrize("text", ["{id: KeyPair}", "[1]", "{id: KeyPair, reason: x, more: y}", "a: ["])
def test_a_wrong_file_of_acknowledgements_is_refused(template: Path, tmp_path: Path, text: str) -> None:
    file = tmp_path / "known.yaml"
    file.write_text(text)

    done = run(template, "--acknowledgements", file)

    assert done.exit_code == 2
    assert str(file) in done.output.replace("\n", "")


def test_what_is_no_template_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")

    assert "has no Resources" in run(tmp_path / "a.json").output
    assert "holds no template" in run(tmp_path).output
