"""Policies judged as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from cdk_ami.sandbox.access.conditions import UndecidedError, met
from cdk_ami.sandbox.access.documents import Need, Principal, Verdict, judge

KEYS = {"aws:requestedregion": ["eu-west-1"], "aws:tagkeys": ["team", "cost"], "aws:username": None}
ROLE = "arn:aws:iam::123456789012:role/builder"


def context(key: str) -> Sequence[str] | None:
    if key.lower() not in KEYS:
        raise UndecidedError(key)
    return KEYS[key.lower()]


def allow(**more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": "ec2:*", "Resource": "*"} | more


def verdict(*statements: dict[str, Any], action: str = "ec2:CopyImage", resource: str = "*") -> Verdict:
    return judge([{"Statement": list(statements)}], Need(action=action, resource=resource), context)


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ({}, Verdict.ALLOWED),
        ({"Action": ["s3:*", "EC2:copy*"]}, Verdict.ALLOWED),
        ({"Action": "ec2:CopyImag?"}, Verdict.ALLOWED),
        ({"Action": "ec2:Copy"}, Verdict.SILENT),
        ({"Resource": "arn:aws:ec2:*::image/*"}, Verdict.ALLOWED),
        ({"Resource": "arn:aws:ec2:*::image/ami-2"}, Verdict.SILENT),
        ({"Resource": "arn:aws:ec2:${aws:RequestedRegion}::image/*"}, Verdict.ALLOWED),
        ({"Resource": "arn:aws:ec2:${aws:username}::image/*"}, Verdict.SILENT),
        ({"Resource": "arn:aws:ec2:${aws:username, 'eu-west-1'}::image/*"}, Verdict.ALLOWED),
        ({"Condition": {"StringEquals": {"aws:RequestedRegion": ["us-east-1", "eu-west-1"]}}}, Verdict.ALLOWED),
        ({"Condition": {"StringNotEquals": {"aws:RequestedRegion": "eu-west-1"}}}, Verdict.SILENT),
    ],
)
def test_a_statement_says_what_it_is_about(statement: dict[str, Any], expected: Verdict) -> None:
    assert verdict(allow(**statement), resource="arn:aws:ec2:eu-west-1::image/ami-1") is expected


def test_everything_but_what_is_named_is_allowed_by_not_action_and_not_resource() -> None:
    but_iam = {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}
    but_images = {"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:ec2:*::image/*"}

    assert verdict(but_iam) is Verdict.ALLOWED
    assert verdict(but_iam, action="iam:PassRole") is Verdict.SILENT
    assert verdict(but_images, resource="arn:aws:ec2:eu-west-1::image/ami-1") is Verdict.SILENT
    assert verdict(but_images, resource="arn:aws:ec2:eu-west-1::snapshot/snap-1") is Verdict.ALLOWED


def test_an_action_without_resources_is_allowed_by_a_statement_about_all_alone() -> None:
    assert verdict(allow(Resource="arn:aws:ec2:*:*:*"), action="ec2:DescribeImages") is Verdict.SILENT


def test_a_denial_outweighs_every_permission() -> None:
    assert verdict(allow(), allow(Effect="Deny", Action="ec2:CopyImage")) is Verdict.DENIED


@pytest.mark.parametrize(
    ("operator", "key", "wanted", "expected"),
    [
        ("StringLike", "aws:RequestedRegion", "eu-*", True),
        ("StringNotLike", "aws:RequestedRegion", "eu-*", False),
        ("StringEqualsIgnoreCase", "aws:RequestedRegion", "EU-WEST-1", True),
        ("StringEquals", "aws:username", "a", False),
        ("StringNotEquals", "aws:username", "a", True),
        ("StringEqualsIfExists", "aws:username", "a", True),
        ("Null", "aws:username", True, True),
        ("Null", "aws:username", "false", False),
        ("ForAnyValue:StringEquals", "aws:TagKeys", ["team"], True),
        ("ForAllValues:StringEquals", "aws:TagKeys", ["team"], False),
        ("ForAllValues:StringEquals", "aws:TagKeys", ["team", "cost", "more"], True),
        ("ForAllValues:StringEquals", "aws:username", ["team"], True),
    ],
)
def test_operators_compare_as_documented(operator: str, key: str, wanted: Any, expected: bool) -> None:  # noqa: FBT001 - an expectation
    assert met({operator: {key: wanted}}, context) is expected


@pytest.mark.parametrize(
    ("value", "operator", "wanted", "expected"),
    [
        ("arn:aws:iam::1:role/a", "ArnLike", "arn:aws:iam::*:role/a", True),
        ("arn:aws:iam::1:role/a", "ArnLike", "arn:aws:iam:*", False),
        ("arn:aws:iam::1:role/a", "ArnNotEquals", "arn:aws:iam::1:role/b", True),
        ("3", "NumericLessThan", "10", True),
        ("2026-01-01T00:00:00Z", "DateGreaterThan", "2025-12-31T00:00:00Z", True),
        ("127.0.0.1", "IpAddress", "127.0.0.0/8", True),
        ("127.0.0.1", "NotIpAddress", ["10.0.0.0/8"], True),
        ("true", "Bool", True, True),
    ],
)
def test_values_are_compared_by_their_kind(value: str, operator: str, wanted: Any, expected: bool) -> None:  # noqa: FBT001 - same
    assert met({operator: {"any": wanted}}, lambda _: [value]) is expected


@pytest.mark.parametrize("condition", [{"StringIs": {"aws:RequestedRegion": "x"}}, {"StringEquals": {"aws:New": "x"}}])
def test_what_is_not_known_is_never_guessed(condition: dict[str, Any]) -> None:
    with pytest.raises(UndecidedError):
        verdict(allow(Condition=condition))
    assert verdict(allow(Condition=condition), action="s3:GetObject") is Verdict.SILENT


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ("*", Verdict.ALLOWED),
        ({"AWS": ROLE}, Verdict.ALLOWED),
        ({"AWS": ["123456789012"]}, Verdict.DELEGATED),
        ({"AWS": "arn:aws:iam::123456789012:root"}, Verdict.DELEGATED),
        ({"AWS": "arn:aws:iam::210987654321:root"}, Verdict.SILENT),
        ({"Service": "ec2.amazonaws.com"}, Verdict.SILENT),
    ],
)
def test_the_policy_of_a_resource_is_about_those_it_names(named: Any, expected: Verdict) -> None:
    statement = {"Effect": "Allow", "Principal": named, "Action": "kms:*", "Resource": "*"}
    principal = Principal(account="123456789012", arns=(ROLE,))

    assert judge([{"Statement": statement}], Need(action="kms:Encrypt"), context, principal) is expected
