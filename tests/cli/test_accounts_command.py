"""`cdk-ami accounts`: the file follows the organization, and says what changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cdk_ami import Accounts
from tests.cli.conftest import Command
from tests.support.sandbox import MakeClient


@pytest.fixture
def organization(aws: MakeClient) -> dict[str, str]:
    """An organization with the units Workloads, Workloads/Prod and Sandbox; ids of its accounts by their names."""
    client = aws("organizations")
    client.create_organization(FeatureSet="ALL")
    root = client.list_roots()["Roots"][0]["Id"]

    def unit(parent: str, name: str) -> str:
        made: str = client.create_organizational_unit(ParentId=parent, Name=name)["OrganizationalUnit"]["Id"]
        return made

    workloads, sandbox = unit(root, "Workloads"), unit(root, "Sandbox")
    homes = {"shop": unit(workloads, "Prod"), "lab": sandbox, "old": sandbox}
    ids = {}
    for name, home in homes.items():
        made = client.create_account(AccountName=name, Email=f"{name}@example.com")["CreateAccountStatus"]["AccountId"]
        client.move_account(AccountId=made, SourceParentId=root, DestinationParentId=home)
        ids[name] = made
    client.tag_resource(ResourceId=ids["shop"], Tags=[{"Key": "stage", "Value": "prod"}])
    client.close_account(AccountId=ids["old"])
    return ids


def test_a_refresh_writes_the_active_accounts_in_a_settled_order(
    command: Command, organization: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "accounts.yaml"

    shown = command("accounts", "refresh", str(file))

    assert shown.exit_code == 0, shown.output
    assert "3 accounts, 3 added, 0 removed, 0 changed" in shown.output
    accounts = Accounts.from_file(file)
    assert list(accounts.units) == ["Sandbox", "Workloads", "Workloads/Prod"]
    assert [(one["name"], one.get("unit")) for one in accounts.to_data()["accounts"]] == [
        ("master", None),
        ("lab", "Sandbox"),
        ("shop", "Workloads/Prod"),
    ]
    assert accounts.select(tags={"stage": "prod"}) == (organization["shop"],)
    again = json.loads(command("accounts", "refresh", str(file), "--json").output)
    assert (again["same"], again["added"], again["changed"]) == (True, [], [])


def test_a_dry_run_shows_the_difference_and_writes_nothing(
    command: Command, organization: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "accounts.json"
    kept = json.dumps({"accounts": [{"id": "999999999999", "name": "gone"}]})
    file.write_text(kept)

    shown = command("accounts", "refresh", str(file), "--ou", "Workloads", "--dry-run")

    assert shown.exit_code == 0, shown.output
    assert f'+      "id": "{organization["shop"]}",' in shown.output
    assert "1 accounts, 1 added, 1 removed, 0 changed, nothing written" in shown.output
    assert file.read_text() == kept


def test_an_unknown_unit_is_refused_with_those_there_are(
    command: Command, organization: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "accounts.yaml"

    shown = command("accounts", "refresh", str(file), "--ou", "Nowhere")

    assert organization
    assert shown.exit_code == 1
    assert "there is no organizational unit Nowhere; name one of: Workloads, Sandbox, Workloads/Prod" in shown.output
    assert not file.exists()


@pytest.mark.parametrize(
    ("options", "names"), [([], ["lab", "shop"]), (["--ou", "Workloads", "--tag", "stage=prod"], ["shop"])]
)
def test_accounts_of_a_file_are_listed_as_a_program_would_select_them(
    command: Command, tmp_path: Path, options: list[str], names: list[str]
) -> None:
    file = tmp_path / "accounts.yaml"
    file.write_text(
        'accounts:\n  - {id: "111111111111", name: shop, unit: Workloads/Prod, tags: {stage: prod}}\n'
        '  - {id: "222222222222", name: lab}\n'
    )

    shown: dict[str, Any] = json.loads(command("accounts", "list", str(file), "--json", *options).output)
    table = command("accounts", "list", str(file), *options).output

    assert sorted(one["name"] for one in shown["accounts"]) == names
    assert all(name in table for name in names)
    assert "holds no account" in command("accounts", "list", str(file), "--ou", "None").output
