"""How each kind of target takes an event; every one is asked for its permission first.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-targets.html, read 2026-11-28
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Final, NamedTuple

from botocore.exceptions import ClientError

from cdk_ami.sandbox import clients
from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.events.bus import BusAt, publish
from cdk_ami.sandbox.events.delivery import Delivery, DeliveryError
from cdk_ami.sandbox.events.permission import allows, trusts
from cdk_ami.sandbox.stepfunctions.errors import StateError
from cdk_ami.sandbox.stepfunctions.resources import parse
from cdk_ami.sandbox.stepfunctions.sdk import call

MAX_HOPS: Final = 5
"""How many buses an event passes.  AWS forwards to no third account; a circle of buses would never end here."""

DENIED: Final = "NO_PERMISSIONS"
"""What the dead-letter queue is told when a target may not be used."""


class Arn(NamedTuple):
    """The parts of an ARN."""

    service: str
    region: str
    account: str
    resource: str

    @classmethod
    def parse(cls, text: str) -> Arn:
        """Return the parts of ``text``; what has none is all resource."""
        parts = text.split(":", 5)
        return cls(*parts[2:]) if len(parts) == 6 and parts[0] == "arn" else cls("", "", "", text)  # noqa: PLR2004 - an ARN


def kind_of(arn: str) -> str | None:
    """Return what kind of target an ARN names, None when the sandbox delivers to no such thing."""
    parsed = Arn.parse(arn)
    for kind, (service, prefix) in _KINDS.items():
        if parsed.service == service and parsed.resource.startswith(prefix) and parsed.resource != prefix:
            return kind
    return None


def needs_role(arn: str) -> bool:
    """Tell whether a target is used by a role of the caller's and not by a policy of its own."""
    return kind_of(arn) == "state machine"


def deliver(delivery: Delivery) -> None:
    """Hand what is to be delivered to its target.

    Raises:
        DeliveryError: When the target may not be used.
        botocore.exceptions.ClientError: When the target's service refuses.
    """
    kind = kind_of(delivery.target["Arn"])
    if kind is None:
        raise DeliveryError("InvalidTarget", f"the sandbox does not deliver to {delivery.target['Arn']}")
    _SENDERS[kind](delivery, Arn.parse(delivery.target["Arn"]))


def check_role(delivery: Delivery) -> str:
    """Return the ARN of the role that the target names.

    Raises:
        DeliveryError: When it does not exist or does not trust the service that delivers.
    """
    role = delivery.target.get("RoleArn")
    if not role:
        raise DeliveryError(DENIED, f"the target {delivery.target['Arn']} has no role")
    parsed = Arn.parse(role)
    try:
        found = clients.client("iam", delivery.region, parsed.account).get_role(
            RoleName=parsed.resource.rpartition("/")[2]
        )["Role"]
    except ClientError as error:
        raise DeliveryError(DENIED, f"the role {role} does not exist") from error
    if not trusts(json.dumps(found["AssumeRolePolicyDocument"]), service=delivery.service):
        raise DeliveryError(DENIED, f"the role {role} does not trust {delivery.service}")
    return str(role)


def _check_policy(delivery: Delivery, policy: str | None, action: str, resource: str) -> None:
    if delivery.target.get("RoleArn"):
        check_role(delivery)
        return
    if not allows(
        policy,
        service=delivery.service,
        action=action,
        resource=resource,
        source_arn=delivery.source_arn,
        account=delivery.account,
    ):
        raise DeliveryError(DENIED, f"the policy of {resource} does not let {delivery.service} do {action}")


def _acting(delivery: Delivery) -> AbstractContextManager[None]:
    """Let the calls of a block be made by the role of the target, where it has one."""
    role = delivery.target.get("RoleArn")
    return clients.acting_by(role, for_service=delivery.service if role else None)


def _state_machine(delivery: Delivery, arn: Arn) -> None:
    check_role(delivery)
    with _acting(delivery):
        clients.client("stepfunctions", arn.region, arn.account).start_execution(
            stateMachineArn=delivery.target["Arn"], input=delivery.text
        )


def _queue(delivery: Delivery, arn: Arn) -> None:
    sqs = clients.client("sqs", arn.region, arn.account)
    url = sqs.get_queue_url(QueueName=arn.resource)["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"]).get("Attributes", {})
    _check_policy(delivery, attributes.get("Policy"), "sqs:SendMessage", delivery.target["Arn"])
    group = (delivery.target.get("SqsParameters") or {}).get("MessageGroupId")
    with _acting(delivery):
        sqs.send_message(QueueUrl=url, MessageBody=delivery.text, **({"MessageGroupId": group} if group else {}))


def _topic(delivery: Delivery, arn: Arn) -> None:
    sns = clients.client("sns", arn.region, arn.account)
    attributes = sns.get_topic_attributes(TopicArn=delivery.target["Arn"])["Attributes"]
    _check_policy(delivery, attributes.get("Policy"), "sns:Publish", delivery.target["Arn"])
    with _acting(delivery):
        sns.publish(TopicArn=delivery.target["Arn"], Message=delivery.text)


