"""Rules with a schedule, which send an event of their own when they fall due.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-rule-schedule.html, read 2026-11-28
"""

from __future__ import annotations

from datetime import datetime

from moto.events.models import Rule, events_backends

from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.events.bus import BusAt, envelope, publish
from cdk_ami.sandbox.events.routing import ENABLED
from cdk_ami.sandbox.imagebuilder.schedules import next_after


def arrange(rule: Rule) -> None:
    """Let a rule that was just put send its event whenever its schedule says so; one without schedule does nothing."""
    if rule.scheduled_expression:
        _arrange(rule, CLOCK.now(), anchor=CLOCK.now())


def _arrange(rule: Rule, after: datetime, *, anchor: datetime) -> None:
    due = next_after(rule.scheduled_expression, "UTC", after, anchor=anchor)
    if due is not None:
        CLOCK.at(due, lambda: _fire(rule, due, anchor=anchor))


def _fire(rule: Rule, due: datetime, *, anchor: datetime) -> None:
    bus = events_backends[rule.account_id][rule.region_name].event_buses.get("default")
    if bus is None or bus.rules.get(rule.name) is not rule:  # deleted, or put again with a timer of its own
        return
    if rule.state in ENABLED:
        event = envelope(
            region=rule.region_name,
            account=rule.account_id,
            source="aws.events",
            detail_type="Scheduled Event",
            detail={},
            resources=[rule.arn],
            when=due,
        )
        publish(BusAt(account=rule.account_id, region=rule.region_name), event, rule=rule)
    _arrange(rule, due, anchor=anchor)
