"""What the README shows of the checks is what they find."""

from __future__ import annotations

import re

from cdk_ami.checks.template.engine import check_template
from cdk_ami.checks.template.loading import parse_template
from tests.support.synth import ROOT


def test_the_readme_shows_what_is_found_before_and_that_nothing_is_found_after() -> None:
    readme = (ROOT / "README.md").read_text()
    before, after = (
        parse_template(text) for text in re.findall(r"^```yaml\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    )

    shown = "\n".join(
        f"{found.severity} {found.rule_id.removeprefix('cdk-ami::')}: {found.logical_id} {found.message}"
        for found in check_template(before).findings
    )

    assert f"```text\n{shown}\n```" in readme
    assert check_template(after).findings == ()
