"""A local AWS for tests, empty again before each, with clients that check every answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol
from urllib.request import Request, urlopen

import boto3
import pytest
from botocore.config import Config
from botocore.validate import ParamValidator

from cdk_ami.sandbox import environment
from cdk_ami.sandbox.server import Sandbox

ACCOUNT = "123456789012"


class MakeClient(Protocol):
    def __call__(self, service: str, region: str = ..., *, account: str = ...) -> Any: ...


@pytest.fixture(scope="session")
def sandbox_server() -> Iterator[Sandbox]:
    """The one server of the session."""
    with pytest.MonkeyPatch.context() as patch, Sandbox() as serving:
        for name, value in environment.variables(serving.endpoint).items():
            patch.setenv(name, value)
        yield serving


@pytest.fixture
def sandbox(sandbox_server: Sandbox) -> Sandbox:
    """The server, with nothing in it but what AWS itself offers."""
    reset(sandbox_server)
    return sandbox_server


def reset(sandbox: Sandbox) -> None:
    """Let a server forget everything."""
    reset_at(sandbox.endpoint)


def reset_at(endpoint: str) -> None:
    """Let the server at ``endpoint`` forget everything."""
    with urlopen(Request(f"{endpoint}/moto-api/reset", method="POST")) as answer:  # noqa: S310 - loopback
        assert answer.status == 200


@pytest.fixture
def aws(sandbox: Sandbox, _sandbox_clients: dict[tuple[str, str, str], Any]) -> MakeClient:
    """Make boto3 clients that speak to the sandbox and check every answer against botocore's shapes."""

    def make(service: str, region: str = "us-east-1", *, account: str = ACCOUNT) -> Any:
        key = (service, region, account)
        if key not in _sandbox_clients:
            _sandbox_clients[key] = make_client(sandbox.endpoint, *key)
        return _sandbox_clients[key]

    return make


@pytest.fixture(scope="session")
def _sandbox_clients() -> dict[tuple[str, str, str], Any]:
    return {}


def make_client(endpoint: str, service: str, region: str, account: str) -> Any:
    """Make a client of a service at ``endpoint`` that acts as an account and checks every answer."""
    client = boto3.client(
        service,
        region_name=region,
        endpoint_url=endpoint,
        aws_access_key_id="sandbox",
        aws_secret_access_key="sandbox",
        config=Config(retries={"total_max_attempts": 1}),
    )

    def act_as(request: Any, **_: object) -> None:
        request.headers["x-moto-account-id"] = account

    client.meta.events.register("before-sign.*.*", act_as)
    client.meta.events.register("after-call.*.*", check_shape)
    return client


def check_shape(*, http_response: Any, parsed: dict[str, Any], model: Any, **_: object) -> None:
    """Fail when an answer is not what botocore's model of the operation says."""
    if http_response.status_code >= 300 or model.output_shape is None or model.has_streaming_output:
        return
    answer = {key: value for key, value in parsed.items() if key != "ResponseMetadata"}
    report = ParamValidator().validate(answer, model.output_shape)
    # An answer may be empty where a request may not.
    faults = [line for line in report.generate_report().splitlines() if "value: 0, valid min length" not in line]
    assert not faults, f"{model.name} answered out of shape: {faults}"


def wait_until(condition: Callable[[], bool], *, seconds: float = 60.0) -> None:
    """Return when ``condition`` holds; fail when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.02)
