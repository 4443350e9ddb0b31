"""`cdk-ami distribute`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cdk_ami.checks.names import region as known_region
from cdk_ami.checks.names import resource_name
from cdk_ami.cli.distributing import Teller, followed, home_region, report
from cdk_ami.cli.options import json_option, require
from cdk_ami.cli.output import plain_errors, print_json

if TYPE_CHECKING:
    from cdk_ami.runtime.distribute import Plan


@click.command()
@click.argument("source", metavar="AMI")
@click.option("--name", help="Name of the image whose channel is moved; with --to, or for a producer's configuration.")
@click.option(
    "--to", "to", multiple=True, metavar="REGION,...", help="Regions that get a copy; repeat it or use commas."
)
@click.option("--configuration", metavar="ARN", help="Distribution configuration to go by, its ARN or its name.")
@click.option(
    "--role", metavar="ROLE", help="Execution role, by name or ARN.  Left out: the one the configuration names."
)
@click.option(
    "--allow-unencrypted", is_flag=True, help="Copy an unencrypted AMI to where no key encrypts the copy, too."
)
@click.option("--region", metavar="REGION", help="Region of the AMI.  Left out: that of cdk-ami.toml, or AWS_REGION.")
@click.option("--dry-run", is_flag=True, help="Only tell what would be done.")
@click.option("--no-wait", is_flag=True, help="Return when the distribution has begun.")
@json_option
def distribute(
    *,
    source: str,
    name: str | None,
    to: tuple[str, ...],
    configuration: str | None,
    role: str | None,
    allow_unencrypted: bool,
    region: str | None,
    dry_run: bool,
    no_wait: bool,
    as_json: bool,
) -> None:
    """Copy an AMI to Regions and accounts and move the channel of an image to it.

    AMI is an AMI id, ssm:PARAMETER, or the ARN of an image resource.  It goes where a distribution configuration says:
    that of an ImageProducer by --name, any other by --configuration, or one made here for --name and --to.  Image
    Builder does the work; Ctrl-C stops nothing, and the same command finds what it began, retries what failed, and
    never copies twice.  An unencrypted AMI is refused where the configuration names no key for its copies.

    Calls imagebuilder:DistributeImage, RetryImage, GetImage, GetDistributionConfiguration and, with --to,
    CreateDistributionConfiguration; iam:GetRole and PassRole; ec2:DescribeImages, DescribeSnapshots, DescribeTags and
    CreateTags; ssm:GetParameter; sts:GetCallerIdentity.

    \b
    Examples:
      cdk-ami distribute ami-0123456789abcdef0 --name shop
      cdk-ami distribute ami-0123456789abcdef0 --name shop --to us-east-1,eu-west-1 --role Distribute
    """
    from cdk_ami.runtime import distribute as runtime  # noqa: PLC0415 - boto3 costs 0.2 s
    from cdk_ami.runtime.regions import account_of, clients_of, iam_of  # noqa: PLC0415 - same

    regions = tuple(dict.fromkeys(part for one in to for part in one.split(",") if part))
    _check(name, regions, configuration, role)
    home = home_region(region)
    (clients,) = clients_of([home])
    with plain_errors(home):
        account = account_of(home)
        wanted = configuration or (runtime.plain_configuration_name(name or "", regions) if regions else name or "")
        try:
            order = runtime.Order(
                ami=runtime.resolve_source(clients, source, account),
                configuration=runtime.configuration_arn(clients.imagebuilder, account, wanted),
                image=name or "",
                regions=regions,
                role=role,
                allow_unencrypted=allow_unencrypted,
            )
            plan = runtime.plan(clients, order, iam_of(home))
            if dry_run:
                _tell_plan(plan, as_json=as_json)
                return
            if plan.problems:
                raise click.ClickException("; ".join(plan.problems))
            image, chosen = runtime.begin(clients, order)
        except runtime.DistributeError as error:
            raise click.ClickException(str(error)) from None
        elsewhere = clients_of(chosen.regions)

        def looked() -> runtime.Progress:
            return runtime.look(clients.imagebuilder, elsewhere, image)

        tell = Teller(quiet=as_json)
        progress = looked() if no_wait else followed(lambda: runtime.follow(looked, tell))
    report(progress, as_json=as_json, ami=order.ami, configuration=chosen.arn)


def _check(name: str | None, regions: tuple[str, ...], configuration: str | None, role: str | None) -> None:
    if name:
        require("--name", resource_name(name))
    for one in regions:
        require("--to", known_region(one))
    if regions and configuration:
        raise click.UsageError("--to and --configuration are two ways to say where the AMI goes; give one")
    if regions and not name:
        raise click.UsageError("--to needs --name: the image whose channel is moved")
    if regions and not role:
        raise click.UsageError(
            "--to needs --role, by which Image Builder distributes: that of an ImageProducer, or one of your own"
        )
    if not (regions or configuration or name):
        raise click.UsageError("nothing says where the AMI goes; give --name, --configuration, or --name and --to")


def _tell_plan(plan: Plan, *, as_json: bool) -> None:
    if as_json:
        print_json(plan)
    else:
        _print_plan(plan)
    if plan.problems:
        raise click.exceptions.Exit(1)


def _print_plan(plan: Plan) -> None:
    click.echo(f"{plan.ami} would go to {', '.join(plan.regions)} by {plan.configuration}")
    if plan.makes_configuration:
        click.echo("That configuration does not exist and would be made.")
    if plan.earlier:
        click.echo(f"It has been distributed so as {plan.earlier}, which is {plan.status} and would be gone on with.")
    click.echo(f"Execution role: {plan.role or 'none'}")
    for problem in plan.problems:
        click.echo(f"Nothing would be copied: {problem}", err=True)
