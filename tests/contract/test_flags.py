from __future__ import annotations

import json

from tests.support.synth import ROOT, app_context

RECOMMENDED = ROOT / "node_modules/aws-cdk/lib/init-templates/.recommended-feature-flags.json"


def test_the_flags_are_those_that_the_pinned_command_line_writes_into_a_new_app() -> None:
    flags = json.loads(RECOMMENDED.read_text())

    assert app_context() == flags


def test_the_command_line_is_pinned_exactly_and_locked() -> None:
    wanted = json.loads((ROOT / "package.json").read_text())["devDependencies"]["aws-cdk"]
    locked = json.loads((ROOT / "package-lock.json").read_text())["packages"]["node_modules/aws-cdk"]["version"]

    assert wanted == locked == "2.1148.1"


def test_the_app_runs_in_the_virtual_environment() -> None:
    settings = json.loads((ROOT / "cdk.json").read_text())

    assert settings["app"] == ".venv/bin/python app.py"


def test_no_lock_file_names_where_it_was_downloaded() -> None:
    locks = [*(ROOT / "requirements").glob("*.lock"), ROOT / "package-lock.json"]

    assert len(locks) == 3
    assert [lock.name for lock in locks if "://" in lock.read_text()] == []
