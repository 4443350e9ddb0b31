"""`cdk-ami retry`."""

from __future__ import annotations

import click

from cdk_ami.cli.distributing import Teller, followed, home_region, report
from cdk_ami.cli.options import json_option
from cdk_ami.cli.output import plain_errors


@click.command()
@click.argument("image")
@click.option(
    "--region", metavar="REGION", help="Region of the build.  Left out: of its ARN, cdk-ami.toml, AWS_REGION."
)
@click.option("--follow", is_flag=True, help="Wait until the build has ended, and tell how.")
@json_option
def retry(image: str, region: str | None, follow: bool, as_json: bool) -> None:  # noqa: FBT001 - flags of the command line
    """Go on with a build that failed or was cancelled, without building again.

    IMAGE is the ARN of a build version, NAME for the newest build of that image, or NAME/VERSION/BUILD.  The build
    goes on at its tests or its distribution, whichever failed: AMIs that are where they belong are not copied again.

    Calls imagebuilder:GetImage, RetryImage and ListImageBuildVersions; with --follow ec2:DescribeImages and
    DescribeSnapshots.

    \b
    Examples:
      cdk-ami retry web --follow
      cdk-ami retry arn:aws:imagebuilder:us-east-1:123456789012:image/web/1.0.0/3
    """
    from cdk_ami.runtime import distribute as runtime  # noqa: PLC0415 - boto3 costs 0.2 s
    from cdk_ami.runtime.regions import clients_of  # noqa: PLC0415 - same

    home = home_region(image.split(":")[3] if region is None and image.startswith("arn:") else region)
    (clients,) = clients_of([home])
    with plain_errors(home):
        try:
            arn = runtime.newest_build(clients.imagebuilder, image)
            begun = runtime.retry(clients.imagebuilder, arn)
        except runtime.DistributeError as error:
            raise click.ClickException(str(error)) from None
        if not as_json:
            click.echo(f"{arn} {'goes on' if begun else 'was on its way already'}")
        elsewhere = clients_of(runtime.regions_of(clients.imagebuilder, arn)) if follow else []

        def looked() -> runtime.Progress:
            return runtime.look(clients.imagebuilder, elsewhere, arn)

        tell = Teller(quiet=as_json)
        progress = followed(lambda: runtime.follow(looked, tell)) if follow else looked()
    if follow or as_json:
        report(progress, as_json=as_json)
