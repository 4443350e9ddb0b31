"""The programs of the benchmark render the same resources, so that their times can be compared."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.synth import ROOT

PROGRAMS = ROOT / "benchmarks/programs"
MESSAGES_AT_MOST = 1.8
"""Messages between Python and Node against hand-written L1: the part of the cost that no busy machine blurs."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[dict[str, Any], int]]:
    folder = tmp_path_factory.mktemp("benchmarks")
    names = ("ours", "hand_l1", "official_l2")
    with ThreadPoolExecutor(max_workers=2) as pool:
        return dict(zip(names, pool.map(lambda name: run(name, folder / name), names), strict=True))


def run(name: str, folder: Path) -> tuple[dict[str, Any], int]:
    """Return the template of a program, and how many messages Python sent to Node for it."""
    done = subprocess.run(
        [sys.executable, PROGRAMS / f"{name}.py", folder],
        cwd=ROOT,
        env=os.environ | {"JSII_DEBUG": "1"},
        check=True,
        capture_output=True,
        text=True,
    )
    template: dict[str, Any] = json.loads((folder / "Web.template.json").read_text())
    return template, sum(line.startswith("> {") for line in done.stderr.splitlines())


def test_the_hand_written_program_renders_what_ours_renders(runs: dict[str, tuple[dict[str, Any], int]]) -> None:
    ours, by_hand = (resources(runs[name][0]) for name in ("ours", "hand_l1"))

    assert sorted(ours) == sorted(by_hand)
    for kind, found in ours.items():
        assert found == by_hand[kind], kind


def test_the_official_program_renders_every_type_that_ours_renders(runs: dict[str, tuple[dict[str, Any], int]]) -> None:
    ours, official = (resources(runs[name][0]) for name in ("ours", "official_l2"))

    missing = {kind for kind, found in ours.items() if len(official.get(kind, [])) < len(found)}

    assert missing == set()


def test_ours_sends_few_messages_more_than_the_hand_written_program(
    runs: dict[str, tuple[dict[str, Any], int]],
) -> None:
    ours, by_hand = runs["ours"][1], runs["hand_l1"][1]

    assert by_hand > len(runs["hand_l1"][0]["Resources"])
    assert ours / by_hand <= MESSAGES_AT_MOST


def resources(template: dict[str, Any]) -> dict[str, list[str]]:
    """Return the resources of each type, comparable: without ids, descriptions and the order of lists."""
    found: dict[str, list[str]] = {}
    for resource in template["Resources"].values():
        found.setdefault(resource["Type"], []).append(json.dumps(comparable(resource), sort_keys=True))
    return {kind: sorted(texts) for kind, texts in found.items()}


def comparable(value: Any) -> Any:
    match value:
        case {"Ref": _} | {"Fn::GetAtt": _}:
            return "a reference"
        case dict():
            return {key: comparable(item) for key, item in value.items() if not key.endswith("Description")}
        case list():
            return sorted((comparable(item) for item in value), key=lambda item: json.dumps(item, sort_keys=True))
        case _:
            return value
