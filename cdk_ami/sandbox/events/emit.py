"""The one door by which the sandbox's own services tell what happened, as AWS's do on the default bus.

Callers of PutEvents may not name a source that begins with ``aws.``, so that services do not come by that operation.
https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsRequestEntry.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from cdk_ami.sandbox.events.bus import BusAt, envelope, publish


def emit(  # noqa: PLR0917 - the order in which an event names them
    region: str,
    account: str,
    source: str,
    detail_type: str,
    detail: Mapping[str, Any],
    resources: Sequence[str] = (),
) -> str:
    """Put an event of an AWS service on the default bus of an account and Region.

    The event is only taken in here: a thread of its own matches and delivers it later.  The caller may hold any lock.

    Args:
        region: Region of the bus.
        account: Account of the bus.
        source: Such as ``aws.ec2``.
        detail_type: Such as ``EC2 AMI State Change``.
        detail: The detail, which must be JSON; it is copied.
        resources: ARNs of what the event is about.

    Returns:
        The id of the event.
    """
    event = envelope(
        region=region,
        account=account,
        source=source,
        detail_type=detail_type,
        detail=json.loads(json.dumps(detail)),
        resources=resources,
    )
    publish(BusAt(account=account, region=region), event)
    return str(event["id"])
