"""Intrinsic functions, resolved without a server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from cdk_ami.sandbox.cloudformation.errors import CloudFormationError
from cdk_ami.sandbox.cloudformation.intrinsics import NO_VALUE, UNKNOWN, resolve


class FakeScope:
    """A scope with one of everything."""

    mappings: Mapping[str, Any] = {"Map": {"us-east-1": {"size": "small"}}}

    def ref(self, name: str) -> Any:
        known: dict[str, Any] = {
            "AWS::Region": "us-east-1",
            "AWS::NoValue": NO_VALUE,
            "List": ["a", "b"],
            "Later": UNKNOWN,
        }
        return known[name]

    def get_att(self, logical_id: str, attribute: str) -> Any:
        return UNKNOWN if logical_id == "Later" else f"{logical_id}/{attribute}"

    def condition(self, name: str) -> bool:
        return name == "Yes"

    def import_value(self, name: str) -> Any:
        return f"imported {name}"

    def stack_output(self, stack: str, output: str, *, region: str | None, role: str | None) -> Any:
        return f"{output} of {stack} in {region} by {role}"

    def zones(self, region: str) -> list[str]:
        return [f"{region}a", f"{region}b"]


@pytest.mark.parametrize(
    ("value", "meaning"),
    [
        ({"Ref": "AWS::Region"}, "us-east-1"),
        ({"Fn::GetAtt": ["A", "B.C"]}, "A/B.C"),
        ({"Fn::GetAtt": "A.B.C"}, "A/B.C"),
        ({"Fn::Join": ["-", [{"Ref": "AWS::Region"}, 1, True]]}, "us-east-1-1-true"),
        ({"Fn::Join": [",", {"Ref": "List"}]}, "a,b"),
        ({"Fn::Sub": "${AWS::Region} ${A.Arn} ${!Kept}"}, "us-east-1 A/Arn ${Kept}"),
        ({"Fn::Sub": ["${x}", {"x": {"Ref": "AWS::Region"}}]}, "us-east-1"),
        ({"Fn::Select": ["1", {"Ref": "List"}]}, "b"),
        ({"Fn::Split": [",", "x,y"]}, ["x", "y"]),
        ({"Fn::FindInMap": ["Map", {"Ref": "AWS::Region"}, "size"]}, "small"),
        ({"Fn::FindInMap": ["Map", "xx", "size", {"DefaultValue": "tiny"}]}, "tiny"),
        ({"Fn::If": ["Yes", 1, 2]}, 1),
        ({"Fn::If": ["No", 1, {"a": {"Ref": "AWS::NoValue"}, "b": 1}]}, {"b": 1}),
        ([{"Ref": "AWS::NoValue"}, 1], [1]),
        ({"Fn::And": [{"Condition": "Yes"}, {"Fn::Equals": ["a", "a"]}]}, True),
        ({"Fn::Or": [{"Condition": "No"}, {"Fn::Not": [{"Condition": "No"}]}]}, True),
        ({"Fn::Base64": "hi"}, "aGk="),
        ({"Fn::Cidr": ["10.0.0.0/16", 2, "8"]}, ["10.0.0.0/24", "10.0.1.0/24"]),
        ({"Fn::GetAZs": ""}, ["us-east-1a", "us-east-1b"]),
        ({"Fn::ImportValue": {"Fn::Sub": "${AWS::Region}-x"}}, "imported us-east-1-x"),
        (
            {"Fn::GetStackOutput": {"StackName": "Net", "OutputName": "Vpc", "Region": "eu-west-1"}},
            "Vpc of Net in eu-west-1 by None",
        ),
        ({"Fn::ToJsonString": {"a": [1]}}, '{"a":[1]}'),
        ({"Fn::Length": {"Ref": "List"}}, 2),
        ({"Fn::Contains": [["1", "2"], "2"]}, True),
    ],
)
def test_functions_mean_what_the_documentation_says(value: Any, meaning: Any) -> None:
    assert resolve(value, FakeScope()) == meaning


@pytest.mark.parametrize(
    "value",
    [
        {"Ref": "Later"},
        {"Fn::Join": ["-", ["a", {"Ref": "Later"}]]},
        {"Fn::Sub": "x ${Later.Arn}"},
        {"Fn::Select": [0, {"Fn::Split": [",", {"Ref": "Later"}]}]},
        {"Fn::Base64": {"Ref": "Later"}},
        {"Fn::ToJsonString": {"a": {"Ref": "Later"}}},
    ],
)
def test_what_hangs_on_an_unknown_is_unknown(value: Any) -> None:
    assert resolve(value, FakeScope()) is UNKNOWN


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"Fn::Transform": {}}, "the sandbox does not support the function Fn::Transform"),
        ({"Fn::FindInMap": ["Map", "nowhere", "size"]}, "Unable to get mapping for Map::nowhere::size"),
        ({"Fn::Select": [5, ["a"]]}, "cannot select nonexistent value at index 5"),
        ({"Fn::GetAtt": ["A"]}, "every Fn::GetAtt object requires two non-empty parameters"),
    ],
)
def test_what_makes_no_sense_is_refused(value: Any, words: str) -> None:
    with pytest.raises(CloudFormationError) as caught:
        resolve(value, FakeScope())

    assert words in caught.value.message
