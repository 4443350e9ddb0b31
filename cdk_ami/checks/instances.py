"""Rules over EC2 instance types."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from cdk_ami.checks.rule import Problem, rule
from cdk_ami.source.platform import Architecture

_NAMES: Final = "https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-type-names.html"
_TYPE: Final = r"(?P<family>[a-z][a-z0-9-]*)\.(?P<size>[a-z0-9-]+)"
# Series, generation, then letters of which g stands for Graviton: m7gd, but neither g5 nor gr6.
_SIZE: Final = r"nano|micro|small|medium|large|[0-9]*xlarge|metal(-[0-9]+xl)?"
_FAMILY: Final = r"(?P<series>[a-z]+)(?P<generation>[0-9]+)(?P<attributes>[a-z0-9-]*)"


def architecture_of(instance_type: str) -> Architecture | None:
    """Return the processor of ``instance_type`` by AWS's naming, None when the name does not follow it."""
    parts = re.fullmatch(_TYPE, instance_type)
    family = re.fullmatch(_FAMILY, parts["family"]) if parts else None
    if family is None:
        return None
    if family["series"] == "mac":
        return None
    graviton = family[0] == "a1" or "g" in family["attributes"]
    return Architecture.ARM64 if graviton else Architecture.X86_64


@rule("InstanceType", source=_NAMES)
def instance_type(name: str) -> Iterator[Problem]:
    """An instance type is a family and one of AWS's sizes with a dot between them."""
    parts = re.fullmatch(_TYPE, name)
    if parts is None or not re.fullmatch(_SIZE, parts["size"]):
        yield Problem(problem="is no instance type", got=name, fix="write family and size, such as 't3.medium'")


@rule("InstanceArchitecture", source=_NAMES)
def instance_architecture(name: str, architecture: Architecture) -> Iterator[Problem]:
    """An instance type has the processor that the image is for."""
    found = architecture_of(name)
    if found is not None and found != architecture:
        example = "t4g.medium" if architecture == Architecture.ARM64 else "t3.medium"
        yield Problem(
            problem=f"runs {found.value} while the image is {architecture.value}",
            got=name,
            fix=f"choose a type such as {example!r}, or another source image",
        )


@rule("MacInstance", source="https://docs.aws.amazon.com/imagebuilder/latest/userguide/what-is-image-builder.html")
def no_mac(name: str) -> Iterator[Problem]:
    """An image of Linux or Windows is not built on a Mac."""
    if re.match(r"mac[0-9]", name):
        yield Problem(
            problem="is a Mac, which runs neither Linux nor Windows", got=name, fix="choose another instance type"
        )
