"""A promotion in the local AWS: builds that arrive, fleets that say what became of them, and what is told of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from itertools import count
from typing import Any

from cdk_ami.fleet.rollout_state import RolloutPhase, RolloutState, rollout_parameter
from cdk_ami.naming import channel_parameter
from cdk_ami.sandbox.testing import LocalAws
from tests.support.amis import make_ami, point

REGIONS = ("us-east-1", "eu-west-1")
HOME = "us-east-1"
IMAGE = "web"
_NUMBERS = count(1)


class Promoting:
    """One deployed promotion, driven by hand.

    Args:
        aws: The local AWS, in which the stack stands.
        to_channel: The channel that is moved.
    """

    def __init__(self, aws: LocalAws, to_channel: str = "stable") -> None:
        self.aws, self.to, self.number = aws, to_channel, 0
        parameter = f"/imagebuilder/{IMAGE}/promotion/machines/{to_channel}"
        self.machine = aws.client("ssm").get_parameter(Name=parameter)["Parameter"]["Value"]

    def build(self, *regions: str, channel: str = "latest") -> dict[str, str]:
        """Let a new build arrive, the Regions in this order; return its AMI by Region."""
        self.number = next(_NUMBERS)
        made = {}
        for region in regions or REGIONS:
            made[region] = make_ami(self.aws.client("ec2", region), version=f"1.0.{self.number}/1").image_id
        for region, ami in made.items():
            point(self.aws.client("ssm", region), channel_parameter(IMAGE, channel), ami)
        return made

    def build_in(self, account: str, *, channel: str = "candidate") -> str:
        """Let the copy of the last build arrive in another account; return its AMI."""
        made = make_ami(self.aws.client("ec2", HOME, account), version=f"1.0.{self.number}/1").image_id
        point(self.aws.client("ssm", HOME, account), channel_parameter(IMAGE, channel), made)
        return made

    def point(self, amis: Mapping[str, str], channel: str | None = None) -> None:
        """Move a channel by hand."""
        for region, ami in amis.items():
            point(self.aws.client("ssm", region), channel_parameter(IMAGE, channel or self.to), ami)

    def held(self, channel: str | None = None) -> dict[str, str]:
        """Return what the channel holds, by Region."""
        found = {}
        for region in REGIONS:
            names = [channel_parameter(IMAGE, channel or self.to)]
            for one in self.aws.client("ssm", region).get_parameters(Names=names)["Parameters"]:
                found[region] = one["Value"]
        return found

    def history(self, region: str) -> list[tuple[str, str]]:
        """Return AMI and description of every version of the channel, oldest first."""
        name = channel_parameter(IMAGE, self.to)
        found = self.aws.client("ssm", region).get_parameter_history(Name=name)["Parameters"]
        return [(one["Value"], one.get("Description", "")) for one in found]

    def say(
        self, region: str, phase: RolloutPhase, *, fleet: str = "web", reason: str = "", channel: str | None = None
    ) -> None:
        """Let a fleet say what became of the AMI that its channel holds."""
        ssm, channel = self.aws.client("ssm", region), channel or self.to
        now = ssm.get_parameter(Name=channel_parameter(IMAGE, channel))["Parameter"]
        state = RolloutState(state=phase, ami=now["Value"], version=now["Version"], reason=reason)
        ssm.put_parameter(
            Name=rollout_parameter(IMAGE, channel, fleet), Value=state.dump(), Type="String", Overwrite=True
        )

    def start(self, started: str = "command", *, reason: str = "a test") -> str:
        """Start an execution; return its ARN when it waits for something, or has ended."""
        told = json.dumps({"started": started, "by": "ann", "reason": reason})
        arn = self.aws.client("stepfunctions").start_execution(stateMachineArn=self.machine, input=told)["executionArn"]
        self.aws.wait_idle()
        return str(arn)

    def advance(self, seconds: float) -> None:
        """Move the clock on, and return when what fell due is done."""
        self.aws.clock.advance(timedelta(seconds=seconds))
        self.aws.wait_idle()

    def seen(self, execution: str) -> dict[str, Any]:
        """Return an execution as DescribeExecution shows it."""
        return dict(self.aws.client("stepfunctions").describe_execution(executionArn=execution))

    def status(self, execution: str) -> str:
        """Return the status of an execution."""
        return str(self.seen(execution)["status"])

    def states(self, execution: str) -> list[str]:
        """Return the names of the states that an execution entered, in order."""
        pages = self.aws.client("stepfunctions").get_paginator("get_execution_history").paginate(executionArn=execution)
        return [
            event["stateEnteredEventDetails"]["name"]
            for page in pages
            for event in page["events"]
            if "stateEnteredEventDetails" in event
        ]

    def outcome(self) -> dict[str, Any]:
        """Return how the last promotion ended."""
        name = f"/imagebuilder/{IMAGE}/promotion/outcomes/{self.to}"
        return dict(json.loads(self.aws.client("ssm").get_parameter(Name=name)["Parameter"]["Value"]))

    def abort_all(self) -> None:
        """End every execution, as somebody would by hand."""
        sfn = self.aws.client("stepfunctions")
        running = sfn.list_executions(stateMachineArn=self.machine, statusFilter="RUNNING")["executions"]
        for execution in running:
            sfn.stop_execution(executionArn=execution["executionArn"])
        self.aws.wait_idle()

    def listen(self) -> str:
        """Let a new queue hear what the promotion's topic tells; return the queue's URL."""
        text = self.aws.client("stepfunctions").describe_state_machine(stateMachineArn=self.machine)["definition"]
        topic = json.loads(text)["States"]["TellFailed"]["Parameters"]["TopicArn"]
        made = self.aws.client("sqs").create_queue(QueueName=f"heard-{next(_NUMBERS)}")
        arn = f"arn:aws:sqs:{HOME}:123456789012:{made['QueueUrl'].rpartition('/')[2]}"
        policy = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}]}
        self.aws.client("sqs").set_queue_attributes(
            QueueUrl=made["QueueUrl"], Attributes={"Policy": json.dumps(policy)}
        )
        self.aws.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        return str(made["QueueUrl"])

    def heard(self, queue: str) -> list[str]:
        """Return the messages that a queue got since the last look."""
        sqs, found = self.aws.client("sqs"), []
        while batch := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
            for message in batch:
                found.append(str(json.loads(message["Body"])["Message"]))
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return found
