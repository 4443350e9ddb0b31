"""Mends of the emulator's SNS: subscribers must let the topic in, and functions are really invoked."""

from __future__ import annotations

from moto.sns.models import Subscription

from cdk_ami.sandbox import emulator
from cdk_ami.sandbox.sns import subscriptions


def install() -> None:
    """Put the method into the emulator's class."""
    subscriptions.ORIGINAL.update(emulator.graft(Subscription, subscriptions.SubscriptionMends, new=subscriptions.NEW))
