"""The lock of an image: who may move its channels.

Parameter Store has no conditional write, but creates a name only once: ``PutParameter`` without ``Overwrite``.  So the
lock is a list of numbered records that are created and never changed; the one with the highest number says who holds
it.  Whoever wants to change that creates the next number, and of all who try, one succeeds.  A call whose answer was
lost finds its own record when it tries again.  ``docs/decisions/0027-a-lock-of-numbered-parameters.md`` weighs it.

The records stand in the Region that builds the image.  Each step takes its client first; none waits.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from botocore.exceptions import ClientError

from cdk_ami.naming import channel_parameter

KEPT: Final = timedelta(days=1)
"""How long a record outlives its successor.  No caller is that slow, so a number that is free again is never taken."""

LEASE: Final = timedelta(minutes=15)
"""How long a command may hold the lock; an execution holds it for as long as it runs."""

_DELETED_AT_ONCE: Final = 10
"""https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DeleteParameters.html, read 2026-11-28"""


class Phase(StrEnum):
    """What the holder does."""

    FREE = "FREE"
    """Nobody holds the lock."""

    HELD = "HELD"
    """Nothing has been moved yet: the holder may be superseded."""

    MOVING = "MOVING"
    """Channels are being moved as the journal says.  Whoever succeeds a dead holder first undoes that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record of the list.

    Attributes:
        number: Its place in the list, from 1.
        owner: ARN of the execution, or what names a command, such as ``cdk-ami:arn:aws:iam::123456789012:user/ann``.
        phase: What the owner does.
        since: When the record was made, in ISO 8601, UTC.
        until: When a command's hold ends; empty for an execution, which holds while it runs.
        why: For people.
        what: The AMI that it is held for; empty when that is not known.
        heir_of: Who died and left the journal; empty while it is the owner's own.
        journal: What MOVING moves: for each place what it held before.
    """

    number: int
    owner: str
    phase: Phase
    since: str
    until: str = ""
    why: str = ""
    what: str = ""
    heir_of: str = ""
    journal: tuple[Mapping[str, Any], ...] = ()

    def text(self) -> str:
        """Return the value of its parameter."""
        members = {name: value for name, value in asdict(self).items() if value and name != "number"}
        return json.dumps(members, separators=(",", ":"))

    @classmethod
    def read(cls, number: int, text: str) -> Record:
        """Return the record that a parameter holds."""
        members = json.loads(text)
        journal = tuple(members.pop("journal", ()))
        return cls(number=number, phase=Phase(members.pop("phase")), journal=journal, **members)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The lock is the caller's.

    Attributes:
        number: Number of its record.
        journal: What a dead holder was moving, to be undone before anything else; empty for nothing.
        heir_of: Whose journal that is.
        superseded: The holder that had to give way, or None.
    """

    number: int
    journal: tuple[Mapping[str, Any], ...] = ()
    heir_of: str = ""
    superseded: str | None = None


def lock_path(image: str) -> str:
    """Return under which the records of the lock of ``image`` stand."""
    return f"{channel_parameter(image, 'promotion')}/lock"


def holder(ssm: Any, image: str) -> Record | None:
    """Return the record that counts, None when the lock has never been taken."""
    return max((found[0] for found in _records(ssm, image)), key=lambda record: record.number, default=None)


def acquire(
    ssm: Any,
    image: str,
    owner: str,
    *,
    now: datetime,
    alive: Callable[[str], bool],
    why: str = "",
    lease: timedelta | None = None,
    supersede: str | None = None,
    what: str = "",
) -> Taken | Record:
    """Take the lock, or return the record of who holds it.

    Args:
        ssm: Client of Systems Manager in the Region that builds the image.
        image: Name of the image.
        owner: Who asks.  Asking again returns the same.
        now: The time.
        alive: Whether the execution of that ARN still runs.
        why: For people.
        lease: How long a command holds it.  Default: the owner is an execution, which holds it while it runs.
        supersede: What the name of a holder begins with that must give way while it has moved nothing yet, such as
            the ARN of a state machine's executions.  Default: none must.
        what: The AMI that it is taken for, for others to know.
    """
    while True:
        last = holder(ssm, image)
        superseded = None
        if last is not None and last.phase is not Phase.FREE:
            if last.owner == owner:
                return Taken(number=last.number, journal=last.journal, heir_of=last.heir_of)
            if holds(last, now, alive):
                if supersede is None or last.phase is not Phase.HELD or not last.owner.startswith(supersede):
                    return last
                superseded = last.owner
        dead = last if last is not None and last.phase is Phase.MOVING else None
        claim = Record(
            number=1 if last is None else last.number + 1,
            owner=owner,
            phase=Phase.HELD if dead is None else Phase.MOVING,
            since=_stamp(now),
            until="" if lease is None else _stamp(now + lease),
            why=why,
            what=what,
            heir_of="" if dead is None else dead.heir_of or dead.owner,
            journal=() if dead is None else dead.journal,
        )
        if _create(ssm, image, claim):
            return Taken(number=claim.number, journal=claim.journal, heir_of=claim.heir_of, superseded=superseded)


