"""What a promotion decides from what it has read; pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from cdk_ami.fleet.rollout_state import RolloutPhase, RolloutState

COMMAND: Final = "command"
"""Who started it: a person.  What was refused before is tried again only then."""

RECONCILE: Final = "reconcile"
"""Who started it: the clock, in case an event was lost."""

RECOVER: Final = "recover"
"""Who started it: the clock, only to move back what a dead execution has left."""

REFUSED: Final = "REFUSED"
ROLLED_BACK: Final = "ROLLED_BACK"
PROMOTED: Final = "PROMOTED"
INTERRUPTED: Final = "INTERRUPTED"

NOTE_MAX: Final = 1024
"""How long a parameter's description may be.
https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html, read 2026-11-28"""


class VerdictError(Exception):
    """Why a promotion ends: no attempt more would change it."""


class Found(NamedTuple):
    """What was found in one place.

    Attributes:
        place: Region, account, role and wave, as the definition names them.
        source: AMI of the channel that is promoted from; empty when there is none.
        held: AMI of the channel that is moved; empty when there is none.
        state: State of the source's AMI; empty when it does not exist there.
        build: ARN of the build that made it; empty when it has no tag that says so.
    """

    place: Mapping[str, Any]
    source: str
    held: str = ""
    state: str = ""
    build: str = ""


def nothing_to_do(
    found: Sequence[Found], *, started: str, last: Mapping[str, Any], promoting: str | None, to_channel: str
) -> str:
    """Return why an execution has nothing to do, empty when it has.

    Args:
        found: What the channels hold, the first place first.
        started: What started it.
        last: How the last promotion to that channel ended.
        promoting: The AMI, in the first place, that another execution is promoting; None when there is none.
        to_channel: Name of the channel that is moved.
    """
    what = found[0].source
    asked = started == COMMAND
    reasons = (
        (started == RECOVER, "no execution has died"),
        (not any(one.source for one in found), "the channel that is promoted from does not exist yet"),
        (all(one.source == one.held for one in found), f"{to_channel} holds that build already"),
        (
            not asked
            and what in {last.get("what"), *last.get("amis", ())}
            and last.get("state") in {REFUSED, ROLLED_BACK},
            f"{what} was refused before: {last.get('reason', '')}; only a command tries again",
        ),
        (promoting == what, f"{what} is being promoted already"),
        (
            promoting is not None and started == RECONCILE,
            f"{promoting} is being promoted; the next look comes by itself",
        ),
    )
    return next((reason for applies, reason in reasons if applies), "")


def not_ready(found: Sequence[Found]) -> str:
    """Return why the AMIs of the source cannot be promoted yet, empty when they can."""
    for one in found:
        where = place_name(one.place)
        if not one.source:
            return f"the channel that is promoted from does not exist in {where}"
        if not one.state:
            return f"{one.source} does not exist in {where}"
        if one.state != "available":
            return f"{one.source} in {where} is {one.state}"
    builds = {one.build: place_name(one.place) for one in found if one.build}
    if len(builds) > 1:
        told = ", ".join(f"{build} in {where}" for build, where in builds.items())
        return f"the channel holds different builds: {told}"
    return ""


def moves_of(found: Sequence[Found], channel: str) -> list[dict[str, Any]]:
    """Return what is to be moved: one entry for each place, with what it held before."""
    return [{**one.place, "channel": channel, "ami": one.source, "before": one.held} for one in found]


class Watched(NamedTuple):
    """What one look at a wave says.

    Attributes:
        done: Whether the wave is through.
        baking: Since when all of it has been well, in ISO 8601; empty while it is not.
        waiting: What is waited for.
    """

    done: bool
    baking: str
    waiting: str


class FleetSeen(NamedTuple):
    """A fleet and what its rollout says; None when it says nothing."""

    name: str
    place: str
    ami: str
    version: int
    state: RolloutState | None


def watch(
    fleets: Sequence[FleetSeen],
    *,
    sick: Sequence[str],
    now: datetime,
    since: datetime,
    baking: str,
    bake: timedelta,
    patience: timedelta,
) -> Watched:
    """Tell how far a wave is.

    Args:
        fleets: The fleets that it waits for.
        sick: What is not well, in words.
        now: The time.
        since: When the wave was moved.
        baking: What the look before said.
        bake: How long all of it must be well after the fleets are through.
        patience: How long the fleets may take.

    Raises:
        VerdictError: When it has failed, with the reason.
    """
    if sick:
        raise VerdictError("; ".join(sick))
    waiting = ""
    for fleet in fleets:
        verdict = _of_fleet(fleet)
        if verdict is not None:
            waiting = waiting or verdict
    if waiting and baking:
        raise VerdictError(f"{waiting}, after it had been well")
    if waiting:
        if now - since >= patience:
            raise VerdictError(f"{waiting} after {_minutes(patience)}")
        return Watched(done=False, baking="", waiting=waiting)
    start = datetime.fromisoformat(baking) if baking else now
    left = bake - (now - start)
    if left > timedelta(0):
        return Watched(done=False, baking=start.isoformat(), waiting=f"all is well, {_minutes(left)} to go")
    return Watched(done=True, baking=start.isoformat(), waiting="")


def _of_fleet(fleet: FleetSeen) -> str | None:
    """Return what is waited for, None when the fleet is through.

    Raises:
        VerdictError: When the fleet has failed.
    """
    name, state = f"the fleet {fleet.name} in {fleet.place}", fleet.state
    if state is None:
        return f"{name} has never reported"
    if state.version < fleet.version or state.ami != fleet.ami:
        return f"{name} has not begun"
    if state.state is RolloutPhase.SUCCEEDED:
        return None
    if state.ended:
        told = "rolled back" if state.state is RolloutPhase.ROLLED_BACK else "failed"
        raise VerdictError(f"{name} {told}: {state.reason or 'it gave no reason'}")
    told = f": {state.reason}" if state.reason else ""
    return f"{name} is {state.state.lower()}{told}"


def reason_of(failure: Mapping[str, Any]) -> str:
    """Return in plain words why a state failed, from what a catcher was given."""
    if not failure:
        return ""
    error, cause = str(failure.get("Error", "")), str(failure.get("Cause", ""))
    try:
        told = json.loads(cause)
    except json.JSONDecodeError:
        told = None
    if isinstance(told, dict) and "errorMessage" in told:
        cause = str(told["errorMessage"])
    if error == "States.Timeout":
        return f"it took too long{f': {cause}' if cause else ''}"
    return cause or error or "nobody said why"


class Told(NamedTuple):
    """What people are told about the end of a promotion."""

    state: str
    image: str
    channel: str
    what: str
    build: str
    reason: str
    whole: bool

    @property
    def subject(self) -> str:
        """Subject of the message, at most 100 characters of one line.

        https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
        """
        return f"cdk-ami: {self._verb}"[:100]

    @property
    def sentence(self) -> str:
        """How it ended, and why."""
        return f"{self._verb}: {self.reason}" if self.reason else f"{self._verb}."

    @property
    def _verb(self) -> str:
        channel = f"{self.channel} of {self.image}"
        if not self.whole:
            return f"{channel} is HALF MOVED to {self.what}, and will be moved back by the next look"
        return {
            PROMOTED: f"{channel} now holds {self.what}",
            REFUSED: f"{channel} was not moved to {self.what}",
            ROLLED_BACK: f"{channel} was moved back from {self.what}",
            INTERRUPTED: f"{channel} was moved back from {self.what}, whose promotion was interrupted",
        }[self.state]


def line_of(one: Mapping[str, Any]) -> str:
    """Return what became of moving one place back."""
    move = one["move"]
    before = move["before"] or "nothing"
    if "failure" in one:
        return f"{place_name(move)}: could not be moved back to {before}: {reason_of(one['failure'])}"
    return f"{place_name(move)}: holds {before} again"


def note(*, from_channel: str, what: str, by: str, reason: str, before: str, execution: str) -> str:
    """Return the description of a version of a channel: who, when being the version's own date, why and from what."""
    was = f"was {before}" if before else "was new"
    return ended(f"{what} from {from_channel}; {was}; by {by}; because {reason}", f"; {execution}")


def ended(text: str, end: str) -> str:
    """Return a description that is cut before its end: from the end the lock can be found again."""
    return text[: NOTE_MAX - len(end)] + end


def place_name(place: Mapping[str, Any]) -> str:
    """Return how people call a place."""
    account = place.get("account")
    return f"{place['region']} of {account}" if account else str(place["region"])


def _minutes(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    return f"{seconds // 60} minutes" if seconds >= 120 else f"{seconds} seconds"  # noqa: PLR2004 - two minutes
