"""Mends of the emulator's EventBridge: what it takes without looking, and where its events go."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from moto.core.exceptions import JsonRESTError
from moto.events.exceptions import ResourceNotFoundException, ValidationException
from moto.events.models import EventPattern, Rule

from cdk_ami.sandbox.events import delivery, patterns, routing, targets, timers, transform
from cdk_ami.sandbox.events.bus import BusAt, envelope, publish
from cdk_ami.sandbox.imagebuilder.schedules import schedule_fault

ORIGINAL: Final[dict[str, Callable[..., Any]]] = {}
"""The emulator's own methods, by name."""

NEW: Final = frozenset({"_put_event"})
"""Methods that the emulator lacks."""

MAX_TARGETS: Final = 5
"""https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html"""

MAX_ENTRIES: Final = 10
MAX_ENTRY_BYTES: Final = 1024 * 1024
"""https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html, read 2026-11-28."""

ATTEMPTS: Final = range(delivery.MAX_ATTEMPTS + 1)
AGES: Final = range(60, delivery.MAX_AGE_SECONDS + 1)
"""What a retry policy may say."""


def _pattern_error(reason: str) -> JsonRESTError:
    return JsonRESTError("InvalidEventPatternException", f"Event pattern is not valid. Reason: {reason}")


class RuleOperations:
    """Methods for the emulator's ``EventsBackend``."""

    account_id: str
    region_name: str
    archives: Any
    describe_event_bus: Callable[[str], Any]
    _normalize_event_bus_arn: Callable[[str | None], str]
    _get_event_bus: Callable[[str], Any]

    def put_rule(  # noqa: PLR0917 - moto's signature
        self,
        name: str,
        description: str | None = None,
        event_bus_arn: str | None = None,
        event_pattern: str | None = None,
        role_arn: str | None = None,
        scheduled_expression: str | None = None,
        state: str | None = None,
        managed_by: str | None = None,
        tags: list[dict[str, str]] | None = None,
    ) -> Rule:
        """Create or change a rule whose pattern is one."""
        if event_pattern is not None:
            try:
                patterns.parse(event_pattern)
            except patterns.PatternError as error:
                raise _pattern_error(str(error)) from error
        if scheduled_expression and (fault := schedule_fault(scheduled_expression)):
            raise ValidationException(f"Parameter ScheduleExpression is not valid: {fault}.")
        rule: Rule = ORIGINAL["put_rule"](
            self,
            name=name,
            description=description,
            event_bus_arn=event_bus_arn,
            event_pattern=event_pattern,
            role_arn=role_arn,
            scheduled_expression=scheduled_expression,
            state=state,
            managed_by=managed_by,
            tags=tags,
        )
        timers.arrange(rule)
        return rule

    def put_targets(self, name: str, event_bus_arn: str | None, targets: list[dict[str, Any]]) -> None:
        """Add or change targets to which the sandbox can deliver."""
        bus = self._get_event_bus(self._normalize_event_bus_arn(event_bus_arn))
        if name not in bus.rules:
            raise ResourceNotFoundException(f"Rule {name} does not exist on EventBus {bus.name}.")
        if bus.rules[name].managed_by is None:
            for fault in _target_faults(targets):
                raise ValidationException(fault)
            ids = {target["Id"] for target in (*bus.rules[name].targets, *targets)}
            if len(ids) > MAX_TARGETS:
                raise JsonRESTError(
                    "LimitExceededException", "The requested resource exceeds the maximum number allowed."
                )
        ORIGINAL["put_targets"](self, name=name, event_bus_arn=event_bus_arn, targets=targets)

    def put_events(self, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Take events in; each is matched and delivered after the answer."""
        if len(events) > MAX_ENTRIES:
            raise ValidationException(
                "1 validation error detected: Value '[PutEventsRequestEntry]' at 'entries' failed to satisfy "
                f"constraint: Member must have length less than or equal to {MAX_ENTRIES}"
            )
        if sum(len(json.dumps(entry, default=str).encode()) for entry in events) > MAX_ENTRY_BYTES:
            raise ValidationException("Total size of the entries in the request is over the limit.")
        return [self._put_event(entry) for entry in events]

    def update_archive(self, name: str, description: str, event_pattern: str, retention: str) -> dict[str, Any]:
        """Change an archive, and what it keeps from now on."""
        answer: dict[str, Any] = ORIGINAL["update_archive"](
            self, name=name, description=description, event_pattern=event_pattern, retention=retention
        )
        if event_pattern:
            kept = {**json.loads(event_pattern), "replay-name": [{"exists": False}]}
            self.archives[name].rule.event_pattern = EventPattern.load(json.dumps(kept))
        return answer

    def _put_event(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        code, message, detail = _read_entry(entry)
        if code:
            return {"ErrorCode": code, "ErrorMessage": message}
        where = entry.get("EventBusName") or "default"
        parsed = targets.Arn.parse(where)
        bus = BusAt(
            account=parsed.account or self.account_id,
            region=parsed.region or self.region_name,
            name=parsed.resource.removeprefix("event-bus/"),
        )
        event = envelope(
            region=self.region_name,
            account=self.account_id,
            source=entry["Source"],
            detail_type=entry["DetailType"],
            detail=detail,
            resources=entry.get("Resources") or (),
            when=None if entry.get("Time") is None else datetime.fromtimestamp(float(entry["Time"]), UTC),
        )
        # A bus that does not exist loses the event; the answer is the same.
        publish(bus, event)
        return {"EventId": event["id"]}


def _read_entry(entry: Mapping[str, Any]) -> tuple[str, str, Any]:
    """Return code and message of what is wrong with an entry, or nothing and its detail."""
    for member in ("Source", "DetailType", "Detail"):
        if not entry.get(member):
            reason = f"Parameter {member} is not valid. Reason: {member} is a required argument."
            return "InvalidArgument", reason, None
    if entry["Source"].startswith("aws."):
        reason = "Parameter Source is not valid. Reason: Source aws. is reserved for AWS services."
        return "NotAuthorizedForSourceException", reason, None
    try:
        detail = json.loads(entry["Detail"])
    except json.JSONDecodeError:
        return "MalformedDetail", "Detail is malformed.", None
    if not isinstance(detail, dict):
        return "MalformedDetail", "Detail is malformed.", None
    return "", "", detail


def _target_faults(wanted: list[dict[str, Any]]) -> Iterator[str]:
    seen: set[str] = set()
    for target in wanted:
        if target["Id"] in seen:
            yield f"Duplicate target id {target['Id']} in the request."
        seen.add(target["Id"])
        yield from _target_fault(target)


def _target_fault(target: Mapping[str, Any]) -> Iterator[str]:
    arn = target["Arn"]
    if targets.Arn.parse(arn).service == "":
        yield f"Parameter {arn} is not valid. Reason: Provided Arn is not in correct format."
    elif targets.kind_of(arn) in {None, "operation"}:
        yield f"the sandbox does not deliver to {arn}"
    if targets.needs_role(arn) and not target.get("RoleArn"):
        yield f"RoleArn is required for target {arn}."
    if targets.kind_of(arn) == "queue" and arn.endswith(".fifo") and not target.get("SqsParameters"):
        yield f"Parameter(s) SqsParameters must be specified for target: {target['Id']}."
    if fault := transform.input_fault(target):
        yield fault
    retries = target.get("RetryPolicy") or {}
    if retries.get("MaximumRetryAttempts", 0) not in ATTEMPTS:
        yield f"MaximumRetryAttempts of target {target['Id']} must be from 0 to {ATTEMPTS[-1]}."
    if retries.get("MaximumEventAgeInSeconds", AGES[0]) not in AGES:
        yield f"MaximumEventAgeInSeconds of target {target['Id']} must be from {AGES[0]} to {AGES[-1]}."
    queue = (target.get("DeadLetterConfig") or {}).get("Arn")
    if queue and (targets.kind_of(queue) != "queue" or queue.endswith(".fifo")):
        yield f"the dead-letter queue of target {target['Id']} must be a standard queue, got {queue}"


class RuleMends:
    """Methods for the emulator's ``Rule``."""

    def send_to_targets(self, original_event: Any, transform_input: bool = True) -> None:  # noqa: ARG002, FBT001, FBT002 - moto's signature
        """Send an event that the emulator replays from an archive."""
        if self.state in routing.ENABLED and routing.matches(self, original_event):  # type: ignore[attr-defined]
            routing.send(self, original_event)


class Answers:
    """Methods for the emulator's ``EventsHandler``."""

    _get_param: Callable[[str], Any]

    def test_event_pattern(self) -> str:
        """Answer TestEventPattern."""
        try:
            pattern = patterns.parse(self._get_param("EventPattern"))
        except patterns.PatternError as error:
            raise _pattern_error(str(error)) from error
        return json.dumps({"Result": patterns.matches(pattern, json.loads(self._get_param("Event")))})
