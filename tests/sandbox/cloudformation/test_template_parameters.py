"""Template parameters, bound without a server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from cdk_ami.sandbox.cloudformation.errors import CloudFormationError
from cdk_ami.sandbox.cloudformation.parameters import bind

STORE = {"/ami": "ami-0123456789abcdef0", "/zones": "a,b"}
AMI_TYPE = "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>"


def read(names: Sequence[str]) -> Mapping[str, str]:
    return {name: STORE[name] for name in names if name in STORE}


def given(**values: str) -> list[dict[str, str]]:
    return [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()]


def test_defaults_lists_and_stored_values_are_resolved() -> None:
    declared: dict[str, dict[str, Any]] = {
        "Plain": {"Type": "String", "Default": True},
        "List": {"Type": "CommaDelimitedList", "Default": "a, b"},
        "Ami": {"Type": AMI_TYPE, "Default": "/ami"},
        "Zones": {"Type": "AWS::SSM::Parameter::Value<List<String>>", "Default": "/zones"},
    }

    bound = bind(declared, [], {}, read)

    assert {key: one.resolved for key, one in bound.items()} == {
        "Plain": "true",
        "List": ["a", "b"],
        "Ami": "ami-0123456789abcdef0",
        "Zones": ["a", "b"],
    }
    assert bound["Ami"].answer() == {
        "ParameterKey": "Ami",
        "ParameterValue": "/ami",
        "ResolvedValue": "ami-0123456789abcdef0",
    }


def test_a_previous_value_of_a_stored_parameter_is_its_name() -> None:
    declared = {"Ami": {"Type": AMI_TYPE}}
    before = bind(declared, given(Ami="/ami"), {}, lambda _: {"/ami": "ami-11111111"})

    after = bind(declared, [{"ParameterKey": "Ami", "UsePreviousValue": True}], before, read)

    assert (before["Ami"].resolved, after["Ami"].resolved) == ("ami-11111111", "ami-0123456789abcdef0")


def test_secret_parameters_are_never_shown() -> None:
    bound = bind({"Key": {"Type": "String", "NoEcho": True}}, given(Key="hush"), {}, read)

    assert (bound["Key"].answer()["ParameterValue"], bound["Key"].resolved) == ("****", "hush")


@pytest.mark.parametrize(
    ("declaration", "value", "words"),
    [
        ({"Type": "String"}, None, "Parameters: [P] must have values"),
        ({"Type": "Text"}, "x", "Unrecognized parameter type: Text"),
        ({"Type": AMI_TYPE}, "/x/y", "Unable to fetch parameters [/x/y] from parameter store for this account."),
        ({"Type": AMI_TYPE}, "/zones", "parameter name P"),
        ({"Type": "AWS::EC2::Image::Id"}, "latest", "parameter name P"),
        ({"Type": "Number"}, "ten", "Parameter 'P' must be a number"),
        ({"Type": "Number", "MaxValue": 5}, "6", "must be a number not greater than 5"),
        ({"Type": "String", "AllowedValues": ["a"]}, "b", "must be one of AllowedValues"),
        ({"Type": "String", "AllowedPattern": "[a-z]+"}, "A", "must match pattern [a-z]+"),
        ({"Type": "String", "MinLength": 3}, "ab", "must contain at least 3 characters"),
        (
            {"Type": "String", "AllowedPattern": "[a-z]+", "ConstraintDescription": "lower case only"},
            "A",
            "Parameter P failed to satisfy constraint: lower case only",
        ),
    ],
)
def test_what_breaks_a_constraint_is_refused(declaration: dict[str, Any], value: str | None, words: str) -> None:
    with pytest.raises(CloudFormationError) as caught:
        bind({"P": declaration}, given(P=value) if value else [], {}, read)

    assert words in caught.value.message


def test_a_parameter_that_the_template_does_not_have_is_refused() -> None:
    with pytest.raises(CloudFormationError, match="do not exist in the template"):
        bind({}, given(Extra="x"), {}, read)
