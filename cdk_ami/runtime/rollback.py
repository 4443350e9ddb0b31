"""Moves a channel back to what it held before, in every Region or in none, under the lock of its image."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final
from uuid import uuid4

from cdk_ami.naming import channel_parameter
from cdk_ami.runtime import lock
from cdk_ami.runtime.channels import ChannelError
from cdk_ami.runtime.promotion import decide, places
from cdk_ami.runtime.promotion.clients import Clients
from cdk_ami.runtime.promotion.decide import VerdictError
from cdk_ami.runtime.promotion.handler import outcome_parameter
from cdk_ami.runtime.regions import RegionClients

_LOOK_SECONDS: Final = 2.0

Sleep = Callable[[float], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What a rollback does in one Region.

    Attributes:
        region: Region.
        held: The AMI that the channel holds.
        back_to: The AMI that it held before.
        build: ARN of the build that made that AMI; empty when no tag says so.
        note: What was noted when the channel was moved to the AMI it holds; empty for nothing.
    """

    region: str
    held: str
    back_to: str
    build: str
    note: str


def plan_step(clients: RegionClients, image: str, channel: str) -> Step:
    """Return what a rollback would do in one Region.

    Raises:
        ChannelError: When the channel has held nothing before, or the AMI it held is gone.
    """
    name = channel_parameter(image, channel)
    if places.held(clients.ssm, name)[1] == 0:
        raise ChannelError(f"{name} does not exist")
    pages = clients.ssm.get_paginator("get_parameter_history").paginate(Name=name)
    versions = [one for page in pages for one in page["Parameters"]]
    held = versions[-1]["Value"]
    since = next((one for one in reversed(versions) if one["Value"] != held), None)
    if since is None:
        raise ChannelError(f"{name} has never held another AMI than {held}; name the Regions to move with --region")
    state, build = places.describe(clients.ec2, since["Value"])
    if state != "available":
        raise ChannelError(
            f"{since['Value']}, which {name} held before, {f'is {state}' if state else 'does not exist'}"
        )
    moved = next(one for one in versions if one["Version"] > since["Version"])
    return Step(
        region=clients.region,
        held=held,
        back_to=since["Value"],
        build=build,
        note=moved.get("Description", ""),
    )


def find_home(clients: Sequence[RegionClients], image: str) -> str:
    """Return the Region that holds the lock of an image: that of its promotions, the first where there are none.

    Raises:
        ChannelError: When several do.
    """
    path = channel_parameter(image, "promotion")
    having = [
        one.region
        for one in clients
        if one.ssm.get_parameters_by_path(Path=path, Recursive=True, MaxResults=1)["Parameters"]
    ]
    if len(having) > 1:
        raise ChannelError(f"{image} has promotions in {', '.join(having)}; name the Region of its builds with --home")
    return having[0] if having else clients[0].region


def roll_back(
    steps: Sequence[Step],
    clients: Clients,
    *,
    image: str,
    channel: str,
    home: str,
    by: str,
    reason: str,
    sleep: Sleep = time.sleep,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> None:
    """Move the channel back as planned, in all Regions or in none.

    The AMIs that it held are refused from now on, so that no promotion brings them back by itself.

    Args:
        steps: What to do.
        clients: Makes clients.
        image: Name of the image.
        channel: Name of the channel.
        home: Region that holds the lock.
        by: Who asks, by ARN.
        reason: Why.
        sleep: Waits between looks.
        now: Tells the time.

    Raises:
        ChannelError: When somebody else holds the lock, or the channel could not be moved.
    """
    ssm, owner = clients("ssm", home), f"cdk-ami:{by}:{uuid4()}"
    _take(ssm, clients, home, image, owner, reason, sleep, now)
    journal = [
        {"region": one.region, "account": "", "role": "", "wave": 0, "channel": channel, "ami": one.back_to,
         "before": one.held}
        for one in steps
    ]  # fmt: skip
    if not lock.begin_moving(ssm, image, owner, journal, now=now(), lease=lock.LEASE):
        raise ChannelError(f"somebody else took the lock of {image}; nothing was moved")
    note = f"rolled back by {by}; because {reason}"[: decide.NOTE_MAX]
    try:
        for change in journal:
            _until(partial(_move, clients, change, image, note), sleep)
    except VerdictError as error:
        _undo(clients, list(reversed(journal)), image, sleep)
        lock.release(ssm, image, owner, now=now())
        raise ChannelError(f"{error}; every Region holds again what it held") from error
    record = {
        "state": decide.ROLLED_BACK,
        "what": steps[0].held,
        "amis": [one.held for one in steps],
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


def _take(  # noqa: PLR0917 - all that a lock needs
    ssm: Any,
    clients: Clients,
    home: str,
    image: str,
    owner: str,
    reason: str,
    sleep: Sleep,
    now: Callable[[], datetime],
) -> None:
    """Take the lock, and first undo what a dead holder was moving.

    Raises:
        ChannelError: When somebody else holds it.
    """
    states = clients("stepfunctions", home)
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
            raise ChannelError(
                f"{taken.owner} holds the lock of {image} since {taken.since} and is {taken.phase.lower()}; "
                "wait for it, or stop its execution and try again"
            )
        if not taken.journal:
            return
        _undo(clients, list(reversed(taken.journal)), image, sleep)
        lock.release(ssm, image, owner, now=now())


def _move(
    clients: Clients, change: Mapping[str, Any], image: str, note: str, done: Mapping[str, Any]
) -> dict[str, Any]:
    ssm = clients("ssm", change["region"], change["role"])
    return places.move(ssm, change, image=image, note=note, attempt=done.get("attempt", 0))


def _undo(clients: Clients, changes: Sequence[Mapping[str, Any]], image: str, sleep: Sleep) -> None:
    for change in changes:
        _until(partial(_move_back, clients, change, image), sleep)


def _move_back(clients: Clients, change: Mapping[str, Any], image: str, done: Mapping[str, Any]) -> dict[str, Any]:
    return places.restore(
        clients("ssm", change["region"], change["role"]),
        change,
        image=image,
        note=f"back to {change['before']} from {change['ami']}",
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
