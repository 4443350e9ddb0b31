"""Workflow documents, their conditions and their variables."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdk_ami.sandbox.imagebuilder import conditions, managed_workflows, variables
from cdk_ami.sandbox.imagebuilder.documents import DocumentError
from cdk_ami.sandbox.imagebuilder.workflow_documents import ACTIONS, WorkflowDocument, given_fault, read_workflow

LAUNCH = "{name: Launch, action: LaunchInstance, inputs: {waitFor: ssmAgent}}"
WAIT = "name: Wait, action: WaitForAction"


def read(*steps: str, kind: str = "BUILD", head: str = "", tail: str = "") -> WorkflowDocument:
    lines = "".join(f"  - {step}\n" for step in steps)
    return read_workflow(f"schemaVersion: 1.0\n{head}\nsteps:\n{lines}\n{tail}", workflow_type=kind)


@pytest.mark.parametrize(
    ("step", "kind", "why"),
    [
        ("{name: Launch, action: Launch}", "BUILD", "steps[0].action: unknown action 'Launch'"),
        ("{name: Wait, action: [a]}", "BUILD", "steps[0].action: must be a text"),
        ("{name: a b, action: WaitForAction}", "BUILD", "steps[0].name: must be 3 to 128"),
        (f"{{{WAIT}, onFailure: Ignore}}", "BUILD", "steps[0].onFailure: must be Abort or Continue"),
        (f"{{{WAIT}, retries: 2}}", "BUILD", "unknown key 'retries'"),
        (f"{{{WAIT}, timeoutSeconds: 604801}}", "BUILD", "must be 1 to 604800 for WaitForAction"),
        (f"{{{WAIT}, timeoutSeconds: true}}", "BUILD", "timeoutSeconds"),
        (f"{{{WAIT}, description: ''}}", "BUILD", "description: must have 1 to 1024"),
        (f"{{{WAIT}, rollbackEnabled: maybe}}", "BUILD", "rollbackEnabled"),
        (f"{{{WAIT}, inputs: {{topic: a}}}}", "BUILD", "WaitForAction takes no input 'topic'"),
        ("{name: Make, action: CreateImage}", "BUILD", "CreateImage needs the input 'instanceId'"),
        (LAUNCH.replace("ssmAgent", "reboot"), "BUILD", "waitFor: must be ssmAgent"),
        ("{name: Go, action: DistributeImage}", "BUILD", "must be 3"),
        ("{name: Send, action: DistributeImage}", "BUILD", "is for distribution workflows, not for build"),
        ("{name: Run, action: ExecuteComponents, inputs: {instanceId: i}}", "DISTRIBUTION", "build and test workflows"),
        ("{name: Scan, action: CollectImageScanFindings, inputs: {instanceId: i}}", "BUILD", "is for test workflows"),
        ("{name: Dock, action: BootstrapInstanceForContainer}", "BUILD", "is not part of the cdk-ami sandbox"),
        ("{name: Make, action: CreateImage, inputs: {instanceId.$: i-1}}", "BUILD", "must hold a path"),
        ("{name: Make, action: CreateImage, inputs: {instanceId.$: $.steps.A.b}}", "BUILD", "starts with 'steps'"),
        ("{name: Make, action: CreateImage, inputs: {instanceId.$: $.stepOutputs.No.id}}", "BUILD", "no step before"),
        ("{name: Make, action: CreateImage, inputs: {instanceId.$: $.parameters.id}}", "BUILD", "'id' is not declared"),
        ("{name: Make, action: CreateImage, inputs: {instanceId.$: $.imagebuilder.id}}", "BUILD", "no variable of the"),
        (f"{{{WAIT}, inputs: {{payload: 'x {{{{ $.parameters.no }}}}'}}}}", "BUILD", "'no' is not declared"),
        (f"{{{WAIT}, if: {{stringEquals: a}}}}", "BUILD", "stringEquals needs a value"),
        (f"{{{WAIT}, if: {{stringIs: a, value: b}}}}", "BUILD", "unknown statement 'stringIs'"),
        (f"{{{WAIT}, if: {{and: []}}}}", "BUILD", "a list of 1 to 10"),
        (f"{{{WAIT}, if: {{booleanEquals: true, value: $.parameters.no}}}}", "BUILD", "'no' is not declared"),
    ],
)
def test_a_step_that_the_service_refuses_says_what_is_wrong_and_where(step: str, kind: str, why: str) -> None:
    with pytest.raises(DocumentError) as caught:
        read(step, kind=kind)

    assert why in str(caught.value)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("schemaVersion: 1.0", "steps must be a list"),
        ("[", "not YAML"),
        ("- a", "must be a mapping"),
        ("schemaVersion: 2\nsteps: []", "schemaVersion: must be 1.0"),
        ("schemaVersion: 1.0\nphases: []", "unknown key 'phases'"),
        (f"schemaVersion: 1.0\nsteps: [{', '.join([LAUNCH] * 16)}]", "at most 15 steps"),
        (f"schemaVersion: 1.0\nsteps: [{LAUNCH}, {LAUNCH}]", "two steps are called 'Launch'"),
        (f"schemaVersion: 1.0\nparameters: [{{type: string}}]\nsteps: [{LAUNCH}]", "parameters[0]: name"),
        (f"schemaVersion: 1.0\nparameters: [{{name: a, type: map}}]\nsteps: [{LAUNCH}]", "parameters[0].type"),
        (
            f"schemaVersion: 1.0\nparameters: [{{name: a, type: integer, default: b}}]\nsteps: [{LAUNCH}]",
            "parameters[0].default: must be an integer",
        ),
        (f"schemaVersion: 1.0\nsteps: [{LAUNCH}]\noutputs: [{{name: a}}]", "outputs[0]: name and value"),
        (
            f"schemaVersion: 1.0\nsteps: [{LAUNCH}]\noutputs: [{{name: a, value: $.stepOutputs.Launch.imageId}}]",
            "names no output of the step Launch: 'imageId'",
        ),
    ],
)
def test_a_document_that_the_service_refuses_says_what_is_wrong(text: str, why: str) -> None:
    with pytest.raises(DocumentError) as caught:
        read_workflow(text, workflow_type="BUILD")

    assert why in str(caught.value)


def test_a_step_takes_its_timeout_from_its_action_unless_it_says_its_own() -> None:
    document = read(LAUNCH, f"{{{WAIT}, timeoutSeconds: 90, onFailure: Continue, rollbackEnabled: false}}")

    launch, wait = document.steps
    assert (launch.timeout, launch.goes_on, launch.rollback) == (75 * 60, False, True)
    assert (wait.timeout, wait.goes_on, wait.rollback) == (90, True, False)


def test_parameters_come_in_their_own_types() -> None:
    head = (
        "parameters:\n  - {name: count, type: integer, default: 3}\n  - {name: gate, type: boolean, default: true}\n"
        "  - {name: zones, type: stringList}\n  - {name: note}"
    )
    document = read(LAUNCH, head=head)

    values = document.values({"zones": ["a", "b"], "note": ["x"], "count": ["7"]})

    assert values == {"count": 7, "gate": True, "zones": ["a", "b"], "note": "x"}
    assert given_fault(document, {"zones": [], "note": ["x"]}) is None
    for given_values, why in (
        ({}, "'zones' has no default"),
        ({"zones": [], "note": ["x"], "gate": ["yes"]}, "'gate' must be true or false"),
        ({"zones": [], "note": ["a", "b"]}, "'note' must have exactly one value"),
        ({"other": ["x"]}, "declares no parameter 'other'"),
        ({"note": ["x" * 1025]}, "longer than 1024"),
    ):
        assert why in str(given_fault(document, given_values))


@pytest.mark.parametrize("kind_and_name", sorted(managed_workflows.TEXTS))
def test_the_managed_workflows_use_known_actions_only(kind_and_name: str) -> None:
    document = managed_workflows.document(kind_and_name)

    assert {step.action for step in document.steps} <= set(ACTIONS)


KNOWN = {"parameters": {"gate": True, "count": 3, "name": "web"}, "stepOutputs": {"Run": {"output": ["a", "b"]}}}


@pytest.mark.parametrize(
    ("written", "holds"),
    [
        ({"booleanEquals": True, "value": "$.parameters.gate"}, True),
        ({"booleanEquals": "false", "value": "$.parameters.gate"}, False),
        ({"stringEquals": "web", "value": "$.parameters.name"}, True),
        ({"stringEquals": "$.parameters.name", "value": "api"}, False),
        ({"numberEquals": "3", "value": "$.parameters.count"}, True),
        ({"numberGreaterThan": 2, "value": "$.parameters.count"}, True),
        ({"numberGreaterThanEquals": 4, "value": "$.parameters.count"}, False),
        ({"numberLessThan": 3, "value": "$.parameters.count"}, False),
        ({"numberLessThanEquals": 3, "value": "$.parameters.count"}, True),
        ({"not": {"stringEquals": "web", "value": "$.parameters.name"}}, False),
        (
            {"and": [{"numberEquals": 3, "value": 3}, {"or": [{"numberEquals": 1, "value": 2}]}]},
            False,
        ),
        (
            {"or": [{"numberEquals": 1, "value": 2}, {"stringEquals": "b", "value": "$.stepOutputs.Run.output[1]"}]},
            True,
        ),
    ],
)
def test_conditions_hold_as_they_are_written(written: dict[str, Any], holds: bool) -> None:  # noqa: FBT001
    assert conditions.read(written, "if").holds(KNOWN) is holds


@given(st.integers(), st.integers())
def test_every_pair_of_numbers_is_less_or_not(one: int, other: int) -> None:
    less = conditions.read({"numberLessThan": other, "value": one}, "if")
    not_less = conditions.read({"numberGreaterThanEquals": other, "value": one}, "if")

    assert less.holds({}) is not not_less.holds({})


def test_conditions_are_nested_in_four_levels_at_most() -> None:
    inner: dict[str, Any] = {"numberEquals": 1, "value": 1}
    for _ in range(3):
        inner = {"and": [inner]}
    assert conditions.read(inner, "if").holds({}) is True

    with pytest.raises(DocumentError, match="at most 4 levels"):
        conditions.read({"and": [inner]}, "if")


@pytest.mark.parametrize("written", [{"numberEquals": 1, "value": "one"}, {"booleanEquals": True, "value": "yes"}])
def test_a_value_of_another_type_is_no_match_but_a_fault(written: dict[str, Any]) -> None:
    with pytest.raises(variables.VariableError, match="is n"):
        conditions.read(written, "if").holds({})


def test_marked_keys_hold_paths_and_texts_hold_paths_in_braces() -> None:
    written = {
        "name.$": "$.parameters.name",
        "payload": '{"image": "{{ $.parameters.name }}", "all": {{$.stepOutputs.Run.output}}}',
        "plain": "$.parameters.name",
        "tags": {"date": "{{ imagebuilder:buildDate }}"},
    }

    assert variables.filled(written, KNOWN) == {
        "name": "web",
        "payload": '{"image": "web", "all": ["a", "b"]}',
        "plain": "$.parameters.name",
        "tags": {"date": "{{ imagebuilder:buildDate }}"},
    }
    with pytest.raises(variables.VariableError, match=r"\$\.parameters\.no has no value"):
        variables.filled({"a.$": "$.parameters.no"}, KNOWN)
