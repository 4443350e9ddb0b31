"""What CloudFormation knows about each resource type: the provider schemas that cfn-lint ships, read one by one.

cfn-lint itself is never imported, which would cost a second: its data files are found and read when a type is first
used.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from cdk_ami.sandbox.cloudformation.validation import Finding, Validator

PREFIX: Final = "/properties/"

FALLBACK_REGION: Final = "us-east-1"
"""The Region whose list of types serves Regions that cfn-lint has no list for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """One resource type.

    Attributes:
        type: Name of the type, such as ``AWS::EC2::VPC``.
        body: The provider schema.
        create_only: Top-level properties whose change replaces the resource.
        conditional: Top-level properties whose change may replace it; the type's handler decides.
        read_only: Attributes that only the service sets.
    """

    type: str
    body: Mapping[str, Any]
    create_only: frozenset[str]
    conditional: frozenset[str]
    read_only: frozenset[str]

    def check(self, properties: Mapping[str, Any]) -> tuple[dict[str, Any], list[Finding]]:
        """Return the properties with scalars as the schema types them, and what is wrong with them.

        CloudFormation takes ``"true"`` for a boolean and ``"3"`` for a number.  What is unknown until the deployment is
        not judged.
        """
        findings: list[Finding] = []
        coerced = Validator(self.body, findings).check(dict(properties), self.body, "")
        findings += [
            Finding(path=name, message="is set by the service only")
            for name in properties
            if name in self.read_only and name not in self.create_only
        ]
        return coerced, findings


def schema(type_name: str, region: str) -> Schema | None:
    """Return the schema of a type, None when the Region does not have the type."""
    names = _types(region)
    return _schema(type_name, names[type_name]) if type_name in names else None


def update_policy_findings(type_name: str, policy: Mapping[str, Any]) -> tuple[dict[str, Any], list[Finding]]:
    """Return the update policy of a resource, its scalars typed, and what is wrong with it."""
    body = json.loads((_data() / "other" / "resources" / "update_policy.json").read_text(encoding="utf-8"))
    findings: list[Finding] = []
    if type_name != "AWS::AutoScaling::AutoScalingGroup":
        return {}, [Finding(path="", message=f"is not supported for {type_name}")] if policy else []
    checked = Validator(body, findings).check(dict(policy), body["definitions"]["AutoScalingGroupUpdatePolicy"], "")
    return checked, findings


def _top(paths: list[str]) -> frozenset[str]:
    return frozenset(name for path in paths if "/" not in (name := path.removeprefix(PREFIX)))


@cache
def _schema(type_name: str, file: str) -> Schema:
    body = json.loads((_data() / "resources" / f"{file}.json").read_text(encoding="utf-8"))
    return Schema(
        type=type_name,
        body=body,
        create_only=_top(body.get("createOnlyProperties", [])),
        conditional=_top(body.get("conditionalCreateOnlyProperties", [])),
        read_only=_top(body.get("readOnlyProperties", [])),
    )


@cache
def _types(region: str) -> dict[str, str]:
    file = _data() / "providers" / f"{region}.json"
    if not file.exists():
        file = file.with_name(f"{FALLBACK_REGION}.json")
    names: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
    return names


@cache
def _data() -> Path:
    found = importlib.util.find_spec("cfnlint")
    if found is None or not found.origin:
        raise RuntimeError("the sandbox needs cfn-lint's schemas; run pip install 'cdk-ami[sandbox]'")
    return Path(found.origin).parent / "data" / "schemas"
