"""`cdk-ami leftovers`."""

from __future__ import annotations

import click

from cdk_ami.cli.options import image_or_default, json_option, region_option, regions_or_default
from cdk_ami.cli.output import plain_errors, print_json, print_table, report_failures


@click.command()
@click.argument("image", required=False)
@region_option
@json_option
@click.option("--remove", is_flag=True, help="Remove what is listed and in no use.  Final: there is no way back.")
def leftovers(image: str | None, regions: tuple[str, ...], as_json: bool, remove: bool) -> None:  # noqa: FBT001 - flags of the command line
    """List what IMAGE leaves behind when its stacks are gone: channels, image resources, AMIs and their snapshots.

    A stack that is destroyed keeps them on purpose: instances elsewhere may run them.  Without --remove nothing is
    changed.  With it, all that no instance of this account runs is removed, channels first, snapshots last.

    Reads ec2:DescribeImages, ec2:DescribeInstances, ssm:GetParametersByPath, imagebuilder:ListImages and
    imagebuilder:ListImageBuildVersions; removing adds ssm:DeleteParameter, imagebuilder:DeleteImage,
    ec2:DeregisterImage and ec2:DeleteSnapshot.

    \b
    Examples:
      cdk-ami leftovers                  what remains, in every Region of cdk-ami.toml
      cdk-ami leftovers web --remove     and away with it
    """
    from cdk_ami.runtime.leftovers import (  # noqa: PLC0415 - boto3 costs 0.2 s
        find_leftovers,
        keep_lineage,
        remove_leftovers,
    )
    from cdk_ami.runtime.regions import ask, clients_of  # noqa: PLC0415 - same

    name = image_or_default(image)
    clients = clients_of(regions_or_default(regions))
    with plain_errors():
        answers = ask(clients, lambda region: find_leftovers(region, name))
    by_region = keep_lineage(answers.found)
    found = [left for region in by_region.values() for left in region]
    if as_json and not remove:
        print_json({"image": name, "leftovers": found, "failed": dict(answers.failed)})
    elif not found:
        click.echo(f"Nothing remains of the image {name} in {', '.join(answers.found) or 'any Region'}.")
    elif not remove:
        print_table(
            f"What remains of {name}",
            ["Region", "Kind", "Name", "Of", "Used by"],
            [[left.region, left.kind, left.name, left.about, ", ".join(left.used_by)] for left in found],
        )
        where = " ".join(f"--region {region}" for region in answers.found)
        click.echo(f"To remove it: cdk-ami leftovers {name} {where} --remove")
    if remove:
        removed = []
        for region in clients:
            with plain_errors():
                for left in remove_leftovers(region, by_region.get(region.region, ())):
                    removed.append(left)
                    if not as_json:
                        click.echo(f"{left.region}: removed {left.kind} {left.name}")
        kept = [left for left in found if left.used_by]
        if as_json:
            print_json({"image": name, "removed": removed, "kept": kept, "failed": dict(answers.failed)})
        for left in kept:
            click.echo(f"{left.region}: kept {left.kind} {left.name}, used by {', '.join(left.used_by)}", err=True)
    report_failures(answers.failed)
