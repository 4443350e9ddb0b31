"""Clients of every Region and account that a promotion moves channels in."""

from __future__ import annotations

from functools import cache
from typing import Any, Final, Protocol

import boto3
from botocore.config import Config

_CONFIG: Final = Config(
    retries={"mode": "standard", "total_max_attempts": 4}, connect_timeout=5, read_timeout=20, max_pool_connections=4
)
"""The state machine tries again as well, and for longer."""


class Clients(Protocol):
    """Makes clients: of a Region, empty for the function's own, and by a role, empty for the function's own."""

    def __call__(self, service: str, region: str = "", role: str = "") -> Any:
        """Return a client."""


def make_clients() -> Clients:
    """Return a maker of clients from one session: a session for each Region would cost ten times the time."""
    session = boto3.session.Session()

    @cache
    def own(service: str, region: str) -> Any:
        return session.client(service, region_name=region or None, config=_CONFIG)

    def make(service: str, region: str = "", role: str = "") -> Any:
        if not role:
            return own(service, region)
        # Assumed anew each time: the keys of the last time may have expired.
        keys = own("sts", "").assume_role(RoleArn=role, RoleSessionName="cdk-ami-promotion")["Credentials"]
        return session.client(
            service,
            region_name=region or None,
            config=_CONFIG,
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys["SessionToken"],
        )

    return make
