"""`cdk-ami channels`."""

from __future__ import annotations

import click

from cdk_ami.checks.distribution import ami_id, channel_name
from cdk_ami.cli.options import image_or_default, json_option, region_option, regions_or_default, require
from cdk_ami.cli.output import plain_errors, print_json, print_table, report_failures
from cdk_ami.naming import ENTRY_CHANNEL


@click.group()
def channels() -> None:
    """Read the channels of a golden image, and seed one that does not exist.

    A channel is one parameter in each Region, /imagebuilder/IMAGE/CHANNEL, that holds an AMI id.  It is all that a
    fleet knows of its image.
    """


@channels.command("list")
@click.argument("image", required=False)
@region_option
@json_option
def list_channels(image: str | None, regions: tuple[str, ...], as_json: bool) -> None:  # noqa: FBT001 - a flag of the command line
    """List the channels of IMAGE and the AMI each holds, Region by Region.

    Reads only: ssm:GetParametersByPath.
    """
    from cdk_ami.runtime.channels import held_by_channel  # noqa: PLC0415 - boto3 costs 0.2 s
    from cdk_ami.runtime.regions import ask, clients_of  # noqa: PLC0415 - same

    name = image_or_default(image)
    with plain_errors():
        answers = ask(clients_of(regions_or_default(regions)), lambda clients: held_by_channel(clients.ssm, name))
    rows = [[region, parameter, ami] for region, held in answers.found.items() for parameter, ami in held.items()]
    if as_json:
        print_json(
            {
                "image": name,
                "channels": [{"region": region, "name": parameter, "ami": ami} for region, parameter, ami in rows],
                "failed": dict(answers.failed),
            }
        )
    elif rows:
        print_table(f"Channels of {name}", ["Region", "Channel", "AMI"], rows)
    elif answers.found:
        click.echo(f"No channel of the image {name} in {', '.join(answers.found)}.")
    report_failures(answers.failed)


@channels.command()
@click.argument("image")
@click.argument("channel")
@click.option("--ami", help="AMI to point at; left out, the AMI of the entry channel of each Region.")
@region_option
def seed(image: str, channel: str, ami: str | None, regions: tuple[str, ...]) -> None:
    """Create CHANNEL of IMAGE where it does not exist yet.

    A fleet cannot be deployed before its channel exists.  The entry channel, latest, is written by the first build;
    another one is created by the first promotion, or by this command.  A channel that exists is never moved.

    Calls ssm:GetParameter and ssm:PutParameter.

    \b
    Examples:
      cdk-ami channels seed web stable                      from the entry channel, in every Region
      cdk-ami channels seed web latest --ami ami-0123456789abcdef0 --region us-east-1
    """
    from cdk_ami.runtime.channels import ChannelError, read_channel, seed_channel  # noqa: PLC0415 - boto3 costs 0.2 s
    from cdk_ami.runtime.regions import clients_of  # noqa: PLC0415 - same

    chosen = regions_or_default(regions)
    require("CHANNEL", channel_name(channel))
    require("--ami", ami_id(ami) if ami else ())
    if ami and len(chosen) > 1:
        raise click.UsageError(f"an AMI belongs to one Region, got {', '.join(chosen)}; give one --region with --ami")
    refused: dict[str, str] = {}
    for clients in clients_of(chosen):
        with plain_errors(clients.region):
            source = ami or read_channel(clients.ssm, image, ENTRY_CHANNEL)
            if source is None:
                refused[clients.region] = f"the entry channel of {image} does not exist; build the image, or give --ami"
                continue
            try:
                created = seed_channel(clients.ssm, image, channel, source)
            except ChannelError as error:
                refused[clients.region] = str(error)
                continue
        click.echo(f"{clients.region}: {channel} of {image} {'now' if created else 'already'} holds {source}")
    report_failures(refused)
