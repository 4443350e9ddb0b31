"""The pages of reference say what the code says."""

from __future__ import annotations

import re

import aws_cdk as cdk
import pytest
from constructs import Construct

from cdk_ami import SourceImage
from cdk_ami.checks.documents import DOCUMENT_WARNINGS, Sealed
from cdk_ami.checks.reference import rules_by_module, rules_page
from cdk_ami.checks.rule import RULES
from cdk_ami.checks.template.reference import checks_page
from cdk_ami.recipe.reference import actions_page
from tests.contract.refusals.row import image
from tests.support.synth import ROOT, make_stack

WARNINGS = ROOT / "docs" / "reference" / "warnings.md"


def emitted() -> set[str]:
    """Return each id that stands in the code as a text of its own, and each rule that only warns."""
    written = {
        found
        for path in sorted((ROOT / "cdk_ami").rglob("*.py"))
        for found in re.findall(r'"(cdk-ami::[A-Za-z]+)"', path.read_text())
    }
    odd = Sealed(
        {"colour": "DB_PASSWORD=hunter2", "phases": [{"name": "build", "steps": [{"name": "A", "action": "Paint"}]}]}
    )
    return written | {found.rule for check in DOCUMENT_WARNINGS for found in check(odd)}


def test_the_page_of_rules_is_the_one_that_the_rules_write() -> None:
    page = (ROOT / "docs" / "reference" / "rules.md").read_text()

    assert page == rules_page(), "write it anew: python -m cdk_ami.checks.reference > docs/reference/rules.md"


def test_the_page_of_actions_is_the_one_that_the_schema_writes() -> None:
    page = (ROOT / "docs" / "reference" / "actions.md").read_text()

    assert page == actions_page(), "write it anew: python -m cdk_ami.recipe.reference > docs/reference/actions.md"


def test_the_page_of_checks_is_the_one_that_the_rules_over_templates_write() -> None:
    page = (ROOT / "docs" / "reference" / "checks.md").read_text()

    assert page == checks_page(), "write it anew: python -m cdk_ami.checks.template.reference > that page"


def test_each_rule_has_a_sentence_and_a_source() -> None:
    rules = [rule for found in rules_by_module().values() for rule in found]

    assert [rule.rule_id for rule in rules if not re.fullmatch(r"[A-Z].+\.", rule.about)] == []
    assert [rule.rule_id for rule in rules if not rule.source.startswith("https://docs.aws.amazon.com/")] == []
    assert {rule.rule_id for rule in RULES.values() if rule.module.startswith("cdk_ami.")} == {
        rule.rule_id for rule in rules
    }


def test_each_warning_has_its_heading_and_each_heading_its_warning() -> None:
    headings = re.findall(r"^## (\S+)$", WARNINGS.read_text(), re.MULTILINE)

    assert headings == sorted(emitted())


def test_each_heading_says_where_it_arises_and_what_to_do() -> None:
    sections = re.split(r"^## ", WARNINGS.read_text(), flags=re.MULTILINE)[1:]

    assert [section.split()[0] for section in sections if "**On** " not in section or "**Do** " not in section] == []


def test_an_acknowledged_warning_is_silent_below_the_construct() -> None:
    stack = make_stack()
    made = image(stack, source=SourceImage.amazon_linux_2())
    before = warnings_below(made)

    cdk.Annotations.of(stack).acknowledge_warning("cdk-ami::SourceNearEndOfSupport", "replaced soon")

    assert len(before) == 1
    assert warnings_below(made) == []


def warnings_below(scope: Construct) -> list[str]:
    return [
        str(entry.data)
        for child in scope.node.find_all()
        for entry in child.node.metadata
        if entry.type == "aws:cdk:warning"
    ]


@pytest.mark.parametrize("page", ["actions.md", "checks.md", "rules.md", "settings.md", "warnings.md"])
def test_each_page_of_reference_is_linked(page: str) -> None:
    index = (ROOT / "docs" / "README.md").read_text()

    assert f"(reference/{page})" in index
