from __future__ import annotations

from cdk_ami.cli.reference import commands_page
from tests.support.synth import ROOT


def test_the_page_of_commands_is_what_their_help_says() -> None:
    page = (ROOT / "docs" / "reference" / "commands.md").read_text()

    assert page == commands_page(), "write it anew: python -m cdk_ami.cli.reference > docs/reference/commands.md"
