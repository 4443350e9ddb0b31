"""Every Python block of the README and the documentation runs, from the root of the project."""

from __future__ import annotations

import re
from typing import Any

import pytest

from cdk_ami import BuildEnvironment, ConfigError, Distribution, GoldenImage, SourceImage, Target
from tests.support.programs import synthesize_program
from tests.support.synth import ROOT, make_stack

PAGES = [ROOT / "README.md", ROOT / "examples" / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks() -> list[Any]:
    return [
        pytest.param(code, id=f"{page.relative_to(ROOT)}-{number}")
        for page in PAGES
        for number, code in enumerate(BLOCK.findall(page.read_text()), start=1)
    ]


@pytest.mark.parametrize("code", blocks())
def test_a_snippet_runs_and_renders_resources_in_each_stack(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    templates = synthesize_program(code, "snippet", monkeypatch)

    assert templates
    assert [name for name, template in templates.items() if not template.get("Resources")] == []


def test_the_stack_of_an_account_that_receives_needs_no_bootstrap(monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs/how-to/share-with-accounts.md").read_text()
    (code,) = [block for block in BLOCK.findall(page) if "TargetAccountRole(" in block]

    (template,) = synthesize_program(code, "snippet", monkeypatch).values()

    assert "BootstrapVersion" not in template.get("Parameters", {})
    # The other synthesizer without that parameter deploys by a role of the bootstrap all the same.
    assert "LegacyStackSynthesizer()" in code


def test_the_readme_shows_code() -> None:
    assert len(BLOCK.findall((ROOT / "README.md").read_text())) >= 2


def test_the_mistakes_that_the_readme_shows_are_reported_so() -> None:
    environment = BuildEnvironment(instance_types=["t4g.large"], resource_tags={"Name": "build"})
    targets = [Target(region="us-east-1"), Target(region="eu-west-1", ami_name="web")]

    with pytest.raises(ConfigError) as caught:
        GoldenImage(
            make_stack("Web"),
            "Image",
            name="web",
            source=SourceImage.amazon_linux_2023(),
            environment=environment,
            distribution=Distribution(targets=targets),
        )

    assert f"```text\n{caught.value}\n```" in (ROOT / "README.md").read_text()


def test_each_link_between_pages_leads_somewhere() -> None:
    dead = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in PAGES
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text())
        if not (page.parent / target).exists()
    ]

    assert dead == []
