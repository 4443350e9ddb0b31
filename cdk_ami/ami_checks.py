"""`AmiChecks`: the rules over templates, run while an app is synthesized."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import aws_cdk as cdk
import jsii
from constructs import IConstruct

from cdk_ami.checks.template.assembly import beside, unowned_lookups
from cdk_ami.checks.template.engine import Finding, check_template
from cdk_ami.checks.template.loading import parse_template
from cdk_ami.checks.template.registry import Severity, all_rules

if TYPE_CHECKING:
    from cdk_ami.checks.template.values import Environment

PLUGIN_NAME = "cdk-ami"
"""Name of the plugin, and so the first half of the ids that are acknowledged."""


@jsii.implements(cdk.IPolicyValidationPlugin)
class AmiChecks:
    """Finds at synthesis what would fail, leak, cost or drift, whoever wrote the constructs.

    ``Validations.of(app).add_plugins(AmiChecks(app))`` judges every template of the app. An error interrupts the
    synthesis; a warning is reported. A finding is acknowledged, with a reason, on its construct or on one above it:
    ``acknowledge`` of ``Validations.of(construct)`` takes its id, such as ``cdk-ami::KeyPair``, and the reason.

    What it costs: the rules are loaded once, a quarter of a second; then milliseconds for each template.

    Args:
        scope: The app or stage, whose look-ups of AMIs are judged too. None takes the app that is synthesized.
        fail_on: Severity from which on a finding interrupts the synthesis: ``error``, or ``warning`` for all of them.
    """

    def __init__(self, scope: IConstruct | None = None, *, fail_on: Literal["error", "warning"] = "error") -> None:
        self._scope = scope
        self._strict = Severity(fail_on) == Severity.WARNING

    @property
    def name(self) -> str:
        """Name of the plugin."""
        return PLUGIN_NAME

    @property
    def version(self) -> str:
        """Version of this library."""
        return version("cdk-ami")

    @property
    def rule_ids(self) -> list[str]:
        """Ids of the rules."""
        return list(all_rules())

    def validate(self, context: cdk.IPolicyValidationContext) -> cdk.PolicyValidationPluginReport:
        """Judge the templates of an app.

        Args:
            context: What the CDK hands to its plugins.
        """
        scope = self._scope or context.app_construct
        unowned = unowned_lookups(scope.node.get_all_context())
        violations: list[cdk.PolicyViolation] = []
        failed = False
        for path in context.template_paths:
            for finding in _found(path, unowned):
                severity = Severity.ERROR if self._strict else finding.severity
                failed = failed or severity == Severity.ERROR
                violations.append(_violation(path, finding, severity))
        return cdk.PolicyValidationPluginReport(success=not failed, violations=violations)


def _found(path: str, unowned: dict[str, str]) -> tuple[Finding, ...]:
    file = Path(path)
    environment: Environment = beside(file)[0]
    environment = environment._replace(unowned={**unowned, **environment.unowned})
    # What the app acknowledges is left to the CDK, which reports it as suppressed.
    return check_template(parse_template(file.read_text(encoding="utf-8")), environment=environment).findings


def _violation(path: str, finding: Finding, severity: Severity) -> cdk.PolicyViolation:
    return cdk.PolicyViolation(
        rule_name=finding.rule_id,
        description=f"{finding.message}. {finding.why} {finding.source}",
        fix=finding.fix,
        severity=str(severity),
        rule_metadata={"family": str(finding.family), "source": finding.source},
        violating_resources=[
            cdk.PolicyViolatingResource(
                resource_logical_id=finding.logical_id, template_path=path, locations=[finding.path]
            )
        ],
    )
