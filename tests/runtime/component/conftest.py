from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from cdk_ami.recipe.document import parse_document
from cdk_ami.runtime.component.host import Host
from cdk_ami.runtime.component.outcome import Outcome, StepOutcome
from cdk_ami.runtime.component.place import Place
from cdk_ami.runtime.component.runner import run_document


class NoAws:
    """An AWS that nothing may reach."""

    variables: Mapping[str, str] = {}

    def client(self, service: str) -> Any:
        raise AssertionError(f"a step asked for {service}")


class Heard:
    """A listener that keeps what it hears."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.lines: list[tuple[str, str]] = []
        self.ended: list[StepOutcome] = []

    def step_started(self, phase: str, name: str, action: str) -> None:
        self.steps.append(f"{phase}/{name} {action}")

    def line(self, stream: str, text: str) -> None:
        self.lines.append((stream, text))

    def step_ended(self, outcome: StepOutcome) -> None:
        self.ended.append(outcome)


class Bench:
    """Runs documents in a place, and small ones of a single step."""

    def __init__(self, place: Place, aws: Any) -> None:
        self.place, self.aws, self.heard = place, aws, Heard()

    def run(self, *steps: Mapping[str, Any], more: Mapping[str, Any] | None = None, **options: Any) -> Outcome:
        """Run steps in one build phase; a step without a name is called by its number."""
        named = [{"name": f"Step{number}", **step} for number, step in enumerate(steps, start=1)]
        return self.run_phases({"build": named}, more=more, **options)

    def run_phases(
        self, steps: Mapping[str, Sequence[Mapping[str, Any]]], more: Mapping[str, Any] | None = None, **options: Any
    ) -> Outcome:
        listed = [{"name": name, "steps": list(some)} for name, some in steps.items()]
        document = parse_document(json.dumps({"schemaVersion": 1.0, **(more or {}), "phases": listed}), where="test")
        self.heard = Heard()
        return run_document(document, self.place, aws=self.aws, listener=self.heard, **options)

    def act(self, action: str, inputs: Any, **keys: Any) -> StepOutcome:
        """Run one step and return how it went."""
        (step,) = self.run({"action": action, "inputs": inputs, **keys}).steps
        return step


def bash(*commands: str, **keys: Any) -> dict[str, Any]:
    """Return a step that runs commands."""
    return {"action": "ExecuteBash", "inputs": {"commands": list(commands)}, **keys}


@pytest.fixture
def bench() -> Bench:
    """This machine, without AWS: tests write below their own temporary directory only."""
    return Bench(Host(), NoAws())


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A directory for the files of a test."""
    return tmp_path
