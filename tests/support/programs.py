"""Runs small CDK apps in this process, as `python app.py` would."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest

from tests.support.synth import ROOT, make_app


def synthesize_program(code: str, name: str, patch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """Run ``code`` from the root of the project; return the template of each stack it made, by name."""
    patch.chdir(ROOT)
    app = make_app()
    patch.setattr(cdk, "App", lambda: app)
    exec(compile(code, name, "exec"), {"__name__": "__main__", "__file__": name})  # noqa: S102 - our own pages and examples
    assembly = app.synth(force=True)
    return {artifact.stack_name: artifact.template for artifact in assembly.stacks}
