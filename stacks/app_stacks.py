"""All stacks of one settings file, in the order of their deployment."""

from __future__ import annotations

from aws_cdk import Environment
from constructs import Construct

from cdk_ami.settings import Settings
from stacks.fleet_stack import FleetStack
from stacks.image_stack import ImageStack, source_image


def add_stacks(scope: Construct, settings: Settings, *, account: str | None) -> tuple[ImageStack, list[FleetStack]]:
    """Add the image stack and a stack for each fleet to ``scope``.

    A fleet of this image waits for the image stack, for order only: it builds on change, so that the channel exists
    before the first fleet reads it.

    Args:
        scope: The app or stage.
        settings: What to deploy.
        account: Account to deploy into; None leaves it to the credentials of the deployment.
    """
    image = ImageStack(
        scope,
        f"{settings.image.name}-image",
        settings=settings.image,
        zone=_build_zone(settings),
        env=Environment(account=account, region=settings.image.region),
    )
    source = source_image(settings.image)
    fleets = []
    for fleet in settings.fleets:
        stack = FleetStack(
            scope,
            f"{fleet.name}-fleet-{fleet.region}",
            settings=fleet,
            source=source,
            env=Environment(account=account, region=fleet.region),
        )
        if fleet.image == settings.image.name:
            stack.add_stack_dependency(image)
        fleets.append(stack)
    return image, fleets


def _build_zone(settings: Settings) -> str:
    # Which letters a Region has differs between accounts, so a zone that somebody named is the better guess.
    region = settings.image.region
    return next((fleet.zones[0] for fleet in settings.fleets if fleet.region == region), f"{region}a")
