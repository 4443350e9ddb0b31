"""Rules over the components of one recipe."""

from __future__ import annotations

from cdk_ami.checks.components import components_count, components_once


def test_a_component_named_twice_is_refused() -> None:
    (found,) = components_once(["aws update-linux", "aws update-linux-kernel", "aws update-linux"])

    assert (found.rule, found.at, found.got) == ("cdk-ami::ComponentsOnce", "[2]", "aws update-linux")
    assert "keep one" in found.fix


def test_different_components_of_one_recipe_are_accepted() -> None:
    assert not components_once(["aws update-linux", "123456789012 update-linux"])


def test_a_recipe_takes_twenty_components() -> None:
    (found,) = components_count(21)

    assert (found.rule, found.got) == ("cdk-ami::ComponentsPerRecipe", 21)
    assert not components_count(20)
