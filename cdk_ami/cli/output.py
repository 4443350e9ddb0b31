"""How commands print: tables for people, JSON for programs, failures in plain words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, Final

import click

_WIDEST: Final = 10_000


def print_json(value: object) -> None:
    """Print dataclasses, lists and dicts as JSON on standard output."""
    click.echo(json.dumps(value, default=_plain, indent=2))


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table as wide as it needs to be: ids are for copying, so none is cut."""
    from rich import box  # noqa: PLC0415 - 60 ms that --json does not need
    from rich.console import Console  # noqa: PLC0415 - same
    from rich.table import Table  # noqa: PLC0415 - same

    table = Table(*columns, title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for row in rows:
        table.add_row(*row)
    width = Console(width=_WIDEST).measure(table).maximum
    Console(width=max(width, len(title))).print(table)


def report_failures(failed: Mapping[str, str]) -> None:
    """Print each Region that gave no answer on standard error, and exit with 1 when there is one."""
    for region, reason in failed.items():
        click.echo(f"{region}: {reason}", err=True)
    if any("Unable to locate credentials" in reason for reason in failed.values()):
        click.echo('Set AWS_PROFILE, or point at a local AWS: eval "$(cdk-ami sandbox --env)"', err=True)
    if failed:
        raise click.exceptions.Exit(1)


@contextmanager
def plain_errors(where: str = "") -> Iterator[None]:
    """Turn what AWS and the SDK raise into one line and exit code 1, with the Region ``where`` it happened."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - only where AWS is called

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise click.ClickException(f"{where}: {error}" if where else str(error)) from error


def _plain(value: Any) -> Any:
    return asdict(value)
