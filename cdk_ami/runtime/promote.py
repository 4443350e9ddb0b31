"""Starts promotions, and answers what they ask."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from cdk_ami.runtime.channels import ChannelError
from cdk_ami.runtime.promotion.handler import machine_parameter
from cdk_ami.runtime.promotion.places import held
from cdk_ami.runtime.regions import RegionClients


def find_machine(clients: Sequence[RegionClients], image: str, channel: str) -> tuple[str, str]:
    """Return Region and ARN of the state machine that promotes an image to a channel.

    Raises:
        ChannelError: When there is none, or several.
    """
    name = machine_parameter(image, channel)
    found = [(one.region, arn) for one in clients if (arn := held(one.ssm, name)[0])]
    if not found:
        looked = ", ".join(one.region for one in clients)
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
