"""The AWS that a component's steps reach."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

_HANDED_ON: Final = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_EC2_METADATA_DISABLED",
)


class Aws(Protocol):
    """Clients for the actions, and what a step's own processes need to call AWS.

    Attributes:
        variables: Environment variables for the processes.
    """

    variables: Mapping[str, str]

    def client(self, service: str) -> Any:
        """Return a boto3 client."""
        ...


class CallersAws:
    """The AWS of the caller's environment.

    The actions use the caller's credentials.  The processes of a step get them only for a local AWS: what a component
    runs should not act as the person who tries it.

    Attributes:
        variables: Variables for the processes, empty for AWS itself.
    """

    def __init__(self) -> None:
        self.variables: Mapping[str, str] = (
            {name: os.environ[name] for name in _HANDED_ON if name in os.environ} if is_local() else {}
        )

    def client(self, service: str) -> Any:
        """Return a client as boto3 finds its configuration."""
        import boto3  # noqa: PLC0415 - 0.3 s that most components do not need

        return boto3.client(service)


def is_local() -> bool:
    """Tell whether the caller's environment points at a local AWS."""
    host = urlsplit(os.environ.get("AWS_ENDPOINT_URL", "")).hostname
    return host in ("localhost", "::1") or bool(host and host.startswith("127."))