def begin_moving(
    ssm: Any,
    image: str,
    owner: str,
    journal: Sequence[Mapping[str, Any]],
    *,
    now: datetime,
    lease: timedelta | None = None,
) -> bool:
    """Write down what is about to be moved, and return whether ``owner`` still holds the lock.

    From here on it cannot be superseded, and what it leaves undone is undone by whoever comes after it.  A command
    begins its ``lease`` anew.
    """
    while True:
        last = holder(ssm, image)
        if last is None or last.owner != owner or last.phase is Phase.FREE:
            return False
        if last.phase is Phase.MOVING:
            return True
        claim = Record(
            number=last.number + 1,
            owner=owner,
            phase=Phase.MOVING,
            since=_stamp(now),
            until="" if lease is None else _stamp(now + lease),
            why=last.why,
            what=last.what,
            journal=tuple(journal),
        )
        if _create(ssm, image, claim):
            return True


def release(ssm: Any, image: str, owner: str, *, now: datetime) -> bool:
    """Give the lock back, and return whether it was the caller's; records that nobody needs any more are deleted."""
    while True:
        last = holder(ssm, image)
        if last is None or last.owner != owner or last.phase is Phase.FREE:
            return False
        free = Record(number=last.number + 1, owner=owner, phase=Phase.FREE, since=_stamp(now), why=last.why)
        if _create(ssm, image, free):
            _sweep(ssm, image, free.number, now)
            return True


def runs(states: Any, execution: str) -> bool:
    """Return whether an execution of a state machine runs.

    Args:
        states: Client of Step Functions in the execution's Region.
        execution: Its ARN.
    """
    try:
        status: str = states.describe_execution(executionArn=execution)["status"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ExecutionDoesNotExist":  # it ended long ago
            return False
        raise
    return status in {"RUNNING", "PENDING_REDRIVE"}


def holds(record: Record, now: datetime, alive: Callable[[str], bool]) -> bool:
    """Tell whether the owner of a record still holds the lock."""
    if record.phase is Phase.FREE:
        return False
    if record.until:
        return datetime.fromisoformat(record.until) > now
    return alive(record.owner)


def _create(ssm: Any, image: str, record: Record) -> bool:
    """Create a record, and return whether its number was still free."""
    try:
        ssm.put_parameter(
            Name=f"{lock_path(image)}/{record.number:08d}",
            Value=record.text(),
            Type="String",
            # A journal of many places is longer than the 4 KB of the free tier.
            Tier="Intelligent-Tiering",
            Description=f"Lock of the channels of the golden image {image}",
        )
    except ClientError as error:
        if error.response["Error"]["Code"] == "ParameterAlreadyExists":  # someone was quicker, or this caller before
            return False
        raise
    return True


def _records(ssm: Any, image: str) -> list[tuple[Record, datetime]]:
    pages = ssm.get_paginator("get_parameters_by_path").paginate(Path=lock_path(image))
    return [
        (Record.read(int(found["Name"].rpartition("/")[2]), found["Value"]), found["LastModifiedDate"])
        for page in pages
        for found in page["Parameters"]
    ]


def _sweep(ssm: Any, image: str, last: int, now: datetime) -> None:
    by_number = {record.number: made for record, made in _records(ssm, image)}
    old = sorted(
        number
        for number in by_number
        if number < last and number + 1 in by_number and by_number[number + 1] + KEPT < now
    )
    for start in range(0, len(old), _DELETED_AT_ONCE):
        names = [f"{lock_path(image)}/{number:08d}" for number in old[start : start + _DELETED_AT_ONCE]]
        ssm.delete_parameters(Names=names)


def _stamp(when: datetime) -> str:
    return when.isoformat(timespec="seconds")
