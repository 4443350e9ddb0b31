"""The accounts that distributions name, from a file that is checked in: pure data, no look-up at synthesis."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from cdk_ami.checks.shape import Shape
from cdk_ami.errors import ConfigError, Faults
from cdk_ami.recipe.yaml_text import YamlFaultError, parse_yaml


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One account of a file.

    Attributes:
        id: Twelve digits.
        name: Its name, empty when the file tells none.
        unit: Path of the organizational unit that it is in, such as ``Workloads/Prod``; empty for the root.
        tags: Its tags in the organization.
    """

    id: str
    name: str = ""
    unit: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    def is_below(self, unit: str) -> bool:
        """Tell whether the account is in ``unit`` or in a unit below it."""
        return self.unit == unit or self.unit.startswith(f"{unit}/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """The accounts of an organization, read from a file that is checked in.

    ``cdk-ami accounts refresh`` writes such a file from AWS Organizations, and people may write one by hand.  A
    template then follows from the repository alone: nothing is looked up while it is made, and a new account is a
    reviewed change.

    Where every account of a unit is to launch an image, share with the unit instead: ``unit_arn`` gives its ARN for a
    ``LaunchPermission``, which reaches accounts to come by itself.

    Example:
        ::

            accounts = Accounts.from_data(
                {
                    "units": {"Prod": "arn:aws:organizations::123456789012:ou/o-a1b2c3d4e5/ou-ab12-c3d4e5f6"},
                    "accounts": [
                        {"id": "210987654321", "name": "shop", "unit": "Prod", "tags": {"stage": "prod"}},
                        {"id": "333333333333", "name": "lab"},
                    ],
                }
            )
            copied = Target(region="eu-west-1", accounts=accounts.select(tags={"stage": "prod"}))
            shared = LaunchPermission(organizational_units=[accounts.unit_arn("Prod")])

    Attributes:
        accounts: The accounts, sorted by id.
        units: ARN of each organizational unit by its path.
        organization: ARN of the organization, None when the file tells none.
        where: The file, for errors.
    """

    accounts: tuple[Account, ...]
    units: Mapping[str, str] = field(default_factory=dict)
    organization: str | None = None
    where: str = "accounts"

    @classmethod
    def from_file(cls, path: str | Path) -> Accounts:
        """Return the accounts of the file ``path``: YAML, or JSON by the suffix ``.json``.

        Raises:
            ConfigError: When the file is missing, cannot be read, or holds faults; it names all of them.
        """
        where = Path(path).name
        try:
            text = Path(path).read_text(encoding="utf-8")
        except FileNotFoundError:
            fix = f"write it with cdk-ami accounts refresh {path}"
            raise ConfigError(where, "file", "is missing", got=str(path), fix=fix) from None
        return cls.from_data(_parsed(text, where=where, as_json=Path(path).suffix == ".json"), where=where)

    @classmethod
    def from_data(cls, data: Any, *, where: str = "accounts") -> Accounts:
        """Return the accounts in ``data``, which has the shape of a file.

        Args:
            data: Plain data.
            where: What errors call it.

        Raises:
            ConfigError: Naming every fault.
        """
        faults = Faults(where)
        for _, found in _shape().problems(data):
            faults.add(found.at or "file", found.problem, got=found.got, fix=found.fix)
        faults.raise_if_any()
        listed = [Account(**account) for account in data["accounts"]]
        units: dict[str, str] = data.get("units") or {}
        seen: dict[str, int] = {}
        for index, account in enumerate(listed):
            if account.id in seen:
                problem = f"is that of accounts[{seen[account.id]}] as well"
                faults.add(f"accounts[{index}].id", problem, got=account.id, fix="drop one of the two")
            seen.setdefault(account.id, index)
            if units and account.unit and account.unit not in units:
                faults.add(
                    f"accounts[{index}].unit",
                    "is not among the units",
                    got=account.unit,
                    fix=_near(account.unit, units),
                )
        faults.raise_if_any()
        return cls(
            accounts=tuple(sorted(listed, key=lambda account: account.id)),
            units=units,
            organization=data.get("organization"),
            where=where,
        )

    def select(
        self, *, names: Sequence[str] = (), units: Sequence[str] = (), tags: Mapping[str, str] | None = None
    ) -> tuple[str, ...]:
        """Return the ids of the accounts that meet every condition that is given, sorted; all without any.

        Args:
            names: Names, of which one must fit; ``*`` and ``?`` stand for any letters and for one.  Default: any.
            units: Paths of organizational units, in or below one of which the account is.  Default: any.
            tags: Tags that the account has, all of them.  Default: none needed.

        Raises:
            ConfigError: When a name or a unit fits nothing, or no account meets all: a distribution to nobody would be
                a distribution that silently lost its targets.
        """
        faults = Faults(self.where)
        for index, name in enumerate(names):
            if not any(fnmatchcase(account.name, name) for account in self.accounts):
                fix = _near(name, [account.name for account in self.accounts])
                faults.add(f"names[{index}]", "is the name of no account", got=name, fix=fix)
        for index, unit in enumerate(units):
            if not any(account.is_below(unit) for account in self.accounts):
                fix = _near(unit, self._paths())
                faults.add(f"units[{index}]", "holds no account", got=unit, fix=fix)
        wanted = dict(tags or {})
        found = tuple(
            account.id
            for account in self.accounts
            if (not names or any(fnmatchcase(account.name, name) for name in names))
            and (not units or any(account.is_below(unit) for unit in units))
            and wanted.items() <= dict(account.tags).items()
        )
        if not found and not faults:
            asked = {"names": list(names), "units": list(units), "tags": wanted}
            fix = "loosen the conditions, or refresh the file"
            faults.add("select", "finds no account", got={key: one for key, one in asked.items() if one}, fix=fix)
        faults.raise_if_any()
        return found

    def unit_arn(self, path: str) -> str:
        """Return the ARN of the organizational unit ``path``, for a launch permission.

        Raises:
            ConfigError: When the file has no such unit.
        """
        if path not in self.units:
            raise ConfigError(self.where, "units", "lacks a unit", got=path, fix=_near(path, self.units))
        return self.units[path]

    def _paths(self) -> list[str]:
        return sorted({*self.units, *(account.unit for account in self.accounts if account.unit)})

    def to_data(self) -> dict[str, Any]:
        """Return the accounts as the file holds them, what is empty left out."""
        listed = []
        for account in sorted(self.accounts, key=lambda one: (one.unit, one.name, one.id)):
            told = {
                "id": account.id,
                "name": account.name,
                "unit": account.unit,
                "tags": dict(sorted(account.tags.items())),
            }
            listed.append({key: value for key, value in told.items() if value})
        data: dict[str, Any] = {"organization": self.organization, "units": dict(sorted(self.units.items()))}
        return {key: value for key, value in data.items() if value} | {"accounts": listed}


def _parsed(text: str, *, where: str, as_json: bool) -> Any:
    if as_json:
        try:
            return json.loads(text)
        except ValueError as error:
            fix = "mend the place it names"
            raise ConfigError(where, "file", "cannot be read as JSON", got=str(error), fix=fix) from None
    try:
        return parse_yaml(text)
    except YamlFaultError as error:
        found = error.found
        raise ConfigError(where, "file", found.problem, got=found.got, fix=found.fix) from None


def _near(name: str, known: Sequence[str] | Mapping[str, Any]) -> str:
    near = get_close_matches(name, list(known), n=1)
    return f"did you mean {near[0]!r}?" if near else "mend its spelling, or refresh the file"


@cache
def _shape() -> Shape:
    return Shape.read(Path(__file__).with_name("accounts.schema.json"))
