"""Reads the accounts of an organization from AWS Organizations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from cdk_ami.distribution.accounts import Account, Accounts

ACTIVE: Final = "ACTIVE"
"""State of an account that can be used.
https://docs.aws.amazon.com/organizations/latest/APIReference/API_Account.html, read 2026-11-28"""


class OrganizationError(RuntimeError):
    """An organization that cannot be read as asked, with what to do about it."""


def read_accounts(organizations: Any, *, units: Sequence[str] = ()) -> Accounts:
    """Return the active accounts of the caller's organization, with their tags, and its organizational units.

    Needs ``organizations:DescribeOrganization``, ``ListRoots``, ``ListOrganizationalUnitsForParent``,
    ``ListAccountsForParent`` and ``ListTagsForResource``, in the management account or a delegated administrator's.

    Args:
        organizations: Client of AWS Organizations.
        units: Paths or ids of the units to read with all below them.  Default: the whole organization.

    Raises:
        OrganizationError: When a unit is not there.
    """
    organization = organizations.describe_organization()["Organization"]["Arn"]
    tree = list(_units(organizations))
    roots = [("", root["Id"]) for root in _pages(organizations, "list_roots", "Roots")]
    chosen = _below(tree, units)
    parents = [*(roots if not units else ()), *((path, unit["Id"]) for path, unit in chosen)]
    return Accounts(
        accounts=tuple(account for path, parent in parents for account in _accounts(organizations, path, parent)),
        units={path: unit["Arn"] for path, unit in chosen},
        organization=organization,
    )


def _units(organizations: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each unit with its path, parents first."""
    open_parents = [("", root["Id"]) for root in _pages(organizations, "list_roots", "Roots")]
    while open_parents:
        path, parent = open_parents.pop(0)
        kind = "list_organizational_units_for_parent"
        for unit in _pages(organizations, kind, "OrganizationalUnits", ParentId=parent):
            below = f"{path}/{unit['Name']}".removeprefix("/")
            open_parents.append((below, unit["Id"]))
            yield below, unit


def _below(tree: Sequence[tuple[str, dict[str, Any]]], units: Sequence[str]) -> list[tuple[str, dict[str, Any]]]:
    if not units:
        return list(tree)
    tops = []
    for wanted in units:
        found = next((path for path, unit in tree if wanted in {path, unit["Id"]}), None)
        if found is None:
            known = ", ".join(path for path, _ in tree) or "none"
            raise OrganizationError(f"there is no organizational unit {wanted}; name one of: {known}")
        tops.append(found)
    return [(path, unit) for path, unit in tree if any(path == top or path.startswith(f"{top}/") for top in tops)]


def _accounts(organizations: Any, path: str, parent: str) -> Iterator[Account]:
    for account in _pages(organizations, "list_accounts_for_parent", "Accounts", ParentId=parent):
        # `State` takes the place of `Status`, which older endpoints alone tell.
        if (account.get("State") or account.get("Status")) == ACTIVE:
            tags = _pages(organizations, "list_tags_for_resource", "Tags", ResourceId=account["Id"])
            held = {tag["Key"]: tag["Value"] for tag in tags}
            yield Account(id=account["Id"], name=account["Name"], unit=path, tags=held)


def _pages(organizations: Any, operation: str, member: str, **request: Any) -> Iterator[dict[str, Any]]:
    for page in organizations.get_paginator(operation).paginate(**request):
        yield from page[member]
