"""Event patterns, inputs, paths and policies: everything about them that needs no server."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cdk_ami.sandbox import jsonpath
from cdk_ami.sandbox.events import patterns
from cdk_ami.sandbox.events.permission import allows, trusts
from cdk_ami.sandbox.events.transform import input_fault, payload

EVENT = {
    "source": "aws.ec2",
    "resources": ["arn:aws:ec2:us-east-1::image/ami-1", "arn:other"],
    "detail": {
        "state": "available",
        "count": 3,
        "ratio": 0.5,
        "up": True,
        "none": None,
        "empty": "",
        "ip": "10.0.0.7",
        "path": "a/b/c.txt",
        "parts": [{"name": "x", "size": 1}, {"name": "y", "size": 9}],
    },
}


@pytest.mark.parametrize(
    ("detail", "matched"),
    [
        ({"state": ["pending", "available"]}, True),
        ({"state": ["Available"]}, False),
        ({"state": [{"equals-ignore-case": "AVAILABLE"}]}, True),
        ({"state": [{"prefix": "avail"}]}, True),
        ({"state": [{"prefix": {"equals-ignore-case": "AVAIL"}}]}, True),
        ({"path": [{"suffix": ".txt"}]}, True),
        ({"path": [{"suffix": {"equals-ignore-case": ".TXT"}}]}, True),
        ({"path": [{"wildcard": "a/*/c.*"}]}, True),
        ({"path": [{"wildcard": "a/*"}]}, True),
        ({"path": [{"wildcard": "b/*"}]}, False),
        ({"state": [{"anything-but": ["pending"]}]}, True),
        ({"state": [{"anything-but": "available"}]}, False),
        ({"state": [{"anything-but": {"prefix": "avail"}}]}, False),
        ({"state": [{"anything-but": {"suffix": ["x", "y"]}}]}, True),
        ({"state": [{"anything-but": {"wildcard": "*lab*"}}]}, False),
        ({"state": [{"anything-but": {"equals-ignore-case": ["AVAILABLE"]}}]}, False),
        ({"absent": [{"anything-but": ["x"]}]}, False),
        ({"count": [{"numeric": [">", 0, "<=", 3]}]}, True),
        ({"count": [{"numeric": ["=", 4]}]}, False),
        ({"state": [{"numeric": [">", 0]}]}, False),
        ({"count": [3.0]}, False),
        ({"up": [True]}, True),
        ({"up": [1]}, False),
        ({"none": [None]}, True),
        ({"empty": [""]}, True),
        ({"ip": [{"cidr": "10.0.0.0/24"}]}, True),
        ({"ip": [{"cidr": "10.1.0.0/16"}]}, False),
        ({"state": [{"exists": True}]}, True),
        ({"absent": [{"exists": False}]}, True),
        ({"absent": {"deep": [{"exists": False}]}}, True),
        ({"parts": [{"exists": True}]}, False),
        ({"parts": {"name": ["y"]}}, True),
        ({"parts": {"name": ["x"], "size": [9]}}, False),
        ({"$or": [{"state": ["pending"]}, {"count": [3]}]}, True),
        ({"$or": [{"state": ["pending"]}, {"count": [4]}], "up": [True]}, False),
        ({"state": ["available"], "count": [4]}, False),
    ],
)
def test_each_operator_matches_what_it_says(detail: dict[str, Any], matched: bool) -> None:  # noqa: FBT001 - of a table
    pattern = patterns.parse(json.dumps({"source": ["aws.ec2"], "detail": detail}))

    assert patterns.matches(pattern, EVENT) is matched


def test_one_of_the_values_of_an_array_is_enough() -> None:
    assert patterns.matches({"resources": [{"prefix": "arn:aws:ec2"}]}, EVENT)
    assert not patterns.matches({"resources": ["arn:none"]}, EVENT)


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("{", "not valid JSON"),
        ("[]", "not an object"),
        ("{}", "Empty event pattern"),
        ('{"source": "aws.ec2"}', '"source" must be an object or an array'),
        ('{"source": []}', "Empty arrays"),
        ('{"detail": {}}', "Empty objects"),
        ('{"source": [["a"]]}', "Match value must be"),
        ('{"source": [{"like": "a"}]}', "Unrecognized match type like"),
        ('{"source": [{"prefix": "a", "suffix": "b"}]}', "Only one key"),
        ('{"source": [{"prefix": 1}]}', "must be a string"),
        ('{"source": [{"wildcard": "a**b"}]}', "Consecutive wildcard"),
        ('{"n": [{"numeric": ["~", 1]}]}', "Unrecognized numeric range operator"),
        ('{"n": [{"numeric": [">", "1"]}]}', "must be numeric"),
        ('{"n": [{"numeric": [">", 6e9]}]}', "between -5.0e9 and"),
        ('{"n": [{"cidr": "10.0.0"}]}', "Malformed CIDR"),
        ('{"n": [{"exists": "yes"}]}', "either true or false"),
        ('{"n": [{"anything-but": {"numeric": [">", 1]}}]}', "Unsupported anything-but"),
        ('{"n": [{"anything-but": [true]}]}', "Value of anything-but"),
    ],
)
def test_a_pattern_that_is_none_is_refused_with_the_reason(pattern: str, reason: str) -> None:
    with pytest.raises(patterns.PatternError, match=reason):
        patterns.parse(pattern)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$", {"a": [{"b": 1}, {"b": 2, "c": "x"}], "d e": 3}),
        ("$.a[0].b", 1),
        ("$.a[-1].b", 2),
        ("$['d e']", 3),
        ("$.a[*].b", [1, 2]),
        ("$.a[0:1]", [{"b": 1}]),
        ("$..b", [1, 2]),
        ("$.a[?(@.b > 1)].c", ["x"]),
        ("$.a[?(@.c)].b", [2]),
        ("$.a[?(@.b == 1 || @.c == 'x')].b", [1, 2]),
        ("$.a[0,1].b", [1, 2]),
    ],
)
def test_a_path_of_one_value_gives_it_and_any_other_a_list(path: str, value: Any) -> None:
    assert jsonpath.read(path, {"a": [{"b": 1}, {"b": 2, "c": "x"}], "d e": 3}) == value


def test_a_value_is_put_at_a_path_and_nothing_else_changes() -> None:
    before = {"a": {"b": 1}}

    assert jsonpath.write("$.a.c.d", before, 2) == {"a": {"b": 1, "c": {"d": 2}}}
    assert before == {"a": {"b": 1}}
    with pytest.raises(jsonpath.PathError, match="nothing can be put"):
        jsonpath.write("$.a.b.c", before, 2)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ('{"s": <s>, "o": <o>, "m": <m>}', '{"s": "a\\"b", "o": {"k": [1]}, "m": ""}'),
        ('{"s": "the <s> of <o>"}', '{"s": "the a\\"b of {\\"k\\": [1]}"}'),
        ("<s> is there", '"a\\"b is there"'),
        ("<o>", '{"k": [1]}'),
        ('["<aws.events.rule-name>", <aws.events.event>]', '["rule", {"source": "x"}]'),
    ],
)
def test_a_template_makes_json_of_whatever_it_is_filled_with(template: str, text: str) -> None:
    transformer = {
        "InputPathsMap": {"s": "$.detail.s", "o": "$.detail.o", "m": "$.detail.missing"},
        "InputTemplate": template,
    }
    event = {"source": "x", "detail": {"s": 'a"b', "o": {"k": [1]}}}

    made = payload(
        {"Id": "t", "InputTransformer": transformer}, event, rule={"name": "rule", "arn": "a", "ingested": "i"}
    )

    assert made == text
    json.loads(made)


def test_a_variable_of_ours_cannot_have_a_reserved_name() -> None:
    transformer = {"InputPathsMap": {"aws.mine": "$.x"}, "InputTemplate": "<aws.mine>"}

    assert "reserved variable: aws.mine" in str(input_fault({"Id": "t", "InputTransformer": transformer}))


@pytest.mark.parametrize(
    ("statement", "allowed"),
    [
        ({}, True),
        ({"Principal": {"Service": ["sns.amazonaws.com", "events.amazonaws.com"]}}, True),
        ({"Principal": {"Service": "sns.amazonaws.com"}}, False),
        ({"Action": ["sqs:*"]}, True),
        ({"Action": "sqs:ReceiveMessage"}, False),
        ({"Resource": "arn:aws:sqs:*:*:q?"}, True),
        ({"Resource": "arn:aws:sqs:us-east-1:1:other"}, False),
        ({"Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:events:*:1:rule/r"}}}, True),
        ({"Condition": {"StringEquals": {"aws:SourceAccount": ["2", "1"]}}}, True),
        ({"Condition": {"StringEquals": {"aws:SourceOwner": "1"}}}, False),
        ({"Condition": {"Bool": {"aws:SecureTransport": "true"}}}, True),
        ({"Condition": {"Bool": {"aws:SecureTransport": False}}}, False),
        ({"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}, False),
        ({"Effect": "Deny"}, False),
    ],
)
def test_a_policy_lets_a_service_in_by_its_own_words(statement: dict[str, Any], allowed: bool) -> None:  # noqa: FBT001
    whole = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*", **statement}

    found = allows(
        json.dumps({"Statement": whole}),
        service="events.amazonaws.com",
        action="sqs:SendMessage",
        resource="arn:aws:sqs:us-east-1:1:q1",
        source_arn="arn:aws:events:us-east-1:1:rule/r",
        account="1",
    )

    assert found is allowed


def test_a_denial_counts_more_and_no_policy_lets_nobody_in() -> None:
    both = [{"Effect": effect, "Principal": "*", "Action": "*", "Resource": "*"} for effect in ("Allow", "Deny")]
    asked = {"service": "s", "action": "a:b", "resource": "r", "source_arn": "x", "account": "1"}

    assert not allows(json.dumps({"Statement": both}), **asked)
    assert not allows(None, **asked)
    assert not trusts(json.dumps({"Statement": both[1:]}), service="s")
