from __future__ import annotations

from typing import Any

import pytest

from cdk_ami.runtime.component.expressions import Exchange, Iteration, Scope
from cdk_ami.runtime.component.loops import rounds

SCOPE = Scope(
    variables={"Hosts": "a.example,b.example"},
    phases=("build",),
    steps={("build", "List"): Exchange(inputs={}, outputs=({"stdout": "one\ntwo"},))},
)


@pytest.mark.parametrize(
    ("loop", "values"),
    [
        ({"for": {"start": 1, "end": 3, "updateBy": 1}}, ["1", "2", "3"]),
        ({"for": {"start": 10, "end": 0, "updateBy": -5}}, ["10", "5", "0"]),
        ({"for": {"start": "0", "end": "5", "updateBy": "2"}}, ["0", "2", "4"]),
        ({"for": {"start": 7, "end": 7, "updateBy": 1}}, ["7"]),
        ({"forEach": ["x", 1, True]}, ["x", "1", "true"]),
        ({"forEach": ["{{ Hosts }}", "y"]}, ["a.example,b.example", "y"]),
        ({"forEach": {"list": "{{ Hosts }}"}}, ["a.example", "b.example"]),
        ({"forEach": {"list": "a;b;c", "delimiter": ";"}}, ["a", "b", "c"]),
        ({"forEach": {"list": "{{ build.List.outputs.stdout }}", "delimiter": "\n"}}, ["one", "two"]),
        ({"forEach": {"list": "{{ build.List.outputs.stdout }}", "delimiter": "\\n"}}, ["one", "two"]),
        ({"forEach": {"list": "a-b", "delimiter": "-"}}, ["a", "b"]),
    ],
)
def test_a_loop_has_these_values(loop: dict[str, Any], values: list[str]) -> None:
    found = rounds({"name": "Rounds", **loop}, SCOPE)

    assert found == tuple(Iteration(name="Rounds", index=index, value=value) for index, value in enumerate(values))


def test_a_step_without_a_loop_has_one_round_of_nothing() -> None:
    assert rounds(None, SCOPE) == (None,)
