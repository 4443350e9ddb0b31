"""`cdk-ami channels`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click

from cdk_ami.checks.distribution import ami_id, channel_name
from cdk_ami.cli.options import image_or_default, json_option, region_option, regions_or_default, require
from cdk_ami.cli.output import plain_errors, print_json, print_table, report_failures
from cdk_ami.naming import ENTRY_CHANNEL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cdk_ami.runtime.channels import Held

_DAY: Final = 24


@click.group()
def channels() -> None:
    """Read the channels of a golden image and their past, and seed one that does not exist.

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
    asked = regions_or_default(regions)
    with plain_errors():
        answers = ask(clients_of(asked), lambda clients: held_by_channel(clients.ssm, name))
    rows = [[region, parameter, ami] for region, held in answers.found.items() for parameter, ami in held.items()]
    if as_json:
        print_json(
            {
                "image": name,
                "regions": asked,
                "channels": [{"region": region, "name": parameter, "ami": ami} for region, parameter, ami in rows],
                "failed": dict(answers.failed),
            }
        )
    elif rows:
        print_table(f"Channels of {name} in {', '.join(asked)}", ["Region", "Channel", "AMI"], rows)
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


@channels.command()
@click.argument("image", required=False)
@click.argument("channel", required=False)
@region_option
@json_option
def show(image: str | None, channel: str | None, regions: tuple[str, ...], as_json: bool) -> None:  # noqa: FBT001 - a flag of the command line
    """Show what the channels of IMAGE hold, Region by Region: AMI, build, age, who moved it there, who uses it.

    A Region without the channel, or without any, and a channel whose AMI is gone, are said to be so and make the exit
    code 1: whoever reads it cannot be deployed, or cannot launch.

    Reads only: ssm:GetParametersByPath, ssm:DescribeParameters, ec2:DescribeImages, ec2:DescribeImageReferences.

    \b
    Examples:
      cdk-ami channels show web                   every channel
      cdk-ami channels show web stable --json
    """
    from cdk_ami.runtime.channels import look  # noqa: PLC0415 - boto3 costs 0.2 s
    from cdk_ami.runtime.regions import ask, clients_of  # noqa: PLC0415 - same

    name = image_or_default(image)
    require("CHANNEL", channel_name(channel) if channel else ())
    asked = regions_or_default(regions)
    with plain_errors():
        answers = ask(clients_of(asked), lambda clients: look(clients, name, channel))
    held = [one for found in answers.found.values() for one in found]
    problems = {region: _problems(name, channel, found) for region, found in answers.found.items()}
    problems = {region: problem for region, problem in problems.items() if problem}
    if as_json:
        failed = dict(answers.failed)
        print_json({"image": name, "regions": asked, "channels": held, "problems": problems, "failed": failed})
    elif held:
        print_table(
            f"Channels of {name} in {', '.join(asked)}",
            ["Region", "Channel", "AMI", "Build", "State", "Age", "Moved", "By", "Tier", "Users"],
            [
                [
                    one.region,
                    one.channel,
                    one.ami,
                    one.build,
                    one.state,
                    _age(one.created),
                    one.since,
                    one.by,
                    one.tier,
                    _users(one.users),
                ]
                for one in held
            ],
        )
    report_failures({**problems, **answers.failed})


@channels.command()
@click.argument("image")
@click.argument("channel", default=ENTRY_CHANNEL)
@region_option
@json_option
def history(image: str, channel: str, regions: tuple[str, ...], as_json: bool) -> None:  # noqa: FBT001 - a flag of the command line
    """Tell how CHANNEL of IMAGE was moved, the newest first: when, by whom, from which AMI to which, and why.

    Parameter Store keeps the last hundred versions.  Without CHANNEL, that of the entry channel, latest.  A Region
    without the channel makes the exit code 1.

    Reads only: ssm:GetParameterHistory, ec2:DescribeImages.

    \b
    Examples:
      cdk-ami channels history web stable
      cdk-ami channels history web --region eu-west-1 --json
    """
    from cdk_ami.runtime.channels import recall  # noqa: PLC0415 - boto3 costs 0.2 s
    from cdk_ami.runtime.regions import ask, clients_of  # noqa: PLC0415 - same

    require("CHANNEL", channel_name(channel))
    asked = regions_or_default(regions)
    with plain_errors():
        answers = ask(clients_of(asked), lambda clients: recall(clients, image, channel))
    moves = [move for found in answers.found.values() for move in found]
    missing = {region: _missing(image, channel) for region, found in answers.found.items() if not found}
    if as_json:
        print_json(
            {
                "image": image,
                "channel": channel,
                "regions": asked,
                "moves": moves,
                "missing": list(missing),
                "failed": dict(answers.failed),
            }
        )
    elif moves:
        print_table(
            f"History of {channel} of {image} in {', '.join(asked)}",
            ["Region", "Version", "When", "By", "From", "To", "Build", "Why"],
            [
                [one.region, str(one.version), one.at, one.by, one.came_from, one.ami, one.build, one.why]
                for one in moves
            ],
        )
    report_failures({**missing, **answers.failed})


def _problems(image: str, channel: str | None, held: Sequence[Held]) -> str:
    """Return what is missing or gone in one Region; of all channels that any is there is enough."""
    from cdk_ami.runtime.channels import GONE  # noqa: PLC0415 - boto3 costs 0.2 s

    gone = [f"{one.channel} of {image} holds {one.ami}, which is gone" for one in held if one.state == GONE]
    if held:
        return "; ".join(gone)
    return _missing(image, channel or ENTRY_CHANNEL)


def _missing(image: str, channel: str) -> str:
    """Return what to do about a channel that does not exist; only others are seeded from the entry channel."""
    if channel == ENTRY_CHANNEL:
        return f"{channel} of {image} does not exist: build the image, or if a build failed run cdk-ami retry {image}"
    return f"{channel} of {image} does not exist: promote a build, or run cdk-ami channels seed {image} {channel}"


def _age(created: str) -> str:
    if not created:
        return ""
    hours = int((datetime.now(UTC) - datetime.fromisoformat(created)).total_seconds() // 3600)
    return f"{hours // _DAY} d" if hours >= _DAY else f"{max(hours, 0)} h"


def _users(users: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {kind}{'s' if count > 1 else ''}" for kind, count in sorted(users.items()))
