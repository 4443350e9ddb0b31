"""`cdk-ami leftovers`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from cdk_ami.cli.options import image_or_default, json_option, region_option, regions_or_default
from cdk_ami.cli.output import plain_errors, print_json, print_table, report_failures

if TYPE_CHECKING:
    from cdk_ami.runtime.leftovers import Leftover


@click.command()
@click.argument("image", required=False)
@region_option
@json_option
@click.option("--remove", is_flag=True, help="Remove what is listed and in no use.  Final: there is no way back.")
@click.option("--force", is_flag=True, help="With --remove: also while a pipeline still builds the image.")
def leftovers(image: str | None, regions: tuple[str, ...], as_json: bool, remove: bool, force: bool) -> None:  # noqa: FBT001 - flags of the command line
    """List what IMAGE leaves behind when its stacks are gone: channels, image resources, AMIs and their snapshots.

    A stack that is destroyed keeps them on purpose: instances elsewhere may run them.  Without --remove nothing is
    changed.  With it, all goes that no instance runs and no launch template names in the Regions looked in, channels
    first, snapshots last.  While the image's pipeline exists, its stack stands, and nothing is removed; nor is anything
    while a Region gives no answer, for what runs there cannot be seen.

    Reads ec2:DescribeImages, ec2:DescribeInstances, ec2:DescribeImageReferences, ssm:GetParametersByPath,
    imagebuilder:ListImages, ListImageBuildVersions and ListImagePipelines; removing adds ssm:DeleteParameter,
    imagebuilder:DeleteImage, ec2:DeregisterImage and ec2:DeleteSnapshot.

    \b
    Examples:
      cdk-ami leftovers                  what remains, in every Region of cdk-ami.toml
      cdk-ami leftovers web --remove     and away with it
    """
    from cdk_ami.runtime.leftovers import find_leftovers, keep_lineage  # noqa: PLC0415 - boto3 costs 0.2 s
    from cdk_ami.runtime.regions import ask, clients_of  # noqa: PLC0415 - same

    name = image_or_default(image)
    with plain_errors():
        answers = ask(clients_of(regions_or_default(regions)), lambda clients: find_leftovers(clients, name))
        by_region = keep_lineage(answers.found)
        pipelines = _pipelines(name, by_region, tuple(answers.found))
        if remove and not answers.failed:
            if pipelines and not force:
                raise click.ClickException(
                    f"{', '.join(pipelines)} still builds {name}; destroy its stack first, or add --force"
                )
            _remove(name, by_region, as_json=as_json)
        elif remove:
            click.echo("Nothing is removed: what is in use in a Region that gave no answer cannot be seen.", err=True)
        elif as_json:
            found = [left for region in by_region.values() for left in region]
            print_json({"image": name, "leftovers": found, "built_by": pipelines, "failed": dict(answers.failed)})
        elif answers.found:
            _list(name, by_region, pipelines)
    report_failures(answers.failed)


def _pipelines(name: str, by_region: Mapping[str, Sequence[Leftover]], asked: tuple[str, ...]) -> list[str]:
    """Return the pipelines that still build the image, in the Regions asked and in those that built what was found."""
    from cdk_ami.runtime.leftovers import building_regions, find_pipelines  # noqa: PLC0415 - boto3 costs 0.2 s
    from cdk_ami.runtime.regions import clients_of  # noqa: PLC0415 - same

    regions = tuple(dict.fromkeys([*asked, *building_regions(by_region)]))
    return [arn for clients in clients_of(regions) for arn in find_pipelines(clients, name)]


def _list(name: str, by_region: Mapping[str, Sequence[Leftover]], pipelines: Sequence[str]) -> None:
    found = [left for region in by_region.values() for left in region]
    if not found:
        click.echo(f"Nothing remains of the image {name} in {', '.join(by_region)}.")
        return
    print_table(
        f"What remains of {name}",
        ["Region", "Kind", "Name", "Of", "Used by"],
        [[left.region, left.kind, left.name, left.about, ", ".join(left.used_by)] for left in found],
    )
    if pipelines:
        click.echo(
            f"The image is still built, by {', '.join(pipelines)}; destroy its stack before you remove anything."
        )
    else:
        where = " ".join(f"--region {region}" for region in by_region)
        click.echo(f"To remove it: cdk-ami leftovers {name} {where} --remove")


def _remove(name: str, by_region: Mapping[str, Sequence[Leftover]], *, as_json: bool) -> None:
    from cdk_ami.runtime.leftovers import remove_leftovers  # noqa: PLC0415 - boto3 costs 0.2 s
    from cdk_ami.runtime.regions import clients_of  # noqa: PLC0415 - same

    removed = []
    for clients in clients_of(tuple(by_region)):
        for left in remove_leftovers(clients, by_region[clients.region]):
            removed.append(left)
            if not as_json:
                click.echo(f"{left.region}: removed {left.kind} {left.name}")
    kept = [left for region in by_region.values() for left in region if left.used_by]
    if as_json:
        print_json({"image": name, "removed": removed, "kept": kept})
    elif not removed and not kept and by_region:
        click.echo(f"Nothing remains of the image {name} in {', '.join(by_region)}.")
    for left in kept:
        click.echo(f"{left.region}: kept {left.kind} {left.name}, used by {', '.join(left.used_by)}", err=True)
