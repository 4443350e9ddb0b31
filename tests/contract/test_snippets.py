"""Every Python block of the README and the documentation runs, from the root of the project."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest

from tests.support.synth import ROOT, app_context

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks() -> list[Any]:
    return [
        pytest.param(code, id=f"{page.relative_to(ROOT)}-{number}")
        for page in PAGES
        for number, code in enumerate(BLOCK.findall(page.read_text()), start=1)
    ]


@pytest.mark.parametrize("code", blocks())
def test_a_snippet_runs_and_renders_resources(code: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("CDK_OUTDIR", str(tmp_path))
    app = cdk.App(context=app_context() | {"@aws-cdk/core:validateAgainstDefaultRules": False})
    monkeypatch.setattr(cdk, "App", lambda: app)

    exec(compile(code, "snippet", "exec"), {"__name__": "snippet"})  # noqa: S102 - our own pages

    stacks = [child for child in app.node.children if isinstance(child, cdk.Stack)]
    assert stacks, "the snippet made no stack"
    assembly = app.synth()
    assert all(assembly.get_stack_artifact(stack.artifact_id).template.get("Resources") for stack in stacks)


def test_the_readme_shows_code() -> None:
    assert len(BLOCK.findall((ROOT / "README.md").read_text())) >= 2


def test_each_link_between_pages_leads_somewhere() -> None:
    dead = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in PAGES
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text())
        if not (page.parent / target).exists()
    ]

    assert dead == []
