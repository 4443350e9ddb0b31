from __future__ import annotations

import pytest

from cdk_ami.runtime.component.expressions import Exchange, ExpressionError, Iteration, Scope

SCOPE = Scope(
    variables={"Heading": "Hello", "odd-name_1": "x"},
    phases=("build", "validate"),
    steps={
        ("build", "Fetch"): Exchange(
            inputs=[
                {"source": "s3://b/one", "destination": "/opt/1"},
                {"source": "s3://b/two", "destination": "/opt/2"},
            ],
            outputs=(),
        ),
        ("build", "Say it"): Exchange(inputs={"commands": ["a", 5]}, outputs=({"stdout": "hi"},)),
        ("build", "Read"): Exchange(inputs=[], outputs=({"content": "one"}, {"content": "two"})),
    },
    inputs={
        ("build", "Later"): [{"path": "{{ Heading }}.txt"}],
        ("build", "Nested"): {"path": "{{ build.Later.inputs[0].path }}/{{ loop.value }}"},
    },
    iteration=Iteration(name="Rounds", index=2, value="third"),
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ Heading }}, {{Heading}}", "Hello, Hello"),
        ("{{ odd-name_1 }}", "x"),
        ("{{ loop.index }}={{ loop.value }}", "2=third"),
        ("{{ Rounds.index }}={{ Rounds.value }}", "2=third"),
        ("chmod +x {{ build.Fetch.inputs[1].destination }}", "chmod +x /opt/2"),
        ("{{ build.Say it.outputs.stdout }}", "hi"),
        ("{{ build.Say it.outputs[0].stdout }}", "hi"),
        ("{{ build.Say it.inputs.commands }}", "a\n5"),
        ("{{ build.Say it.inputs.commands[1] }}", "5"),
        ("{{ build.Read.outputs[1].content }}", "two"),
        ("{{ build.Read.outputs.content }}", "one\ntwo"),
        ("{{ build.Later.inputs[0].path }}", "Hello.txt"),
        ("{{ build.Nested.inputs.path }}", "Hello.txt/{{ loop.value }}"),
        ("{{ build.Fetch.inputs[0] }}", '{"source": "s3://b/one", "destination": "/opt/1"}'),
    ],
)
def test_an_expression_becomes_its_value(text: str, expected: str) -> None:
    assert SCOPE.resolve(text) == expected


@pytest.mark.parametrize(
    "text", ["{{ .Values.port }}", "${HOME}", "{{ other.value }}", "{{ chart.name.outputs.x }}", "{{}}"]
)
def test_what_is_no_expression_of_the_document_stays_as_it_stands(text: str) -> None:
    assert SCOPE.resolve(text) == text


def test_loop_variables_stay_in_a_step_without_a_loop() -> None:
    assert Scope(variables={}).resolve("{{ loop.value }}") == "{{ loop.value }}"


def test_expressions_are_replaced_in_every_text_of_the_inputs() -> None:
    resolved = SCOPE.resolve({"commands": ["{{ Heading }}", 3, None], "deep": {"x": ["{{ loop.index }}"]}})

    assert resolved == {"commands": ["Hello", 3, None], "deep": {"x": ["2"]}}


def test_a_value_that_looks_like_an_expression_is_not_resolved_again() -> None:
    assert Scope(variables={"One": "{{ Two }}", "Two": "2"}).resolve("{{ One }}") == "{{ Two }}"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{{ build.Later.outputs.stdout }}", "names the step Later of phase build, which has not run"),
        ("{{ build.Say it.outputs.files }}", "names nothing that the step Say it has"),
        ("{{ build.Read.outputs[2].content }}", "names nothing"),
    ],
)
def test_a_chain_to_nothing_is_an_error(text: str, problem: str) -> None:
    with pytest.raises(ExpressionError, match=problem.replace("[", r"\[")):
        SCOPE.resolve(text)
