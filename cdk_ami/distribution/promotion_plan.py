"""What a promotion is, as plain data, before anything renders it; pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

FUNCTION: Final = "${Function}"
"""Stands for the ARN of the promotion's function in a definition: a substitution of CloudFormation's."""

TOPIC: Final = "${Topic}"
"""Stands for the ARN of the topic that learns how a promotion ends."""

LOOKS_MAX: Final = 2000
"""How often one execution may look at something it waits for.  A look makes nine events of the 25,000 that an execution
may have.  https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html, read 2026-11-28"""

POLL_SECONDS: Final = 60
"""How often fleets, alarms, scans and the lock are looked at, unless that makes too many looks."""


class Meanwhile(StrEnum):
    """What a build does that arrives while another one is being promoted."""

    QUEUE = "queue"
    """It waits until the other is through.  Then the newest build is promoted, and those between are skipped."""

    SUPERSEDE = "supersede"
    """It ends the other and takes its place, as long as that has not moved any channel yet: during gates and approvals.
    Afterwards it waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacePlan:
    """One account and Region whose channel is moved.

    Attributes:
        region: Region code.
        account: Account id, empty for the promotion's own.
        role: ARN of the role to assume there, empty for none.
        wave: Number of its wave, from 0.
    """

    region: str
    account: str = ""
    role: str = ""
    wave: int = 0

    def data(self) -> dict[str, Any]:
        """Return it as the function takes it."""
        return {"region": self.region, "account": self.account, "role": self.role, "wave": self.wave}


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchPlan:
    """What must go well before a promotion goes on.

    Attributes:
        fleets: Names of the rollouts that must have brought the build to their fleets.
        alarms: Names of alarms that must not be raised.
        groups: Names of Auto Scaling groups that must have their least number of healthy instances.
        bake_seconds: How long all of it must stay well after the fleets are through.
        patience_seconds: How long the fleets may take.
    """

    fleets: tuple[str, ...] = ()
    alarms: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    bake_seconds: int = 0
    patience_seconds: int = 7200

    @property
    def seconds(self) -> int:
        """How long it may take."""
        return self.bake_seconds + self.patience_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class WavePlan:
    """Places that are moved at the same time, and what must go well there.

    Attributes:
        places: The places.
        watch: What must go well in each.
    """

    places: tuple[PlacePlan, ...]
    watch: WatchPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class TestsGate:
    """The build's own tests must have passed."""

    seconds = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingsGate:
    """No finding of a scan may be as bad as this.

    Attributes:
        counted: Names of the counts that must be 0, such as ``Critical`` and ``High``.
        patience_seconds: How long the scan may take.
    """

    counted: tuple[str, ...]
    patience_seconds: int = 3600

    @property
    def seconds(self) -> int:
        """How long it may take."""
        return self.patience_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryGate:
    """A fleet that follows the channel the build comes from must stay healthy.

    Attributes:
        place: Where it is.
        number: Its number among the canaries, from 0.
        watch: What must go well.
    """

    place: PlacePlan
    number: int
    watch: WatchPlan

    @property
    def seconds(self) -> int:
        """How long it may take."""
        return self.watch.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineGate:
    """A state machine must succeed.

    Attributes:
        machine: Its ARN, or what stands for it.
        seconds: How long it may take.
    """

    machine: str
    seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionGate:
    """A function must not fail, nor answer that the build does not pass.

    Attributes:
        function: Its ARN, or what stands for it.
    """

    function: str
    seconds = 900


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalGate:
    """Somebody must approve.

    Attributes:
        topic: ARN of the topic that asks, or what stands for it.
        region: Region of the promotion, for the commands that the message names.
        seconds: When the question expires.
    """

    topic: str
    region: str
    seconds: int


GatePlan = TestsGate | FindingsGate | CanaryGate | MachineGate | FunctionGate | ApprovalGate


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionPlan:
    """A promotion of one image from one channel to another.

    Attributes:
        image: Name of the image.
        from_channel: Channel whose build is promoted.
        to_channel: Channel that is moved.
        gates: What must pass before anything is moved, in order.
        waves: What is moved, in order.
        meanwhile: What a second build does.
        partition: Partition of the state machine, or what stands for it.
        notify: Whether a topic learns how it ends.
    """

    image: str
    from_channel: str
    to_channel: str
    gates: tuple[GatePlan, ...] = ()
    waves: tuple[WavePlan, ...]
    meanwhile: Meanwhile = Meanwhile.QUEUE
    partition: str = "${Partition}"
    notify: bool = True

    @property
    def places(self) -> tuple[PlacePlan, ...]:
        """All places, those of the first wave first."""
        return tuple(place for wave in self.waves for place in wave.places)

    @property
    def canaries(self) -> tuple[PlacePlan, ...]:
        """Where canaries are."""
        return tuple(gate.place for gate in self.gates if isinstance(gate, CanaryGate))

    @property
    def watches(self) -> tuple[WatchPlan, ...]:
        """All that must go well."""
        canaries = tuple(gate.watch for gate in self.gates if isinstance(gate, CanaryGate))
        return canaries + tuple(wave.watch for wave in self.waves)

    @property
    def poll_seconds(self) -> int:
        """How often an execution looks at what it waits for, so that it never looks more than ``LOOKS_MAX`` times."""
        return max(POLL_SECONDS, -(-self.seconds // LOOKS_MAX))

    @property
    def seconds(self) -> int:
        """How long an execution may take: its own parts, as long again in the queue, and a day for moving back."""
        own = sum(gate.seconds for gate in self.gates) + sum(wave.watch.seconds for wave in self.waves)
        return 2 * own + 86_400
