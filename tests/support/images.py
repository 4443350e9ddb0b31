"""Golden images for tests, with everything but the option under test left at its default."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk

from cdk_ami.build.golden_image import GoldenImage
from cdk_ami.source.image import SourceImage
from tests.support.synth import make_stack, only_resource, template_of

RECIPE = "AWS::ImageBuilder::ImageRecipe"
INFRASTRUCTURE = "AWS::ImageBuilder::InfrastructureConfiguration"
PIPELINE = "AWS::ImageBuilder::ImagePipeline"
DISTRIBUTION = "AWS::ImageBuilder::DistributionConfiguration"
IMAGE = "AWS::ImageBuilder::Image"


def make_image(stack: cdk.Stack | None = None, **options: Any) -> GoldenImage:
    """Return the image ``Web`` in ``stack``, an empty stack when there is none."""
    given: dict[str, Any] = {"name": "web", "source": SourceImage.amazon_linux_2023()} | options
    return GoldenImage(stack or make_stack(), "Web", **given)


def template_with(stack: cdk.Stack | None = None, **options: Any) -> dict[str, Any]:
    """Return the template of a stack with one image."""
    stack = stack or make_stack()
    make_image(stack, **options)
    return template_of(stack)


def properties_with(kind: str, stack: cdk.Stack | None = None, **options: Any) -> dict[str, Any]:
    """Return the properties of the one resource of type ``kind`` in a stack with one image."""
    properties: dict[str, Any] = only_resource(template_with(stack, **options), kind)["Properties"]
    return properties
