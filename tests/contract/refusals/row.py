"""What one row of the table of bad inputs says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2

from cdk_ami import GoldenImage, ImageChannel, ImageFleet, SourceImage, ZonalInstances
from tests.fleet.network import ZONES, network

SET_UP: Final = "There"
"""Part of the ids of whatever a row makes before the call that is refused."""


@dataclass(frozen=True, slots=True)
class Row:
    """One bad input.

    Attributes:
        says: What is wrong, as a sentence.
        make: The call, which gets an empty stack ``S`` of us-east-1 and runs in an empty directory.
        where: What the error names: the path of a construct, or the name of a value object or a file.
        prop: The property that the error names.
        got: The value that it shows.
        fix: A phrase of the fix.
        rule: The rule that finds it; empty for a fault of the call itself.
        after: Whether what is refused is a use of a construct that exists already.
    """

    says: str
    make: Callable[[cdk.Stack], object]
    where: str
    prop: str
    got: object
    fix: str
    rule: str = ""
    after: bool = False


def image(stack: cdk.Stack, **options: Any) -> GoldenImage:
    """Make the image ``S/Web``, good but for ``options``."""
    given: dict[str, Any] = {"name": "web", "source": SourceImage.amazon_linux_2023()} | options
    return GoldenImage(stack, "Web", **given)


def fleet(stack: cdk.Stack, **options: Any) -> ImageFleet:
    """Make the fleet ``S/Fleet``, good but for ``options``."""
    return ImageFleet(stack, "Fleet", **(_running(stack, options) | options))


def twins(stack: cdk.Stack, **options: Any) -> ZonalInstances:
    """Make the instances ``S/Twins``, good but for ``options``."""
    return ZonalInstances(stack, "Twins", **({"zones": ZONES} | _running(stack, options) | options))


def written(name: str, text: str | bytes) -> Path:
    """Write a file into the row's directory and return its relative path."""
    path = Path(name)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def _running(stack: cdk.Stack, options: dict[str, Any]) -> dict[str, Any]:
    image: ec2.IMachineImage = ImageChannel.from_name("web").machine_image(root_device="/dev/xvda")
    return {"image": image} | ({} if "vpc" in options else {"vpc": network(stack)})
