"""`cdk-ami promote`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from cdk_ami.checks.distribution import channel_name
from cdk_ami.checks.names import region as known_region
from cdk_ami.cli.options import image_or_default, json_option, region_option, regions_or_default, require
from cdk_ami.cli.output import plain_errors, print_json, print_table

if TYPE_CHECKING:
    from cdk_ami.runtime.promote import Execution


class StartByDefault(click.Group):
    """A group whose first word may be an image instead of a command."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read ``promote IMAGE`` as ``promote start IMAGE``."""
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args = ["start", *args]
        return super().parse_args(ctx, args)


@click.group(cls=StartByDefault)
def promote() -> None:
    """Promote a build, and answer what a promotion asks.

    `cdk-ami promote IMAGE` starts a promotion now, also of a build that was refused before.  `status`
    tells what promotions do and did.  `approve` and `reject` answer an approval; the message that asks holds the whole
    command.

    \b
    Examples:
      cdk-ami promote web --reason "the fix of CVE-2026-0001"
      cdk-ami promote web --to candidate --follow
      cdk-ami promote status web
      cdk-ami promote approve --region us-east-1 TOKEN
    """


@promote.command()
@click.argument("image", required=False)
@click.option("--to", "channel", default="stable", show_default=True, help="Channel that the promotion moves.")
@click.option("--reason", default="somebody asked for it", help="Why, for the history of the channel.")
@click.option("--follow", is_flag=True, help="Wait for its end, and tell each step; exit code 1 where it failed.")
@region_option
@json_option
def start(  # noqa: PLR0917 - the options of a command line
    image: str | None,
    channel: str,
    reason: str,
    follow: bool,  # noqa: FBT001 - a flag of the command line
    regions: tuple[str, ...],
    as_json: bool,  # noqa: FBT001 - same
) -> None:
    """Start a promotion of IMAGE, also of a build that was refused before.

    Calls ssm:GetParameter, GetParametersByPath and GetParameterHistory, sts:GetCallerIdentity and
    states:StartExecution; with --follow also states:DescribeExecution and GetExecutionHistory.
    """
    from cdk_ami.runtime import promote as steps  # noqa: PLC0415 - boto3 costs 0.2 s
    from cdk_ami.runtime.channel_places import homes_of  # noqa: PLC0415 - same
    from cdk_ami.runtime.channels import ChannelError  # noqa: PLC0415 - same
    from cdk_ami.runtime.promotion.clients import make_clients  # noqa: PLC0415 - same

    name = image_or_default(image)
    require("--to", channel_name(channel))
    clients = make_clients()
    with plain_errors():
        try:
            looked = homes_of(clients, name, regions_or_default(regions))
            region, machine = steps.find_machine(clients, looked, name, channel)
        except ChannelError as error:
            raise click.ClickException(str(error)) from None
        states = clients("stepfunctions", region)
        execution = steps.start(states, machine, by=steps.caller(clients("sts", region)), reason=reason)
    if as_json:
        print_json({"image": name, "to": channel, "region": region, "execution": execution})
    else:
        click.echo(f"Started in {region}: {execution}")
        if not follow:
            click.echo(f"How it goes, and how it ended: cdk-ami promote status {name} --region {region}")
    if not follow:
        return
    told = ""
    with plain_errors(region):
        for told in steps.follow(states, execution):
            click.echo(told, err=as_json)
    if not told.startswith("SUCCEEDED"):
        raise click.exceptions.Exit(1)


@promote.command()
@click.argument("image", required=False)
@region_option
@json_option
def status(image: str | None, regions: tuple[str, ...], as_json: bool) -> None:  # noqa: FBT001 - a flag of the command line
    """Tell who holds the lock of IMAGE, what its promotions do, what waits for approval, and how the last ones ended.

    Reads only: ssm:GetParametersByPath and GetParameterHistory, states:ListExecutions, DescribeExecution,
    GetExecutionHistory and DescribeStateMachine.
    """
    from cdk_ami.runtime import promote as steps  # noqa: PLC0415 - boto3 costs 0.2 s
    from cdk_ami.runtime.channel_places import homes_of  # noqa: PLC0415 - same
    from cdk_ami.runtime.promotion.clients import make_clients  # noqa: PLC0415 - same

    name, clients, now = image_or_default(image), make_clients(), datetime.now(UTC)
    with plain_errors():
        homes = homes_of(clients, name, regions_or_default(regions))
        holders = [found for home in homes if (found := steps.lock_of(clients, name, home, now))]
        statuses = [one for home in homes for one in steps.statuses(clients, name, home)]
    if as_json:
        print_json({"image": name, "locks": holders, "channels": statuses})
        return
    if not statuses and not holders:
        click.echo(f"Nothing has promoted {name} or rolled it back in {', '.join(homes)}.")
        return
    for held in holders:
        dead = "" if held.alive else ", has died, and the next one undoes what it left"
        click.echo(f"The lock of {name} in {held.region}: {held.owner} since {held.since}, {held.phase.lower()}{dead}.")
    if not holders:
        click.echo(f"The lock of {name} is free.")
    print_table(
        f"Promotions of {name}",
        ["Region", "Channel", "Running", "Ended", "What", "When", "By", "Why"],
        [
            [
                one.region,
                one.channel,
                "; ".join(_running(run) for run in one.running),
                *(str(one.outcome.get(key, "")) for key in ("state", "what", "at", "by", "reason")),
            ]
            for one in statuses
        ],
    )
    for one in statuses:
        if one.outcome_parameter:
            click.echo(f"{one.region}: {one.outcome_parameter} says all of how it ended.")


def _running(run: Execution) -> str:
    asks = ", waits for approval" if run.asks else ""
    return f"{run.state}{asks}, since {run.since}, {run.arn}"


@promote.command()
@click.argument("token")
@click.option("--region", required=True, help="Region of the promotion, as the message names it.")
def approve(token: str, region: str) -> None:
    """Let the promotion that sent TOKEN go on.

    Calls sts:GetCallerIdentity and states:SendTaskSuccess.
    """
    from cdk_ami.runtime import promote as steps  # noqa: PLC0415 - boto3 costs 0.2 s
    from cdk_ami.runtime.promotion.clients import make_clients  # noqa: PLC0415 - same

    require("--region", known_region(region))
    clients = make_clients()
    with plain_errors(region):
        steps.approve(clients("stepfunctions", region), token, by=steps.caller(clients("sts", region)))
    click.echo("Approved: the promotion goes on.")


@promote.command()
@click.argument("token")
@click.option("--region", required=True, help="Region of the promotion, as the message names it.")
@click.option("--reason", default="no reason was given", help="Why, for whoever reads how it ended.")
def reject(token: str, region: str, reason: str) -> None:
    """End the promotion that sent TOKEN: nothing is moved, and the build is refused.

    Calls sts:GetCallerIdentity and states:SendTaskFailure.
    """
    from cdk_ami.runtime import promote as steps  # noqa: PLC0415 - boto3 costs 0.2 s
    from cdk_ami.runtime.promotion.clients import make_clients  # noqa: PLC0415 - same

    require("--region", known_region(region))
    clients = make_clients()
    with plain_errors(region):
        steps.reject(clients("stepfunctions", region), token, by=steps.caller(clients("sts", region)), reason=reason)
    click.echo("Rejected: nothing is moved.")
