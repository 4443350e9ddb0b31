"""`cdk-ami capture`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from cdk_ami.checks.captures import device, instance_id
from cdk_ami.checks.names import region as known_region
from cdk_ami.checks.names import resource_name
from cdk_ami.cli.distributing import Teller, followed, home_region, report
from cdk_ami.cli.options import json_option, require
from cdk_ami.cli.output import plain_errors, print_json

if TYPE_CHECKING:
    from cdk_ami.runtime.capture import CaptureOrder, Server, Snapshot


@click.command()
@click.argument("instance")
@click.option("--name", required=True, help="Name of the image.")
@click.option(
    "--stop/--no-reboot",
    "stops",
    default=True,
    help="Stop the server first; or take it as it runs, and the AMI is crash-consistent: a disk after a power failure.",
)
@click.option(
    "--then",
    "afterwards",
    type=click.Choice(["as-before", "start", "leave-stopped", "terminate"]),
    default="as-before",
    help="What becomes of the server.  Left out: it is as before.",
)
@click.option("--without", multiple=True, metavar="DEVICE", help="Volume to leave out, such as /dev/sdf; repeat it.")
@click.option("--discard-instance-store", is_flag=True, help="Stop it though that loses instance store volumes.")
@click.option(
    "--id", "capture_id", help="Which capture this is; the same id goes on.  Left out: name and today's date."
)
@click.option(
    "--to", multiple=True, metavar="REGION,...", help="Regions to distribute the AMI to, on the image's channel."
)
@click.option("--role", metavar="ROLE", help="Execution role of the distribution; with --to.")
@click.option(
    "--allow-unencrypted", is_flag=True, help="Distribute the AMI of a server whose volumes are not encrypted, too."
)
@click.option(
    "--region", metavar="REGION", help="Region of the server.  Left out: that of cdk-ami.toml, or AWS_REGION."
)
@click.option("--dry-run", is_flag=True, help="Only tell what would be done, and what speaks against it.")
@json_option
def capture(
    *,
    instance: str,
    name: str,
    stops: bool,
    afterwards: str,
    without: tuple[str, ...],
    discard_instance_store: bool,
    capture_id: str | None,
    to: tuple[str, ...],
    role: str | None,
    allow_unencrypted: bool,
    region: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Make an AMI of the server INSTANCE, bring the server back, and distribute the AMI.

    The server is stopped, so that everything written is in the AMI; it runs again as soon as EC2 has taken the moment
    of its volumes, while their upload goes on.  Interrupt it as you like: the server is brought back, and the same
    command on the same day, or with the same --id, goes on and makes no second AMI.

    Calls ec2:DescribeInstances, DescribeImages, DescribeInstanceTypes, DescribeSnapshots, StopInstances, CreateImage,
    StartInstances, CreateTags, DeleteTags; autoscaling:DescribeAutoScalingInstances; with --to ec2:DescribeVolumes
    and what `cdk-ami distribute` calls.

    \b
    Examples:
      cdk-ami capture i-0123456789abcdef0 --name shop
      cdk-ami capture i-0123456789abcdef0 --name shop --to us-east-1,eu-west-1 --role Distribute
    """
    from cdk_ami.build.capture_plan import Afterwards  # noqa: PLC0415 - only here
    from cdk_ami.runtime import capture as runtime  # noqa: PLC0415 - boto3 costs 0.2 s
    from cdk_ami.runtime.regions import autoscaling_of, clients_of  # noqa: PLC0415 - same

    regions = tuple(dict.fromkeys(part for one in to for part in one.split(",") if part))
    _check(instance, name, without, regions, role, stops=stops, afterwards=afterwards)
    home = home_region(region)
    (clients,) = clients_of([home])
    order = runtime.CaptureOrder(
        instance=instance,
        image=name,
        capture_id=capture_id or f"{instance} {datetime.now(UTC):%Y-%m-%d}",
        stops=stops,
        afterwards=Afterwards(afterwards),
        without=without,
        discard_instance_store=discard_instance_store,
    )
    tell = _silent if as_json else click.echo
    with plain_errors(home):
        try:
            server = runtime.look_at(clients.ec2, autoscaling_of(home), order)
            problems = _problems_of_copies(
                clients.ec2, order, server, regions=regions, role=role or "", allow_unencrypted=allow_unencrypted
            )
            server = replace(server, problems=(*server.problems, *problems))
            if dry_run:
                _tell_plan(order, server, regions, as_json=as_json)
                return
            if server.problems and runtime.find_captured(clients.ec2, order) is None:
                raise click.ClickException(f"{instance} cannot be captured: {'; '.join(server.problems)}")
            ami = runtime.capture(clients.ec2, order, server, tell=tell)
            snapshots = followed(
                lambda: runtime.wait_available(clients.ec2, ami, tell=_Bars(quiet=as_json)), what="capture"
            )
        except runtime.CaptureError as error:
            raise click.ClickException(str(error)) from None
        progress = None
        if regions:
            try:
                progress = _distribute(
                    clients, ami, name, regions, role or "", allow_unencrypted=allow_unencrypted, as_json=as_json
                )
            finally:
                if progress is None or not progress.good:
                    runtime.abandon(clients.ec2, order, server, tell=tell)
        if progress is None or progress.good:
            runtime.finish(clients.ec2, order, tell=tell)
    told = {"ami": ami, "name": order.name, "id": order.capture_id, "snapshots": snapshots}
    if progress is not None:
        report(progress, as_json=as_json, **told)
    elif as_json:
        print_json(told)
    else:
        click.echo(f"{ami} is available")


