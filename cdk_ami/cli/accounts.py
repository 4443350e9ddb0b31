"""`cdk-ami accounts`."""

from __future__ import annotations

import json
from difflib import unified_diff
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from cdk_ami.cli.options import json_option
from cdk_ami.cli.output import plain_errors, print_json, print_table

if TYPE_CHECKING:
    from cdk_ami.distribution.accounts import Accounts

_HEAD: Final = "# Written by `cdk-ami accounts refresh`: change the organization, not this file.\n"


@click.group()
def accounts() -> None:
    """Keep the file of accounts that distributions name.

    Templates are made from the file alone, so a new account becomes a target by a reviewed change of it.
    """


@accounts.command("list")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", "names", multiple=True, metavar="NAME", help="Name of accounts, * for any letters; repeat it.")
@click.option("--ou", "units", multiple=True, metavar="PATH", help="Path of an organizational unit; repeat it.")
@click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="Tag that accounts have; repeat it.")
@json_option
def list_accounts(
    file: Path,
    names: tuple[str, ...],
    units: tuple[str, ...],
    tags: tuple[str, ...],
    as_json: bool,  # noqa: FBT001 - a flag of the command line
) -> None:
    """List the accounts of FILE that Accounts.select would return.

    Calls nothing.

    \b
    Examples:
      cdk-ami accounts list accounts.yaml
      cdk-ami accounts list accounts.yaml --ou Workloads --tag stage=prod
    """
    held = _read(file)
    chosen = _selected(held, names=names, units=units, tags=dict(_pair(tag) for tag in tags))
    if as_json:
        print_json(chosen)
        return
    rows = [
        [one["id"], one.get("name", ""), one.get("unit", ""), _words(one.get("tags", {}))] for one in chosen["accounts"]
    ]
    print_table(f"Accounts of {file.name}", ["Account", "Name", "Unit", "Tags"], rows)


@accounts.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--ou",
    "units",
    multiple=True,
    metavar="PATH",
    help="Organizational unit to read with all below it, by path or id; repeat it.  Left out: all.",
)
@click.option("--dry-run", is_flag=True, help="Show what would change, and write nothing.")
@json_option
def refresh(file: Path, units: tuple[str, ...], dry_run: bool, as_json: bool) -> None:  # noqa: FBT001 - flags of the command line
    """Write FILE anew from AWS Organizations: YAML, or JSON by its suffix.

    Active accounts only, in an order that does not depend on the service's.  Runs in the management account, or in that
    of a delegated administrator.

    Calls organizations:DescribeOrganization, ListRoots, ListOrganizationalUnitsForParent, ListAccountsForParent and
    ListTagsForResource.

    \b
    Examples:
      cdk-ami accounts refresh accounts.yaml --dry-run
      cdk-ami accounts refresh accounts.json --ou Workloads/Prod
    """
    from boto3.session import Session  # noqa: PLC0415 - boto3 costs 0.2 s

    from cdk_ami.runtime.accounts import OrganizationError, read_accounts  # noqa: PLC0415 - same

    before = file.read_text(encoding="utf-8") if file.exists() else ""
    held = _read(file).to_data()["accounts"] if before else []
    with plain_errors():
        try:
            found = read_accounts(Session(region_name=_REGION).client("organizations"), units=units)
        except OrganizationError as error:
            raise click.ClickException(str(error)) from None
    text = _written(found, as_json=file.suffix == ".json")
    changed = _changes(held, found.to_data()["accounts"])
    if not dry_run:
        file.write_text(text, encoding="utf-8")
    if as_json:
        print_json({"file": str(file), "written": not dry_run, "same": text == before, **changed})
        return
    for line in unified_diff(before.splitlines(), text.splitlines(), str(file), str(file), lineterm=""):
        click.echo(line)
    counts = ", ".join(f"{len(ids)} {what}" for what, ids in changed.items())
    click.echo(f"{file}: {len(found.accounts)} accounts, {counts}{', nothing written' if dry_run else ''}")


_REGION: Final = "us-east-1"
"""Organizations is one service for all Regions, and a client wants one all the same.
https://docs.aws.amazon.com/general/latest/gr/ao.html"""


def _read(file: Path) -> Accounts:
    from cdk_ami.distribution.accounts import Accounts  # noqa: PLC0415 - the schema's checker costs 20 ms
    from cdk_ami.errors import ConfigError  # noqa: PLC0415 - same

    try:
        return Accounts.from_file(file)
    except ConfigError as error:
        raise click.ClickException(str(error)) from None


def _selected(held: Accounts, **conditions: Any) -> dict[str, Any]:
    from cdk_ami.errors import ConfigError  # noqa: PLC0415 - see above

    try:
        ids = set(held.select(**conditions))
    except ConfigError as error:
        raise click.ClickException(str(error)) from None
    return {"accounts": [one for one in held.to_data()["accounts"] if one["id"] in ids]}


def _written(found: Accounts, *, as_json: bool) -> str:
    if as_json:
        return json.dumps(found.to_data(), indent=2, ensure_ascii=False) + "\n"
    import yaml  # noqa: PLC0415 - most commands write none

    return _HEAD + yaml.safe_dump(found.to_data(), sort_keys=False, allow_unicode=True, width=1000)


def _changes(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> dict[str, list[str]]:
    old, new = ({account["id"]: account for account in listed} for listed in (before, after))
    return {
        "added": sorted(new.keys() - old.keys()),
        "removed": sorted(old.keys() - new.keys()),
        "changed": sorted(one for one in new.keys() & old.keys() if new[one] != old[one]),
    }


def _pair(tag: str) -> tuple[str, str]:
    key, equals, value = tag.partition("=")
    if not equals:
        raise click.UsageError(f"--tag is no KEY=VALUE, got {tag!r}")
    return key, value


def _words(tags: dict[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in tags.items())
