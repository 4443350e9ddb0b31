"""Clients by which the sandbox's own engines call the sandbox over HTTP, as strictly as any other caller.

The endpoint is that of the one server of this process.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from threading import Lock
from typing import Any, Final

import boto3
from botocore.awsrequest import AWSRequest
from botocore.config import Config

from cdk_ami.sandbox.service_models import session

ACCOUNT: Final = "123456789012"
"""The account of callers that name no other."""

ROLE_HEADER: Final = "x-sandbox-role"
"""Header of the calls that a service makes by a role of its caller: the role's ARN."""

SERVICE_HEADER: Final = "x-sandbox-service"
"""Header of such calls that tells the service, such as ``imagebuilder.amazonaws.com``, which the role must trust."""

SOURCE_HEADER: Final = "x-sandbox-source"
"""Header of calls that a service makes by itself for a resource of another account: the ARN of that resource."""

ENGINE_HEADER: Final = "x-sandbox-engine"
"""Header of all calls of the sandbox's own engines."""

_NOBODY: Final = (None, None, None)
_ROLE: Final[ContextVar[tuple[str | None, str | None, str | None]]] = ContextVar("role", default=_NOBODY)
_LOCK: Final = Lock()
_ENDPOINT: Final[list[str]] = []


def serve_at(endpoint: str) -> None:
    """Tell the engines where this process serves, such as ``http://127.0.0.1:5000``."""
    _client.cache_clear()
    _ENDPOINT[:] = [endpoint]


def endpoint() -> str:
    """Return where this process serves."""
    return _ENDPOINT[0]


def client(service: str, region: str, account: str = ACCOUNT) -> Any:
    """Return a boto3 client of ``service`` in ``region`` that acts as ``account``.

    Clients are kept: boto3 takes about 20 ms to make one.  They never retry, since the sandbox is the other side.
    """
    with _LOCK:
        return _client(service, region, account)


@contextmanager
def acting_by(role: str | None, *, for_service: str | None = None, source: str | None = None) -> Iterator[None]:
    """Let every call of this block name a role, whose permissions are then the ones that count.

    Args:
        role: The role's ARN; None names none.
        for_service: Principal of the service that acts with it, which the role must trust where policies are enforced.
            Without a role the service acts by itself.
        source: ARN of the resource that the service acts for.
    """
    token = _ROLE.set((role, for_service, source))
    try:
        yield
    finally:
        _ROLE.reset(token)


@cache
def _client(service: str, region: str, account: str) -> Any:
    made = _session().client(
        service,
        region_name=region,
        endpoint_url=_ENDPOINT[0],
        config=Config(
            proxies={},
            retries={"max_attempts": 0},
            max_pool_connections=32,
            read_timeout=300,
            inject_host_prefix=False,
        ),
    )

    def act_as(request: AWSRequest, **_: object) -> None:
        request.headers["x-moto-account-id"] = account
        request.headers[ENGINE_HEADER] = "1"
        for header, value in zip((ROLE_HEADER, SERVICE_HEADER, SOURCE_HEADER), _ROLE.get(), strict=True):
            if value is not None:
                request.headers[header] = value

    made.meta.events.register("before-sign.*.*", act_as)
    return made


@cache
def _session() -> boto3.session.Session:
    return boto3.session.Session(
        aws_access_key_id="sandbox",
        aws_secret_access_key="sandbox",  # noqa: S106 - not a secret
        botocore_session=session(),
    )
