"""Moves a channel back to what it held before, in every place or in none, under the lock of its image."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final
from uuid import uuid4

from botocore.exceptions import ClientError

from cdk_ami.naming import channel_parameter
from cdk_ami.runtime import lock
from cdk_ami.runtime.channel_places import lock_note, versions_of
from cdk_ami.runtime.channels import ChannelError, amis_by_id, build_of
from cdk_ami.runtime.promotion import decide, places
from cdk_ami.runtime.promotion.clients import Clients
from cdk_ami.runtime.promotion.decide import VerdictError
from cdk_ami.runtime.promotion.handler import outcome_parameter, was_through
from cdk_ami.runtime.way_back import Past, Step, Version, left_behind, steps_back

_LOOK_SECONDS: Final = 2.0

_REFUSED_MAX: Final = 150
"""How many AMIs an outcome refuses at most: a parameter holds 8 KB."""

Sleep = Callable[[float], object]


def roll_back(
    chosen: Sequence[Mapping[str, Any]],
    clients: Clients,
    *,
    image: str,
    channel: str,
    home: str,
    by: str,
    reason: str,
    to: str = "",
    dry_run: bool = False,
    sleep: Sleep = time.sleep,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> list[Step]:
    """Move the channel back in all places or in none, and return what was moved.

    The builds that it held are refused from now on, so that no promotion brings them back by itself.

    Args:
        chosen: The places.
        clients: Makes clients.
        image: Name of the image.
        channel: Name of the channel.
        home: Region that holds the lock.
        by: Who asks, by ARN.
        reason: Why.
        to: AMI or version to go to.  Default: what the channel held before the last move that stood.
        dry_run: Whether only to check and tell what would be moved.
        sleep: Waits between looks.
        now: Tells the time.

    Raises:
        ChannelError: When somebody else holds the lock, or the channel cannot be moved.
    """
    ssm, owner = clients("ssm", home), f"cdk-ami:{by}:{uuid4()}"
    if dry_run:
        journal = _left(ssm, clients, home, image, now)
        if not to:
            _be_content(journal, image, channel, "would be moved back, and nothing more")
        return _plan(chosen, clients, image, channel, ssm, to, journal)[0]
    undone = _take(ssm, clients, home, image, owner, reason, sleep, now)
    try:
        if not to:
            _be_content(undone, image, channel, "was moved back, and nothing more was done")
        steps, refused = _plan(chosen, clients, image, channel, ssm, to, ())
    except Exception:
        lock.release(ssm, image, owner, now=now())
        raise
    if not steps:
        lock.release(ssm, image, owner, now=now())
        return []
    journal = [
        {"region": one.region, "account": one.account, "role": one.role, "wave": 0, "channel": channel,
         "ami": one.back_to, "before": one.held}
        for one in steps
    ]  # fmt: skip
    if not lock.begin_moving(ssm, image, owner, journal, now=now(), lease=lock.LEASE):
        raise ChannelError(f"somebody else took the lock of {image}; nothing was moved")
    end = lock_note(by.split(":")[4], home)
    try:
        for change in journal:
            note = decide.ended(f"rolled back from {change['before']} by {by}; because {reason}", end)
            _until(partial(_move, clients, change, image, note), sleep)
    except VerdictError as error:
        _undo(clients, list(reversed(journal)), image, sleep, end)
        lock.release(ssm, image, owner, now=now())
        raise ChannelError(f"{error}; every Region holds again what it held") from error
    record = {
        "state": decide.ROLLED_BACK,
        "what": steps[0].held,
        "amis": refused,
        "reason": reason,
        "at": now().isoformat(timespec="seconds"),
        "by": by,
    }
    ssm.put_parameter(
        Name=outcome_parameter(image, channel),
        Value=json.dumps(record),
        Type="String",
        Tier="Intelligent-Tiering",
        Overwrite=True,
        Description=f"How the last promotion of {image} to {channel} ended",
    )
    lock.release(ssm, image, owner, now=now())
    return steps


def _plan(  # noqa: PLR0917 - all that is decided from
    chosen: Sequence[Mapping[str, Any]],
    clients: Clients,
    image: str,
    channel: str,
    ssm: Any,
    to: str,
    journal: Sequence[Mapping[str, Any]],
) -> tuple[list[Step], list[str]]:
    """Return what to move, and all AMIs that are refused afterwards.

    Raises:
        ChannelError: Naming each place that keeps the others where they are.
    """
    pasts, failed = [], []
    for place in chosen:
        try:
            pasts.append(_past(clients, place, image, channel, journal))
        except ChannelError as error:
            failed.append(str(error))
    if failed:
        raise ChannelError("; ".join(failed))
    value = places.held(ssm, outcome_parameter(image, channel))[0]
    last = json.loads(value) if value else {}
    refused = []
    if last.get("state") in {decide.REFUSED, decide.ROLLED_BACK}:
        refused = list(dict.fromkeys([last.get("what", ""), *last.get("amis", ())]))
    steps = steps_back(pasts, channel_parameter(image, channel), to=to, refused=refused)
    wanted = {one.back_to for one in steps}
    also = [ami for ami in refused if ami and ami not in wanted]
    return steps, list(dict.fromkeys([*left_behind(steps, pasts), *also]))[:_REFUSED_MAX]


def _past(
    clients: Clients, place: Mapping[str, Any], image: str, channel: str, journal: Sequence[Mapping[str, Any]]
) -> Past:
    """Read what a channel has held in one place, as it is when what a dead holder left half moved has been undone.

    Raises:
        ChannelError: When there is no such channel, or another account does not let the caller in.
    """
    region, role, where = place["region"], place["role"], decide.place_name(place)
    try:
        found = versions_of(clients("ssm", region, role), image, channel)
        amis = amis_by_id(clients("ec2", region, role), [one["Value"] for one in found]) if found else {}
    except ClientError as error:
        if not role:
            raise
        raise ChannelError(f"{where}: {error}; be let in there, or give --only to leave it where it is") from error
    if not found:
        raise ChannelError(f"{where}: {channel_parameter(image, channel)} does not exist")
    versions, before = [], ""
    for one in found:
        note = one.get("Description", "")
        ami = amis.get(one["Value"], {})
        # A description stays until somebody writes another one, so one that stays is no note on this version.
        told = "" if note == before else note
        versions.append(Version(ami=one["Value"], build=build_of(ami), state=ami.get("State", ""), note=told))
        before = note
    for change in journal:
        here = (change["region"], change["role"], change["channel"]) == (region, role, channel)
        if here and change["before"] and versions[-1].ami == change["ami"]:
            undone = next((one for one in reversed(versions) if one.ami == change["before"]), Version(change["before"]))
            versions.append(undone._replace(note=f"back to {undone.ami} from {change['ami']}"))
    return Past(place=place, versions=versions)


def _left(
    ssm: Any, clients: Clients, home: str, image: str, now: Callable[[], datetime]
) -> Sequence[Mapping[str, Any]]:
    """Return what a dead holder of the lock left half moved.

    Raises:
        ChannelError: When somebody holds the lock.
    """
    record = lock.holder(ssm, image)
    if record is None:
        return ()
    if lock.holds(record, now(), partial(lock.runs, clients("stepfunctions", home))):
        raise ChannelError(_held_by(record, image))
    if record.phase is not lock.Phase.MOVING or was_through(ssm, image, record.journal, record.heir_of or record.owner):
        return ()
    return record.journal


def _be_content(journal: Sequence[Mapping[str, Any]], image: str, channel: str, done: str) -> None:
    """Stop where the channel goes back by what a dead holder left: one step more would be one too many.

    Raises:
        ChannelError: When that is so, with what has been done.
    """
    half = [decide.place_name(change) for change in journal if change["channel"] == channel]
    if half:
        raise ChannelError(
            f"{channel} of {image} was left half moved in {', '.join(half)}: that {done}; look at it, and roll back "
            "again where that is not enough"
        )


def _held_by(record: lock.Record, image: str) -> str:
    return (
        f"{record.owner} holds the lock of {image} since {record.since} and is {record.phase.lower()}; "
        "wait for it, or stop its execution and try again"
    )


def _take(  # noqa: PLR0917 - all that a lock needs
    ssm: Any,
    clients: Clients,
    home: str,
    image: str,
    owner: str,
    reason: str,
    sleep: Sleep,
    now: Callable[[], datetime],
) -> list[Mapping[str, Any]]:
    """Take the lock, first undo what a dead holder was moving, and return what that was.

    Raises:
        ChannelError: When somebody else holds it.
    """
    states, undone = clients("stepfunctions", home), list[Mapping[str, Any]]()
    while True:
        taken = lock.acquire(
            ssm,
            image,
            owner,
            now=now(),
            alive=lambda arn: lock.runs(states, arn),
            why=reason,
            lease=lock.LEASE,
        )
        if isinstance(taken, lock.Record):
            raise ChannelError(_held_by(taken, image))
        if not taken.journal:
            return undone
        if not was_through(ssm, image, taken.journal, taken.heir_of):
            newest_first = list(reversed(taken.journal))
            _undo(clients, newest_first, image, sleep, lock_note(owner.split(":")[5], home))
            undone += newest_first
        lock.release(ssm, image, owner, now=now())


def _move(
    clients: Clients, change: Mapping[str, Any], image: str, note: str, done: Mapping[str, Any]
) -> dict[str, Any]:
    ssm = clients("ssm", change["region"], change["role"])
    return places.move(ssm, change, image=image, note=note, attempt=done.get("attempt", 0))


def _undo(clients: Clients, changes: Sequence[Mapping[str, Any]], image: str, sleep: Sleep, end: str) -> None:
    for change in changes:
        note = decide.ended(f"back to {change['before']} from {change['ami']}", end)
        _until(partial(_move_back, clients, change, image, note), sleep)


def _move_back(
    clients: Clients, change: Mapping[str, Any], image: str, note: str, done: Mapping[str, Any]
) -> dict[str, Any]:
    return places.restore(
        clients("ssm", change["region"], change["role"]),
        change,
        image=image,
        note=note,
        attempt=done.get("attempt", 0),
        base=done.get("base", -1),
        force=False,
    )


def _until(step: Callable[[Mapping[str, Any]], dict[str, Any]], sleep: Sleep) -> None:
    """Repeat a step until what it writes stands."""
    answer = step({})
    while not answer["stands"]:
        sleep(_LOOK_SECONDS)
        answer = step(answer)
