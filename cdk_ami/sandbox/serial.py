"""One request at a time for the services that look into one another.

The emulator keeps its records in plain dictionaries and walks through them while other threads write, which fails now
and then.  The services here reach into each other's records and never call the sandbox over HTTP while they answer, so
that one lock for all of them is safe; whoever changes their records from a thread of its own holds it too.
"""

from __future__ import annotations

from threading import RLock
from typing import Any, Final

from moto.core.responses import BaseResponse

from cdk_ami.sandbox import emulator

SERVICES: Final = frozenset({"autoscaling", "ec2", "iam", "kms", "rbin", "ssm", "sts"})
"""The services whose requests wait for one another."""

LOCK: Final = RLock()
"""Held while one of them answers."""


def install() -> None:
    """Make the services wait for one another."""

    def _dispatch(self: Any, request: Any, full_url: Any = None, headers: Any = None) -> Any:
        if self.boto3_service_name not in SERVICES:
            return original(self, request, full_url, headers)
        with LOCK:
            return original(self, request, full_url, headers)

    original = emulator.replace(BaseResponse, "_dispatch", _dispatch, takes=("request", "full_url", "headers"))
