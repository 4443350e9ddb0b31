"""Templates, read without a server."""

from __future__ import annotations

import pytest

from cdk_ami.sandbox.cloudformation.errors import CloudFormationError
from cdk_ami.sandbox.cloudformation.graph import dependencies, topological
from cdk_ami.sandbox.cloudformation.template import parse

SHORT_FORMS = """
Description: short forms
Parameters:
  Since: {Type: String, Default: 2012-10-17}
Conditions:
  Never: !Equals [a, !Ref AWS::Region]
Resources:
  Topic:
    Type: AWS::SNS::Topic
    Condition: Never
    DependsOn: Other
    Properties:
      DisplayName: !Sub "${AWS::StackName}-x"
      TopicName: !Join ["-", [a, !GetAtt Other.TopicName]]
  Other:
    Type: AWS::SNS::Topic
"""


def test_short_forms_of_yaml_become_the_long_ones() -> None:
    template = parse(SHORT_FORMS)

    assert template.resources["Topic"].properties == {
        "DisplayName": {"Fn::Sub": "${AWS::StackName}-x"},
        "TopicName": {"Fn::Join": ["-", ["a", {"Fn::GetAtt": ["Other", "TopicName"]}]]},
    }
    assert template.section("Conditions") == {"Never": {"Fn::Equals": ["a", {"Ref": "AWS::Region"}]}}


def test_dates_in_yaml_stay_text() -> None:
    assert parse(SHORT_FORMS).section("Parameters")["Since"]["Default"] == "2012-10-17"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not well-formed"),
        ("[]", "unsupported structure"),
        ("{}", "At least one Resources member"),
        ('{"Resources": {}, "Foo": 1}', "Invalid template property or properties [Foo]"),
        ('{"Resources": {"A": {}}}', "[/Resources/A] Every Resources object must contain a Type member"),
        ('{"Resources": {"A-b": {"Type": "AWS::SNS::Topic"}}}', "Resource name A-b is non alphanumeric"),
        ('{"Resources": {"A": {"Type": "AWS::SNS::Topic", "Depends": "B"}}}', "unsupported property Depends"),
        ('{"Transform": "X", "Resources": {"A": {"Type": "AWS::SNS::Topic"}}}', "the transform X"),
        (
            '{"Resources": {"A": {"Type": "AWS::EC2::Volume", "DeletionPolicy": "Snapshot"}}}',
            "[/Resources/A] the sandbox does not support DeletionPolicy 'Snapshot'",
        ),
    ],
)
def test_what_is_no_template_is_refused_in_plain_words(text: str, words: str) -> None:
    with pytest.raises(CloudFormationError) as caught:
        parse(text)

    assert words in caught.value.message


def test_resources_follow_what_they_refer_to() -> None:
    template = parse(
        '{"Resources": {"C": {"Type": "T", "Properties": {"x": {"Fn::Sub": "${B.Arn} ${!Not} ${AWS::Region}"}}},'
        ' "B": {"Type": "T", "DependsOn": ["A"]}, "A": {"Type": "T"}, "D": {"Type": "T"}}}'
    )

    waits_for = dependencies(template.resources)

    assert waits_for == {"C": ("B",), "B": ("A",), "A": (), "D": ()}
    assert topological(waits_for) == ["A", "B", "C", "D"]


def test_a_circle_is_refused_naming_its_resources() -> None:
    with pytest.raises(CloudFormationError, match=r"Circular dependency between resources: \[A, B\]"):
        topological({"A": ["B"], "B": ["A"], "C": []})
