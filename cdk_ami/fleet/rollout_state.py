"""What a fleet's rollout says of itself, and where: the handshake with a promotion.  Pure: no CDK, no boto3.

Each rollout keeps one SSM parameter of type ``String``, ``/imagebuilder/IMAGE/CHANNEL/rollouts/FLEET``, whose value is
a JSON object.  State machines write it and a promotion's state machine reads it, so the pieces of both live here too.
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Any, Final, NamedTuple

from cdk_ami.naming import channel_parameter


class RolloutPhase(StrEnum):
    """How far a rollout is."""

    WAITING = "WAITING"
    """The channel moved, and something has to happen first: a window opens, a stack becomes free."""

    RUNNING = "RUNNING"
    """The stack is being updated."""

    SUCCEEDED = "SUCCEEDED"
    """Every instance runs the AMI."""

    ROLLED_BACK = "ROLLED_BACK"
    """The update failed, and the fleet runs the AMI before again."""

    FAILED = "FAILED"
    """Somebody has to look: the stack is in a state that a rollout cannot lead out of."""

    FROZEN = "FROZEN"
    """The channel moved, and the freeze switch is on."""


ENDED: Final = frozenset({RolloutPhase.SUCCEEDED, RolloutPhase.ROLLED_BACK, RolloutPhase.FAILED})
"""Phases that nothing follows until the channel moves again or somebody acts."""


class RolloutState(NamedTuple):
    """The value of the parameter.

    Attributes:
        state: How far the rollout is.
        ami: The AMI it is about, the one that the channel named; empty when none is known.
        previous: The AMI that the fleet ran before; empty when none is known.
        reason: Why, in words for people; may be empty.
        at: When it was written, ISO 8601 in UTC, such as ``2026-11-28T08:20:00.000Z``.
        execution: ARN of the execution that wrote it; empty when it was none.
        version: Version of the channel's parameter that named ``ami``, 0 when unknown.  A channel that is moved to the
            same AMI again has another version, so a promotion can tell the answer to its own write from an older one.
    """

    state: RolloutPhase
    ami: str = ""
    previous: str = ""
    reason: str = ""
    at: str = ""
    execution: str = ""
    version: int = 0

    @property
    def ended(self) -> bool:
        """Whether nothing follows by itself."""
        return self.state in ENDED

    def answers(self, version: int) -> bool:
        """Tell whether it is about the write of the channel that made ``version``, or about a later one."""
        return self.version >= version

    def dump(self) -> str:
        """Return the value of the parameter."""
        return json.dumps({**self._asdict(), "state": str(self.state)})


def parse(text: str) -> RolloutState:
    """Return the state that the value of a parameter holds.

    Members that this version does not know are left aside: a newer rollout may have written them.

    Raises:
        ValueError: When it is no such value.
    """
    try:
        told = json.loads(text)
        return RolloutState(
            state=RolloutPhase(told["state"]),
            version=int(told.get("version", 0)),
            **{name: str(told.get(name, "")) for name in ("ami", "previous", "reason", "at", "execution")},
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{text!r} is not the state of a rollout: {error}") from error


def rollouts_path(image: str, channel: str) -> str:
    """Return the path below which the rollouts of a channel keep their states, one for each fleet."""
    return f"{channel_parameter(image, channel)}/rollouts"


def rollout_parameter(image: str, channel: str, fleet: str) -> str:
    """Return the name of the parameter that holds the state of a fleet's rollout.

    Args:
        image: Name of the image.
        channel: Name of the channel.
        fleet: Name of the fleet's rollout, such as ``web``.
    """
    return f"{rollouts_path(image, channel)}/{fleet}"


def freeze_parameter(image: str, channel: str, fleet: str) -> str:
    """Return the name of the parameter that freezes a fleet while it exists; its value is the reason."""
    return f"{rollout_parameter(image, channel, fleet)}/freeze"


def state_fields(phase: RolloutPhase, *, ami: str, previous: str, reason: str, version: str) -> dict[str, Any]:
    """Return the ``Parameters`` of a Pass state that makes the object of a state.

    Args:
        phase: How far the rollout is.
        ami: Path in the state's input of the AMI, such as ``$.channel.ami``, or an intrinsic function.
        previous: The same of the AMI before.
        reason: The same of the reason.
        version: The same of the version of the channel's parameter.
    """
    return {
        "state": str(phase),
        "ami.$": ami,
        "previous.$": previous,
        "reason.$": reason,
        "version.$": version,
        "at.$": "$$.State.EnteredTime",
        "execution.$": "$$.Execution.Id",
    }


def put_parameters(parameter: str, state: str) -> dict[str, Any]:
    """Return the ``Parameters`` of a task ``arn:aws:states:::aws-sdk:ssm:putParameter`` that writes a state.

    Args:
        parameter: Name of the parameter.
        state: Path of the object that ``state_fields`` made, such as ``$.state``.
    """
    return {"Name": parameter, "Value.$": f"States.JsonToString({state})", "Type": "String", "Overwrite": True}


READ_SELECTOR: Final = {"rollout.$": "States.StringToJson($.Parameter.Value)"}
"""The ``ResultSelector`` of a task ``arn:aws:states:::aws-sdk:ssm:getParameter`` that reads a state as an object."""
