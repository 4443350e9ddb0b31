"""`cdk-ami promote`."""

from __future__ import annotations

import click

from cdk_ami.checks.distribution import channel_name
from cdk_ami.checks.names import region as known_region
from cdk_ami.cli.options import image_or_default, json_option, region_option, regions_or_default, require
from cdk_ami.cli.output import plain_errors, print_json


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

    `cdk-ami promote IMAGE` starts a promotion now, also of a build that was refused before.  `approve` and `reject`
    answer an approval; the message that asks holds the whole command.

    \b
    Examples:
      cdk-ami promote web --reason "the fix of CVE-2026-0001"
      cdk-ami promote web --to candidate
      cdk-ami promote approve --region us-east-1 TOKEN
    """


@promote.command()
@click.argument("image", required=False)
@click.option("--to", "channel", default="stable", show_default=True, help="Channel that the promotion moves.")
@click.option("--reason", default="somebody asked for it", help="Why, for the history of the channel.")
@region_option
@json_option
def start(image: str | None, channel: str, reason: str, regions: tuple[str, ...], as_json: bool) -> None:  # noqa: FBT001 - a flag of the command line
    """Start a promotion of IMAGE, also of a build that was refused before.

    Calls ssm:GetParameter, sts:GetCallerIdentity and states:StartExecution.
    """
    from cdk_ami.runtime.channels import ChannelError  # noqa: PLC0415 - boto3 costs 0.2 s
    from cdk_ami.runtime.promote import caller, find_machine  # noqa: PLC0415 - same
    from cdk_ami.runtime.promote import start as start_promotion  # noqa: PLC0415 - same
    from cdk_ami.runtime.promotion.clients import make_clients  # noqa: PLC0415 - same
    from cdk_ami.runtime.regions import clients_of  # noqa: PLC0415 - same

    name = image_or_default(image)
    require("--to", channel_name(channel))
    clients = make_clients()
    with plain_errors():
        try:
            region, machine = find_machine(clients_of(regions_or_default(regions)), name, channel)
        except ChannelError as error:
            raise click.ClickException(str(error)) from None
        by = caller(clients("sts", region))
        execution = start_promotion(clients("stepfunctions", region), machine, by=by, reason=reason)
    if as_json:
        print_json({"image": name, "to": channel, "region": region, "execution": execution})
    else:
        click.echo(f"Started in {region}: {execution}")


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
