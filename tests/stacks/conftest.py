from __future__ import annotations

from dataclasses import replace
from typing import Any

import aws_cdk as cdk
import pytest

from cdk_ami.settings import FleetSettings, Settings, load
from stacks.app_stacks import add_stacks
from tests.support.synth import ACCOUNT, ROOT, make_app


def templates_of(settings: Settings, *, account: str | None = ACCOUNT, app: cdk.App | None = None) -> dict[str, Any]:
    """Return the template of each stack of ``settings``, by the stack's name."""
    app = app or make_app()
    add_stacks(app, settings, account=account)
    return {artifact.stack_name: artifact.template for artifact in app.synth().stacks}


def with_fleet(settings: Settings, fleet: FleetSettings) -> Settings:
    return replace(settings, fleets=(fleet,))


@pytest.fixture(scope="session")
def settings() -> Settings:
    """The settings that are checked in."""
    return load(ROOT / "cdk-ami.toml")


@pytest.fixture(scope="session")
def templates(settings: Settings) -> dict[str, Any]:
    return templates_of(settings)
