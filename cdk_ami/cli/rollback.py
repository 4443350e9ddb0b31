"""`cdk-ami rollback`."""

from __future__ import annotations

import click

from cdk_ami.checks.distribution import channel_name
from cdk_ami.checks.names import region as known_region
from cdk_ami.cli.options import json_option, region_option, regions_or_default, require
from cdk_ami.cli.output import plain_errors, print_json, print_table, report_failures


@click.command()
@click.argument("image")
@click.argument("channel")
@click.option("--reason", default="somebody asked for it", help="Why, for the history of the channel.")
@click.option("--dry-run", is_flag=True, help="Only show what would be moved.")
@click.option("--home", help="Region of the image's builds, which holds its lock.  Default: found by its promotions.")
@region_option
@json_option
def rollback(  # noqa: PLR0917 - the options of a command line
    image: str,
    channel: str,
    reason: str,
    dry_run: bool,  # noqa: FBT001 - a flag of the command line
    home: str | None,
    regions: tuple[str, ...],
    as_json: bool,  # noqa: FBT001 - same
) -> None:
    """Move CHANNEL of IMAGE back to the AMI that it held before, in every Region or in none.

    It waits for nobody: while a promotion or another command moves channels of the image, it refuses.  Fleets follow by
    themselves.  No promotion brings back by itself what was rolled back; `cdk-ami promote` does.

    Calls ssm:GetParameter, GetParameterHistory, GetParametersByPath, PutParameter and DeleteParameters,
    ec2:DescribeImages, states:DescribeExecution and sts:GetCallerIdentity.

    \b
    Examples:
      cdk-ami rollback web stable --dry-run
      cdk-ami rollback web stable --reason "checkout is slow"
    """
    from cdk_ami.runtime.channels import ChannelError  # noqa: PLC0415 - boto3 costs 0.2 s
    from cdk_ami.runtime.promote import caller  # noqa: PLC0415 - same
    from cdk_ami.runtime.promotion.clients import make_clients  # noqa: PLC0415 - same
    from cdk_ami.runtime.regions import clients_of  # noqa: PLC0415 - same
    from cdk_ami.runtime.rollback import find_home, plan_step, roll_back  # noqa: PLC0415 - same

    require("CHANNEL", channel_name(channel))
    require("--home", known_region(home) if home else ())
    of_regions = clients_of(regions_or_default(regions))
    steps, refused = [], {}
    for one in of_regions:
        with plain_errors(one.region):
            try:
                steps.append(plan_step(one, image, channel))
            except ChannelError as error:
                refused[one.region] = str(error)
    if refused:
        click.echo("Nothing is moved.", err=True)
        report_failures(refused)
    if not dry_run:
        with plain_errors():
            try:
                home = home or find_home(of_regions, image)
                clients = make_clients()
                by = caller(clients("sts", home))
                roll_back(steps, clients, image=image, channel=channel, home=home, by=by, reason=reason)
            except ChannelError as error:
                raise click.ClickException(str(error)) from None
    if as_json:
        print_json({"image": image, "channel": channel, "moved": not dry_run, "regions": steps})
        return
    title = f"{channel} of {image} {'would go' if dry_run else 'went'} back"
    print_table(
        title,
        ["Region", "From", "To", "Build", "It was moved by"],
        [[one.region, one.held, one.back_to, one.build.rpartition(":image/")[2], one.note] for one in steps],
    )
