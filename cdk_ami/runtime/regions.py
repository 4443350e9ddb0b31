"""Many Regions side by side, none hiding another's failure."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

T = TypeVar("T")

WORKERS: Final = 8
"""Regions asked at once.  Sixteen Regions take 2.6 s with 8 workers, 20 s one by one and 1.4 s with 16."""

ATTEMPTS: Final = 10
"""Attempts at one call, unless AWS_MAX_ATTEMPTS says otherwise.  Over 16 Regions with a third of the calls throttled,
the three of the SDK never end well, five do; with half of them throttled it takes ten.
https://docs.aws.amazon.com/boto3/latest/guide/retries.html"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionClients:
    """The clients of one Region.

    Attributes:
        region: Region code.
        ec2: Client of EC2.
        ssm: Client of Systems Manager.
        imagebuilder: Client of Image Builder.
    """

    region: str
    ec2: Any
    ssm: Any
    imagebuilder: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers(Generic[T]):
    """What the Regions said.

    Attributes:
        found: The answer of each Region that gave one, in the order asked.
        failed: In plain words, why each other Region gave none.
    """

    found: Mapping[str, T]
    failed: Mapping[str, str]


def clients_of(regions: Sequence[str]) -> list[RegionClients]:
    """Return the clients of each Region, from one session: a session a Region would cost ten times the time."""
    session = boto3.session.Session()
    config = Config(
        retries={"mode": "standard", "total_max_attempts": int(os.environ.get("AWS_MAX_ATTEMPTS", ATTEMPTS))},
        connect_timeout=10,
        read_timeout=60,
    )
    return [
        RegionClients(
            region=region,
            ec2=session.client("ec2", region_name=region, config=config),
            ssm=session.client("ssm", region_name=region, config=config),
            imagebuilder=session.client("imagebuilder", region_name=region, config=config),
        )
        for region in regions
    ]


def ask(clients: Sequence[RegionClients], question: Callable[[RegionClients], T]) -> Answers[T]:
    """Ask every Region ``question``, side by side."""
    found: dict[str, T] = {}
    failed: dict[str, str] = {}
    with ThreadPoolExecutor(max_workers=WORKERS) as pool:
        asked = [(client.region, pool.submit(question, client)) for client in clients]
        for region, answer in asked:
            try:
                found[region] = answer.result()
            except (BotoCoreError, ClientError) as error:
                failed[region] = f"could not look: {error}"
    return Answers(found=found, failed=failed)


def account_of(region: str) -> str:
    """Return the account of the caller, as ``region`` knows it."""
    account: str = boto3.session.Session().client("sts", region_name=region).get_caller_identity()["Account"]
    return account


def iam_of(region: str) -> Any:
    """Return a client of IAM, in the partition of ``region``."""
    return boto3.session.Session().client("iam", region_name=region)


def autoscaling_of(region: str) -> Any:
    """Return a client of Auto Scaling."""
    return boto3.session.Session().client("autoscaling", region_name=region)
