"""`cdk-ami component`."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from cdk_ami.cli.options import json_option
from cdk_ami.cli.output import print_json, print_table

if TYPE_CHECKING:
    from cdk_ami.recipe.document import Document
    from cdk_ami.runtime.component.outcome import Outcome
    from cdk_ami.runtime.component.place import Place


class UnusableError(click.ClickException):
    """A document or a place that cannot be used: nothing has run."""

    exit_code = 2


@click.group()
def component() -> None:
    """Check component documents, and run them without building an image.

    A component is what a golden image is made of: a YAML or JSON document with the phases build, validate and test.
    """


@component.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@json_option
def lint(files: Sequence[str], *, as_json: bool) -> None:
    """Check component documents by all that the service would refuse, every fault of every FILE at once.

    Warnings name what the service may know and this library does not; they fail nothing.  Nothing is run, and AWS is
    not asked.

    \b
    Examples:
      cdk-ami component lint components/*.yaml
      cdk-ami component lint components/web.yaml --json

    \b
    Exit codes: 0 no fault, 1 at least one, 2 wrong usage.
    """
    from cdk_ami.errors import ConfigError  # noqa: PLC0415 - with the schema library, 0.1 s that --help does not need
    from cdk_ami.recipe.document import read_document  # noqa: PLC0415 - same

    faults: list[dict[str, Any]] = []
    warnings: list[dict[str, Any]] = []
    for file in files:
        try:
            document = read_document(Path(file))
        except ConfigError as error:
            faults += [
                {"file": file, "rule": fault.rule, "at": fault.prop, "message": str(fault)} for fault in error.faults
            ]
        else:
            warnings += [
                {"file": file, "rule": warning.warning_id, "message": warning.message} for warning in document.warnings
            ]
    if as_json:
        print_json({"files": len(files), "faults": faults, "warnings": warnings})
    else:
        _show(files, faults, warnings)
    if faults:
        raise click.exceptions.Exit(1)


def _show(files: Sequence[str], faults: Sequence[Mapping[str, Any]], warnings: Sequence[Mapping[str, Any]]) -> None:
    rows = [
        [kind, each["file"], each["message"], each["rule"]]
        for kind, found in (("fault", faults), ("warning", warnings))
        for each in found
    ]
    if rows:
        print_table("What was found", ["", "File", "What and how to mend it", "Rule"], rows)
    click.echo(f"{_count(len(files), 'document')}, {_count(len(faults), 'fault')}, {_count(len(warnings), 'warning')}.")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


@component.command()
@click.argument("file", metavar="FILE")
@click.option("--in", "where", metavar="PLACE", help="Where to run it: docker:IMAGE, chroot:DIR or host.")
@click.option(
    "--phase", "phases", multiple=True, help="Phase to run; repeat it for more.  [default: build, validate, test]"
)
@click.option(
    "--param", "parameters", multiple=True, metavar="NAME=VALUE", help="Value of a parameter; repeat it for more."
)
@click.option("--copy", is_flag=True, help="With chroot: run in a copy of DIR, which is removed in the end.")
@click.option("--keep", is_flag=True, help="Keep the container, or the copy, to look into it.")
@click.option("--yes-on-this-host", is_flag=True, help="With host: change this very machine.")
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="Write the result as JUnit XML.")
@json_option
def run(
    file: str,
    where: str | None,
    phases: tuple[str, ...],
    parameters: tuple[str, ...],
    junit: Path | None,
    *,
    copy: bool,
    keep: bool,
    yes_on_this_host: bool,
    as_json: bool,
) -> None:
    """Run the component document FILE as Image Builder would, and see every line as it comes.

    Phases, loops, conditions, chaining, time limits, retries and restarts work as on the service.  A restart is played
    through: what runs in the place ends, its files stay, and the steps go on.

    \b
    docker:IMAGE  in a new container of IMAGE, removed in the end
    chroot:DIR    in a root directory, such as mmdebstrap or debootstrap makes; DIR is changed, unless --copy is given
    host          on this machine, with --yes-on-this-host

    Steps that need AWS, such as S3Download, call it by your environment; a local AWS (AWS_ENDPOINT_URL) will do.

    \b
    Examples:
      cdk-ami component run components/web.yaml --in docker:amazonlinux:2023
      cdk-ami component run web.yaml --in chroot:/srv/bookworm --copy --phase build --param Heading=Hello
      cdk-ami component run web.yaml --in docker:debian:12 --junit web.xml

    \b
    Exit codes: 0 every step succeeded, 1 a step failed, 2 wrong usage, an invalid document, or no such place.
    """
    from cdk_ami.cli.component_output import LiveOutput, print_outcome  # noqa: PLC0415 - keeps --help quick
    from cdk_ami.errors import ConfigError  # noqa: PLC0415 - same
    from cdk_ami.runtime.component.aws import CallersAws  # noqa: PLC0415 - same
    from cdk_ami.runtime.component.junit import junit as as_junit  # noqa: PLC0415 - same
    from cdk_ami.runtime.component.place import PlaceError  # noqa: PLC0415 - same
    from cdk_ami.runtime.component.plan import plan  # noqa: PLC0415 - same
    from cdk_ami.runtime.component.runner import run_document  # noqa: PLC0415 - same

    given = _given(parameters)
    if junit and not junit.parent.is_dir():
        raise click.UsageError(f"--junit writes into a directory that exists, got {str(junit)!r}")
    try:
        document = _checked(file)
        plan(document, where=file, phases=phases, parameters=given)  # before a place is made for it
        place = _place(where, copy=copy, keep=keep, yes_on_this_host=yes_on_this_host)
        with _put_away_when_terminated(), place:
            outcome = run_document(
                document,
                place,
                aws=CallersAws(),
                name=file,
                phases=phases,
                parameters=given,
                listener=LiveOutput(err=as_json),
            )
    except (ConfigError, PlaceError) as error:
        raise UnusableError(str(error)) from None
    if junit:
        junit.write_text(as_junit([outcome]), encoding="utf-8")
    if as_json:
        print_json(_shown(outcome))
    else:
        print_outcome(outcome)
    if keep:
        click.echo(f"Kept {_kept(place)}", err=as_json)
    if outcome.failure:
        raise click.exceptions.Exit(1)


@contextmanager
def _put_away_when_terminated() -> Iterator[None]:
    """Let a termination unwind, so that what was made for the run is removed first."""

    def leave(number: int, _: FrameType | None) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _checked(file: str) -> Document:
    from cdk_ami.recipe.document import read_document  # noqa: PLC0415 - keeps --help quick

    document = read_document(Path(file))
    for warning in document.warnings:
        click.echo(f"{file}: {warning.message} [{warning.warning_id}]", err=True)
    return document


def _given(parameters: Sequence[str]) -> dict[str, str]:
    given = {}
    for parameter in parameters:
        name, equals, value = parameter.partition("=")
        if not name or not equals:
            raise click.UsageError(f"--param takes NAME=VALUE, got {parameter!r}")
        given[name] = value
    return given


def _place(where: str | None, *, copy: bool, keep: bool, yes_on_this_host: bool) -> Place:
    """Return the place that the options name, not yet ready."""
    from cdk_ami.runtime.component.aws import is_local  # noqa: PLC0415 - keeps --help quick
    from cdk_ami.runtime.component.chroot import Chroot  # noqa: PLC0415 - same
    from cdk_ami.runtime.component.docker import Docker  # noqa: PLC0415 - same
    from cdk_ami.runtime.component.host import Host  # noqa: PLC0415 - same
    from cdk_ami.runtime.component.where import WhereError, parse_where  # noqa: PLC0415 - same

    if where is None:
        raise click.UsageError("say where to run it: --in docker:IMAGE, --in chroot:DIR or --in host")
    try:
        kind, name = parse_where(where)
    except WhereError as error:
        raise click.UsageError(f"--in {error}") from None
    if copy and kind != "chroot":
        raise click.UsageError("--copy copies the directory of chroot:DIR")
    if keep and not copy and kind != "docker":
        raise click.UsageError("--keep keeps a container of docker:IMAGE, or the --copy of chroot:DIR")
    if kind == "host":
        if not yes_on_this_host:
            raise click.UsageError("--in host changes this machine; add --yes-on-this-host if that is what you want")
        return Host()
    if kind == "docker":
        return Docker(name, host_network=is_local(), keep=keep)
    return Chroot.copy_of(Path(name), keep=keep) if copy else Chroot(Path(name))


def _kept(place: Any) -> str:
    if container := getattr(place, "container", ""):
        return f"the container {container}; look into it: docker exec --interactive --tty {container} sh"
    return f"the copy in {place.root}"


def _shown(outcome: Outcome) -> dict[str, Any]:
    steps = [step._asdict() for step in outcome.steps]
    return {**outcome._asdict(), "status": outcome.status, "steps": steps}
