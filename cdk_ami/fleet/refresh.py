"""How an instance refresh replaces the instances of a fleet: plain data, no CDK."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from cdk_ami.checks import rollouts as rules

if TYPE_CHECKING:
    from aws_cdk import Duration
    from aws_cdk import aws_cloudwatch as cloudwatch

    from cdk_ami.errors import Faults


class RefreshStrategy(StrEnum):
    """What is replaced.

    https://docs.aws.amazon.com/autoscaling/ec2/userguide/instance-refresh-overview.html
    """

    ROLLING = "Rolling"
    """Instances.  New ones have other addresses and empty disks."""

    ROOT_VOLUME = "ReplaceRootVolume"
    """The root volumes of the instances, which keep their addresses, network interfaces and data volumes.  Each is out
    of service meanwhile."""


class StandbyInstances(StrEnum):
    """What becomes of instances on standby.

    https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_RefreshPreferences.html
    """

    WAIT = "Wait"
    """The refresh waits for an hour until they serve again, and fails then."""

    IGNORE = "Ignore"
    """They stay, with the AMI that they have."""

    TERMINATE = "Terminate"
    """They are replaced too."""


class ProtectedInstances(StrEnum):
    """What becomes of instances that are protected from scale in.

    https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_RefreshPreferences.html
    """

    WAIT = "Wait"
    """The refresh waits for an hour until they are not protected any more, and fails then."""

    IGNORE = "Ignore"
    """They stay, with the AMI that they have."""

    REFRESH = "Refresh"
    """They are replaced too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refresh:
    """How instances are replaced, and what stops that.

    How many stay healthy meanwhile is said by the fleet's ``min_healthy_percent`` and ``max_healthy_percent``.  AWS
    offers no order of zones: batches come from all zones, so that the fleet stays balanced.  Checkpoints are the way to
    try a few first.

    Attributes:
        alarms: Alarms that fail the refresh when they sound, at most 10.  Default: none.
        bake_time: How long the alarms are watched after the last instance was replaced, at most two days.  Default:
            none.
        checkpoints: Percentages of the fleet, ascending and the last of them 100, after which the refresh pauses.
            Default: none.
        checkpoint_delay: How long each pause is, at most two days.  Default: an hour, AWS's own.
        skip_matching: Whether instances stay that have the new launch template already.  Default: True, so that a roll
            back touches only what was replaced.
        strategy: What is replaced.  Default: the instances.
        standby: What becomes of instances on standby.  Default: the refresh waits, AWS's own.
        protected: What becomes of instances that are protected from scale in.  Default: the refresh waits, AWS's own.
    """

    alarms: Sequence[cloudwatch.IAlarm] = ()
    bake_time: Duration | None = None
    checkpoints: Sequence[int] = ()
    checkpoint_delay: Duration | None = None
    skip_matching: bool = True
    strategy: RefreshStrategy = RefreshStrategy.ROLLING
    standby: StandbyInstances | None = None
    protected: ProtectedInstances | None = None

    def find_faults(self, faults: Faults) -> None:
        """Record in ``faults`` what AWS would refuse."""
        faults.check("rollout.refresh.alarms", rules.refresh_alarms(len(self.alarms)))
        faults.check("rollout.refresh.checkpoints", rules.checkpoints(self.checkpoints))
        for name, value in (("bake_time", self.bake_time), ("checkpoint_delay", self.checkpoint_delay)):
            if value is not None and not value.is_unresolved():
                faults.check(f"rollout.refresh.{name}", rules.refresh_pause(int(value.to_seconds())))
        if self.checkpoint_delay is not None and not self.checkpoints:
            fix = "name checkpoints, or leave it out"
            faults.add("rollout.refresh.checkpoint_delay", "has no effect without checkpoints", got="alone", fix=fix)

    @property
    def pauses_seconds(self) -> int:
        """How long a refresh pauses altogether, besides the work."""
        delay = 3_600 if self.checkpoint_delay is None else self.checkpoint_delay.to_seconds()
        bake = 0 if self.bake_time is None else self.bake_time.to_seconds()
        return int(bake + delay * len(self.checkpoints))
