"""The emulator library as it comes, without our mends, in a process of its own: it cannot stand beside them in one.

Where it is right, the sandbox must answer the same.  A test that takes ``either`` runs on both.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from cdk_ami.sandbox.server import Sandbox
from tests.support.sandbox import ACCOUNT, MakeClient, make_client, reset_at

PROGRAM = """
import sys
from moto.moto_server.threaded_moto_server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
server.stop()
"""


@pytest.fixture(scope="session")
def stock_endpoint() -> Iterator[str]:
    """Where the library serves; it ends when its standard input does."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MOTO_")}
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=clean,
        text=True,
    ) as serving:
        assert serving.stdout is not None
        assert serving.stdin is not None
        yield f"http://127.0.0.1:{serving.stdout.readline().strip()}"
        serving.stdin.close()


@pytest.fixture(scope="session")
def _either_clients() -> dict[tuple[str, str, str, str], Any]:
    return {}


@pytest.fixture(params=["sandbox", "stock"])
def either(
    request: pytest.FixtureRequest,
    sandbox_server: Sandbox,
    _either_clients: dict[tuple[str, str, str, str], Any],
) -> MakeClient:
    """Make boto3 clients that speak to the sandbox, and in another run of the test to the library as it comes."""
    endpoint = sandbox_server.endpoint
    if request.param == "stock":
        endpoint = request.getfixturevalue("stock_endpoint")
    reset_at(endpoint)

    def make(service: str, region: str = "us-east-1", *, account: str = ACCOUNT) -> Any:
        key = (endpoint, service, region, account)
        if key not in _either_clients:
            _either_clients[key] = make_client(*key)
        return _either_clients[key]

    return make
