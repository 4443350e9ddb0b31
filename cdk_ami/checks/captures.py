"""Instance captures: AMIs of servers that exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from cdk_ami.checks.rule import Problem, rule

INSTANCE_ID: Final = r"i-(?:[0-9a-f]{8}|[0-9a-f]{17})"
"""Id of an instance.  https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/resource-ids.html"""

DEVICE: Final = r"(?:/dev/)?(?:sd[a-z][0-9]{0,2}|xvd[a-z]{1,2}[0-9]{0,2})"
"""Name of a device.  https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/device_naming.html"""

PATIENCE_SECONDS_MAX: Final = 24 * 3600
"""Longest wait for a captured AMI: each look is some events of an execution, of which 25,000 are kept.
https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html"""


@rule("InstanceId", source="https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/resource-ids.html")
def instance_id(value: str) -> Iterator[Problem]:
    """An instance id is i- and 8 or 17 hexadecimal digits."""
    if not re.fullmatch(INSTANCE_ID, value):
        yield Problem(problem="is no instance id", got=value, fix="give an id such as i-0123456789abcdef0")


@rule("CapturedDevice", source="https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/device_naming.html")
def device(name: str) -> Iterator[Problem]:
    """A volume is left out of an AMI by its device name."""
    if not re.fullmatch(DEVICE, name):
        yield Problem(
            problem="is no device name", got=name, fix="give a name such as /dev/sdf, as the instance shows it"
        )


@rule("CapturePatience", source="https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html")
def patience(seconds: int) -> Iterator[Problem]:
    """An execution keeps 25,000 events, and a day of looking at an AMI fills most of them."""
    if not 0 < seconds <= PATIENCE_SECONDS_MAX:
        yield Problem(problem="is no time to wait", got=f"{seconds} s", fix="give more than none and at most 24 hours")
