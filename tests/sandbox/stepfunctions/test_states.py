"""The states of the language, and what flows through them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.sandbox.stepfunctions.conftest import Machines

PASS = {"Type": "Pass"}


@pytest.mark.parametrize(
    ("state", "output"),
    [
        ({}, {"a": 1, "list": [3, 4], "n": {"m": "x"}}),
        ({"Result": {"r": 1}}, {"r": 1}),
        ({"Result": 7, "ResultPath": "$.n.new"}, {"a": 1, "list": [3, 4], "n": {"m": "x", "new": 7}}),
        ({"ResultPath": None, "Result": 7}, {"a": 1, "list": [3, 4], "n": {"m": "x"}}),
        ({"InputPath": "$.n", "ResultPath": "$"}, {"m": "x"}),
        ({"OutputPath": "$.list[1]"}, 4),
        ({"OutputPath": None}, {}),
        ({"Parameters": {"one.$": "$.a", "all.$": "$.list[*]", "fixed": [{"x.$": "$.n.m"}]}},
         {"one": 1, "all": [3, 4], "fixed": [{"x": "x"}]}),
        ({"Parameters": {"name.$": "$$.State.Name", "role.$": "$$.Execution.RoleArn"}},
         {"name": "A", "role": "arn:aws:iam::123456789012:role/machine"}),
    ],
)  # fmt: skip
def test_paths_and_parameters_shape_what_passes(machines: Machines, state: dict[str, Any], output: Any) -> None:
    found = machines.output({**PASS, **state}, value={"a": 1, "list": [3, 4], "n": {"m": "x"}})

    assert found == output


@pytest.mark.parametrize(
    ("state", "error"),
    [
        ({"Parameters": {"x.$": "$.missing"}}, "States.ParameterPathFailure"),
        ({"InputPath": "$.missing"}, "States.Runtime"),
        ({"Result": 1, "ResultPath": "$.a.b"}, "States.ResultPathMatchFailure"),
        ({"Parameters": {"x.$": "States.StringToJson($.a)"}}, "States.IntrinsicFailure"),
    ],
)
def test_what_is_not_there_fails_the_execution(machines: Machines, state: dict[str, Any], error: str) -> None:
    assert machines.failure({**PASS, **state}, value={"a": 1})[0] == error


@pytest.mark.parametrize(
    ("rule", "value", "taken"),
    [
        ({"StringEquals": "a"}, "a", True),
        ({"StringEquals": "1"}, 1, False),
        ({"StringMatches": "ami-*"}, "ami-1", True),
        ({"StringGreaterThan": "a"}, "b", True),
        ({"NumericLessThanEquals": 3}, 3.0, True),
        ({"NumericEqualsPath": "$.other"}, 5, True),
        ({"BooleanEquals": True}, True, True),
        ({"BooleanEquals": True}, 1, False),
        ({"TimestampLessThan": "2026-01-01T00:00:00Z"}, "2025-12-31T23:59:59Z", True),
        ({"IsNull": True}, None, True),
        ({"IsString": False}, 3, True),
        ({"IsTimestamp": True}, "soon", False),
    ],
)
def test_a_choice_compares_what_is_of_one_kind(
    machines: Machines, rule: dict[str, Any], value: Any, taken: Any
) -> None:
    choice = {"Type": "Choice", "Choices": [{"Variable": "$.v", **rule, "Next": "B"}], "Default": "C"}

    found = machines.output(
        choice, {**PASS, "Result": True, "End": True}, {**PASS, "Result": False}, value={"v": value, "other": 5}
    )

    assert found is taken


def test_choices_are_joined_and_a_missing_value_is_an_error_unless_asked_for(machines: Machines) -> None:
    both = [{"Variable": "$.a", "NumericEquals": 1}, {"Not": {"Variable": "$.b", "IsPresent": True}}]
    choice = {"Type": "Choice", "Choices": [{"And": both, "Next": "B"}]}
    machine = machines.make(choice, {**PASS, "Result": "yes"})

    found = [machines.seen(machines.start(machine, value)) for value in ({"a": 1}, {"a": 2}, {"b": 1})]

    assert [one["status"] for one in found] == ["SUCCEEDED", "FAILED", "FAILED"]
    assert [one.get("error") for one in found] == [None, "States.NoChoiceMatched", "States.Runtime"]
    assert "Invalid path '$.a'" in found[2]["cause"]


def test_waits_are_as_long_as_the_clock_says(machines: Machines) -> None:
    later = "2099-01-01T00:00:00Z"
    machine = machines.make(
        {"Type": "Wait", "Seconds": 600}, {"Type": "Wait", "SecondsPath": "$.s"}, {"Type": "Wait", "Timestamp": later}
    )
    arn = machines.start(machine, {"s": 60})
    assert machines.types(arn)[-1] == "WaitStateEntered"

    machines.it.advance(601)
    assert machines.types(arn).count("WaitStateExited") == 1
    machines.it.advance(61)
    assert machines.types(arn).count("WaitStateExited") == 2
    assert machines.seen(arn)["status"] == "RUNNING"
    machines.it.advance(80 * 365 * 86400)

    assert machines.seen(arn)["status"] == "SUCCEEDED"


def test_a_fail_state_says_why_from_the_input(machines: Machines) -> None:
    state = {"Type": "Fail", "Error": "Bad", "CausePath": "States.Format('{} is bad', $.what)"}

    assert machines.failure(state, value={"what": "it"}) == ("Bad", "it is bad")


def test_a_map_takes_items_one_by_one_with_what_it_selects(machines: Machines) -> None:
    state = {
        "Type": "Map",
        "ItemsPath": "$.regions",
        "ItemSelector": {"region.$": "$$.Map.Item.Value", "number.$": "$$.Map.Item.Index", "ami.$": "$.ami"},
        "MaxConcurrency": 1,
        "ItemProcessor": {"StartAt": "I", "States": {"I": {"Type": "Pass", "End": True}}},
        "ResultPath": "$.done",
        "ResultSelector": {"all.$": "$", "first.$": "$[0].region"},
    }

    found = machines.output(state, value={"regions": ["a", "b"], "ami": "ami-1"})

    made = [{"region": name, "number": number, "ami": "ami-1"} for number, name in enumerate("ab")]
    assert found["done"] == {"all": made, "first": "a"}


def test_a_map_runs_so_many_at_a_time(machines: Machines) -> None:
    wait = {"W": {"Type": "Wait", "Seconds": 100, "End": True}}
    state = {"Type": "Map", "MaxConcurrency": 2, "ItemProcessor": {"StartAt": "W", "States": wait}}
    arn = machines.start(machines.make(state), [1, 2, 3])
    assert machines.types(arn).count("MapIterationStarted") == 2

    machines.it.advance(101)
    assert machines.types(arn).count("MapIterationStarted") == 3
    machines.it.advance(101)

    assert json.loads(machines.seen(arn)["output"]) == [1, 2, 3]


def item_fails(mode: str, **more: Any) -> dict[str, Any]:
    choice = {"Type": "Choice", "Choices": [{"Variable": "$", "NumericGreaterThan": 2, "Next": "F"}], "Default": "S"}
    states = {"C": choice, "F": {"Type": "Fail", "Error": "Big"}, "S": {"Type": "Succeed"}}
    processor = {"StartAt": "C", "States": states, "ProcessorConfig": {"Mode": mode, "ExecutionType": "STANDARD"}}
    return {"Type": "Map", "ItemProcessor": processor, **more}


def test_one_failed_item_fails_a_map_and_halts_the_others(machines: Machines) -> None:
    assert machines.failure(item_fails("INLINE"), value=[1, 2, 3]) == ("Big", "")


def test_a_distributed_map_tolerates_so_many_failures(machines: Machines) -> None:
    kind = {"ToleratedFailurePercentage": 50}

    assert machines.output(item_fails("DISTRIBUTED", **kind), value=[1, 3]) == [1]
    error, _ = machines.failure(item_fails("DISTRIBUTED", **kind), value=[1, 3, 4])
    assert error == "States.ExceedToleratedFailureThreshold"


def test_branches_run_side_by_side_and_the_first_failure_halts_the_rest(machines: Machines) -> None:
    def branch(name: str, **state: Any) -> dict[str, Any]:
        return {"StartAt": name, "States": {name: state}}

    good = branch("G", Type="Pass", Result=1, End=True)
    slow = branch("S", Type="Wait", Seconds=1000, End=True)
    bad = branch("X", Type="Fail", Error="Bad", Cause="so")
    catch = [{"ErrorEquals": ["Bad"], "Next": "B", "ResultPath": "$.why"}]

    assert machines.output({"Type": "Parallel", "Branches": [good, good | branch("H", Type="Pass", End=True)]}) == [
        1,
        {},
    ]
    found = machines.output({"Type": "Parallel", "Branches": [slow, bad], "Catch": catch}, PASS, value={"in": 1})

    assert found == {"in": 1, "why": {"Error": "Bad", "Cause": "so"}}


def test_the_history_tells_each_step_with_what_went_in_and_out(machines: Machines) -> None:
    arn = machines.start(machines.make({**PASS, "Result": 1}, {"Type": "Succeed"}), {"x": 1}, name="one")

    events = machines.sfn.get_execution_history(executionArn=arn)["events"]

    kinds = ["ExecutionStarted", "PassStateEntered", "PassStateExited", "SucceedStateEntered", "SucceedStateExited"]
    assert [event["type"] for event in events] == [*kinds, "ExecutionSucceeded"]
    assert [event["id"] for event in events] == [1, 2, 3, 4, 5, 6]
    assert [event["previousEventId"] for event in events] == [0, 1, 2, 3, 4, 5]
    assert events[1]["stateEnteredEventDetails"]["input"] == '{"x": 1}'
    assert events[2]["stateExitedEventDetails"]["output"] == "1"
    newest = machines.sfn.get_execution_history(executionArn=arn, reverseOrder=True, maxResults=2)
    assert [event["id"] for event in newest["events"]] == [6, 5]
    assert newest["nextToken"]


@pytest.mark.parametrize(
    ("call", "value"),
    [
        ("States.Format('{} of \\'{}\\' \\{\\}', $.n, $.s)", "3 of 'a b' {}"),
        ("States.StringToJson('{\"a\": [1]}')", {"a": [1]}),
        ("States.JsonToString($.o)", '{"k":1}'),
        ("States.Array(1, $.n, 'x', null, States.Array())", [1, 3, "x", None, []]),
        ("States.ArrayPartition($.l, 2)", [[1, 2], [2]]),
        ("States.ArrayContains($.l, 2)", True),
        ("States.ArrayRange(1, 9, 4)", [1, 5, 9]),
        ("States.ArrayGetItem($.l, 1)", 2),
        ("States.ArrayLength($.l)", 3),
        ("States.ArrayUnique($.l)", [1, 2]),
        ("States.Base64Decode(States.Base64Encode($.s))", "a b"),
        ("States.Hash('x', 'SHA-1')", "11f6ad8ec52a2984abaafd7c3b516503785c2072"),
        ("States.JsonMerge($.o, States.StringToJson('{\"k\":2}'), false)", {"k": 2}),
        ("States.MathAdd($.n, -1)", 2),
        ("States.StringSplit('a.b/c', './')", ["a", "b", "c"]),
        ("States.ArrayGetItem($.l[?(@ == 2)], 0)", 2),
    ],
)
def test_intrinsic_functions(machines: Machines, call: str, value: Any) -> None:
    scope = {"n": 3, "s": "a b", "l": [1, 2, 2], "o": {"k": 1}}

    found = machines.output({**PASS, "Parameters": {"x.$": call}}, value=scope)

    assert found["x"] == value


def test_a_random_name_is_another_each_time(machines: Machines) -> None:
    found = machines.output({**PASS, "Parameters": {"a.$": "States.UUID()", "b.$": "States.UUID()"}})

    assert len({found["a"], found["b"]}) == 2
