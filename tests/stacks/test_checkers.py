"""What the public checkers say of the deployed templates: nothing."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import cfnlint.api
import cfnlint.config

from tests.support.synth import ROOT

APP = """
import sys
from pathlib import Path
import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks
from cdk_ami.settings import load
from stacks.app_stacks import add_stacks

app = cdk.App(outdir=sys.argv[1])
add_stacks(app, load(Path("cdk-ami.toml")), account="123456789012")
cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(verbose=True))
app.synth()
"""


def test_the_command_lines_templates_pass_cfn_lint_the_cdks_validation_and_cdk_nag(tmp_path: Path) -> None:
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    # What the command line adds of its own: paths, and the resource that tells templates of the CDK from others.
    by_command_line = {"aws:cdk:enable-path-metadata": True, "aws:cdk:version-reporting": True}
    strict = context | by_command_line | {"@aws-cdk/core:failSynthOnValidationErrors": True}

    done = subprocess.run(
        [ROOT / ".venv/bin/python", "-c", APP, tmp_path],
        cwd=ROOT,
        env=os.environ | {"CDK_CONTEXT_JSON": json.dumps(strict), "CDK_VALIDATION": "true", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    report = json.loads((tmp_path / "validation-report.json").read_text())
    found = [violation for plugin in report["pluginReports"] for violation in plugin["violations"]]
    assert found == []
    assert done.returncode == 0, done.stderr
    templates = sorted(tmp_path.glob("*.template.json"))
    linted = [
        str(match)
        for template in templates
        for match in cfnlint.api.lint(
            template.read_text(),
            config=cfnlint.config.ManualArgs(regions=["us-east-1", "eu-west-1"], include_checks=["E", "W"]),
        )
    ]
    assert len(templates) == 3
    assert linted == []


def test_there_are_at_most_three_acknowledgements_each_with_a_reason() -> None:
    calls = [
        f"{path.relative_to(ROOT)}:{number}"
        for folder in ("cdk_ami", "stacks")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if "sandbox" not in path.parts
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if ".acknowledge(" in line
    ]

    assert len(calls) <= 3, calls
