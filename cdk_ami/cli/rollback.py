"""`cdk-ami rollback`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cdk_ami.checks.distribution import channel_name
from cdk_ami.checks.names import region as known_region
from cdk_ami.cli.options import json_option, region_of_environment, require, settings_of
from cdk_ami.cli.output import plain_errors, print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cdk_ami.runtime.way_back import Step


@click.command()
@click.argument("image")
@click.argument("channel")
@click.option("--reason", default="somebody asked for it", help="Why, for the history of the channel.")
@click.option("--dry-run", is_flag=True, help="Only check, and show what would be moved.")
@click.option(
    "--to",
    metavar="AMI|VERSION",
    default="",
    help="Where to go, such as 1.0.0/2: the channel has held it.  Default: back by the last move that stood.",
)
@click.option(
    "--region",
    "regions",
    multiple=True,
    metavar="REGION",
    help="Region to look in, repeat it for all.  Default: where its promotion moves it, or those of cdk-ami.toml.",
)
@click.option(
    "--only",
    multiple=True,
    metavar="REGION",
    help="Move this Region alone, and let the others hold another build; repeat it for more.",
)
@click.option("--home", help="Region of the image's builds, which holds its lock.  Default: found by what is noted.")
@json_option
def rollback(  # noqa: PLR0917 - the options of a command line
    image: str,
    channel: str,
    reason: str,
    dry_run: bool,  # noqa: FBT001 - a flag of the command line
    to: str,
    regions: tuple[str, ...],
    only: tuple[str, ...],
    home: str | None,
    as_json: bool,  # noqa: FBT001 - same
) -> None:
    """Move CHANNEL of IMAGE back to what it held before the last move that stood, in every Region or in none.

    A move that was undone is none, and a build that was refused is not gone back to.  A part of the Regions, Regions
    that would hold different builds, and a newer build than the present one are refused, unless --only or --to say so.

    It waits for nobody: while a promotion or another command moves channels of the image, it refuses.  Fleets follow by
    themselves.  No promotion brings back by itself what was rolled back; `cdk-ami promote` does.

    Calls ssm:GetParameter, GetParameterHistory, GetParametersByPath, PutParameter and DeleteParameters,
    ec2:DescribeImages, states:DescribeStateMachine and DescribeExecution, sts:GetCallerIdentity, and sts:AssumeRole for
    a promotion's other accounts.

    \b
    Examples:
      cdk-ami rollback web stable --dry-run
      cdk-ami rollback web stable --reason "checkout is slow"
      cdk-ami rollback web stable --to 1.0.0/2
    """
    from cdk_ami.runtime.channel_places import choose, learn  # noqa: PLC0415 - boto3 costs 0.2 s
    from cdk_ami.runtime.channels import ChannelError  # noqa: PLC0415 - same
    from cdk_ami.runtime.promote import caller  # noqa: PLC0415 - same
    from cdk_ami.runtime.promotion.clients import make_clients  # noqa: PLC0415 - same
    from cdk_ami.runtime.rollback import roll_back  # noqa: PLC0415 - same

    require("CHANNEL", channel_name(channel))
    for option, given in (("--region", regions), ("--only", only), ("--home", (home,) if home else ())):
        for region in given:
            require(option, known_region(region))
    if regions and only:
        raise click.UsageError("--region names all Regions and --only a part of them; give one of the two")
    settled, default = settings_of(image)
    looked = tuple(dict.fromkeys([*only, *regions, *default, *([home] if home else region_of_environment())]))
    if not looked:
        raise click.UsageError("no Region is known; give --region, or set AWS_REGION")
    clients = make_clients()
    with plain_errors():
        by = caller(clients("sts", looked[0]))
        try:
            known = learn(
                clients, image, channel, account=by.split(":")[4], looked=looked, home=home or "", settled=settled
            )
            chosen = choose(known, image, channel, regions=regions, only=only, default=default)
            steps = roll_back(
                chosen,
                clients,
                image=image,
                channel=channel,
                home=known.home,
                by=by,
                reason=reason,
                to=to,
                dry_run=dry_run,
            )
        except ChannelError as error:
            raise click.ClickException(str(error)) from None
    if as_json:
        print_json(
            {
                "image": image,
                "channel": channel,
                "home": known.home,
                "moved": bool(steps) and not dry_run,
                "regions": steps,
            }
        )
    elif steps:
        _show(f"{channel} of {image}", steps, dry_run=dry_run)
    else:
        click.echo(f"{channel} of {image} holds {to} everywhere already.")


def _show(channel: str, steps: Sequence[Step], *, dry_run: bool) -> None:
    onward = any(one.forward for one in steps)
    went = ("would go" if dry_run else "went") + (" FORWARD to a newer build" if onward else " back")
    print_table(
        f"{channel} {went}",
        ["Region", "From", "Build", "To", "Build", "It was moved by"],
        [
            [
                f"{one.region} of {one.account}" if one.account else one.region,
                one.held,
                one.from_build,
                one.back_to,
                one.build,
                one.note,
            ]
            for one in steps
        ],
    )
