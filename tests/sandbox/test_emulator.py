"""Nothing of the emulator library is changed behind the back of the checks at start-up."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import moto
import pytest

from cdk_ami.sandbox import emulator
from cdk_ami.sandbox.mismatch import EmulatorMismatchError

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "cdk_ami" / "sandbox").rglob("*.py"))


def changes(source: str) -> Iterator[str]:
    """Yield the attributes of what is imported from the emulator that a module sets by itself."""
    tree = ast.parse(source)
    imported = {
        alias.asname or alias.name.partition(".")[0]
        for node in ast.walk(tree)
        if (isinstance(node, ast.Import) and any(one.name.startswith("moto") for one in node.names))
        or (isinstance(node, ast.ImportFrom) and (node.module or "").startswith("moto"))
        for alias in node.names
    }
    for node in ast.walk(tree):
        targets = node.targets if isinstance(node, ast.Assign | ast.Delete) else [getattr(node, "target", None)]
        for target in targets:
            if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id in imported:
                yield f"{target.value.id}.{target.attr}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"setattr", "delattr"}:
            owner = node.args[0]
            if isinstance(owner, ast.Name) and owner.id in imported:
                yield f"{node.func.id}({owner.id}, ...)"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_changes_the_emulator_through_the_checks_alone(path: Path) -> None:
    assert list(changes(path.read_text())) == []


def test_a_change_behind_the_checks_is_seen() -> None:
    source = (
        "from moto.a import B\nimport moto.c\nB.d = 1\nsetattr(B, 'e', 2)\nmoto.f = 3\ndel B.g\nfor B.h in (): ...\n"
    )

    assert sorted(changes(source)) == ["B.d", "B.g", "B.h", "moto.f", "setattr(B, ...)"]


def test_every_change_names_what_it_relies_on() -> None:
    calls = [
        (path, node)
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and (node.func.value.id, node.func.attr) == ("emulator", "replace")
    ]

    assert calls
    assert [f"{path}:{node.lineno}" for path, node in calls if "takes" not in {one.arg for one in node.keywords}] == []


def test_the_versions_that_are_installed_are_those_that_the_checks_let_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (wanted,) = (one for one in project["optional-dependencies"]["sandbox"] if one.startswith("moto["))
    low, high = re.findall(r"\d+\.\d+", wanted)[0], re.findall(r"<(\d+\.\d+)", wanted)[0]

    assert tuple(tuple(map(int, text.split("."))) for text in (low, high)) == emulator.SUPPORTED_MOTO
    for version in ("5.1.9", high, "6.0.0"):
        monkeypatch.setattr(moto, "__version__", version)
        with pytest.raises(EmulatorMismatchError, match=f"moto {version} is installed"):
            emulator._check_version()
