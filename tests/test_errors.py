from __future__ import annotations

from collections.abc import Iterator

import pytest

from cdk_ami.checks.rule import Problem, is_token, rule
from cdk_ami.errors import ConfigError, Fault, Faults


@rule("OnlyForThisTest", source="https://example.com")
def no_zero(value: object) -> Iterator[Problem]:
    """A value is not zero."""
    if value == 0:
        yield Problem(problem="is zero", got=value, fix="give another", at="[1]")


def test_one_fault_reads_as_one_line_with_construct_property_value_and_fix() -> None:
    error = ConfigError("Stack/Copies", "copies", "names a Region twice", got=["eu-west-1"], fix="merge the two")

    assert str(error) == "Stack/Copies: copies names a Region twice, got ['eu-west-1']; merge the two"
    assert (error.where, error.prop, error.got, error.fix) == (
        "Stack/Copies",
        "copies",
        ["eu-west-1"],
        "merge the two",
    )


def test_all_faults_of_a_call_are_raised_together_with_the_rule_that_found_each() -> None:
    faults = Faults("cdk-ami.toml")
    faults.add("image.name", "is empty", got="", fix="name it")
    faults.check("sizes", no_zero(0))

    with pytest.raises(ConfigError) as caught:
        faults.raise_if_any()

    assert caught.value.faults == (
        Fault(prop="image.name", problem="is empty", got="", fix="name it"),
        Fault(prop="sizes[1]", problem="is zero", got=0, fix="give another", rule="cdk-ami::OnlyForThisTest"),
    )
    assert str(caught.value) == (
        "cdk-ami.toml: 2 faults\n  - image.name is empty, got ''; name it\n  - sizes[1] is zero, got 0; give another"
    )


def test_no_fault_raises_nothing() -> None:
    faults = Faults("cdk-ami.toml")
    faults.check("sizes", no_zero(1))

    faults.raise_if_any()

    assert not faults


def test_a_rule_finds_nothing_in_a_token() -> None:
    assert no_zero("${Token[TOKEN.12]}") == ()
    assert no_zero(["#{Token[TOKEN.12]}"]) == ()
    assert no_zero(-1.8881545897087626e289) == ()


def test_a_token_is_seen_inside_lists_and_dicts() -> None:
    assert is_token({"a": ["x", "y-${Token[AWS.Region.4]}"]})
    assert not is_token({"a": ["x", 1, None, True]})


def test_two_rules_cannot_share_an_id() -> None:
    with pytest.raises(ValueError, match="two rules are called cdk-ami::OnlyForThisTest"):
        rule("OnlyForThisTest", source="https://example.com")(lambda: iter(()))
