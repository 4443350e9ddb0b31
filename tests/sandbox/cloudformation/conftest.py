"""Stacks for the tests of the engine."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.deployed import Deployed
from tests.support.sandbox import MakeClient
from tests.support.stacks import Stacks


@pytest.fixture
def stacks(aws: MakeClient) -> Stacks:
    """Stacks in us-east-1."""
    return Stacks(aws("cloudformation"))


@pytest.fixture
def stacks_in(aws: MakeClient) -> Callable[..., Stacks]:
    """Stacks elsewhere."""

    def there(region: str = "us-east-1", account: str = "123456789012") -> Stacks:
        return Stacks(aws("cloudformation", region, account=account))

    return there


@pytest.fixture
def deployed(aws: MakeClient) -> Deployed:
    """An app to fill and deploy."""
    return Deployed(aws)
