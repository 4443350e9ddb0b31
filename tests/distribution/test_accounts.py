"""The file of accounts: what it holds, what is refused of it, and who is selected."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cdk_ami import Accounts, ConfigError

UNIT = "arn:aws:organizations::123456789012:ou/o-a1b2c3d4e5/ou-ab12-c3d4e5f{}"
DATA: dict[str, Any] = {
    "organization": "arn:aws:organizations::123456789012:organization/o-a1b2c3d4e5",
    "units": {"Workloads": UNIT.format(0), "Workloads/Prod": UNIT.format(1), "Sandbox": UNIT.format(2)},
    "accounts": [
        {"id": "333333333333", "name": "lab", "unit": "Sandbox"},
        {"id": "222222222222", "name": "shop-prod", "unit": "Workloads/Prod", "tags": {"stage": "prod", "team": "a"}},
        {"id": "111111111111", "name": "shop-test", "unit": "Workloads", "tags": {"stage": "test"}},
        {"id": "444444444444"},
    ],
}


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, ["111111111111", "222222222222", "333333333333", "444444444444"]),
        ({"units": ["Workloads"]}, ["111111111111", "222222222222"]),
        ({"units": ["Workloads/Prod", "Sandbox"]}, ["222222222222", "333333333333"]),
        ({"names": ["shop-*"]}, ["111111111111", "222222222222"]),
        ({"names": ["lab"]}, ["333333333333"]),
        ({"tags": {"stage": "prod"}}, ["222222222222"]),
        ({"tags": {"stage": "prod", "team": "a"}, "units": ["Workloads"], "names": ["*prod"]}, ["222222222222"]),
    ],
)
def test_accounts_are_selected_by_all_that_is_asked(asked: dict[str, Any], found: list[str]) -> None:
    assert list(Accounts.from_data(DATA).select(**asked)) == found


@pytest.mark.parametrize(
    ("asked", "prop", "fix"),
    [
        ({"names": ["shop-prd"]}, "names[0]", "did you mean 'shop-prod'?"),
        ({"units": ["Sandbox", "Workload"]}, "units[1]", "did you mean 'Workloads'?"),
        ({"tags": {"stage": "qa"}}, "select", "loosen the conditions"),
        ({"names": ["lab"], "units": ["Workloads"]}, "select", "loosen the conditions"),
    ],
)
def test_a_selection_of_nobody_is_refused(asked: dict[str, Any], prop: str, fix: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Accounts.from_data(DATA, where="accounts.yaml").select(**asked)

    assert (caught.value.where, caught.value.prop) == ("accounts.yaml", prop)
    assert fix in caught.value.fix


def test_units_are_named_by_path_for_a_launch_permission() -> None:
    accounts = Accounts.from_data(DATA)

    assert accounts.unit_arn("Workloads/Prod") == UNIT.format(1)
    with pytest.raises(ConfigError, match="did you mean 'Workloads/Prod'"):
        accounts.unit_arn("Workloads/prod")


def test_yaml_and_json_hold_the_same_and_come_back_in_one_order(tmp_path: Path) -> None:
    (tmp_path / "accounts.json").write_text(json.dumps(DATA))
    (tmp_path / "accounts.yaml").write_text(json.dumps(DATA))  # JSON is YAML too

    by_json = Accounts.from_file(tmp_path / "accounts.json")
    by_yaml = Accounts.from_file(tmp_path / "accounts.yaml")

    assert by_json.accounts == by_yaml.accounts
    written = by_json.to_data()
    assert [account["id"] for account in written["accounts"]] == [
        "444444444444",
        "333333333333",
        "111111111111",
        "222222222222",
    ]
    assert Accounts.from_data(written).to_data() == written


@pytest.mark.parametrize(
    ("name", "text", "faults"),
    [
        ("a.yaml", "accounts:\n  - id: 111111111111\n", [("accounts[0].id", "is a number, not text")]),
        (
            "a.yaml",
            'accounts:\n  - {id: "1", name: [x]}\n  - {mail: a}\nunits: {Prod: ou-1}\n',
            [
                ("accounts[0].id", "does not fit"),
                ("accounts[0].name", "is a list, not text"),
                ("accounts[1].mail", "is not a known key"),
                ("accounts[1].id", "is missing"),
                ("units.Prod", "does not fit"),
            ],
        ),
        (
            "a.json",
            json.dumps({"units": {"P": UNIT.format(0)}, "accounts": [{"id": "1" * 12, "unit": "Q"}, {"id": "1" * 12}]}),
            [("accounts[0].unit", "is not among the units"), ("accounts[1].id", "is that of accounts[0] as well")],
        ),
        ("a.json", "{", [("file", "cannot be read as JSON")]),
        (
            "a.yaml",
            "accounts: [",
            [("file", "is no YAML")],
        ),
        ("a.yaml", "", [("file", "is empty, not a mapping")]),
    ],
)
def test_all_faults_of_a_file_are_told_at_once(
    tmp_path: Path, name: str, text: str, faults: list[tuple[str, str]]
) -> None:
    (tmp_path / name).write_text(text)

    with pytest.raises(ConfigError) as caught:
        Accounts.from_file(tmp_path / name)

    assert caught.value.where == name
    assert [fault.prop for fault in caught.value.faults] == [prop for prop, _ in faults]
    told = zip(caught.value.faults, faults, strict=True)
    assert [fault.problem for fault, (_, problem) in told if not fault.problem.startswith(problem)] == []
    assert all(fault.fix for fault in caught.value.faults)


def test_a_missing_file_names_the_command_that_writes_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="write it with cdk-ami accounts refresh"):
        Accounts.from_file(tmp_path / "none.yaml")
