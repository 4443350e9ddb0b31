"""How many copies a build starts at once, against what EC2 and EBS run at a time: pure data.

https://docs.aws.amazon.com/general/latest/gr/ebs-service.html, read 2026-11-28
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from cdk_ami.checks.rule import is_list_token
from cdk_ami.limits import AMI_COPIES_AT_ONCE, SNAPSHOT_COPIES_AT_ONCE

if TYPE_CHECKING:
    from cdk_ami.distribution.distribution import Distribution


class Load(NamedTuple):
    """What one build starts into one Region at the same moment.

    Attributes:
        region: The Region.
        copies: AMIs that are copied into it, to whatever account; the captured AMI is none.
        volumes: Snapshots of each.
    """

    region: str
    copies: int
    volumes: int

    @property
    def snapshots(self) -> int:
        """Snapshot copies."""
        return self.copies * self.volumes

    @property
    def is_above_quota(self) -> bool:
        """Whether it is more than is documented to run at a time."""
        return self.snapshots > SNAPSHOT_COPIES_AT_ONCE or self.copies > AMI_COPIES_AT_ONCE

    @property
    def copies_in_a_wave(self) -> int:
        """How many of the AMIs may be copied at a time."""
        return max(1, min(SNAPSHOT_COPIES_AT_ONCE // self.volumes, AMI_COPIES_AT_ONCE))

    def message(self) -> str:
        """Return what is wrong with a load above the quota, and how to split it."""
        wave = self.copies_in_a_wave
        return (
            f"a build copies {self.copies} AMIs of {self.volumes} volumes into {self.region}, {self.snapshots} "
            f"snapshot copies at once, and {SNAPSHOT_COPIES_AT_ONCE} snapshot copies and {AMI_COPIES_AT_ONCE} AMI "
            f"copies are documented for one destination Region; keep {wave} copies in this distribution and bring the "
            f"AMI to the others in waves of {wave}, each with 'cdk-ami distribute', or share with the organization, "
            "which copies nothing"
        )


def loads(distribution: Distribution, *, build_region: str, volumes: int) -> Iterator[Load]:
    """Yield what a build in ``build_region`` starts into each Region, with ``volumes`` volumes in the AMI.

    A list of accounts that only the deployment knows counts as none.
    """
    for target in distribution.targets:
        named = sum(not is_list_token(account) for account in target.accounts)
        yield Load(target.region, named + (target.region != build_region), volumes)
