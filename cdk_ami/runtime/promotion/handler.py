"""The function of a promotion: each event names one step."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final

from botocore.exceptions import ClientError

from cdk_ami.fleet.rollout_state import parse, rollout_parameter
from cdk_ami.naming import channel_parameter
from cdk_ami.runtime import lock
from cdk_ami.runtime.promotion import decide, places
from cdk_ami.runtime.promotion.clients import Clients, make_clients
from cdk_ami.runtime.promotion.decide import Found, VerdictError

Event = Mapping[str, Any]

PLAN_LOOKS: Final = 60
"""A build whose AMIs are not everywhere after so many looks, one a minute, is refused."""


def handle(event: Event, _context: object) -> dict[str, Any]:
    """Take one step."""
    return act(event, _kept_clients())


@cache
def _kept_clients() -> Clients:
    return make_clients()


def act(event: Event, clients: Clients) -> dict[str, Any]:
    """Take the step that ``event`` names, with the clients given."""
    return _STEPS[event["step"]](event, clients)


def outcome_parameter(image: str, channel: str) -> str:
    """Return the parameter that says how the last promotion to ``channel`` ended."""
    return f"{channel_parameter(image, 'promotion')}/outcomes/{channel}"


def machine_parameter(image: str, channel: str) -> str:
    """Return the parameter that names the state machine of the promotion to ``channel``."""
    return f"{channel_parameter(image, 'promotion')}/machines/{channel}"


def _look(event: Event, clients: Clients) -> dict[str, Any]:
    """Tell whether there is anything to do, before the lock is asked for."""
    ssm, image = clients("ssm"), event["image"]
    record, now = lock.holder(ssm, image), datetime.fromisoformat(event["now"])
    held = record is not None and lock.holds(record, now, lambda arn: lock.runs(clients("stepfunctions"), arn))
    found = list(_found(event, clients))
    if record is not None and record.phase is lock.Phase.MOVING and not held:
        # A dead execution left channels half moved.
        return {"what": found[0].source, "work": True, "reason": ""}
    reason = decide.nothing_to_do(
        found,
        started=event["started"],
        last=_outcome(ssm, image, event["to"]),
        promoting=record.what if record is not None and held else None,
        to_channel=event["to"],
    )
    return {"what": found[0].source, "work": not reason, "reason": reason}


def _lock(event: Event, clients: Clients) -> dict[str, Any]:
    owner, states = event["owner"], clients("stepfunctions")
    taken = lock.acquire(
        clients("ssm"),
        event["image"],
        owner,
        now=datetime.fromisoformat(event["now"]),
        alive=lambda arn: lock.runs(states, arn),
        why=event["why"],
        what=event["what"],
        # Only executions of the same machine give way: another promotion of the image has a purpose of its own.
        supersede=f"{owner.rpartition(':')[0]}:" if event["supersede"] else None,
    )
    if isinstance(taken, lock.Record):
        return {"taken": False, "by": taken.owner}
    if taken.journal and was_through(clients("ssm"), event["image"], taken.journal, taken.heir_of):
        # It died between its last word and giving the lock back: there is nothing to move back.
        lock.release(clients("ssm"), event["image"], owner, now=datetime.fromisoformat(event["now"]))
        return _lock(event, clients)
    if taken.superseded:
        _stop(states, taken.superseded, owner)
    # The newest wave comes last in a journal, and is undone first.
    return {
        "taken": True,
        "recover": bool(taken.journal),
        "journal": list(reversed(taken.journal)),
        "heir_of": taken.heir_of,
    }


def was_through(ssm: Any, image: str, journal: Sequence[Mapping[str, Any]], dead: str) -> bool:
    """Tell whether the dead execution that left a journal had promoted all of it: it is not half moved."""
    last = _outcome(ssm, image, journal[0]["channel"])
    return last.get("state") == decide.PROMOTED and last.get("execution") == dead


def _stop(states: Any, execution: str, by: str) -> None:
    try:
        states.stop_execution(executionArn=execution, error="Superseded", cause=f"a newer build came: {by}")
    except ClientError as error:
        if error.response["Error"]["Code"] != "ExecutionDoesNotExist":  # it has ended by itself
            raise


def _unlock(event: Event, clients: Clients) -> dict[str, Any]:
    now = datetime.fromisoformat(event["now"])
    return {"released": lock.release(clients("ssm"), event["image"], event["owner"], now=now)}


def _plan(event: Event, clients: Clients) -> dict[str, Any]:
    """Read what is to be moved, under the lock."""
    found = list(_found(event, clients))
    canaries = [
        places.look(
            clients("ssm", place["region"], place["role"]),
            clients("ec2", place["region"], place["role"]),
            place,
            image=event["image"],
            source=event["from"],
            target=event["from"],
        )
        for place in event["canaries"]
    ]
    answer: dict[str, Any] = {"attempt": event["attempt"] + 1, "state": "READY", "reason": ""}
    if found and all(one.source == one.held for one in found):
        return {**answer, "state": "NOTHING", "reason": f"{event['to']} holds that build already"}
    reason = decide.not_ready([*found, *canaries])
    if reason:
        if event["attempt"] >= PLAN_LOOKS:
            raise VerdictError(reason)
        return {**answer, "state": "WAIT", "reason": reason}
    moves = decide.moves_of(found, event["to"])
    waves = [[move for move in moves if move["wave"] == wave] for wave in range(event["waves"])]
    return {
        **answer,
        "what": found[0].source,
        "build": next((one.build for one in found if one.build), ""),
        "waves": waves,
        "journal": moves,
        # In the shape of what a wave has moved: the channel of a canary was moved by whoever made the build.
        "canaries": [[{"move": move, "version": 0}] for move in decide.moves_of(canaries, event["from"])],
    }


def _begin(event: Event, clients: Clients) -> dict[str, Any]:
    """Write down what is about to be moved; from here on nobody makes this execution give way."""
    now = datetime.fromisoformat(event["now"])
    held = lock.begin_moving(clients("ssm"), event["image"], event["owner"], event["journal"], now=now)
    return {"held": held}


def _move(event: Event, clients: Clients) -> dict[str, Any]:
    change = event["move"]
    return places.move(
        clients("ssm", change["region"], change["role"]),
        change,
        image=event["image"],
        note=_note(event, change),
        attempt=event["attempt"],
    )


def _restore(event: Event, clients: Clients) -> dict[str, Any]:
    change = event["move"]
    return places.restore(
        clients("ssm", change["region"], change["role"]),
        change,
        image=event["image"],
        note=decide.ended(f"back to {change['before']} from {change['ami']}", f"; {event['execution']}"),
        attempt=event["attempt"],
        base=event["base"],
        force=event["force"],
    )


def _note(event: Event, change: Mapping[str, Any]) -> str:
    by = event["by"] + (f", approved by {event['approved']}" if event["approved"] else "")
    return decide.note(
        from_channel=event["from"],
        what=change["ami"],
        by=by,
        reason=event["reason"],
        before=change["before"],
        execution=event["execution"],
    )


def _watch(event: Event, clients: Clients) -> dict[str, Any]:
    """Look whether the fleets of a wave are through and all is well."""
    moved = event["moved"]
    for one in moved:
        if "failure" in one:
            raise VerdictError(decide.reason_of(one["failure"]))
    fleets = [
        _fleet(event, fleet, {**one["move"], "version": one["version"]}, clients)
        for one in moved
        # Where the channel is new no fleet can follow it yet: a fleet is not deployed before its channel exists.
        if one["move"]["before"]
        for fleet in event["fleets"]
    ]
    seen = decide.watch(
        fleets,
        sick=[sick for one in moved for sick in _sick(event, one["move"], clients)],
        now=datetime.fromisoformat(event["now"]),
        since=datetime.fromisoformat(event["since"]),
        baking=event["baking"],
        bake=timedelta(seconds=event["bake_seconds"]),
        patience=timedelta(seconds=event["patience_seconds"]),
    )
    return {**seen._asdict(), "since": event["since"]}


def _fleet(event: Event, fleet: str, move: Mapping[str, Any], clients: Clients) -> decide.FleetSeen:
    name = rollout_parameter(event["image"], event["channel"], fleet)
    value = places.held(clients("ssm", move["region"], move["role"]), name)[0]
    return decide.FleetSeen(
        name=fleet,
        place=decide.place_name(move),
        ami=move["ami"],
        version=move["version"],
        state=parse(value) if value else None,
    )


def _sick(event: Event, place: Mapping[str, Any], clients: Clients) -> Iterable[str]:
    where = decide.place_name(place)
    if event["alarms"]:
        answer = clients("cloudwatch", place["region"], place["role"]).describe_alarms(
            AlarmNames=event["alarms"], AlarmTypes=["MetricAlarm", "CompositeAlarm"]
        )
        states = {
            alarm["AlarmName"]: alarm["StateValue"]
            for alarm in [*answer.get("MetricAlarms", ()), *answer.get("CompositeAlarms", ())]
        }
        for name in event["alarms"]:
            if name not in states:
                yield f"there is no alarm {name} in {where}"
            elif states[name] == "ALARM":
                yield f"the alarm {name} in {where} is raised"
    if event["groups"]:
        answer = clients("autoscaling", place["region"], place["role"]).describe_auto_scaling_groups(
            AutoScalingGroupNames=event["groups"]
        )
        groups = {group["AutoScalingGroupName"]: group for group in answer["AutoScalingGroups"]}
        for name in event["groups"]:
            if name not in groups:
                yield f"there is no group {name} in {where}"
                continue
            healthy = sum(
                one["LifecycleState"] == "InService" and one["HealthStatus"] == "Healthy"
                for one in groups[name].get("Instances", ())
            )
            if healthy < groups[name]["MinSize"]:
                yield f"the group {name} in {where} has {healthy} healthy instances of {groups[name]['MinSize']}"


def _conclude(event: Event, clients: Clients) -> dict[str, Any]:
    """Write down how it ended, and return what to tell people."""
    restored = [one for wave in event["restored"] for one in wave]
    whole = not any("failure" in one for one in restored)
    state, image, failure = event["state"], event["image"], event["failure"]
    interrupted = state == decide.INTERRUPTED
    # What was interrupted may have been another promotion of the same image.
    subject = restored[0]["move"] if interrupted else {"channel": event["to"], "ami": event["what"]}
    told = decide.Told(
        state=state,
        image=image,
        channel=subject["channel"],
        what=subject["ami"],
        build="" if interrupted else event["build"],
        reason=_last_word(event, subject["channel"], clients) if interrupted else decide.reason_of(failure),
        whole=whole,
    )
    if not interrupted:
        record = {
            "state": state,
            "what": told.what,
            "build": told.build,
            "reason": told.reason[: decide.NOTE_MAX],
            "at": event["now"],
            "by": event["by"],
            "approved": event["approved"],
            "why": event["reason"],
            "execution": event["execution"],
        }
        clients("ssm").put_parameter(
            Name=outcome_parameter(image, told.channel),
            Value=json.dumps(record),
            Type="String",
            Tier="Intelligent-Tiering",
            Overwrite=True,
            Description=f"How the last promotion of {image} to {told.channel} ended",
        )
    lines = [told.sentence, "", *(decide.line_of(one) for one in restored)]
    lines += [f"{decide.place_name(move)}: {move['before'] or 'nothing'} -> {move['ami']}" for move in event["moved"]]
    lines += [f"Build: {told.build}"] if told.build else []
    by = event["by"] + (f", approved by {event['approved']}" if event["approved"] else "")
    lines += [f"Started by {by}, because {event['reason']}.", f"Execution: {event['execution']}"]
    return {"state": state, "whole": whole, "subject": told.subject, "message": "\n".join(lines)}


def _last_word(event: Event, channel: str, clients: Clients) -> str:
    """Return why an execution had failed that then died before it could tell."""
    last = _outcome(clients("ssm"), event["image"], channel)
    return str(last["reason"]) if last.get("execution") == event["heir_of"] else ""


def _outcome(ssm: Any, image: str, channel: str) -> dict[str, Any]:
    value = places.held(ssm, outcome_parameter(image, channel))[0]
    found: dict[str, Any] = json.loads(value) if value else {}
    return found


def _found(event: Event, clients: Clients) -> Iterable[Found]:
    for place in event["places"]:
        yield places.look(
            clients("ssm", place["region"], place["role"]),
            clients("ec2", place["region"], place["role"]),
            place,
            image=event["image"],
            source=event["from"],
            target=event["to"],
        )


_STEPS: Final[Mapping[str, Callable[[Event, Clients], dict[str, Any]]]] = {
    "look": _look,
    "lock": _lock,
    "unlock": _unlock,
    "plan": _plan,
    "begin": _begin,
    "move": _move,
    "restore": _restore,
    "watch": _watch,
    "outcome": _conclude,
}
