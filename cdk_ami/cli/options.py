"""Options that several commands share, and the defaults that cdk-ami.toml gives them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from cdk_ami.checks.names import region as known_region
from cdk_ami.checks.rule import Problem

F = TypeVar("F", bound=Callable[..., Any])

region_option: Final = click.option(
    "--region",
    "regions",
    multiple=True,
    metavar="REGION",
    help="Region to look in; repeat it for more.  Left out: those of cdk-ami.toml, or AWS_REGION.",
)
json_option: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")


def image_or_default(image: str | None) -> str:
    """Return ``image``, or the one of cdk-ami.toml.

    Raises:
        click.UsageError: When neither names one.
    """
    if image:
        return image
    settings = _settings()
    if settings is None:
        raise click.UsageError("no IMAGE was given and there is no cdk-ami.toml here; name the image")
    name: str = settings.image.name
    return name


def regions_or_default(regions: tuple[str, ...]) -> tuple[str, ...]:
    """Return ``regions``, or those of cdk-ami.toml, or that of the environment.

    Raises:
        click.UsageError: When none names one.
    """
    for region in regions:
        require("--region", known_region(region))
    if regions:
        return tuple(dict.fromkeys(regions))
    settings = _settings()
    if settings is not None:
        return tuple(dict.fromkeys([*settings.image.regions, *(fleet.region for fleet in settings.fleets)]))
    found = region_of_environment()
    if not found:
        raise click.UsageError("no Region is known; give --region, or set AWS_REGION")
    return found


def settings_of(image: str) -> tuple[str, tuple[str, ...]]:
    """Return the Region that builds an image and all that it goes to, as cdk-ami.toml says; empty when it does not."""
    from cdk_ami.naming import normalized  # noqa: PLC0415 - only where the defaults are needed

    settings = _settings()
    if settings is None or normalized(settings.image.name) != normalized(image):
        return "", ()
    fleets = (fleet.region for fleet in settings.fleets if fleet.image == settings.image.name)
    return settings.image.region, tuple(dict.fromkeys([*settings.image.regions, *fleets]))


def region_of_environment() -> tuple[str, ...]:
    """Return the Region of the environment, or none: a place to begin to look, not one to act in."""
    default = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    return (default,) if default else ()


def require(parameter: str, problems: Iterable[Problem]) -> None:
    """Refuse a value of the command line that a rule finds wrong.

    Raises:
        click.UsageError: Naming the parameter, the value and the fix.
    """
    for found in problems:
        raise click.UsageError(f"{parameter} {found.problem}, got {found.got!r}; {found.fix}")


def _settings() -> Any:
    from cdk_ami.errors import ConfigError  # noqa: PLC0415 - only where the defaults are needed
    from cdk_ami.settings import SETTINGS_FILE, load  # noqa: PLC0415 - same

    path = Path(SETTINGS_FILE)
    if not path.exists():
        return None
    try:
        return load(path)
    except ConfigError as error:
        raise click.ClickException(str(error)) from None
