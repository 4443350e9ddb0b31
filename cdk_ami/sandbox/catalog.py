"""What every Region offers from the start: the vendors' public AMIs and the parameters that name them.

The images are those of ``cdk_ami.source.catalog``, so that whatever a recipe can start from is there.  Ids are derived
from Region and parameter: the same in every run, different in every Region.  Nothing here can be changed by a caller,
so nothing has to be made again after a reset.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import Final

from cdk_ami.source.catalog import AMAZON_LINUX_OWNER, PUBLIC_IMAGES, WINDOWS_OWNER, PublicImage
from cdk_ami.source.platform import Platform

RELEASE: Final = "20261110"
"""Stamp of the vendors' newest release, as their names carry it."""

RELEASED: Final = "2026-11-10T12:00:00.000Z"
"""When the newest release was made."""

_ALIASES: Final = (
    # Amazon publishes each image of Amazon Linux under several names.
    (r"(.*/al2023-ami)-kernel-default-(.+)", r"\1-kernel-6.1-\2"),
    (r"(.*/al2023-ami-minimal)-kernel-default-(.+)", r"\1-kernel-6.1-\2"),
    (r"(.*)/amzn2-ami-kernel-5.10-hvm-(.+)-gp2", r"\1/amzn2-ami-hvm-\2-gp2"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicAmi:
    """One public AMI as it stands in one Region.

    Attributes:
        image_id: Its id there.
        snapshot_id: Id of the snapshot of its root volume.
        name: Name of the AMI.
        source: What the vendor publishes.
        region: The Region.
    """

    image_id: str
    snapshot_id: str
    name: str
    source: PublicImage
    region: str

    @property
    def owner_alias(self) -> str | None:
        """``amazon`` for the images that Amazon publishes, None for others."""
        return "amazon" if self.source.owner in {AMAZON_LINUX_OWNER, WINDOWS_OWNER} else None

    @property
    def windows(self) -> bool:
        """Tell whether this is Windows, the only platform that EC2 names in an image's record."""
        return self.source.platform is Platform.WINDOWS

    @property
    def description(self) -> str:
        """Description, as the vendor writes it."""
        return self.source.description.replace("{stamp}", RELEASE)


@cache
def public_amis(region: str) -> tuple[PublicAmi, ...]:
    """Return the public AMIs of ``region``, in the catalogue's order."""
    return tuple(
        PublicAmi(
            image_id=f"ami-{_hash(region, image.parameter)}",
            snapshot_id=f"snap-{_hash(region, image.parameter, 'snapshot')}",
            name=image.ami_name.replace("{stamp}", RELEASE),
            source=image,
            region=region,
        )
        for image in PUBLIC_IMAGES
    )


@cache
def public_parameters(region: str) -> dict[str, str]:
    """Return the public parameters of ``region``: AMI ids by name of the parameter."""
    parameters = {}
    for ami in public_amis(region):
        parameters[ami.source.parameter] = ami.image_id
        for pattern, alias in _ALIASES:
            if re.fullmatch(pattern, ami.source.parameter):
                parameters[re.sub(pattern, alias, ami.source.parameter)] = ami.image_id
    return dict(sorted(parameters.items()))


def _hash(*parts: str) -> str:
    return sha256("\n".join(parts).encode()).hexdigest()[:17]
