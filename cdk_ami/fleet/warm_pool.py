"""Instances that wait beside a group, launched and prepared, until it grows: plain data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from cdk_ami.checks import groups as rules

if TYPE_CHECKING:
    from cdk_ami.errors import Faults


class WarmPoolState(StrEnum):
    """How the instances of a warm pool wait.

    https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-warm-pools.html
    """

    STOPPED = "Stopped"
    """Stopped: only their volumes cost, about 0.08 USD a month for each GiB of gp3.  They boot again when needed."""

    HIBERNATED = "Hibernated"
    """Hibernated, memory kept on the root volume, which must be encrypted and hold it: the quickest that costs no
    computing."""

    RUNNING = "Running"
    """Running, and paid for like any other instance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmPool:
    """Instances that have booted once already, so that a group grows in seconds rather than minutes.

    They pay where the first boot takes long.  When a new AMI is rolled out, the pool's instances are replaced with the
    group's.  A pool cannot stand beside Spot Instances.

    Attributes:
        state: How they wait.  Default: stopped, which costs their volumes alone.
        min_size: Fewest instances in the pool, however large the group is.
        max_prepared: How many instances group and pool have together.  None: as many as the group's ``max_size``.
        reuse: Whether instances return to the pool when the group shrinks, instead of being terminated.

    https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-warm-pools.html
    """

    state: WarmPoolState = WarmPoolState.STOPPED
    min_size: int = 0
    max_prepared: int | None = None
    reuse: bool = False

    def find_faults(
        self, faults: Faults, *, smallest: int, spot: bool, root_device: str | None, root_encrypted: bool
    ) -> None:
        """Record in ``faults`` what Auto Scaling would refuse.

        Args:
            faults: The call's faults.
            smallest: Smallest size of the group.
            spot: Whether the group has Spot Instances.
            root_device: Root device of the image, None where it is not known.
            root_encrypted: Whether the root volume is encrypted.
        """
        faults.check("warm_pool", rules.warm_pool_spot(spot=spot))
        faults.check("warm_pool", rules.warm_pool_size(self.min_size, self.max_prepared, smallest))
        if self.state is WarmPoolState.HIBERNATED:
            faults.check("warm_pool.state", rules.hibernation(root_device, encrypted=root_encrypted))
