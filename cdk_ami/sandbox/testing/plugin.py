"""The pytest plugin: the fixture ``cdk_ami_sandbox``.

Loaded by pytest wherever the package is installed; imports the emulator when a test asks for the fixture.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from cdk_ami.sandbox.testing import LocalAws


@pytest.fixture(scope="session")
def _cdk_ami_sandbox_server() -> Iterator[LocalAws]:
    from cdk_ami.sandbox.testing import LocalAws  # noqa: PLC0415 - a test run without it does not pay

    with LocalAws() as serving:
        yield serving


@pytest.fixture
def cdk_ami_sandbox(_cdk_ami_sandbox_server: LocalAws, monkeypatch: pytest.MonkeyPatch) -> LocalAws:
    """A local AWS, empty, to which the environment of the test points: code that makes boto3 clients meets it."""
    _cdk_ami_sandbox_server.reset()
    for name, value in _cdk_ami_sandbox_server.environment().items():
        monkeypatch.setenv(name, value)
    return _cdk_ami_sandbox_server
