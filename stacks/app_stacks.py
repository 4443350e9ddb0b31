"""All stacks of one settings file, in the order of their deployment."""

from __future__ import annotations

from aws_cdk import Aws, Environment
from constructs import Construct

from cdk_ami import Distribution, ImageKey, LaunchPermission, Target
from cdk_ami.settings import ImageSettings, Settings
from stacks.fleet_stack import FleetStack
from stacks.image_stack import ImageStack, source_image
from stacks.key_stack import KeyStack
from stacks.target_account_stack import TargetAccountStack


def add_stacks(scope: Construct, settings: Settings, *, account: str | None) -> tuple[ImageStack, list[FleetStack]]:
    """Add the image stack, a stack for each fleet, and one for each key that the settings ask for, to ``scope``.

    The image waits for its keys, for order only: it names them by their aliases.  A fleet of this image waits for the
    image stack, for order only too: it builds on change, so that the channel exists before the first fleet reads it.

    Args:
        scope: The app or stage.
        settings: What to deploy.
        account: Account to deploy into; None leaves it to the credentials of the deployment.
    """
    distribution = distribution_of(settings.image, account=account or Aws.ACCOUNT_ID)
    # Made before the image, which shows the policies of all keys but those of its app.
    keys = _key_stacks(scope, settings.image, distribution, account=account)
    image = ImageStack(
        scope,
        f"{settings.image.name}-image",
        settings=settings.image,
        distribution=distribution,
        zone=_build_zone(settings),
        env=Environment(account=account, region=settings.image.region),
    )
    for key in keys:
        image.add_stack_dependency(key)
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


def add_target_account_stack(scope: Construct, settings: Settings) -> TargetAccountStack:
    """Add what each account deploys that receives copies, by the same settings as the side that builds.

    Args:
        scope: The app or stage.
        settings: What the other side deploys; they name the account that builds.
    """
    image, source = settings.image, settings.account or Aws.ACCOUNT_ID
    deliveries = distribution_of(image, account=source).deliveries(
        image.name, source_region=image.region, promoted=settings.receive.promoted_channels
    )
    return TargetAccountStack(
        scope,
        f"{image.name}-target-account",
        image=image.name,
        source_account=source,
        deliveries=deliveries,
        settings=settings.receive,
    )


def distribution_of(settings: ImageSettings, *, account: str) -> Distribution:
    """Return where the AMIs of the settings go.

    Args:
        settings: The image.
        account: Account that owns the image and its keys; it may be a token.
    """
    permission = LaunchPermission(
        accounts=settings.share.accounts,
        organizations=settings.share.organizations,
        organizational_units=settings.share.organizational_units,
    )
    targets = [
        Target(
            region=region,
            accounts=settings.copy_to_accounts,
            launch_permission=permission if permission.names_others else None,
        )
        for region in settings.regions
    ]
    keys = ImageKey.arns(settings.name, settings.regions, account=account) if settings.keys == "own" else {}
    return Distribution(targets=targets, kms_keys=keys)


def _key_stacks(
    scope: Construct, settings: ImageSettings, distribution: Distribution, *, account: str | None
) -> list[KeyStack]:
    return [
        KeyStack(
            scope,
            f"{settings.name}-key-{region}",
            image=settings.name,
            distribution=distribution,
            build_region=settings.region,
            env=Environment(account=account, region=region),
        )
        for region in distribution.kms_keys
    ]


def _build_zone(settings: Settings) -> str:
    # Which letters a Region has differs between accounts, so a zone that somebody named is the better guess.
    region = settings.image.region
    return next((fleet.zones[0] for fleet in settings.fleets if fleet.region == region), f"{region}a")
