"""What the functions of a template mean before the deployment."""

from __future__ import annotations

from typing import Any

import pytest

from cdk_ami.checks.rule import is_token
from cdk_ami.checks.template.loading import TemplateError, is_template, parse_template
from cdk_ami.checks.template.values import Environment, Reference, Values, reference_in

BODY = parse_template(
    """
Parameters:
  Size: {Type: String, Default: large}
  Only: {Type: String, AllowedValues: [gp3]}
  Empty: {Type: String, Default: ''}
  Hidden: {Type: String, Default: x, NoEcho: true}
  Ami: {Type: AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>, Default: /aws/service/x}
  Subnets: {Type: CommaDelimitedList, Default: 'a, b'}
  Count: {Type: Number, Default: 3}
Mappings:
  Types: {us-east-1: {arm64: m7g.large, x86: m7i.large}}
Conditions:
  Here: !Equals [!Ref AWS::Region, us-east-1]
  Large: !Equals [!Ref Size, large]
  Given: !Not [!Equals [!Ref Empty, '']]
  Both: !And [!Condition Here, !Condition Large]
  Neither: !Not [!Or [!Condition Here, !Condition Large]]
  Perhaps: !And [!Condition Here, !Condition Given]
  Never: !And [!Condition Neither, !Condition Given]
  Surely: !Or [!Condition Here, !Condition Given]
  Loop: !Not [!Condition Loop]
Resources: {Role: {Type: AWS::IAM::Role}}
"""
)
VALUES = Values(BODY, Environment(region="us-east-1", account="123456789012", parameters={"Count": "5"}))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("!Ref AWS::Region", "us-east-1"),
        ("!Ref AWS::AccountId", "123456789012"),
        ("!Sub 'arn:${AWS::Partition}:s3:::${Size}.${AWS::URLSuffix}'", "arn:aws:s3:::large.amazonaws.com"),
        ("!Sub ['${A}-${!Literal}', {A: !Ref Size}]", "large-${Literal}"),
        ("!Ref Size", "large"),
        ("!Ref Only", "gp3"),
        ("!Ref Subnets", ["a", "b"]),
        ("!Ref Count", "5"),
        ("!Join ['-', [a, !Ref Size, 3, true]]", "a-large-3-true"),
        ("!Split [',', 'a,b']", ["a", "b"]),
        ("!Select [1, !Ref Subnets]", "b"),
        ("!Select ['0', [x, y]]", "x"),
        ("!FindInMap [Types, !Ref AWS::Region, arm64]", "m7g.large"),
        ("!FindInMap [Types, !Ref AWS::Region, riscv, {DefaultValue: none}]", "none"),
        ("!If [Here, yes-here, no]", "yes-here"),
        ("!If [Neither, a, b]", "b"),
        ("!If [Perhaps, same, same]", "same"),
        ("!If [Never, a, b]", "b"),
        ("!If [Surely, a, b]", "a"),
        ("{A: !If [Here, !Ref AWS::NoValue, b], C: d}", {"C": "d"}),
        ("[!If [Both, !Ref AWS::NoValue, b], d]", ["d"]),
        ("{'Fn::Length': [a, b]}", 2),
        ("{'Fn::ToJsonString': {a: !Ref Size}}", '{"a": "large"}'),
        ("!Base64 abc", "YWJj"),
        ("!Ref AWS::NoValue", None),
    ],
)
def test_what_is_known_is_evaluated(text: str, value: object) -> None:
    assert VALUES.of(parse_template(f"It: {text}")["It"]) == value


@pytest.mark.parametrize(
    "text",
    [
        "!Ref Missing",
        "!Ref Empty",
        "!Ref Hidden",
        "!Ref Ami",
        "!Ref [a]",
        "!Ref AWS::StackName",
        "!GetAtt Role.Arn",
        "!Sub 'a-${Role.Arn}'",
        "!Sub [a, b, c]",
        "!ImportValue x",
        "!GetAZs ''",
        "!If [Perhaps, a, b]",
        "!If [Loop, a, b]",
        "!If [Missing, a, b]",
        "!If [[a], a, b]",
        "!Select [7, [a]]",
        "!Select [a]",
        "!Split [',', !Ref Missing]",
        "!Split ['', a]",
        "!Join ['-', !Ref Missing]",
        "!Join a",
        "!FindInMap [Types, eu-west-1, arm64]",
        "!FindInMap [Types, !Ref Missing, arm64]",
        "!FindInMap [Types]",
        "!Transform {Name: x}",
        "'{{resolve:ssm:/web:1}}'",
        "!Base64 {Ref: Missing}",
        "{'Fn::Length': !Ref Missing}",
    ],
)
def test_what_only_the_deployment_knows_is_a_token_that_no_pure_rule_judges(text: str) -> None:
    assert is_token(VALUES.of(parse_template(f"It: {text}")["It"]))


def test_a_token_says_what_it_refers_to() -> None:
    assert reference_in(VALUES.of({"Fn::GetAtt": ["Role", "Arn"]})) == Reference("Role", "Arn")
    assert reference_in(VALUES.of({"Fn::GetAtt": "Role.Nested.Arn"})) == Reference("Role", "Nested.Arn")
    assert reference_in(VALUES.of({"Ref": "Role"})) == Reference("Role", None)
    assert reference_in(VALUES.of({"Fn::Sub": "${Role}"})) == Reference("Role", None)
    assert reference_in(VALUES.of({"Fn::Sub": "x${Role}"})) is None
    assert reference_in(3) is None


def test_without_a_region_what_depends_on_it_is_not_known() -> None:
    nowhere = Values(BODY)

    assert nowhere.condition("Here") is None
    assert is_token(nowhere.of({"Ref": "AWS::Partition"}))


def test_what_nests_deeper_than_any_property_is_not_looked_into() -> None:
    deep: Any = "x"
    for _ in range(200):
        deep = {"A": deep}

    assert is_token(VALUES.of(deep))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "neither JSON nor YAML"),
        ("a: [", "neither JSON nor YAML"),
        ("- a", "no mapping"),
        ("a: &x {b: c}\nd: *x", "alias"),
        ("[" * 100_000, "nested deeper"),
        ('{"a":' * 100_000, "neither JSON nor YAML"),
    ],
)
def test_what_is_no_template_is_refused_in_plain_words(text: str, problem: str) -> None:
    with pytest.raises(TemplateError, match=problem):
        parse_template(text)


def test_dates_and_numbers_as_keys_are_text() -> None:
    body = parse_template("Version: 2012-10-17\nMappings: {A: {123456789012: {x: y}}}")

    assert body == {"Version": "2012-10-17", "Mappings": {"A": {"123456789012": {"x": "y"}}}}


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ({"Resources": {"A": {"Type": "AWS::S3::Bucket"}}}, True),
        ({"Resources": {}}, False),
        ({"Resources": {"A": {}}}, False),
        ({"Resources": []}, False),
        ([], False),
    ],
)
def test_a_template_has_resources_with_types(body: object, answer: bool) -> None:  # noqa: FBT001 - a row of the table
    assert is_template(body) is answer
