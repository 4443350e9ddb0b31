"""Writes ``docs/reference/commands.md`` from the commands' own help."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import click

from cdk_ami.cli.main import main

WIDTH: Final = 100

_HEAD: Final = """\
# Commands

What `cdk-ami COMMAND --help` says, for every command.

Written by `python -m cdk_ami.cli.reference`.
"""


def commands_page() -> str:
    """Return the page."""
    return "\n".join([_HEAD, *sections().values()])


def sections() -> dict[str, str]:
    """Return the section of each command, by its name, in the order of the names."""
    return {name: f"## {name}\n\n```text\n{text}\n```\n" for name, text in sorted(_helps(main, "cdk-ami", None))}


def _helps(command: click.Command, name: str, parent: click.Context | None) -> Iterator[tuple[str, str]]:
    context = click.Context(
        command,
        info_name=name.rpartition(" ")[2],
        parent=parent,
        max_content_width=WIDTH,
        terminal_width=WIDTH,
        help_option_names=["-h", "--help"],
    )
    yield name, "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            found = command.get_command(context, inner)
            if found is not None:
                yield from _helps(found, f"{name} {inner}", context)


if __name__ == "__main__":
    print(commands_page(), end="")  # noqa: T201 - the page
