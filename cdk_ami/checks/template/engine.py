"""Runs the rules over a template: findings, and what somebody has acknowledged with a reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from cdk_ami.checks.rule import Problem
from cdk_ami.checks.template.places import Place, Resource, Template
from cdk_ami.checks.template.registry import Family, Severity, TemplateRule, rules_by_type
from cdk_ami.checks.template.types import PARAMETER
from cdk_ami.checks.template.values import NOWHERE, Environment, as_written

METADATA_KEY: Final = "cdk-ami"
"""Key of a resource's metadata that holds what is acknowledged there."""


_ANY_VALUE: Final = "::PropertyValue"


class Finding(NamedTuple):
    """What a rule found in a template.

    Attributes:
        rule_id: Stable id, such as ``cdk-ami::AmiName``.
        family: What becomes of it when nobody minds.
        severity: How sure the harm is.
        logical_id: Name of the resource, or of the parameter.
        type: Type of the resource.
        path: Path of the value, such as ``Properties.Distributions[0].Region``.
        construct: Path of the construct, empty when no CDK made the template.
        problem: What is wrong, to be read after the path.
        got: The offending value.
        why: What happens if it stays.
        source: URL of the page that says so.
        fix: What to do about it, an action.
    """

    rule_id: str
    family: Family
    severity: Severity
    logical_id: str
    type: str
    path: str
    construct: str
    problem: str
    got: object
    why: str
    source: str
    fix: str

    @property
    def message(self) -> str:
        """The finding in a sentence."""
        shown = "" if self.got is None else f", got {self.got!r}"
        return f"{self.path} {self.problem}{shown}; {self.fix}"


class Acknowledgement(NamedTuple):
    """A finding that somebody knows of and accepts.

    Attributes:
        rule_id: The rule, with or without ``cdk-ami::``.
        reason: Why.
        resource: Logical id, or path of the construct or of one above it; empty for every resource.
        path: Path of the value, or the beginning of it; empty for all of the resource.
    """

    rule_id: str
    reason: str
    resource: str = ""
    path: str = ""

    def covers(self, finding: Finding) -> bool:
        """Tell whether this is about ``finding``."""
        if finding.rule_id.removeprefix("cdk-ami::") != self.rule_id.removeprefix("cdk-ami::"):
            return False
        if self.path and not _begins(finding.path, self.path):
            return False
        return not self.resource or self.resource == finding.logical_id or _begins(finding.construct, self.resource)


class Accepted(NamedTuple):
    """A finding with the acknowledgement that covers it."""

    finding: Finding
    reason: str


class Outcome(NamedTuple):
    """What a check of one template brought.

    Attributes:
        findings: What is to be mended, in the template's order.
        accepted: What somebody has acknowledged.
        idle: Acknowledgements that cover nothing.
    """

    findings: tuple[Finding, ...]
    accepted: tuple[Accepted, ...]
    idle: tuple[Acknowledgement, ...]


def check_template(
    body: Mapping[str, Any],
    *,
    environment: Environment = NOWHERE,
    acknowledgements: Iterable[Acknowledgement] = (),
) -> Outcome:
    """Return what the rules find in a template.

    Args:
        body: The template as plain data.
        environment: Where it is deployed, as far as that is known.
        acknowledgements: What is acknowledged beside the metadata of resources.
    """
    template = Template(body, environment)
    asked = list(acknowledgements)
    open_findings: list[Finding] = []
    accepted: list[Accepted] = []
    used: set[Acknowledgement] = set()
    for it in _subjects(template):
        own = list(_acknowledged(it))
        asked += own
        for finding in _findings(it):
            cover = next((known for known in asked if known.covers(finding)), None)
            if cover is None:
                open_findings.append(finding)
            else:
                used.add(cover)
                accepted.append(Accepted(finding, cover.reason))
    return Outcome(tuple(open_findings), tuple(accepted), tuple(known for known in asked if known not in used))


def _subjects(template: Template) -> Iterator[Resource]:
    for place in (Place(template.body, "").get("Parameters"),):
        for name in place.names():
            declared = place.get(name)
            if isinstance(declared.raw, dict):
                yield Resource(name, {"Type": PARAMETER, "Properties": declared.raw}, template)
    yield from template.resources.values()


def _findings(it: Resource) -> list[Finding]:
    found = [_finding(it, rule, problem) for rule in rules_by_type().get(it.type, ()) for problem in rule.check(it)]
    # What a rule of its own says of a value says more than that the value is none.
    told = {finding.path for finding in found if not finding.rule_id.endswith(_ANY_VALUE)}
    return [finding for finding in found if not finding.rule_id.endswith(_ANY_VALUE) or finding.path not in told]


def _finding(it: Resource, rule: TemplateRule, problem: Problem) -> Finding:
    path = problem.at
    if it.type == PARAMETER:
        path = path.removeprefix("Properties.")
    return Finding(
        rule_id=rule.rule_id,
        family=rule.family,
        severity=rule.severity,
        logical_id=it.logical_id,
        type=it.type,
        path=path,
        construct=it.construct,
        problem=as_written(problem.problem),
        got=as_written(problem.got),
        why=rule.why,
        source=rule.source,
        fix=as_written(problem.fix),
    )


def _acknowledged(it: Resource) -> Iterator[Acknowledgement]:
    for place in Place(it.metadata, "").get(METADATA_KEY).get("acknowledge").items():
        rule, reason = place.get("id").text, place.get("reason").text
        if rule and reason:
            yield Acknowledgement(rule, reason, it.logical_id, place.get("path").text or "")


def _begins(path: str, start: str) -> bool:
    return path == start or path.startswith(f"{start}/") or (path.startswith(start) and path[len(start)] in ".[")
