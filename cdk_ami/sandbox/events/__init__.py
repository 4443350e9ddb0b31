"""EventBridge: what happens in the sandbox reaches the rules, and through them their targets.

Every part of the sandbox puts its events on a bus by ``cdk_ami.sandbox.events.emit``.  Matching and delivery are ours;
the records of buses, rules, archives and connections are the emulator's.
"""

from __future__ import annotations

from moto.events.models import EventsBackend, Rule
from moto.events.responses import EventsHandler

from cdk_ami.sandbox import emulator, reset
from cdk_ami.sandbox.control import ROUTES
from cdk_ami.sandbox.events import bus, delivery, requests, rules


def install() -> None:
    """Put the methods into the emulator's classes, and the routes beside the others."""
    rules.ORIGINAL.update(emulator.graft(EventsBackend, rules.RuleOperations, new=rules.NEW))
    emulator.graft(Rule, rules.RuleMends)
    rules.ORIGINAL.update(emulator.graft(EventsHandler, rules.Answers))
    reset.also(bus.reset)
    reset.also(delivery.reset)
    ROUTES.update(requests.ROUTES)