def _problems_of_copies(
    ec2: Any, order: CaptureOrder, server: Server, *, regions: tuple[str, ...], role: str, allow_unencrypted: bool
) -> list[str]:
    """Return why the AMI could not be distributed: told before the server is touched, and not when its AMI is there."""
    from cdk_ami.runtime.capture import unencrypted  # noqa: PLC0415 - boto3 costs 0.2 s
    from cdk_ami.runtime.distribute import plain_problem, role_problems  # noqa: PLC0415 - same
    from cdk_ami.runtime.regions import iam_of  # noqa: PLC0415 - same

    if not regions:
        return []
    problems = list(role_problems(iam_of(ec2.meta.region_name), role))
    if not allow_unencrypted and (devices := unencrypted(ec2, order, server)):
        problems.append(plain_problem("it", devices, regions))
    return problems


def _distribute(
    clients: Any, ami: str, name: str, regions: tuple[str, ...], role: str, *, allow_unencrypted: bool, as_json: bool
) -> Any:
    from cdk_ami.runtime import distribute as runtime  # noqa: PLC0415 - boto3 costs 0.2 s
    from cdk_ami.runtime.regions import account_of, clients_of, iam_of  # noqa: PLC0415 - same

    wanted = runtime.plain_configuration_name(name, regions)
    arn = runtime.configuration_arn(clients.imagebuilder, account_of(clients.region), wanted)
    order = runtime.Order(
        ami=ami,
        configuration=arn,
        image=name,
        regions=regions,
        role=role,
        allow_unencrypted=allow_unencrypted,
    )
    # Also of a capture that goes on with the AMI of before, whatever was allowed then.
    if problems := runtime.plan(clients, order, iam_of(clients.region)).problems:
        raise click.ClickException("; ".join(problems))
    image, chosen = runtime.begin(clients, order)
    elsewhere = clients_of(chosen.regions)
    return followed(
        lambda: runtime.follow(lambda: runtime.look(clients.imagebuilder, elsewhere, image), Teller(quiet=as_json))
    )


def _check(
    instance: str,
    name: str,
    without: tuple[str, ...],
    regions: tuple[str, ...],
    role: str | None,
    *,
    stops: bool,
    afterwards: str,
) -> None:
    require("INSTANCE", instance_id(instance))
    require("--name", resource_name(name))
    for one in without:
        require("--without", device(one))
    for one in regions:
        require("--to", known_region(one))
    if regions and not role:
        raise click.UsageError("--to needs --role, by which Image Builder distributes")
    if not stops and afterwards in {"start", "leave-stopped"}:
        raise click.UsageError(f"--then {afterwards} is for a server that was stopped, and --no-reboot stops none")


def _tell_plan(order: CaptureOrder, server: Server, regions: tuple[str, ...], *, as_json: bool) -> None:
    taken = [name for name in server.volumes if name not in order.without]
    if as_json:
        print_json({"name": order.name, "id": order.capture_id, "server": server, "volumes": taken, "to": regions})
    else:
        how = "would be stopped" if order.stops else "would run on, and its AMI be crash-consistent"
        click.echo(f"{server.instance} is {server.state} and {how}; afterwards: {order.afterwards}")
        click.echo(f"{order.name} would hold {', '.join(taken)}")
        if regions:
            click.echo(f"It would go to {', '.join(regions)} and on the channel of {order.image}")
        for problem in server.problems:
            click.echo(f"It cannot be captured: {problem}", err=True)
    if server.problems:
        raise click.exceptions.Exit(1)


class _Bars:
    """Prints how far each snapshot is, when that has changed."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._told: dict[str, str] = {}

    def __call__(self, snapshots: Sequence[Snapshot]) -> None:
        for one in snapshots:
            line = f"{one.snapshot_id} of {one.volume_id} ({one.size_gib} GiB): {one.state} {one.progress}"
            if self._told.get(one.snapshot_id) != line and not self._quiet:
                click.echo(line)
            self._told[one.snapshot_id] = line


def _silent(_: str) -> None:
    """Say nothing: a program reads the end."""
