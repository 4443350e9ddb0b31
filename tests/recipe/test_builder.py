"""The typed builder: what it makes is what the validator accepts and the YAML keeps."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given, settings

from cdk_ami.checks import documents as rules
from cdk_ami.errors import ConfigError
from cdk_ami.recipe import actions, conditions
from cdk_ami.recipe.actions import Action, Listed
from cdk_ami.recipe.builder import (
    ComponentDocument,
    Constant,
    For,
    ForEach,
    ForEachPart,
    OnFailure,
    Parameter,
    Phase,
    Step,
)
from cdk_ami.recipe.conditions import If, Operator, Outcome
from cdk_ami.recipe.document import parse_document
from tests.support.documents import ACTIONS, component_documents, runnable_documents

CLASSES: dict[str, type[Action]] = {
    name: found
    for name, found in vars(actions).items()
    if isinstance(found, type) and issubclass(found, Action) and found not in {Action, Listed}
}


@settings(max_examples=60)
@given(document=component_documents())
def test_any_document_of_the_builder_is_valid_and_survives_the_round_trip(document: ComponentDocument) -> None:
    parsed = parse_document(document.text(), where="built")

    assert parsed.data == document.data()
    assert [warning for warning in parsed.warnings if "Unknown" in warning.warning_id] == []


@settings(max_examples=25)
@given(document=runnable_documents())
def test_any_document_that_can_be_run_is_valid_on_linux(document: ComponentDocument) -> None:
    parsed = parse_document(document.text(), where="built")

    assert "Linux" in parsed.platforms
    assert parsed.data == document.data()


def test_each_action_of_the_schema_has_its_class_and_each_input_its_field() -> None:
    known = rules.actions()

    assert set(CLASSES) == set(known)
    assert set(ACTIONS) == set(known)
    for name, shape in known.items():
        if name == "Assert":
            continue
        listed = shape["type"] == "array"
        assert CLASSES[name].LISTED is listed, name
        inputs = shape.get("items", shape)
        keys = {one.metadata.get("key", camel(one.name)): one for one in fields(CLASSES[name])}
        assert set(keys) == set(inputs["properties"]), name
        required = {key for key, one in keys.items() if one.default is not None}
        assert required == set(inputs.get("required", ())), name


def test_each_operator_of_the_schema_can_be_made() -> None:
    made = {
        *Operator,
        *(f"file{name}Equals" for name in ("MD5", "SHA1", "SHA256", "SHA512")),
        conditions.is_empty("x").operator,
        conditions.is_blank("x").operator,
        conditions.binary_exists("x").operator,
        conditions.file_exists("x").operator,
        conditions.folder_exists("x").operator,
        conditions.all_of().operator,
        conditions.any_of().operator,
        (~conditions.is_empty("x")).operator,
    }

    assert set(rules.operators()) == made


def test_a_document_is_written_as_a_person_would_write_it() -> None:
    port = Parameter("Port", default="80", description="Where it listens")
    root = Constant("Root", "/var/www")
    fetch = Step("Fetch", actions.S3Download(source="s3://b/app", destination="/srv/app"), max_attempts=3)
    count = ForEach(name="Hosts", values=["one", "two"])
    run = Step(
        "Run",
        actions.bash(f"{fetch.input('destination')} --port {port.ref} --root {root.ref} {count.value}"),
        when=conditions.binary_exists("systemctl") & ~conditions.file_exists("/etc/skip"),
        loop=count,
        timeout_seconds=60,
        on_failure=OnFailure.IGNORE,
    )
    check = Step("Check", actions.Assert(conditions.compare(run.output(), Operator.STRING_EQUALS, "done")))
    document = ComponentDocument(
        name="app",
        description="Runs the app",
        parameters=[port],
        constants=[root],
        phases=[Phase("build", [fetch, run, Step("Restart", actions.Reboot())]), Phase("validate", [check])],
    )

    assert document.text() == WRITTEN


WRITTEN = """\
name: app
description: Runs the app
schemaVersion: '1.0'
parameters:
- Port:
    type: string
    default: '80'
    description: Where it listens
