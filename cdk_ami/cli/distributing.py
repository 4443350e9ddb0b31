"""What `cdk-ami distribute` and `cdk-ami retry` share: how they print the way of an AMI, and how they end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cdk_ami.cli.options import regions_or_default
from cdk_ami.cli.output import print_json, print_table

if TYPE_CHECKING:
    from cdk_ami.runtime.distribute import Progress

T = TypeVar("T")


def home_region(region: str | None) -> str:
    """Return the one Region that a command works from: the one given, that of cdk-ami.toml, or AWS_REGION."""
    return regions_or_default((region,) if region else ())[0]


class Teller:
    """Prints what is new of a distribution, a line each.

    Args:
        quiet: Whether nothing is to be printed, because a program reads the end of it.
    """

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._told: set[str] = set()

    def __call__(self, progress: Progress) -> None:
        """Print what was not printed before."""
        lines = [f"{progress.status}"]
        lines += [
            f"{one.region}: {one.image_id} {one.state}{f' {one.progress}' if one.progress else ''}"
            for one in progress.amis
            if one.image_id
        ]
        for line in lines:
            if line not in self._told and not self._quiet:
                click.echo(line)
            self._told.add(line)


def report(progress: Progress, *, as_json: bool, **more: Any) -> None:
    """Print how a distribution ended, and exit with 1 when it did not end well."""
    if as_json:
        print_json(
            {"image": progress.image, "status": progress.status, "reason": progress.reason, **more}
            | {"amis": progress.amis}
        )
    else:
        _print_amis(progress)
    if progress.settled and not progress.good:
        if not as_json:
            retry = f"; mend that and run: cdk-ami retry {progress.image} --follow"
            click.echo(
                f"{progress.image} is {progress.status}: {progress.reason or 'no reason is given'}{retry}", err=True
            )
        raise click.exceptions.Exit(1)


def followed(progress: Callable[[], T], *, what: str = "distribution") -> T:
    """Return what ``progress`` returns, and say on Ctrl-C that nothing was stopped by it."""
    try:
        return progress()
    except KeyboardInterrupt:
        click.echo(f"The {what} goes on; run the same command to follow it again.", err=True)
        raise


def _print_amis(progress: Progress) -> None:
    rows: Sequence[Sequence[str]] = [
        [one.region, one.account, one.image_id or "none", one.state, one.reason] for one in progress.amis
    ]
    if rows:
        print_table(progress.image, ["Region", "Account", "AMI", "State", "Reason"], rows)
    else:
        click.echo(f"{progress.image} is {progress.status}")
