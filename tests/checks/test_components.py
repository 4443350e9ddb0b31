"""Rules over the components of one recipe."""

from __future__ import annotations

from cdk_ami.checks.components import components_count, components_once

ARN = "arn:aws:imagebuilder:us-east-1:aws:component/update-linux"
TOKEN = "${Token[TOKEN.1]}"


def test_a_component_named_twice_is_refused_whatever_its_version() -> None:
    (found,) = components_once([f"{ARN}/x.x.x", f"{ARN}-kernel/x.x.x", f"{ARN}/1.0.2"])

    assert (found.rule, found.at, found.got) == ("cdk-ami::ComponentsOnce", "[2]", f"{ARN}/1.0.2")
    assert "keep one" in found.fix


def test_different_components_of_one_recipe_are_accepted() -> None:
    assert not components_once([f"{ARN}/x.x.x", "arn:aws:imagebuilder:us-east-1:123456789012:component/web/1.0.0"])


def test_a_recipe_takes_twenty_components() -> None:
    (found,) = components_count(21)

    assert (found.rule, found.got) == ("cdk-ami::ComponentsPerRecipe", 21)
    assert not components_count(20)


def test_tokens_are_let_through() -> None:
    assert not components_once([TOKEN, TOKEN])
