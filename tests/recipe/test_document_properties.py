"""Whatever comes in, a document comes out or one clear error does."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cdk_ami.checks.documents import PHASES, actions
from cdk_ami.errors import ConfigError
from cdk_ami.recipe.document import Document, parse_document, write_document
from cdk_ami.recipe.yaml_text import parse_yaml

WORDS = st.sampled_from(
    [
        "name",
        "description",
        "schemaVersion",
        "phases",
        "steps",
        "action",
        "inputs",
        "commands",
        "loop",
        "for",
        "forEach",
        "list",
        "start",
        "end",
        "updateBy",
        "if",
        "parameters",
        "constants",
        "type",
        "default",
        "value",
        "onFailure",
        "timeoutSeconds",
        "maxAttempts",
        "source",
        "destination",
        "path",
        *PHASES,
        *actions(),
        "{{ loop.value }}",
        "{{ x }}",
        "{{ build.a.outputs.stdout }}",
        "string",
        "1.0",
        "<<",
        "*a",
        "&a",
        "!t",
        "|",
        ">",
        "%",
        "\t",
    ]
)
SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.floats(allow_nan=False) | WORDS | st.text(max_size=8)
DATA = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.text(max_size=4), inner, max_size=4),
    max_leaves=25,
)


def survives(text: str) -> Document | None:
    try:
        return parse_document(text, where="any.yaml")
    except ConfigError as error:
        complete = [bool(fault.fix and fault.problem and fault.prop) for fault in error.faults]
    assert complete
    assert all(complete)
    return None


@settings(max_examples=150)
@given(text=st.text(max_size=60) | st.lists(WORDS | st.sampled_from([": ", "\n", "- ", "  ", "[", "{"])).map("".join))
def test_any_text_is_a_document_or_one_clear_error(text: str) -> None:
    survives(text)


@settings(max_examples=150)
@given(data=DATA)
def test_any_data_is_a_document_or_one_clear_error(data: Any) -> None:
    survives(json.dumps(data))


@settings(max_examples=150)
@given(phases=DATA, parameters=DATA, constants=DATA)
def test_anything_in_the_place_of_phases_is_a_document_or_one_clear_error(
    phases: Any, parameters: Any, constants: Any
) -> None:
    survives(json.dumps({"schemaVersion": 1.0, "phases": phases, "parameters": parameters, "constants": constants}))


NAMES = st.text("abcdefgh-_XYZ019", min_size=3, max_size=8)
COMMANDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=20).filter(
    lambda text: "{{" not in text
)
STEPS = st.lists(
    st.fixed_dictionaries(
        {
            "name": NAMES,
            "action": st.just("ExecuteBash"),
            "inputs": st.fixed_dictionaries({"commands": st.lists(COMMANDS, min_size=1, max_size=3)}),
        },
        optional={
            "timeoutSeconds": st.just(-1) | st.integers(1, 7_200),
            "onFailure": st.sampled_from(["Abort", "Continue", "Ignore"]),
            "maxAttempts": st.integers(1, 5),
        },
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda step: step["name"],
)


@settings(max_examples=100)
@given(
    phases=st.lists(
        st.fixed_dictionaries({"name": st.sampled_from(PHASES), "steps": STEPS}),
        min_size=1,
        unique_by=lambda phase: phase["name"],
    )
)
def test_a_document_of_good_parts_is_accepted_and_survives_the_round_trip(phases: Any) -> None:
    data = {"schemaVersion": "1.0", "phases": phases}

    document = parse_document(write_document(data), where="any.yaml")

    assert document.data == data
    assert document.warnings == ()


@settings(max_examples=300)
@given(
    text=st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
    | st.text("\r\n\t \x85\u2028\ufeff:#'\"-|{", max_size=6)
)
def test_any_text_survives_the_yaml_that_is_written_of_it(text: str) -> None:
    assert parse_yaml(write_document({"text": text, "list": [text, {"deep": text}]})) == {
        "text": text,
        "list": [text, {"deep": text}],
    }


@settings(max_examples=300)
@given(number=st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**17), 10**17))
def test_any_number_survives_the_yaml_that_is_written_of_it(number: float) -> None:
    assert parse_yaml(write_document({"number": number})) == {"number": number}
