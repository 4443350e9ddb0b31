"""`cdk-ami preflight`."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from cdk_ami.checks.names import account_id
from cdk_ami.cli.options import json_option, require
from cdk_ami.cli.output import plain_errors, print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cdk_ami.runtime.preflight.model import Finding

FAILED: Final = 1
NOT_CHECKED: Final = 3
_WAY: Final = re.compile(r"(?P<account>\d{12})=(?P<way>.+)")


@click.command()
@click.argument("paths", nargs=-1, metavar="[CDK_OUT|TEMPLATE]...", type=click.Path(path_type=Path))
@click.option(
    "--look-with",
    "ways",
    multiple=True,
    metavar="ACCOUNT=PROFILE",
    help="How to look into another account: a profile, or the ARN of a role to take.  Repeat it for more.",
)
@click.option("--region", help="Region of stacks that name none.  Left out, AWS_REGION.")
@click.option(
    "--explain", is_flag=True, help="Tell what is checked, by which calls, with which permissions; call nothing."
)
@json_option
def preflight(paths: tuple[Path, ...], ways: tuple[str, ...], region: str | None, explain: bool, as_json: bool) -> None:  # noqa: FBT001 - flags of the command line
    """Check a synthesized app against its accounts, before a build or a deployment costs time and money.

    Reads cdk.out, or the folders and templates that are named, and looks: are Regions on, keys usable, roles of target
    accounts right, parameters and launch templates writable, does the build's subnet reach the services, is the source
    there and subscribed to, do quotas leave room, do channels exist.  Changes nothing.

    What nobody could look at is said to be not checked, with what is missing.  It is never taken for success.

    \b
    Examples:
      cdk synth --all && cdk-ami preflight
      cdk-ami preflight cdk.out --look-with 210987654321=shop --json
      cdk-ami preflight --explain

    \b
    Exit codes: 0 nothing would fail, 1 something would, 2 wrong usage, 3 nothing that was looked at would, and
    something could not be looked at.
    """
    from cdk_ami.runtime.preflight.run import CHECKS, run  # noqa: PLC0415 - boto3 costs 0.2 s

    if explain:
        _explain(as_json=as_json)
        return
    from cdk_ami.runtime.preflight.accounts import Accounts  # noqa: PLC0415 - same
    from cdk_ami.runtime.preflight.needs import plan  # noqa: PLC0415 - same
    from cdk_ami.runtime.preflight.templates import UnreadableError, read  # noqa: PLC0415 - same

    by_account = _ways(ways)
    try:
        stacks = read(paths or (Path("cdk.out"),))
    except UnreadableError as error:
        raise click.UsageError(str(error)) from None
    home = region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if not home and any(stack.region is None for stack in stacks):
        raise click.UsageError("a stack names no Region; give --region, or set AWS_REGION")
    with plain_errors():
        accounts = Accounts(by_account)
    findings = run(plan(stacks, account=accounts.own, region=home or ""), accounts, CHECKS)
    _print(findings, as_json=as_json)
    statuses = {finding.status.value for finding in findings}
    if "fail" in statuses:
        raise click.exceptions.Exit(FAILED)
    if "not checked" in statuses:
        raise click.exceptions.Exit(NOT_CHECKED)


def _ways(given: Sequence[str]) -> dict[str, str]:
    found = {}
    for one in given:
        match = _WAY.fullmatch(one)
        if match is None:
            raise click.UsageError(f"--look-with takes ACCOUNT=PROFILE or ACCOUNT=ROLE_ARN, got {one!r}")
        require("--look-with", account_id(match["account"]))
        found[match["account"]] = match["way"]
    return found


def _print(findings: Sequence[Finding], *, as_json: bool) -> None:
    counts = {
        status: sum(finding.status.value == status for finding in findings)
        for status in ("ok", "warn", "fail", "not checked")
    }
    if as_json:
        print_json({"findings": findings, "counts": counts})
        return
    if findings:
        print_table(
            "Preflight",
            ["", "Check", "Account", "Region", "Subject", "Found", "Do"],
            [
                [one.status.value, one.check, one.account, one.region, one.subject, one.message, one.fix]
                for one in findings
            ],
        )
    click.echo(", ".join(f"{count} {status}" for status, count in counts.items()))


def _explain(*, as_json: bool) -> None:
    from cdk_ami.runtime.preflight.run import CHECKS  # noqa: PLC0415 - see above

    if as_json:
        print_json(
            [
                {
                    "check": check.name,
                    "about": check.about,
                    "source": check.source,
                    "calls": [
                        {"operation": one.operation, "action": one.action, "why": one.why} for one in check.calls
                    ],
                }
                for check in CHECKS
            ]
        )
        return
    for check in CHECKS:
        click.echo(f"{check.name}: {check.about}")
        for one in check.calls:
            action = "" if one.action == one.operation else f", allowed by {one.action}"
            click.echo(f"  {one.operation}{action}{f' ({one.why})' if one.why else ''}")
    click.echo("And sts:GetCallerIdentity, which needs no permission; sts:AssumeRole where --look-with names a role.")
