"""What happens in the sandbox by itself: its clock, its events, and the end of both."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.request import Request, urlopen

from cdk_ami.sandbox.server import Sandbox

ACCOUNT = "123456789012"
EVERYBODY = json.dumps({"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]})


class Happenings:
    """Requests to the sandbox itself, and a queue that hears what rules tell it."""

    def __init__(self, sandbox: Sandbox, aws: Any) -> None:
        self.aws = aws
        self._endpoint = sandbox.endpoint

    def ask(self, path: str, asked: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the answer of the sandbox itself: to a GET, or to a POST when something is asked."""
        body = None if asked is None else json.dumps(asked).encode()
        with urlopen(Request(f"{self._endpoint}/_sandbox/{path}", data=body)) as answer:  # noqa: S310 - loopback
            return dict(json.load(answer))

    def settle(self) -> None:
        """Return when nothing goes on any more."""
        assert self.ask("idle")["running"] == []

    def advance(self, seconds: float) -> None:
        """Move the clock on, and return when what fell due is done."""
        self.ask("clock", {"advance": seconds})
        self.settle()

    def log(self, detail_type: str) -> list[dict[str, Any]]:
        """Return the events of a detail type since the last reset, oldest first."""
        self.settle()
        return [event for event in self.ask("events/log")["events"] if event["detail-type"] == detail_type]

    def queue(self, name: str = "heard", *, policy: str = EVERYBODY, region: str = "us-east-1") -> str:
        """Make a queue; return its ARN."""
        self.aws("sqs", region).create_queue(QueueName=name, Attributes={"Policy": policy} if policy else {})
        return f"arn:aws:sqs:{region}:{ACCOUNT}:{name}"

    def rule(self, pattern: Mapping[str, Any], **target: Any) -> str:
        """Make a rule with one target, a new queue unless the target names another; return the rule's ARN."""
        arn = self.aws("events").put_rule(Name="rule", EventPattern=json.dumps(pattern))["RuleArn"]
        target = {"Id": "it", **target}
        if "Arn" not in target:
            target["Arn"] = self.queue()
        self.aws("events").put_targets(Rule="rule", Targets=[target])
        return str(arn)

    def put(self, detail: Mapping[str, Any] | None = None, **entry: Any) -> None:
        """Put one event of an application and wait until it has gone where it goes."""
        entry = {"Source": "shop", "DetailType": "sold", "Detail": json.dumps(detail or {}), **entry}
        answer = self.aws("events").put_events(Entries=[entry])
        assert answer["FailedEntryCount"] == 0, answer
        self.settle()

    def heard(self, name: str = "heard", region: str = "us-east-1") -> list[Any]:
        """Return what a queue got, in the order in which it came, and take it out of the queue."""
        self.settle()
        return [json.loads(message["Body"]) for message in self.messages(name, region)]

    def messages(self, name: str, region: str = "us-east-1") -> list[dict[str, Any]]:
        """Return the whole messages of a queue."""
        sqs = self.aws("sqs", region)
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        found: list[dict[str, Any]] = []
        while batch := sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], AttributeNames=["All"]
        ).get("Messages"):
            found += batch
            for message in batch:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return found
