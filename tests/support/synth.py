"""Stacks and templates for tests, with the same feature flags that the CDK command line passes to `app.py`."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import aws_cdk as cdk

ROOT = Path(__file__).parents[2]
ACCOUNT = "123456789012"
REGION = "us-east-1"

JSII_CACHE = {"JSII_RUNTIME_PACKAGE_CACHE_ROOT": str(Path.home() / ".cache/aws/jsii/package-cache")}
"""Environment of programs whose home is elsewhere: they find the CDK unpacked, which takes ten seconds each time."""


@cache
def app_context() -> dict[str, Any]:
    """Return the context of `cdk.json`: an `App` in a test does not read it by itself."""
    context: dict[str, Any] = json.loads((ROOT / "cdk.json").read_text())["context"]
    return context


def make_app() -> cdk.App:
    """Return an empty app, with the flags of the deployed one."""
    return cdk.App(context=app_context(), analytics_reporting=False)


def make_stack(
    name: str = "S", *, region: str | None = REGION, account: str | None = ACCOUNT, app: cdk.App | None = None
) -> cdk.Stack:
    """Return an empty stack of a known account and Region, or of unknown ones where None is given."""
    return cdk.Stack(app or make_app(), name, env=cdk.Environment(account=account, region=region))


def template_of(stack: cdk.Stack) -> dict[str, Any]:
    """Synthesize the stack's app and return the stack's template as plain data."""
    assembly = cdk.Stage.of(stack)
    assert assembly is not None
    template: dict[str, Any] = assembly.synth(force=True).get_stack_artifact(stack.artifact_id).template
    return template


def resources_of(template: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    """Return the resources of the type ``kind`` by their logical ids."""
    return {name: found for name, found in template.get("Resources", {}).items() if found["Type"] == kind}


def only_resource(template: dict[str, Any], kind: str) -> dict[str, Any]:
    """Return the one resource of the type ``kind``; any other number fails the test."""
    found = resources_of(template, kind)
    assert len(found) == 1, f"{len(found)} resources of type {kind}: {sorted(found)}"
    return next(iter(found.values()))


def get_att(name: str, attribute: str = "Arn") -> dict[str, list[str]]:
    """Return the reference to an attribute of the resource ``name``, as a template holds it."""
    return {"Fn::GetAtt": [name, attribute]}
