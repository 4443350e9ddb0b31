"""What the tests of components look at: the steps of a document, the files of an asset, the rights of a build."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_s3_assets as s3_assets

from cdk_ami.recipe.component import Component
from tests.support.synth import resources_of


def scripts_of(component: Component, phase: str = "build") -> dict[str, str]:
    """Return the script of each step of a phase that runs one, by the step's name."""
    assert component.document is not None
    return {
        step["name"]: "\n".join(str(command) for command in step["inputs"]["commands"])
        for found in component.document.data["phases"]
        if found["name"] == phase
        for step in found["steps"]
        if step["action"] in {"ExecuteBash", "ExecutePowerShell"}
    }


def steps_of(component: Component, phase: str = "build") -> list[dict[str, Any]]:
    """Return the steps of a phase."""
    assert component.document is not None
    (steps,) = [found["steps"] for found in component.document.data["phases"] if found["name"] == phase]
    return list(steps)


def uploaded(stack: cdk.Stack, asset: s3_assets.Asset) -> Path:
    """Return the file that an asset uploads."""
    stage = cdk.Stage.of(stack)
    assert stage is not None
    return Path(stage.outdir, asset.asset_path) if not Path(asset.asset_path).is_absolute() else Path(asset.asset_path)


def statements_of(template: dict[str, Any]) -> list[dict[str, Any]]:
    """Return all that the roles of a template may do, by policies inside and beside them."""
    roles = resources_of(template, "AWS::IAM::Role").values()
    policies = resources_of(template, "AWS::IAM::Policy").values()
    documents = [one["PolicyDocument"] for role in roles for one in role["Properties"].get("Policies", [])]
    documents += [one["Properties"]["PolicyDocument"] for one in policies]
    return [{"Sid": "", **statement} for document in documents for statement in document["Statement"]]
