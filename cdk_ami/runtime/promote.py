"""Starts promotions, and answers what they ask."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from cdk_ami.runtime import lock
from cdk_ami.runtime.channel_places import promotion_parameters
from cdk_ami.runtime.channels import ChannelError
from cdk_ami.runtime.promotion.clients import Clients
from cdk_ami.runtime.promotion.handler import machine_parameter
from cdk_ami.runtime.promotion.places import held

_LOOK_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """A promotion that runs.

    Attributes:
        arn: ARN of the execution.
        since: When it was started, in ISO 8601.
        state: State it is in, by the name of its definition.
        asks: Whether it waits until somebody approves.
    """

    arn: str
    since: str
    state: str
    asks: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What the promotions to one channel do and did.

    Attributes:
        region: Region of its lock.
        channel: Name of the channel.
        running: What runs now.
        outcome: How the last one ended, as its parameter says; empty when none has ended.
        outcome_parameter: Name of that parameter; empty when there is none.
    """

    region: str
    channel: str
    running: tuple[Execution, ...]
    outcome: Mapping[str, Any]
    outcome_parameter: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who holds the lock of an image.

    Attributes:
        region: Region of the lock.
        owner: ARN of the execution, or name of the command.
        phase: What it does, ``HELD`` or ``MOVING``.
        since: Since when, in ISO 8601.
        what: The AMI that it is held for; empty when that is not known.
        why: Why, for people.
        alive: Whether it still is at work; whoever comes next undoes what a dead one has left.
    """

    region: str
    owner: str
    phase: str
    since: str
    what: str
    why: str
    alive: bool


def statuses(clients: Clients, image: str, region: str) -> list[Status]:
    """Return what the promotions of an image do and did whose lock is in ``region``, channel by channel."""
    states, machines, outcomes = clients("stepfunctions", region), {}, {}
    for name, value in promotion_parameters(clients("ssm", region), image).items():
        kind, channel = name.split("/")[-2:]
        if kind == "machines":
            machines[channel] = value
        elif kind == "outcomes":
            outcomes[channel] = (name, json.loads(value))
    return [
        Status(
            region=region,
            channel=channel,
            running=tuple(_running(states, machines[channel])) if channel in machines else (),
            outcome=outcomes.get(channel, ("", {}))[1],
            outcome_parameter=outcomes.get(channel, ("", {}))[0],
        )
        for channel in sorted({*machines, *outcomes})
    ]


def lock_of(clients: Clients, image: str, region: str, now: datetime) -> Holder | None:
    """Return who holds the lock of an image in ``region``, None when it is free."""
    record = lock.holder(clients("ssm", region), image)
    if record is None or record.phase is lock.Phase.FREE:
        return None
    alive = lock.holds(record, now, lambda arn: lock.runs(clients("stepfunctions", region), arn))
    return Holder(
        region=region,
        owner=record.owner,
        phase=record.phase,
        since=record.since,
        what=record.what,
        why=record.why,
        alive=alive,
    )


def follow(states: Any, execution: str, *, sleep: Callable[[float], object] = time.sleep) -> Iterator[str]:
    """Yield each state that an execution is seen in, and at last how it ended, with the cause where it failed."""
    seen = ""
    while True:
        found = states.describe_execution(executionArn=execution)
        if found["status"] not in {"RUNNING", "PENDING_REDRIVE"}:
            cause = found.get("cause", "")
            yield f"{found['status']}: {cause}" if cause else str(found["status"])
            return
        state = _state_of(states, execution)
        if state and state != seen:
            yield state
        seen = state
        sleep(_LOOK_SECONDS)


def _running(states: Any, machine: str) -> Iterator[Execution]:
    definition: Mapping[str, Any] = {}
    pages = states.get_paginator("list_executions").paginate(stateMachineArn=machine, statusFilter="RUNNING")
    for one in (one for page in pages for one in page["executions"]):
        definition = definition or json.loads(states.describe_state_machine(stateMachineArn=machine)["definition"])
        state = _state_of(states, one["executionArn"])
        resource = definition["States"].get(state, {}).get("Resource", "")
        yield Execution(
            arn=one["executionArn"],
            since=one["startDate"].isoformat(timespec="seconds"),
            state=state,
            asks=resource.endswith(".waitForTaskToken"),
        )


def _state_of(states: Any, execution: str) -> str:
    """Return the state that an execution entered last."""
    pages = states.get_paginator("get_execution_history").paginate(executionArn=execution, reverseOrder=True)
    names = (
        one["stateEnteredEventDetails"]["name"]
        for page in pages
        for one in page["events"]
        if "stateEnteredEventDetails" in one
    )
    return str(next(names, ""))


def find_machine(clients: Clients, regions: Sequence[str], image: str, channel: str) -> tuple[str, str]:
    """Return Region and ARN of the state machine that promotes an image to a channel.

    Raises:
        ChannelError: When there is none, or several.
    """
    name = machine_parameter(image, channel)
    found = [(region, arn) for region in regions if (arn := held(clients("ssm", region), name)[0])]
    if not found:
        looked = ", ".join(regions)
        raise ChannelError(f"no promotion of {image} to {channel} in {looked}; deploy one, or give --region or --to")
    if len(found) > 1:
        where = ", ".join(region for region, _ in found)
        raise ChannelError(f"{image} is promoted to {channel} in {where}; give one --region")
    return found[0]


def start(states: Any, machine: str, *, by: str, reason: str) -> str:
    """Start a promotion by the word of a person; return the ARN of its execution."""
    told = json.dumps({"started": "command", "by": by, "reason": reason})
    arn: str = states.start_execution(stateMachineArn=machine, input=told)["executionArn"]
    return arn


def approve(states: Any, token: str, *, by: str) -> None:
    """Answer the question of a promotion with yes."""
    states.send_task_success(taskToken=token, output=json.dumps({"by": by}))


def reject(states: Any, token: str, *, by: str, reason: str) -> None:
    """Answer the question of a promotion with no."""
    states.send_task_failure(taskToken=token, error="Rejected", cause=f"{by} rejected it: {reason}")


def caller(sts: Any) -> str:
    """Return the ARN of whoever calls."""
    arn: str = sts.get_caller_identity()["Arn"]
    return arn
