"""One table of what is refused at synthesis: each row breaks another rule.

The rows stand in `tests/contract/refusals`, a module for each part of the library.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import aws_cdk as cdk
import pytest

from cdk_ami import ConfigError, Fault
from cdk_ami.checks.reference import rules_by_module
from tests.contract.refusals import (
    account_settings,
    components,
    distributions,
    fleets,
    groups,
    images,
    promotions,
    rollouts,
    settings,
    sources,
    target_accounts,
)
from tests.contract.refusals.row import SET_UP, Row
from tests.support.synth import make_stack

TABLE = (
    *sources.ROWS,
    *components.ROWS,
    *images.ROWS,
    *distributions.ROWS,
    *promotions.ROWS,
    *fleets.ROWS,
    *groups.ROWS,
    *rollouts.ROWS,
    *settings.ROWS,
    *target_accounts.ROWS,
    *account_settings.ROWS,
)

WITHOUT_ROW = {
    "UnknownAction",  # warns
    "UnknownKey",  # warns
    "SecretInDocument",  # warns
    "OwnParameterName",  # every parameter that is written lies under /imagebuilder/
    # Judged in whole templates alone, where a user of the constructs may have a reason: tests/checks/template has
    # good and bad examples of each.
    "CertificateIgnored",
    "InteractiveInstall",
    "LoginBaked",
    "LookupWithoutOwner",
    "OverrideUserDataSize",
    "PlainHttp",
    "SecretInUserData",
    "UnverifiedDownload",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What became of one row.

    Attributes:
        error: What was raised, None when nothing was.
        left: Paths of the constructs that the refused call left in the tree.
    """

    error: Exception | None
    left: list[str]

    @property
    def fault(self) -> Fault:
        assert isinstance(self.error, ConfigError)
        (fault,) = self.error.faults
        return fault


@pytest.fixture(scope="module")
def refusals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Refusal]:
    """Each row's refusal, by its sentence."""
    return {row.says: refusal_of(row, tmp_path_factory.mktemp("row")) for row in TABLE}


def refusal_of(row: Row, folder: Path) -> Refusal:
    stack = make_stack()
    error: Exception | None = None
    with contextlib.chdir(folder):
        try:
            row.make(stack)
        except Exception as caught:  # noqa: BLE001 - the row's own test tells of a crash
            error = caught
    return Refusal(error=error, left=list(leftovers(stack, row.where)))


def leftovers(stack: cdk.Stack, where: str) -> Iterator[str]:
    for child in stack.node.find_all():
        path = child.node.path
        if path == where or (SET_UP not in path and cdk.CfnResource.is_cfn_resource(child)):
            yield path


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.says)
def test_a_bad_input_is_refused_with_construct_property_value_and_fix(row: Row, refusals: dict[str, Refusal]) -> None:
    error, fault = refusals[row.says].error, refusals[row.says].fault

    assert isinstance(error, ConfigError)
    assert (error.where, error.prop, error.got) == (row.where, row.prop, row.got)
    assert row.fix in error.fix
    assert fault.rule == (f"cdk-ami::{row.rule}" if row.rule else "")


@pytest.mark.parametrize("row", [row for row in TABLE if not row.after], ids=lambda row: row.says)
def test_a_refused_call_leaves_nothing_half_made(row: Row, refusals: dict[str, Refusal]) -> None:
    assert refusals[row.says].left == []


def test_each_rule_has_its_row() -> None:
    known = {rule.rule_id.partition("::")[2] for rules in rules_by_module().values() for rule in rules}

    assert known - {row.rule for row in TABLE} == WITHOUT_ROW


def test_each_row_breaks_a_rule_of_its_own(refusals: dict[str, Refusal]) -> None:
    broken = Counter(
        refusal.fault.rule or (row.where.partition("(")[0], refusal.fault.prop, refusal.fault.problem)
        for row, refusal in zip(TABLE, refusals.values(), strict=True)
    )

    assert [identity for identity, count in broken.items() if count > 1] == []
    assert sum(isinstance(identity, str) for identity in broken) >= 90
    assert len(broken) >= 110
