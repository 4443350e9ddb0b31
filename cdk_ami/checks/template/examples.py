"""The examples of rules as templates: each bad one is found by its rule, each good one is not."""

from __future__ import annotations

from typing import Any, Final

from cdk_ami.checks.template.loading import parse_template
from cdk_ami.checks.template.registry import TemplateRule
from cdk_ami.checks.template.types import PARAMETER
from cdk_ami.checks.template.values import Environment

EXAMPLE_ENVIRONMENT: Final = Environment(
    region="us-east-1", account="123456789012", unowned={"ami-0fedcba9876543210": "ami:filters.name.0=web-*"}
)
"""Where the examples are deployed, and an AMI that was looked up there without an owner."""


def example_template(rule: TemplateRule, text: str) -> dict[str, Any]:
    """Return an example as a template: it is one, or its resources, or the properties of one resource."""
    body = parse_template(text)
    if "Resources" in body:
        return body
    if body and all(isinstance(found, dict) and "Type" in found for found in body.values()):
        return {"Resources": body}
    if rule.types[0] == PARAMETER:
        return {"Parameters": {"It": body}, "Resources": {}}
    return {"Resources": {"It": {"Type": rule.types[0], "Properties": body}}}
