"""`cdk-ami images`."""

from __future__ import annotations

import click

from cdk_ami.cli.options import image_or_default, json_option, region_option, regions_or_default
from cdk_ami.cli.output import plain_errors, print_json, print_table, report_failures


@click.command()
@click.argument("image", required=False)
@region_option
@json_option
def images(image: str | None, regions: tuple[str, ...], as_json: bool) -> None:  # noqa: FBT001 - a flag of the command line
    """List the AMIs of IMAGE in each Region, and the instances that run them.

    Reads only: ec2:DescribeImages, ec2:DescribeInstances, ssm:GetParametersByPath.

    \b
    Examples:
      cdk-ami images
      cdk-ami images web --region us-east-1 --region eu-west-1 --json
    """
    from cdk_ami.runtime.inventory import take_inventory  # noqa: PLC0415 - boto3 costs 0.2 s
    from cdk_ami.runtime.regions import ask, clients_of  # noqa: PLC0415 - same

    name = image_or_default(image)
    with plain_errors():
        answers = ask(clients_of(regions_or_default(regions)), lambda clients: take_inventory(clients, name))
    held = answers.found.values()
    amis = [ami for holdings in held for ami in holdings.amis]
    instances = [instance for holdings in held for instance in holdings.instances]
    if as_json:
        print_json({"image": name, "amis": amis, "instances": instances, "failed": dict(answers.failed)})
    elif not amis:
        if answers.found:
            click.echo(f"No AMI of the image {name} in {', '.join(answers.found)}.")
    else:
        print_table(
            f"AMIs of {name}",
            ["Region", "AMI", "Version", "Channels", "State", "Encrypted", "Made from", "Name"],
            [
                [
                    ami.region,
                    ami.image_id,
                    ami.version,
                    ", ".join(ami.channels),
                    ami.state,
                    "yes" if ami.encrypted else "no",
                    ami.source,
                    ami.name,
                ]
                for ami in amis
            ],
        )
        if instances:
            print_table(
                f"Instances of {name}",
                ["Region", "Zone", "Instance", "AMI", "Version", "State", "IMDSv2", "Group"],
                [
                    [
                        instance.region,
                        instance.zone,
                        instance.instance_id,
                        instance.image_id,
                        instance.version,
                        instance.state,
                        "required" if instance.imdsv2 else "optional",
                        instance.group,
                    ]
                    for instance in instances
                ],
            )
        else:
            click.echo("No instance runs any of them.")
    report_failures(answers.failed)
