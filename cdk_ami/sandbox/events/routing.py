"""From a bus to the targets of the rules that an event matches."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from moto.events.models import Rule, events_backends

from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.events import delivery, patterns
from cdk_ami.sandbox.events.bus import OnItsWay, stamp
from cdk_ami.sandbox.events.transform import payload

ENABLED: Final = frozenset({"ENABLED", "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"})
"""States in which a rule takes part."""


def route(one: OnItsWay) -> None:
    """Send an event to the targets of every rule of its bus that it matches, the rules by name."""
    if one.rule is not None:
        send(one.rule, one.event)
        return
    bus = events_backends[one.bus.account][one.bus.region].event_buses.get(one.bus.name)
    if bus is None:
        return
    for rule in sorted(bus.rules.values(), key=lambda rule: str(rule.name)):
        if rule.state in ENABLED and matches(rule, one.event):
            send(rule, one.event, hops=one.hops)


def matches(rule: Rule, event: Mapping[str, Any]) -> bool:
    """Tell whether an event matches the pattern of a rule; one that has a schedule only matches nothing."""
    text = rule.event_pattern.dump()
    return text is not None and patterns.matches(_parsed(text), event)


@cache
def _parsed(text: str) -> Mapping[str, Any]:
    return patterns.parse(text)


def send(rule: Rule, event: Mapping[str, Any], *, hops: int = 0) -> None:
    """Send an event to every target of a rule."""
    told = {"name": rule.name, "arn": rule.arn, "ingested": stamp(CLOCK.now())}
    for target in list(rule.targets):
        if _is_archive(target["Arn"]):
            _keep(rule, target, event)
            continue
        delivery.send(
            delivery.Delivery(
                account=rule.account_id,
                region=rule.region_name,
                source_arn=rule.arn,
                target=target,
                text=payload(target, event, rule=told),
                event=event,
                hops=hops,
            )
        )


def _is_archive(arn: str) -> bool:
    """Tell the target of the rule that the emulator makes for each archive."""
    return arn.startswith("arn:aws:events:") and arn.endswith(":::")


def _keep(rule: Rule, target: Mapping[str, Any], event: Mapping[str, Any]) -> None:
    template = json.loads(target["InputTransformer"]["InputTemplate"].partition(', "event"')[0] + "}")
    name, _, uuid = template["archive-arn"].partition("archive/")[2].partition(":")
    archive = events_backends[rule.account_id][rule.region_name].archives.get(name)
    if archive is not None and archive.uuid == uuid:
        archive.events.append(dict(event))
