"""The one door by which the sandbox's own services tell what happened, as AWS's do on the default bus.

Callers of PutEvents may not name a source that begins with ``aws.``, so that services do not come by that operation.
https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsRequestEntry.html
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

from cdk_ami.sandbox.clock import CLOCK

_LOG: Final = logging.getLogger("cdk_ami.sandbox")


def emit(  # noqa: PLR0917 - the order in which an event names them
    region: str, account: str, source: str, detail_type: str, detail: Mapping[str, Any], resources: Sequence[str]
) -> None:
    """Put an event of a service on the default event bus of ``account`` in ``region``.

    Args:
        region: Region in which it happened.
        account: Account whose resource it is about.
        source: Service, such as ``aws.autoscaling``.
        detail_type: What happened, in the service's words.
        detail: What the service tells about it: JSON.
        resources: ARNs of the resources concerned.
    """
    from moto.events.models import events_backends  # noqa: PLC0415 - after the emulator has been patched

    entry = {
        "Source": source,
        "DetailType": detail_type,
        "Detail": json.dumps(detail),
        "Resources": list(resources),
        "Time": CLOCK.now().timestamp(),
    }
    try:
        events_backends[account][region].put_events([entry])
    except NotImplementedError as error:
        # What happened has happened, whether or not the emulator knows the kind of a rule's target.
        _LOG.warning("%s was not delivered everywhere: %s", detail_type, error)