constants:
- Root:
    type: string
    value: /var/www
phases:
- name: build
  steps:
  - name: Fetch
    action: S3Download
    maxAttempts: 3
    inputs:
    - source: s3://b/app
      destination: /srv/app
  - name: Run
    action: ExecuteBash
    if:
      and:
      - binaryExists: systemctl
      - not:
          fileExists: /etc/skip
    loop:
      name: Hosts
      forEach:
      - one
      - two
    timeoutSeconds: 60
    onFailure: Ignore
    inputs:
      commands:
      - set -euo pipefail
      - '{{ build.Fetch.inputs[0].destination }} --port {{ Port }} --root {{ Root }} {{ Hosts.value }}'
  - name: Restart
    action: Reboot
- name: validate
  steps:
  - name: Check
    action: Assert
    inputs:
      stringEquals: done
      value: '{{ build.Run.outputs.stdout }}'
"""


@pytest.mark.parametrize(
    ("loop", "data", "value"),
    [
        (For(start=3, end=1, update_by=-1), {"for": {"start": 3, "end": 1, "updateBy": -1}}, "{{ loop.value }}"),
        (ForEach(values=["a"], name="Each"), {"name": "Each", "forEach": ["a"]}, "{{ Each.value }}"),
        (ForEachPart(text="a;b", delimiter=";"), {"forEach": {"list": "a;b", "delimiter": ";"}}, "{{ loop.value }}"),
    ],
)
def test_a_loop_is_written_with_the_expression_of_its_turn(
    loop: For | ForEach | ForEachPart, data: dict[str, Any], value: str
) -> None:
    assert (loop.data(), loop.value) == (data, value)


def test_a_condition_tells_what_its_step_does_either_way() -> None:
    when = If(condition=conditions.file_exists("/x"), then=Outcome.SKIP, otherwise=Outcome.EXECUTE)

    assert when.data() == {"fileExists": "/x", "then": "Skip", "else": "Execute"}


def test_steps_chain_to_what_their_actions_leave() -> None:
    read = Step("Read", [actions.ReadFile(path="/a"), actions.ReadFile(path="/b")])
    run = Step("Run", actions.bash("true"))

    assert read.output(index=1, phase="test") == "{{ test.Read.outputs[1].content }}"
    assert read.input("path", index=1) == "{{ build.Read.inputs[1].path }}"
    assert run.output() == "{{ build.Run.outputs.stdout }}"
    assert run.input("commands") == "{{ build.Run.inputs.commands }}"


def test_chaining_to_what_an_action_does_not_leave_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        Step("Run", actions.bash("true")).output("stdour")

    assert (caught.value.where, caught.value.prop, caught.value.got) == ("Step 'Run'", "output", "stdour")
    assert "'stdout'" in caught.value.fix


def test_chaining_to_an_action_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        Step("Stop", actions.Reboot()).output()

    assert "is nothing that Reboot leaves" in str(caught.value)


@pytest.mark.parametrize(
    "several",
    [
        [],
        [actions.bash("true"), actions.bash("true")],
        [actions.DeleteFile(path="/a"), actions.DeleteFolder(path="/b")],
    ],
)
def test_a_step_of_several_actions_that_are_no_list_is_refused(several: list[Action]) -> None:
    with pytest.raises(ConfigError) as caught:
        Step("Odd", several).data()

    assert (caught.value.where, caught.value.prop) == ("Step 'Odd'", "action")


def test_a_text_in_the_place_of_commands_is_told_and_not_cut_into_letters() -> None:
    step = Step("Run", actions.ExecuteBash(commands="ls"))

    with pytest.raises(ConfigError) as caught:
        parse_document(ComponentDocument(name="odd", phases=[Phase("build", [step])]).text(), where="built")

    assert caught.value.prop == "phases[0].steps[0].inputs.commands"


def camel(name: str) -> str:
    first, *words = name.split("_")
    return first + "".join(word.capitalize() for word in words)
