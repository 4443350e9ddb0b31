"""What holds for every test: no real AWS, no network but the loopback address."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

# Fixtures of the local AWS, for the steps, the command and the sandbox itself; its modules load when a test asks.
pytest_plugins = ["tests.support.sandbox", "tests.support.debian", "tests.support.stock"]

os.environ.update(
    AWS_ACCESS_KEY_ID="testing",
    AWS_SECRET_ACCESS_KEY="testing",
    AWS_SESSION_TOKEN="testing",
    AWS_EC2_METADATA_DISABLED="true",
    AWS_CONFIG_FILE=os.devnull,
    AWS_SHARED_CREDENTIALS_FILE=os.devnull,
    # The CDK's own validation costs 4 s a synthesis; one test runs it on every template, in a process of its own.
    CDK_VALIDATION="false",
    # Node 20 and later versions all work; the banner about their age is for people, not for tests.
    JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION="18,20",
)
os.environ.pop("AWS_PROFILE", None)

# No test may fail because a machine is slow or busy.
settings.register_profile("any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-machine")


@pytest.hookimpl(trylast=True)
def pytest_runtest_setup() -> None:
    """Let sockets reach 127.0.0.1 only."""
    import pytest_socket  # noqa: PLC0415 - a plugin's own module, after the plugin is loaded

    pytest_socket.socket_allow_hosts(["127.0.0.1", "localhost"], allow_unix_socket=True)
