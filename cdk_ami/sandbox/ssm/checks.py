"""Values of data type ``aws:ec2:image``, which stand only after a check that the caller does not wait for.

https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-ec2-aliases.html, read 2026-11-28
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from moto.ec2.exceptions import EC2ClientError
from moto.ssm.models import Parameter

from cdk_ami.sandbox.activity import ACTIVITY
from cdk_ami.sandbox.ec2.visibility import find_image
from cdk_ami.sandbox.pace import PACE
from cdk_ami.sandbox.serial import LOCK
from cdk_ami.sandbox.ssm.changes import tell

AMI_ID: Final = re.compile(r"ami-(?:[0-9a-f]{8}|[0-9a-f]{17})")
"""https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-ec2-aliases.html."""

_WAITING: Final[Counter[tuple[str, str, str]]] = Counter()
"""How many values of each parameter, by account, Region and name, are being checked."""


def waiting(account: str, region: str, name: str) -> int:
    """Return how many values of a parameter are being checked."""
    with LOCK:
        return _WAITING[account, region, name]


def reset() -> None:
    """Forget what is being checked."""
    with LOCK:
        _WAITING.clear()


def check_later(
    backend: Any, parameter: Parameter, *, overwrite: bool, stand: Callable[[], None], drop: Callable[[], None]
) -> None:
    """Check the value of a parameter that was taken in, and let it stand or drop it, with the event of either.

    Args:
        backend: The emulator's backend that it belongs to.
        parameter: The parameter as it is to be; its version is set when it stands.
        overwrite: Whether it may take the place of another.
        stand: What puts it in its place.
        drop: What puts away what was left of it.
    """
    key = (backend.account_id, backend.region_name, parameter.name)
    _WAITING[key] += 1

    def decide() -> None:
        with LOCK:
            if not _WAITING[key]:  # a reset came between
                return
            _WAITING[key] -= 1
            before = dict.get(backend._parameters, parameter.name)  # noqa: SLF001 - moto keeps them so
            operation = "Update" if before else "Create"
            fault = _fault(backend, parameter)
            if fault is None and before and not overwrite:
                fault = "ParameterAlreadyExists"
            if fault is None:
                parameter.version = before[-1].version + 1 if before else 1
                stand()
            else:
                drop()
            tell(parameter, operation, region=backend.region_name, exception=fault)

    ACTIVITY.soon(PACE.parameter, f"check of the parameter {parameter.name}", decide)


def _fault(backend: Any, parameter: Parameter) -> str | None:
    if not AMI_ID.fullmatch(parameter.value):
        return "Invalid AMI ID format"
    try:
        find_image(backend.region_name, backend.account_id, parameter.value)
    except EC2ClientError:
        return "Unable to Describe Resource"
    return None
