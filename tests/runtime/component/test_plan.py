from __future__ import annotations

import pytest

from cdk_ami.errors import ConfigError
from cdk_ami.recipe.document import Document, parse_document
from cdk_ami.runtime.component.plan import plan

STEP = "- {name: One, action: ExecuteBash, inputs: {commands: ['true']}}"
DOCUMENT = f"""
schemaVersion: 1.0
parameters:
  - Heading: {{type: string, default: Hello}}
  - Owner: {{type: string}}
constants:
  - Port: {{type: string, value: 80}}
phases:
  - {{name: test, steps: [{STEP[2:]}]}}
  - {{name: build, steps: [{STEP[2:]}]}}
  - {{name: container-host-test, steps: [{STEP[2:]}]}}
"""
WINDOWS = """
schemaVersion: 1.0
phases:
  - name: build
    steps:
      - {name: Shell, action: ExecutePowerShell, inputs: {commands: [dir]}}
      - {name: Guarded, action: SetRegistry, if: {binaryExists: reg}, inputs: [{path: x, name: y, value: z, type: SZ}]}
  - name: validate
    steps:
      - {name: Fine, action: ExecuteBash, inputs: {commands: ['true']}}
"""


def document(text: str = DOCUMENT) -> Document:
    return parse_document(text, where="a document")


def test_a_run_walks_the_phases_of_the_service_in_the_order_of_the_document() -> None:
    found = plan(document(), where="x", parameters={"Owner": "me"})

    assert [phase.name for phase in found.phases] == ["test", "build"]
    assert found.variables == {"Port": "80", "Heading": "Hello", "Owner": "me"}


def test_phases_that_are_asked_for_run_in_the_order_of_the_document_too() -> None:
    found = plan(document(), where="x", phases=["container-host-test", "test"], parameters={"Owner": "me"})

    assert [phase.name for phase in found.phases] == ["test", "container-host-test"]


def test_everything_wrong_with_a_run_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        plan(document(), where="web.yaml", phases=["biuld"], parameters={"heading": "x"})

    assert [str(fault) for fault in caught.value.faults] == [
        "parameters['heading'] is not declared by the document, got 'heading'; did you mean 'Heading'?",
        "parameters['Owner'] has no default and is not given; give a value",
        "phase is not in the document, got 'biuld'; did you mean 'build'?",
    ]


def test_an_action_of_windows_is_refused_before_anything_runs_unless_its_step_is_guarded() -> None:
    with pytest.raises(ConfigError) as caught:
        plan(document(WINDOWS), where="web.yaml")

    (fault,) = caught.value.faults
    assert (fault.prop, fault.problem) == ("phases[0].steps[0].action", "does not run on Linux")


def test_an_action_of_windows_in_a_phase_that_does_not_run_is_nobodys_business() -> None:
    assert [phase.name for phase in plan(document(WINDOWS), where="x", phases=["validate"]).phases] == ["validate"]


def test_a_document_of_other_phases_alone_needs_one_to_be_named() -> None:
    only = document(f"schemaVersion: 1.0\nphases: [{{name: container-host-test, steps: [{STEP[2:]}]}}]")

    with pytest.raises(ConfigError, match="phase is not given; name one of container-host-test"):
        plan(only, where="x")
