"""The examples in the docstrings of public names run, each in a stack with a VPC."""

from __future__ import annotations

import inspect
import re
import textwrap
from typing import Any

import pytest
from aws_cdk import aws_ec2 as ec2

import cdk_ami
from tests.support.synth import ROOT, make_stack, template_of

BLOCK = re.compile(r"^Example:\n +::\n\n((?: {8}.*\n|\n)+)", re.MULTILINE)
SHOWN = [
    "AccountGuard",
    "Accounts",
    "Component",
    "Distribution",
    "FastRestore",
    "Gate",
    "GoldenImage",
    "ImageChannel",
    "ImageFleet",
    "ImageKey",
    "ImageProducer",
    "InstanceCapture",
    "KeyGrant",
    "MixedInstances",
    "Promotion",
    "Rollout",
    "Scaling",
    "SharedChannel",
    "SourceImage",
    "TargetAccountRole",
    "Wave",
    "ZonalInstances",
]


def example_of(name: str) -> str:
    found = BLOCK.search(inspect.getdoc(getattr(cdk_ami, name)) or "")
    return textwrap.dedent(found[1]) if found else ""


def test_the_main_nouns_show_an_example() -> None:
    assert [name for name in cdk_ami.__all__ if example_of(name)] == SHOWN


@pytest.mark.parametrize("name", SHOWN)
def test_an_example_runs_and_its_stack_renders(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    stack = make_stack()
    vpc = ec2.Vpc(stack, "Vpc", availability_zones=["us-east-1a", "us-east-1b"], nat_gateways=0)
    names: dict[str, Any] = {one: getattr(cdk_ami, one) for one in cdk_ami.__all__}

    exec(example_of(name), names | {"stack": stack, "vpc": vpc, "ec2": ec2})  # noqa: S102 - our own docstrings

    kinds = {resource["Type"] for resource in template_of(stack)["Resources"].values()}
    expected = {
        "GoldenImage": "AWS::ImageBuilder::ImagePipeline",
        "ImageFleet": "AWS::AutoScaling::AutoScalingGroup",
        "TargetAccountRole": "AWS::IAM::Role",
        "FastRestore": "Custom::FastRestore",
        "MixedInstances": "AWS::AutoScaling::AutoScalingGroup",
        "Promotion": "AWS::StepFunctions::StateMachine",
        "Scaling": "AWS::AutoScaling::ScalingPolicy",
        "ImageKey": "AWS::KMS::Key",
        "ImageProducer": "AWS::StepFunctions::StateMachine",
        "InstanceCapture": "AWS::StepFunctions::StateMachine",
        "KeyGrant": "Custom::KeyGrant",
        "ZonalInstances": "AWS::EC2::Instance",
    }
    assert expected.get(name, "AWS::EC2::VPC") in kinds