def _log_group(delivery: Delivery, arn: Arn) -> None:
    logs = clients.client("logs", arn.region, arn.account)
    group = arn.resource.removeprefix("log-group:").removesuffix(":*")
    policies = logs.describe_resource_policies()["resourcePolicies"]
    resource = f"arn:aws:logs:{arn.region}:{arn.account}:log-group:{group}:*"
    if not any(
        allows(
            policy["policyDocument"],
            service=delivery.service,
            action="logs:PutLogEvents",
            resource=where,
            source_arn=delivery.source_arn,
            account=delivery.account,
        )
        for policy in policies
        for where in (resource, f"{resource.removesuffix('*')}log-stream:*")
    ):
        raise DeliveryError(DENIED, f"no resource policy lets {delivery.service} write to {group}")
    stream = str(delivery.event.get("id") or f"{int(CLOCK.now().timestamp() * 1000)}")
    try:
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
    except ClientError as error:
        # A delivery that is made twice finds the stream of the first.
        if error.response["Error"]["Code"] != "ResourceAlreadyExistsException":
            raise
    told = {"timestamp": int(CLOCK.now().timestamp() * 1000), "message": delivery.text}
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=[told])


def _bus(delivery: Delivery, arn: Arn) -> None:
    if not delivery.event:
        _put_event(delivery, arn)
        return
    if delivery.hops + 1 >= MAX_HOPS:
        raise DeliveryError("InvalidTarget", f"the event has passed {MAX_HOPS} buses")
    name = arn.resource.removeprefix("event-bus/")
    events = clients.client("events", arn.region, arn.account)
    found = events.describe_event_bus(Name=name)
    if delivery.target.get("RoleArn"):
        check_role(delivery)
    elif arn.account != delivery.account and not _takes_from(found.get("Policy"), delivery.account):
        raise DeliveryError(
            DENIED, f"the policy of {delivery.target['Arn']} does not let {delivery.account} put events"
        )
    publish(BusAt(account=arn.account, region=arn.region, name=name), delivery.event, hops=delivery.hops + 1)


def _put_event(delivery: Delivery, arn: Arn) -> None:
    """Put the event that a schedule describes."""
    check_role(delivery)
    entry = {**delivery.target.get("EventBridgeParameters", {}), "EventBusName": delivery.target["Arn"]}
    with _acting(delivery):
        answer = clients.client("events", arn.region, arn.account).put_events(
            Entries=[{**entry, "Detail": delivery.text, "Resources": [delivery.source_arn]}]
        )
    if answer["FailedEntryCount"]:
        raise DeliveryError(answer["Entries"][0]["ErrorCode"], answer["Entries"][0]["ErrorMessage"])


def _any_operation(delivery: Delivery, _arn: Arn) -> None:
    """Call the operation that a schedule names, with its input as the parameters."""
    role = check_role(delivery)
    resource = parse(f"arn:aws:states:::{delivery.target['Arn'].partition(':::')[2]}")
    try:
        call(
            resource.service,
            resource.operation,
            resource.method,
            json.loads(delivery.text or "{}"),
            region=delivery.region,
            account=delivery.account,
            role=role,
        )
    except StateError as error:
        raise DeliveryError(error.error, error.cause) from error


def _takes_from(policy: str | None, account: str) -> bool:
    root = f"arn:aws:iam::{account}:root"
    for statement in json.loads(policy or "{}").get("Statement", ()):
        principal = statement.get("Principal")
        named = principal.get("AWS") if isinstance(principal, Mapping) else principal
        meant = {"*", account, root, "arn:aws:iam::*:root"} & set(named if isinstance(named, list) else [named])
        # What belongs to an organization is not known to the sandbox, so that such a condition is not met.
        if statement.get("Effect") == "Allow" and meant and not statement.get("Condition"):
            return True
    return False


def _function(delivery: Delivery, arn: Arn) -> None:
    client = clients.client("lambda", arn.region, arn.account)
    try:
        policy = client.get_policy(FunctionName=delivery.target["Arn"])["Policy"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        policy = None
    bare = ":".join(delivery.target["Arn"].split(":")[:7])
    _check_policy(delivery, policy, "lambda:InvokeFunction", bare)
    # Lambda itself tries again what its function fails at.
    with _acting(delivery):
        client.invoke(FunctionName=delivery.target["Arn"], InvocationType="Event", Payload=delivery.text.encode())


_KINDS: Final[Mapping[str, tuple[str, str]]] = {
    "state machine": ("states", "stateMachine:"),
    "function": ("lambda", "function:"),
    "topic": ("sns", ""),
    "queue": ("sqs", ""),
    "log group": ("logs", "log-group:"),
    "bus": ("events", "event-bus/"),
    "operation": ("scheduler", "aws-sdk:"),
}
"""Service and start of the resource of each kind of target."""

_SENDERS: Final[Mapping[str, Callable[[Delivery, Arn], Any]]] = {
    "state machine": _state_machine,
    "function": _function,
    "topic": _topic,
    "queue": _queue,
    "log group": _log_group,
    "bus": _bus,
    "operation": _any_operation,
}
