"""Clients of the accounts that are looked at: one's own, and those that somebody gave a way into."""

from __future__ import annotations

import os
from collections.abc import Mapping
from threading import Lock
from typing import Any, Final

import boto3
from botocore.config import Config

from cdk_ami.runtime.preflight.model import NotSeenError
from cdk_ami.runtime.regions import ATTEMPTS

_SESSION_NAME: Final = "cdk-ami-preflight"


class Accounts:
    """Makes clients, each once.

    Args:
        ways: By account, the profile to look with, or the ARN of a role to take.
    """

    def __init__(self, ways: Mapping[str, str]) -> None:
        self._ways = dict(ways)
        self._lock = Lock()
        self._entered: dict[str, tuple[boto3.session.Session, dict[str, str]]] = {}
        self._clients: dict[tuple[str, str, str], Any] = {}
        self._session = boto3.session.Session()
        sts = self._session.client("sts", region_name=_any_region(), config=_config())
        self.own = str(sts.get_caller_identity()["Account"])
        """The account of the credentials at hand."""

    def client(self, service: str, account: str, region: str) -> Any:
        """Return a client of ``service``.

        Raises:
            NotSeenError: When nobody gave a way into the account.
        """
        key = (service, account, region)
        with self._lock:
            if key not in self._clients:
                session, keys = self._way_into(account)
                self._clients[key] = session.client(
                    service, region_name=region or _any_region(), config=_config(), **keys
                )
            return self._clients[key]

    def _way_into(self, account: str) -> tuple[boto3.session.Session, dict[str, str]]:
        if account == self.own:
            return self._session, {}
        if account not in self._ways:
            raise NotSeenError(
                f"nobody looked into the account {account}", fix=f"give --look-with {account}=PROFILE, or a role's ARN"
            )
        if account not in self._entered:
            self._entered[account] = self._enter(self._ways[account])
        return self._entered[account]

    def _enter(self, way: str) -> tuple[boto3.session.Session, dict[str, str]]:
        if not way.startswith("arn:"):
            return boto3.session.Session(profile_name=way), {}
        sts = self._session.client("sts", region_name=_any_region(), config=_config())
        taken = sts.assume_role(RoleArn=way, RoleSessionName=_SESSION_NAME)["Credentials"]
        # By the same session: another one would read the models of all services again.
        return self._session, {
            "aws_access_key_id": taken["AccessKeyId"],
            "aws_secret_access_key": taken["SecretAccessKey"],
            "aws_session_token": taken["SessionToken"],
        }


def _config() -> Config:
    attempts = int(os.environ.get("AWS_MAX_ATTEMPTS", ATTEMPTS))
    return Config(retries={"mode": "standard", "total_max_attempts": attempts}, connect_timeout=10, read_timeout=60)


def _any_region() -> str:
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
