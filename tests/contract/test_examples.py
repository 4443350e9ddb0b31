from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.programs import synthesize_program
from tests.support.synth import ROOT

EXAMPLES = sorted((ROOT / "examples").glob("*/app.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_an_example_synthesizes_with_resources_in_each_stack(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    templates = synthesize_program(path.read_text(), str(path), monkeypatch)

    assert templates
    assert [name for name, template in templates.items() if not template.get("Resources")] == []


def test_each_example_is_listed() -> None:
    listed = (ROOT / "examples/README.md").read_text()

    assert [path.parent.name for path in EXAMPLES if f"({path.parent.name}/app.py)" not in listed] == []
