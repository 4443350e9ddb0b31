"""The page about the sandbox says what the code says."""

from __future__ import annotations

from pathlib import Path

from cdk_ami.sandbox.reference import sandbox_page

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_of_the_sandbox_is_the_one_that_the_code_writes() -> None:
    page = (DOCS / "reference" / "sandbox.md").read_text()

    assert page == sandbox_page(), "write it anew: python -m cdk_ami.sandbox.reference > docs/reference/sandbox.md"


def test_the_page_tells_what_a_type_takes_and_what_it_refuses() -> None:
    rows = {line.split("`")[1]: line for line in sandbox_page().splitlines() if line.startswith("| `AWS::")}

    _, _, taken, refused, *_ = rows["AWS::ImageBuilder::Image"].split("|")
    assert "`ImagePipelineExecutionSettings`" in taken
    assert "`ImagePipelineExecutionSettings`" not in refused


def test_the_page_is_linked_from_the_index_and_from_the_guide() -> None:
    assert "(reference/sandbox.md)" in (DOCS / "README.md").read_text()
    assert "(../reference/sandbox.md)" in (DOCS / "how-to" / "try-it-without-an-account.md").read_text()
