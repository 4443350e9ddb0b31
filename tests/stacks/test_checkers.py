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
from dataclasses import replace
from pathlib import Path
import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks
from cdk_ami import Distribution
from cdk_ami.settings import ShareSettings, load
from stacks.app_stacks import add_stacks, add_target_account_stack
from tests.distribution.test_oracles import PUBLIC, WHOLE

app = cdk.App(outdir=sys.argv[1])
settings = load(Path("cdk-ami.toml"))
add_stacks(app, settings, account="123456789012")
share = ShareSettings(accounts=("210987654321",))
keyed = replace(settings.image, name="keyed", keys="own", copy_to_accounts=("333333333333",), share=share)
add_stacks(app, replace(settings, image=keyed, fleets=()), account="123456789012")
add_target_account_stack(app, replace(settings, image=keyed, account="123456789012"))
whole = cdk.Stack(app, "whole", env=cdk.Environment(account="123456789012", region="us-east-1"))
Distribution(targets=[WHOLE, PUBLIC]).render(whole, "Distribution", name="whole")
cdk.Annotations.of(whole).acknowledge_warning("cdk-ami::PublicImage", "a part of the whole")
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
    assert [template.name.partition(".")[0] for template in templates] == [
        "keyed-image",
        "keyed-key-eu-west-1",
        "keyed-key-us-east-1",
        "keyed-target-account",
        "web-fleet-eu-west-1",
        "web-fleet-us-east-1",
        "web-image",
        "whole",
    ]
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
