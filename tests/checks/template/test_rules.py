"""Each rule over templates finds what its bad examples hold, and nothing in its good ones."""

from __future__ import annotations

import re

import pytest
from syrupy.assertion import SnapshotAssertion

from cdk_ami.checks.template.engine import Finding, check_template
from cdk_ami.checks.template.examples import EXAMPLE_ENVIRONMENT, example_template
from cdk_ami.checks.template.registry import Family, TemplateRule, all_rules

RULES = list(all_rules().values())
SUBJECTS = sorted({rule.module for rule in RULES})


def found(rule: TemplateRule, text: str) -> list[Finding]:
    outcome = check_template(example_template(rule, text), environment=EXAMPLE_ENVIRONMENT)
    return [finding for finding in outcome.findings if finding.rule_id == rule.rule_id]


@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_rule_finds_what_its_bad_examples_hold_and_nothing_in_its_good_ones(subject: str) -> None:
    rules = [rule for rule in RULES if rule.module == subject]

    missed = [(rule.rule_id, text) for rule in rules for text in rule.bad if not found(rule, text)]
    accused = [(rule.rule_id, text, each.message) for rule in rules for text in rule.good for each in found(rule, text)]

    assert (missed, accused) == ([], [])


def test_a_finding_says_where_it_is_what_it_is_and_what_to_do() -> None:
    findings = [(rule, finding) for rule in RULES for finding in found(rule, rule.bad[0])]

    assert [finding.path for rule, finding in findings if finding.type not in rule.types] == []
    places = r"(?:Properties|UpdatePolicy|DeletionPolicy|Type|Default)\b.*"
    assert [finding.path for _, finding in findings if not re.fullmatch(places, finding.path)] == []
    assert [finding.fix for _, finding in findings if not re.fullmatch(r"(?s)[^A-Z.].*[^.]", finding.fix)] == []
    assert [finding for _, finding in findings if not finding.problem] == []


def test_there_are_more_than_seventy_rules_and_ten_and_more_in_each_family() -> None:
    families = {family: sum(rule.family == family for rule in RULES) for family in Family}

    assert len(RULES) > 70
    assert min(families.values()) >= 10, families


def test_a_rule_has_a_sentence_a_reason_a_page_and_examples() -> None:
    assert [rule.rule_id for rule in RULES if not re.fullmatch(r"cdk-ami::[A-Z][A-Za-z0-9]+", rule.rule_id)] == []
    assert [rule.rule_id for rule in RULES if not re.fullmatch(r"[A-Z].+\.", rule.about)] == []
    assert [rule.rule_id for rule in RULES if not re.fullmatch(r"[A-Z].+\.", rule.why)] == []
    assert [rule.rule_id for rule in RULES if not rule.source.startswith("https://docs.aws.amazon.com/")] == []
    assert [rule.rule_id for rule in RULES if not (rule.bad and rule.good)] == []


@pytest.mark.parametrize("subject", SUBJECTS)
def test_what_is_said_of_each_bad_example_is_as_it_was(subject: str, snapshot: SnapshotAssertion) -> None:
    said = {
        rule.rule_id: [[finding.message for finding in found(rule, text)] for text in rule.bad]
        for rule in RULES
        if rule.module == subject
    }

    assert said == snapshot
