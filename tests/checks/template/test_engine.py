"""What a check of a whole template brings: findings, acknowledgements, and silence over what is not known."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cdk_ami.checks.template.engine import Acknowledgement, Finding, check_template
from cdk_ami.checks.template.examples import EXAMPLE_ENVIRONMENT, example_template
from cdk_ami.checks.template.loading import parse_template
from cdk_ami.checks.template.registry import Family, Severity, all_rules, rules_by_type

OPEN = parse_template(
    """
Build:
  Type: AWS::ImageBuilder::InfrastructureConfiguration
  Metadata:
    aws:cdk:path: Shop/Image/Build
  Properties: {Name: web, InstanceProfileName: build, KeyPair: ops, InstanceMetadataOptions: {HttpTokens: optional}}
"""
)
BODY: dict[str, Any] = {"Resources": OPEN}

EXAMPLES = [
    example_template(rule, text)
    for rule in all_rules().values()
    for text in (*rule.bad, *rule.good)
    if len(text) < 2_000
]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=8),
    st.sampled_from(
        ["AWS::ImageBuilder::Component", "all", "$Latest", "1.0.x", "${Token[Ref.A]}", "-1", "${A}", "ssm:/"]
    ),
)
KEYS = st.one_of(
    st.sampled_from(["Ref", "Fn::GetAtt", "Fn::If", "Fn::Sub", "Fn::Join", "Type", "Properties"]), st.text(max_size=4)
)
DATA = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)


def rule_ids(body: dict[str, Any], **options: Any) -> list[str]:
    return [finding.rule_id.removeprefix("cdk-ami::") for finding in check_template(body, **options).findings]


def test_a_finding_names_rule_place_value_reason_page_and_fix() -> None:
    first = check_template(BODY).findings[0]

    assert first == Finding(
        rule_id="cdk-ami::ImdsV2",
        family=Family.LEAKS,
        severity=Severity.ERROR,
        logical_id="Build",
        type="AWS::ImageBuilder::InfrastructureConfiguration",
        path="Properties.InstanceMetadataOptions.HttpTokens",
        construct="Shop/Image/Build",
        problem="answers without a session token",
        got="optional",
        why="Whoever makes the instance fetch a URL for him reads the credentials of its role.",
        source="https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html",
        fix="set it to required",
    )


@pytest.mark.parametrize(
    "known",
    [
        Acknowledgement("KeyPair", "lab"),
        Acknowledgement("cdk-ami::KeyPair", "lab", "Build"),
        Acknowledgement("KeyPair", "lab", "Shop"),
        Acknowledgement("KeyPair", "lab", "Shop/Image/Build", "Properties.KeyPair"),
        Acknowledgement("KeyPair", "lab", path="Properties"),
    ],
)
def test_what_is_acknowledged_is_set_aside_with_its_reason(known: Acknowledgement) -> None:
    outcome = check_template(BODY, acknowledgements=[known])

    assert [finding.rule_id for finding in outcome.findings] == ["cdk-ami::ImdsV2"]
    assert [(each.finding.rule_id, each.reason) for each in outcome.accepted] == [("cdk-ami::KeyPair", "lab")]
    assert outcome.idle == ()


@pytest.mark.parametrize(
    "known",
    [
        Acknowledgement("KeyPairs", "lab"),
        Acknowledgement("KeyPair", "lab", "Buil"),
        Acknowledgement("KeyPair", "lab", "Sho"),
        Acknowledgement("KeyPair", "lab", "Shop/Other"),
        Acknowledgement("KeyPair", "lab", "Build", "Properties.Key"),
    ],
)
def test_an_acknowledgement_of_something_else_covers_nothing_and_is_told(known: Acknowledgement) -> None:
    outcome = check_template(BODY, acknowledgements=[known])

    assert rule_ids(BODY, acknowledgements=[known]) == ["ImdsV2", "KeyPair"]
    assert outcome.idle == (known,)


def test_a_resource_acknowledges_in_its_metadata_for_itself_alone() -> None:
    note = {"acknowledge": [{"id": "cdk-ami::KeyPair", "reason": "lab"}, {"id": "ImdsV2"}, "KeyPair"]}
    build = {**OPEN["Build"], "Metadata": {"cdk-ami": note}}

    outcome = check_template({"Resources": {"Build": build, "Other": OPEN["Build"]}})

    assert [(finding.logical_id, finding.rule_id) for finding in outcome.findings] == [
        ("Build", "cdk-ami::ImdsV2"),
        ("Other", "cdk-ami::ImdsV2"),
        ("Other", "cdk-ami::KeyPair"),
        ("Other", "cdk-ami::NameOnce"),
    ]
    assert [each.finding.logical_id for each in outcome.accepted] == ["Build"]


def test_a_resource_whose_condition_does_not_hold_is_not_judged() -> None:
    conditions = {"Never": {"Fn::Equals": ["a", "b"]}, "Perhaps": {"Fn::Equals": [{"Ref": "A"}, "b"]}}

    assert rule_ids({"Conditions": conditions, "Resources": {"B": {**OPEN["Build"], "Condition": "Never"}}}) == []
    assert rule_ids({"Conditions": conditions, "Resources": {"B": {**OPEN["Build"], "Condition": "Perhaps"}}}) != []


def test_a_value_that_its_own_rule_judges_is_not_judged_twice() -> None:
    build = parse_template(
        "{Name: 'web!', InstanceProfileName: build, InstanceMetadataOptions: {HttpTokens: required}}"
    )

    assert rule_ids({"Resources": {"B": {"Type": OPEN["Build"]["Type"], "Properties": build}}}) == ["ResourceName"]


def test_no_rule_judges_a_resource_of_which_nothing_is_known() -> None:
    for kind in rules_by_type():
        told = rule_ids({"Resources": {"It": {"Type": kind, "Properties": {"Ref": "Elsewhere"}}}})

        assert set(told) <= {"LaunchConfiguration"}, (kind, told)


def test_no_rule_trips_over_a_resource_of_another_shape() -> None:
    shapes: list[Any] = [None, [], "x", 3, {"Name": [{}]}, {"LaunchTemplateData": []}, {"Distributions": [[], 1, None]}]
    for properties in shapes:
        for kind in rules_by_type():
            check_template({"Resources": {"It": {"Type": kind, "Properties": properties}}})


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_no_rule_crashes_over_a_template_whose_values_are_anything(data: st.DataObject) -> None:
    body = data.draw(st.sampled_from(EXAMPLES))
    places = list(paths(body))
    changed = body
    for _ in range(data.draw(st.integers(min_value=1, max_value=4))):
        changed = replaced(changed, data.draw(st.sampled_from(places)), data.draw(DATA))

    outcome = check_template(changed, environment=EXAMPLE_ENVIRONMENT)

    assert all(isinstance(finding.message, str) for finding in outcome.findings)


@settings(max_examples=50, deadline=None)
@given(body=st.dictionaries(st.sampled_from(["Resources", "Parameters", "Mappings", "Conditions"]), DATA))
def test_no_rule_crashes_over_any_json(body: dict[str, Any]) -> None:
    outcome = check_template(body)

    assert isinstance(outcome.findings, tuple)


def paths(value: Any, at: tuple[Any, ...] = ()) -> Any:
    if isinstance(value, dict):
        for key, item in value.items():
            yield (*at, key)
            yield from paths(item, (*at, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield (*at, index)
            yield from paths(item, (*at, index))


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    head, *rest = path
    if isinstance(value, dict) and head in value:
        return {key: replaced(item, tuple(rest), new) if key == head else item for key, item in value.items()}
    if isinstance(value, list) and isinstance(head, int) and head < len(value):
        return [replaced(item, tuple(rest), new) if index == head else item for index, item in enumerate(value)]
    return value
