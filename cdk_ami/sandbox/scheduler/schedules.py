"""Schedules: which are valid, when they fall due, and what they do then.

https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html and
https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html, read 2026-11-28
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from moto.iam.models import iam_backends
from moto.scheduler.exceptions import ScheduleGroupNotFound, ValidationException
from moto.scheduler.models import Schedule

from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.events import delivery, targets
from cdk_ami.sandbox.events.bus import stamp
from cdk_ami.sandbox.events.permission import trusts
from cdk_ami.sandbox.imagebuilder.schedules import next_after, schedule_fault, timezone_fault
from cdk_ami.sandbox.stepfunctions import resources

ORIGINAL: Final[dict[str, Callable[..., Any]]] = {}
"""The emulator's own methods, by name."""

SERVICE: Final = "scheduler.amazonaws.com"
"""The service that acts by a schedule's role."""

_AT: Final = re.compile(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)")
_OFFERED: Final = frozenset({"state machine", "function", "topic", "queue", "bus", "operation"})


class ScheduleOperations:
    """Methods for the emulator's ``EventBridgeSchedulerBackend``."""

    account_id: str
    region_name: str
    schedule_groups: Any

    def create_schedule(  # noqa: PLR0917 - moto's signature
        self,
        description: str,
        end_date: str,
        flexible_time_window: dict[str, Any],
        group_name: str,
        kms_key_arn: str,
        name: str,
        schedule_expression: str,
        schedule_expression_timezone: str,
        start_date: str,
        state: str,
        target: dict[str, Any],
        action_after_completion: str | None,
    ) -> Schedule:
        """Create a schedule that can be followed."""
        if (group_name or "default") not in self.schedule_groups:
            raise ScheduleGroupNotFound(group_name)
        _check(schedule_expression, schedule_expression_timezone, flexible_time_window, target)
        made: Schedule = ORIGINAL["create_schedule"](
            self,
            description=description,
            end_date=end_date,
            flexible_time_window=flexible_time_window,
            group_name=group_name,
            kms_key_arn=kms_key_arn,
            name=name,
            schedule_expression=schedule_expression,
            schedule_expression_timezone=schedule_expression_timezone,
            start_date=start_date,
            state=state,
            target=target,
            action_after_completion=action_after_completion,
        )
        made.creation_date = made.last_modified_date = CLOCK.now().timestamp()
        _arrange(self, made)
        return made

    def update_schedule(  # noqa: PLR0917 - moto's signature
        self,
        description: str,
        end_date: str,
        flexible_time_window: dict[str, Any],
        group_name: str,
        kms_key_arn: str,
        name: str,
        schedule_expression: str,
        schedule_expression_timezone: str,
        start_date: str,
        state: str,
        target: dict[str, Any],
    ) -> Schedule:
        """Change a schedule: what is not stated is not kept, as the service has it."""
        _check(schedule_expression, schedule_expression_timezone, flexible_time_window, target)
        made: Schedule = ORIGINAL["update_schedule"](
            self,
            description=description,
            end_date=end_date,
            flexible_time_window=flexible_time_window,
            group_name=group_name,
            kms_key_arn=kms_key_arn,
            name=name,
            schedule_expression=schedule_expression,
            schedule_expression_timezone=schedule_expression_timezone,
            start_date=start_date,
            state=state or "ENABLED",
            target=target,
        )
        made.last_modified_date = CLOCK.now().timestamp()
        _arrange(self, made)
        return made


def _check(expression: str, zone: str | None, window: Mapping[str, Any], target: Mapping[str, Any]) -> None:
    """Refuse a schedule that could not be followed.

    Raises:
        ValidationException: When it could not.
    """
    fault = next(_faults(expression, zone or "UTC", window, target), None)
    if fault is not None:
        raise ValidationException(fault)


def _faults(expression: str, zone: str, window: Mapping[str, Any], target: Mapping[str, Any]) -> Iterator[str]:
    if fault := timezone_fault(zone):
        yield f"Invalid ScheduleExpressionTimezone: {fault}."
    if expression.startswith("at("):
        if _once(expression, "UTC") is None:
            yield f"Invalid Schedule Expression {expression}."
    elif fault := schedule_fault(expression):
        yield f"Invalid Schedule Expression {expression}: {fault}."
    flexible = window.get("Mode") == "FLEXIBLE"
    if flexible != ("MaximumWindowInMinutes" in window):
        yield "MaximumWindowInMinutes is given for a window of mode FLEXIBLE only."
    yield from _target_faults(target)


