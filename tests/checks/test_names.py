"""Rules over names, each with what it refuses and what it lets through."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from cdk_ami.checks import names
from cdk_ami.checks.regions import PARTITION_OF, REGIONS_BY_PARTITION
from cdk_ami.checks.rule import Problem

Check = Callable[[Any], Iterable[Problem]]

REFUSED: list[tuple[Check, Any, str, str]] = [
    (names.resource_name, "a", "ResourceName", "3 to 128"),
    (names.resource_name, " web ", "ResourceName", "blank at either end"),
    (names.resource_name, "wéb-server", "ResourceName", "letters, digits"),
    (names.ami_name, "ab", "AmiName", "3 to 127"),
    (names.ami_name, "x" * 128, "AmiName", "3 to 127"),
    (names.ami_name, "web/server", "AmiName", "letters, digits"),
    (names.ami_name_build_date, "web", "AmiNameBuildDate", "imagebuilder:buildDate"),
    (names.parameter_name, "/web server", "ParameterName", "letters, digits"),
    (names.parameter_name, "web/latest", "ParameterName", "'/web/latest'"),
    (names.parameter_name, "/web//latest", "ParameterName", "between"),
    (names.parameter_name, "/" + "/".join("x" * 16), "ParameterName", "15 levels"),
    (names.parameter_name, "/" + "x" * 1_011, "ParameterName", "1011 characters"),
    (names.own_parameter_name, "/aws/service/web", "OwnParameterName", "another word"),
    (names.own_parameter_name, "SSM-web", "OwnParameterName", "another word"),
    (names.tags, {"aws:owner": "me"}, "Tags", "another prefix"),
    (names.tags, {"k" * 129: ""}, "Tags", "1 to 128"),
    (names.tags, {"owner": "v" * 257}, "Tags", "within 256"),
    (names.tags, {"cost?": "x"}, "Tags", "letters, digits"),
    (names.tags, {"count": 1}, "Tags", "strings"),
    (names.tags, {str(number): "" for number in range(51)}, "Tags", "at most 50"),
    (names.resource_tags, {"Name": "web"}, "ResourceTags", "CreatedBy, Ec2ImageBuilderArn, Name, Tags"),
    (names.resource_tags, {str(number): "" for number in range(31)}, "ResourceTags", "at most 30"),
    (names.region, "eu-wset-1", "Region", "'eu-west-1'"),
    (names.region, "Dublin", "Region", "such as 'eu-west-1'"),
    (names.regions_once, ["eu-west-1", "us-east-1", "eu-west-1"], "RegionsOnce", "merge"),
    (names.one_partition, ["eu-west-1", "cn-north-1"], "OnePartition", "once in each partition"),
    (names.account_id, "12345678901", "AccountId", "twelve digits"),
    (names.account_id, 12345678901, "AccountId", "leading zeros"),
]

ACCEPTED: list[tuple[Check, Any]] = [
    (names.resource_name, "Web server_1"),
    (names.ami_name, "web {{ imagebuilder:buildDate }}"),
    (names.ami_name_build_date, "web-{{imagebuilder:buildDate}}"),
    (names.parameter_name, "/imagebuilder/web/latest"),
    (names.parameter_name, "flat.name"),
    (names.own_parameter_name, "/imagebuilder/aws-web"),
    (names.tags, {"cost:centre": "42", "größe": "", "a b": "c/d=e+f"}),
    (names.resource_tags, {"name": "lower case is another key"}),
    (names.regions_once, ["eu-west-1", "us-east-1"]),
    (names.one_partition, ["eu-west-1", "us-east-1"]),
    (names.account_id, "012345678901"),
]

TOKEN = "${Token[TOKEN.42]}"


@pytest.mark.parametrize(("check", "value", "rule", "fix"), REFUSED)
def test_a_bad_name_is_refused_with_its_rule_and_its_fix(check: Check, value: Any, rule: str, fix: str) -> None:
    found = list(check(value))

    assert [problem.rule for problem in found] == [f"cdk-ami::{rule}"]
    assert fix in found[0].fix


@pytest.mark.parametrize(("check", "value"), ACCEPTED)
def test_a_good_name_is_accepted(check: Check, value: Any) -> None:
    assert list(check(value)) == []


@pytest.mark.parametrize("check", dict.fromkeys(entry[0] for entry in REFUSED))
def test_a_token_is_never_refused(check: Check) -> None:
    value: Any = TOKEN
    if check in {names.tags, names.resource_tags}:
        value = {"owner": TOKEN, TOKEN: "x"}
    elif check in {names.regions_once, names.one_partition}:
        value = ["eu-west-1", TOKEN]

    assert list(check(value)) == []


def test_each_fault_of_a_list_says_where_it_stands() -> None:
    found = names.regions_once(["eu-west-1", "us-east-1", "eu-west-1", "us-east-1"])

    assert [problem.at for problem in found] == ["[2]", "[3]"]


def test_every_region_is_accepted_and_belongs_to_one_partition() -> None:
    regions = [region for regions in REGIONS_BY_PARTITION.values() for region in regions]

    assert all(not list(names.region(region)) for region in regions)
    assert len(regions) == len(set(regions)) == len(PARTITION_OF)
