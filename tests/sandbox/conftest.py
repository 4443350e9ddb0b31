from __future__ import annotations

from typing import Any

import pytest

from cdk_ami.sandbox.server import Sandbox
from tests.support.happenings import Happenings


@pytest.fixture
def it(sandbox: Sandbox, aws: Any) -> Happenings:
    return Happenings(sandbox, aws)