def _target_faults(target: Mapping[str, Any]) -> Iterator[str]:
    arn = target["Arn"]
    if targets.kind_of(arn) not in _OFFERED:
        yield f"the sandbox does not call {arn}"
    elif targets.kind_of(arn) == "operation":
        try:
            resources.parse(f"arn:aws:states:::{arn.partition(':::')[2]}")
        except resources.ResourceError as error:
            yield f"{arn} is not a valid target: {error}"
    elif targets.kind_of(arn) == "bus" and not target.get("EventBridgeParameters"):
        yield "EventBridgeParameters must be specified for an event bus."
    if not _may_assume(target["RoleArn"]):
        yield "The execution role you provide must allow AWS EventBridge Scheduler to assume the role."


def _may_assume(role: str) -> bool:
    parsed = targets.Arn.parse(role)
    name = parsed.resource.rpartition("/")[2]
    roles = list(iam_backends[parsed.account]["aws"].roles.values()) if parsed.service == "iam" else []
    return any(one.name == name and trusts(one.assume_role_policy_document, service=SERVICE) for one in roles)


def _once(expression: str, zone: str) -> datetime | None:
    """Return the time of an expression ``at(...)``, None when it is none."""
    match = _AT.fullmatch(expression)
    if match is None:
        return None
    try:
        return datetime.fromisoformat(match[1]).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    except ValueError:
        return None


def _arrange(backend: Any, schedule: Schedule) -> None:
    """Let a schedule that was just made or changed fire whenever it falls due."""
    anchor = _date(schedule.start_date) or CLOCK.now()
    # What was arranged before is void: each change counts as another schedule.
    schedule.sandbox_edition = edition = object()
    first = _once(schedule.schedule_expression, schedule.schedule_expression_timezone)
    if first is None and schedule.schedule_expression.startswith("rate(") and _date(schedule.start_date):
        first = anchor
    due = _next(schedule, CLOCK.now(), anchor) if first is None or first < CLOCK.now() else first
    _at(backend, schedule, edition, due, anchor)


def _next(schedule: Schedule, after: datetime, anchor: datetime) -> datetime | None:
    if schedule.schedule_expression.startswith("at("):
        return None
    start = max(after, anchor)
    return next_after(schedule.schedule_expression, schedule.schedule_expression_timezone, start, anchor=anchor)


def _date(value: Any) -> datetime | None:
    return None if value is None else datetime.fromtimestamp(float(value), UTC)


def _at(backend: Any, schedule: Schedule, edition: object, due: datetime | None, anchor: datetime) -> None:
    end = _date(schedule.end_date)
    if due is None or (end is not None and due > end):
        _complete(backend, schedule, edition)
        return

    def fire() -> None:
        if not _stands(backend, schedule, edition):
            return
        if schedule.state == "ENABLED":
            delivery.send(_delivery(backend, schedule, due))
        _at(backend, schedule, edition, _next(schedule, due, anchor), anchor)

    CLOCK.at(due, fire)


def _stands(backend: Any, schedule: Schedule, edition: object) -> bool:
    group = backend.schedule_groups.get(schedule.group_name)
    known = None if group is None else group.schedules.get(schedule.name)
    return known is not None and known is schedule and known.sandbox_edition is edition


def _complete(backend: Any, schedule: Schedule, edition: object) -> None:
    """Delete a schedule that has fired for the last time, when it says so."""
    if schedule.action_after_completion == "DELETE" and _stands(backend, schedule, edition):
        backend.schedule_groups[schedule.group_name].schedules.pop(schedule.name)


def _delivery(backend: Any, schedule: Schedule, due: datetime) -> delivery.Delivery:
    words = {
        "<aws.scheduler.schedule-arn>": schedule.arn,
        "<aws.scheduler.scheduled-time>": stamp(due),
        "<aws.scheduler.execution-id>": str(uuid.uuid4()),
        "<aws.scheduler.attempt-number>": "1",
    }
    text = schedule.target.get("Input") or "{}"
    for word, value in words.items():
        text = text.replace(word, value)
    return delivery.Delivery(
        service=SERVICE,
        account=backend.account_id,
        region=backend.region_name,
        source_arn=schedule.arn,
        target=schedule.target,
        text=text,
    )
