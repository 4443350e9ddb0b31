"""Component documents."""

from __future__ import annotations

from pathlib import Path

import pytest

from cdk_ami.sandbox.imagebuilder.documents import DocumentError, parameter_fault, read_component

STEP = "{name: Install, action: ExecuteBash, inputs: {commands: [ls]}}"


def _component(*steps: str, phase: str = "build", head: str = "schemaVersion: 1.0") -> str:
    lines = "".join(f"      - {step}\n" for step in steps)
    return f"{head}\nphases:\n  - name: {phase}\n    steps:\n{lines}"


def test_a_document_with_only_a_test_phase_is_a_test() -> None:
    assert read_component(_component(STEP, phase="test"), platform="Linux").component_type == "TEST"
    assert read_component(_component(STEP), platform="Linux").component_type == "BUILD"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[", "not YAML"),
        ("- a", "must be a mapping"),
        ("schemaVersion: 2.0\nphases: []", "schemaVersion"),
        (_component(STEP, head=""), "schemaVersion"),
        ("schemaVersion: 1.0", "phases must be a list"),
        ("schemaVersion: 1.0\nphases: []", "phases must be a list"),
        ("schemaVersion: 1.0\nphase: []", "unknown key 'phase'"),
        ("schemaVersion: 1.0\nphases:\n  - name: build", "phases[0]: steps must be a list"),
        ("schemaVersion: 1.0\nphases:\n  - steps: [a]", "phases[0]: name"),
        (_component(STEP, STEP), "two steps are called 'Install'"),
        (_component("{name: A, action: RunBash, inputs: {commands: [ls]}}"), "unknown action 'RunBash'"),
        (_component("{name: A, action: ExecutePowerShell, inputs: {commands: [ls]}}"), "on Windows only"),
        (_component("{name: A, action: ExecuteBash}"), "ExecuteBash needs inputs"),
        (_component("{name: A, action: ExecuteBash, inputs: {commands: []}}"), "at least one command"),
        (_component("{name: A, action: S3Download, inputs: [{source: s3://b/k}]}"), "inputs[0].destination"),
        (_component("{name: A, action: S3Download, inputs: []}"), "needs inputs"),
        (_component("{name: A, action: Reboot, onFailure: Retry}"), "onFailure: must be one of"),
        (_component(STEP, head="schemaVersion: 1.0\nparameters: [{P: {type: number}}]"), "P.type"),
    ],
)
def test_a_document_that_the_service_refuses_says_what_is_wrong_and_where(text: str, why: str) -> None:
    with pytest.raises(DocumentError) as caught:
        read_component(text, platform="Linux")

    assert why in str(caught.value)


def test_bash_does_not_run_on_windows() -> None:
    with pytest.raises(DocumentError, match="does not run on Windows"):
        read_component(_component(STEP), platform="Windows")


def test_given_parameters_must_be_declared_allowed_and_complete() -> None:
    head = (
        "schemaVersion: 1.0\nparameters:\n"
        "  - Port: {type: integer}\n  - Mode: {type: string, default: a, allowedValues: [a, b]}"
    )
    document = read_component(_component(STEP, head=head), platform="Linux")

    assert parameter_fault(document, {"Port": ["80"]}) is None
    assert "'Port' has no default" in str(parameter_fault(document, {}))
    assert "'Port' must be an integer" in str(parameter_fault(document, {"Port": ["http"]}))
    assert "'Mode' must be one of a, b" in str(parameter_fault(document, {"Port": ["80"], "Mode": ["c"]}))
    assert "no parameter 'Host'" in str(parameter_fault(document, {"Port": ["80"], "Host": ["x"]}))


@pytest.mark.parametrize("name", ["apache.yaml", "cloudwatch-agent.yaml"])
def test_the_projects_own_documents_are_accepted(name: str) -> None:
    text = (Path(__file__).parents[3] / "components" / name).read_text()

    assert "build" in read_component(text, platform="Linux").phases
