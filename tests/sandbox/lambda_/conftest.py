"""Functions for the tests of Lambda."""

from __future__ import annotations

import pytest

from tests.support.functions import Functions
from tests.support.sandbox import MakeClient


@pytest.fixture
def functions(aws: MakeClient) -> Functions:
    """Functions in us-east-1."""
    return Functions(aws("lambda"), aws("iam"))
