"""Renders what an image is made from: the recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from aws_cdk import aws_imagebuilder as imagebuilder

from cdk_ami.recipe.managed import ManagedComponent
from cdk_ami.recipe.volume import Volume, render_volumes
from cdk_ami.source.platform import Platform

if TYPE_CHECKING:
    from constructs import Construct

    from cdk_ami.recipe.component import BoundComponent

RECIPE_VERSION: Final = "1.0.x"
"""Version of every recipe: the service counts up at ``x``, so that a replacement never meets its predecessor's name.
https://docs.aws.amazon.com/imagebuilder/latest/APIReference/API_CreateImageRecipe.html"""

BOOT_TESTS: Final = {
    Platform.LINUX: ManagedComponent.SIMPLE_BOOT_TEST_LINUX,
    Platform.WINDOWS: ManagedComponent.SIMPLE_BOOT_TEST_WINDOWS,
}
"""The tests of an image that brings none: AWS's own, which asks whether a new instance starts at all.
https://docs.aws.amazon.com/imagebuilder/latest/userguide/toe-component-manager.html"""


class Contents(NamedTuple):
    """What a recipe is made from, everything resolved for one stack.

    Attributes:
        parent_image: The source, as the recipe names it.
        components: Build components, then tests, in the order they run.
        volumes: Volumes, checked.
        root_device: Name of the source's root device.
        ami_tags: Tags of the AMI in the build's Region.
        working_directory: Where components run, None for the service's choice.
        keep_ssm_agent: Whether the agent stays in the image.
    """

    parent_image: str
    components: Sequence[BoundComponent]
    volumes: Sequence[Volume]
    root_device: str
    ami_tags: Mapping[str, str]
    working_directory: str | None
    keep_ssm_agent: bool


def render_recipe(scope: Construct, *, name: str, contents: Contents) -> imagebuilder.CfnImageRecipe:
    """Add the recipe of the image ``name`` to ``scope``.

    Nothing in it changes without changing the image: every property but its tags makes a new recipe, and with it a
    build.
    """
    shape = imagebuilder.CfnImageRecipe
    return shape(
        scope,
        "Recipe",
        name=name,
        version=RECIPE_VERSION,
        parent_image=contents.parent_image,
        # The service refuses an empty list and takes none.
        components=[bound.configuration() for bound in contents.components] or None,
        block_device_mappings=render_volumes(contents.volumes, root_device=contents.root_device),
        ami_tags=dict(contents.ami_tags),
        working_directory=contents.working_directory,
        additional_instance_configuration=shape.AdditionalInstanceConfigurationProperty(
            systems_manager_agent=shape.SystemsManagerAgentProperty(uninstall_after_build=not contents.keep_ssm_agent)
        ),
    )
