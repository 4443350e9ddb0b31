"""Clients by which the sandbox's own engines call the sandbox over HTTP, as strictly as any other caller.

The endpoint is that of the one server of this process.
"""

from __future__ import annotations

from functools import cache
from threading import Lock
from typing import Any, Final

import boto3
from botocore.awsrequest import AWSRequest
from botocore.config import Config

ACCOUNT: Final = "123456789012"
"""The account of callers that name no other."""

ENGINE_HEADER: Final = "x-sandbox-engine"
"""Marks a request of the sandbox's own engines."""

ROLE_HEADER: Final = "x-sandbox-role"
"""ARN of the role that a request is made with, where the caller has no keys of the role."""

SERVICE_HEADER: Final = "x-sandbox-service"
"""Principal of the service that acts with the role."""

_LOCK: Final = Lock()
_ENDPOINT: Final[list[str]] = []


def serve_at(endpoint: str) -> None:
    """Tell the engines where this process serves, such as ``http://127.0.0.1:5000``."""
    _client.cache_clear()
    _ENDPOINT[:] = [endpoint]


def endpoint() -> str:
    """Return where this process serves."""
    return _ENDPOINT[0]


def client(
    service: str, region: str, account: str = ACCOUNT, *, role: str | None = None, for_service: str | None = None
) -> Any:
    """Return a boto3 client of ``service`` in ``region`` that acts as ``account``.

    Clients are kept: boto3 takes about 20 ms to make one.  They never retry, since the sandbox is the other side.

    Args:
        service: boto3's name of the service.
        region: The Region.
        account: The account.
        role: ARN of the role that the requests are made with; where policies of roles are enforced, they decide.
        for_service: Principal of the service that acts with the role, such as ``imagebuilder.amazonaws.com``.  Where
            policies are enforced, the role must trust it.
    """
    with _LOCK:
        return _client(service, region, account, role, for_service)


@cache
def _client(service: str, region: str, account: str, role: str | None, for_service: str | None) -> Any:
    made = _session().client(
        service,
        region_name=region,
        endpoint_url=_ENDPOINT[0],
        config=Config(proxies={}, retries={"max_attempts": 0}, max_pool_connections=32, read_timeout=300),
    )
    headers = {"x-moto-account-id": account, ENGINE_HEADER: "1"}
    headers |= {ROLE_HEADER: role} if role else {}
    headers |= {SERVICE_HEADER: for_service} if for_service else {}

    def act_as(request: AWSRequest, **_: object) -> None:
        for name, value in headers.items():
            request.headers[name] = value

    made.meta.events.register("before-sign.*.*", act_as)
    return made


@cache
def _session() -> boto3.session.Session:
    return boto3.session.Session(aws_access_key_id="sandbox", aws_secret_access_key="sandbox")  # noqa: S106 - not a secret
