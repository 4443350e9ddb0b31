"""What a check found, for programs: JSON, SARIF for code scanning, JUnit for whatever shows tests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple
from xml.sax.saxutils import escape, quoteattr

from cdk_ami.checks.template.assembly import Source
from cdk_ami.checks.template.engine import Accepted, Acknowledgement, Finding
from cdk_ami.checks.template.lines import Lines
from cdk_ami.checks.template.registry import Family, Severity, TemplateRule, all_rules
from cdk_ami.checks.template.types import PARAMETER

CHECKS_PAGE: Final = "https://github.com/cdk-ami/cdk-ami/blob/main/docs/reference/checks.md"
_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_FAMILIES: Final = {
    Family.FAILS: "would fail",
    Family.LEAKS: "leaks",
    Family.COSTS: "costs or rots",
    Family.DRIFTS: "drifts",
}


class Checked(NamedTuple):
    """What was found in one template.

    Attributes:
        source: The template.
        findings: What is to be mended.
        accepted: What somebody has acknowledged.
        idle: Acknowledgements of the template and its app that cover nothing.
    """

    source: Source
    findings: tuple[Finding, ...]
    accepted: tuple[Accepted, ...]
    idle: tuple[Acknowledgement, ...]


def as_json(checked: Sequence[Checked]) -> dict[str, Any]:
    """Return findings and acknowledgements as plain data."""
    return {
        "templates": [str(one.source.path) for one in checked],
        "findings": [_plain(one, finding) for one in checked for finding in one.findings],
        "acknowledged": [
            _plain(one, each.finding) | {"reason": each.reason} for one in checked for each in one.accepted
        ],
    }


def as_sarif(checked: Sequence[Checked], *, version: str) -> dict[str, Any]:
    """Return the findings as SARIF 2.1.0, acknowledged ones as suppressed.

    https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html

    Args:
        checked: What was found.
        version: Version of this library.
    """
    rules = list(all_rules().values())
    index = {rule.rule_id: number for number, rule in enumerate(rules)}
    results = [result for one in checked for result in _results(one, index)]
    driver = {
        "name": "cdk-ami",
        "version": version,
        "informationUri": CHECKS_PAGE,
        "rules": [_described(rule) for rule in rules],
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}


def as_junit(checked: Sequence[Checked]) -> str:
    """Return the findings as JUnit XML: a suite for each template, a case for each finding."""
    suites = [_suite(one) for one in checked]
    failures = sum(len(one.findings) for one in checked)
    tests = sum(max(1, len(one.findings) + len(one.accepted)) for one in checked)
    head = '<?xml version="1.0" encoding="UTF-8"?>'
    return "\n".join([head, f'<testsuites tests="{tests}" failures="{failures}">', *suites, "</testsuites>", ""])


def _plain(one: Checked, finding: Finding) -> dict[str, Any]:
    return {"template": str(one.source.path), **finding._asdict(), "message": finding.message}


def _results(one: Checked, index: Mapping[str, int]) -> Iterator[dict[str, Any]]:
    lines = Lines(one.source.text) if one.findings or one.accepted else None
    for finding in one.findings:
        yield _result(one, finding, index, lines)
    for each in one.accepted:
        suppressed = {"kind": "external", "justification": each.reason}
        yield _result(one, each.finding, index, lines) | {"suppressions": [suppressed]}


def _result(one: Checked, finding: Finding, index: Mapping[str, int], lines: Lines | None) -> dict[str, Any]:
    section = "Parameters" if finding.type == PARAMETER else "Resources"
    line = lines.of(section, finding.logical_id, finding.path) if lines else 1
    place = f"{finding.logical_id}.{finding.path}"
    return {
        "ruleId": finding.rule_id,
        "ruleIndex": index[finding.rule_id],
        "level": str(finding.severity),
        "message": {"text": f"{finding.logical_id}: {finding.message}. {finding.why}"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": one.source.path.as_posix()},
                    "region": {"startLine": line},
                },
                "logicalLocations": [{"name": finding.logical_id, "fullyQualifiedName": finding.construct or place}],
            }
        ],
        "partialFingerprints": {"cdkAmi/v1": f"{finding.rule_id}:{place}"},
    }


def _described(rule: TemplateRule) -> dict[str, Any]:
    name = rule.rule_id.removeprefix("cdk-ami::")
    return {
        "id": rule.rule_id,
        "name": name,
        "shortDescription": {"text": rule.about},
        "fullDescription": {"text": f"{rule.about} {rule.why}"},
        "help": {"text": f"{rule.why} {rule.source}"},
        "helpUri": f"{CHECKS_PAGE}#{name.lower()}",
        "defaultConfiguration": {"level": str(rule.severity)},
        "properties": {
            "tags": [_FAMILIES[rule.family]],
            "precision": "high" if rule.severity == Severity.ERROR else "medium",
        },
    }


def _suite(one: Checked) -> str:
    name = quoteattr(str(one.source.path))
    cases = [
        *(
            _case(finding, f"<failure message={quoteattr(finding.message)}>{_reason(finding)}</failure>")
            for finding in one.findings
        ),
        *(_case(each.finding, f"<skipped message={quoteattr(each.reason)}/>") for each in one.accepted),
    ] or [f'    <testcase classname={name} name="no findings"/>']
    counts = f'tests="{len(cases)}" failures="{len(one.findings)}" skipped="{len(one.accepted)}"'
    return "\n".join([f"  <testsuite name={name} {counts}>", *cases, "  </testsuite>"])


def _case(finding: Finding, inner: str) -> str:
    title = quoteattr(f"{finding.rule_id} {finding.path}")
    return f"    <testcase classname={quoteattr(finding.logical_id)} name={title}>{inner}</testcase>"


def _reason(finding: Finding) -> str:
    return escape(f"{finding.why} {finding.source}")


def at_least(findings: Iterable[Finding], severity: Severity) -> tuple[Finding, ...]:
    """Return the findings of a severity and those of a higher one."""
    return tuple(found for found in findings if severity == Severity.WARNING or found.severity == Severity.ERROR)
