"""How long things take in the sandbox: no time at all, unless somebody wants to watch."""

from __future__ import annotations

import os
from dataclasses import dataclass, field


def _seconds(name: str) -> float:
    return float(os.environ.get(f"CDK_AMI_SANDBOX_{name}_SECONDS", "0"))


@dataclass(slots=True, kw_only=True)
class Pace:
    """Seconds that each kind of work takes; 0 is at once.

    Attributes:
        image: From CreateImage, CopyImage or RegisterImage until the AMI is available; likewise for snapshots and for
            the steps of fast restore, fast launch, usage reports and root volume replacement.
            Environment: ``CDK_AMI_SANDBOX_IMAGE_SECONDS``.
        warmup: From the service of an instance in an instance refresh until the refresh goes on, where it names no
            ``InstanceWarmup`` of its own.  AWS waits for the group's then; no software starts here.
            Environment: ``CDK_AMI_SANDBOX_WARMUP_SECONDS``.
        state: How long an Image Builder build stays in each of its states before it goes on.
            Environment: ``CDK_AMI_SANDBOX_STATE_SECONDS``.
        parameter: From PutParameter of data type ``aws:ec2:image`` until the value stands or is dropped.
            Environment: ``CDK_AMI_SANDBOX_PARAMETER_SECONDS``.
    """

    image: float = field(default_factory=lambda: _seconds("IMAGE"))
    warmup: float = field(default_factory=lambda: _seconds("WARMUP"))
    state: float = field(default_factory=lambda: _seconds("STATE"))
    parameter: float = field(default_factory=lambda: _seconds("PARAMETER"))


PACE = Pace()
"""The pace of this process; tests may change it."""
