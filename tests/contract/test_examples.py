from __future__ import annotations

from pathlib import Path

import pytest

from cdk_ami.checks.template.engine import check_template
from tests.support.programs import synthesize_program
from tests.support.synth import ROOT

EXAMPLES = sorted((ROOT / "examples").glob("*/app.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_an_example_has_resources_in_each_stack_and_no_finding(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    templates = synthesize_program(path.read_text(), str(path), monkeypatch)

    assert templates
    assert [name for name, template in templates.items() if not template.get("Resources")] == []
    findings = [found for template in templates.values() for found in check_template(template).findings]
    assert [(found.rule_id, found.logical_id, found.message) for found in findings] == []


def test_each_example_is_listed() -> None:
    listed = (ROOT / "examples/README.md").read_text()

    assert [path.parent.name for path in EXAMPLES if f"({path.parent.name}/app.py)" not in listed] == []
