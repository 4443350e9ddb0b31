"""The state machine of a rollout, run on the local AWS."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from cdk_ami.fleet.rollout_machine import definition
from cdk_ami.fleet.rollout_state import RolloutPhase
from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.server import Sandbox
from tests.fleet.rollouts import BAD, COPY, FREEZE, GOOD, STATE, Bench
from tests.support.happenings import Happenings
from tests.support.sandbox import MakeClient, wait_until


@pytest.fixture
def it(sandbox: Sandbox, aws: MakeClient) -> Iterator[Happenings]:
    yield Happenings(sandbox, aws)
    CLOCK.run_at(1)


@pytest.fixture
def bench(it: Happenings, sandbox: Sandbox) -> Bench:
    return Bench(it, sandbox)


def check(bench: Bench, phase: RolloutPhase, ami: str, previous: str, version: int) -> None:
    """Hold what the rollout says against what there is."""
    state = bench.state()
    assert (state.state, state.ami, state.previous, state.version) == (phase, ami, previous, version)
    runs = ami if phase is RolloutPhase.SUCCEEDED else previous
    status = "UPDATE_COMPLETE" if phase is RolloutPhase.SUCCEEDED else "UPDATE_ROLLBACK_COMPLETE"
    assert (*bench.stack(), bench.copy()) == (status, runs, runs)


def test_a_moved_channel_updates_the_stack_with_its_own_template_and_is_told(bench: Bench) -> None:
    version = bench.move(GOOD[1])

    assert bench.run() == "SUCCEEDED"

    check(bench, RolloutPhase.SUCCEEDED, GOOD[1], GOOD[0], version)
    assert bench.told() == ["shop: RUNNING", "shop: SUCCEEDED"]
    (found,) = bench.cloudformation.describe_stacks(StackName="shop")["Stacks"]
    assert {one["ParameterKey"]: one["ParameterValue"] for one in found["Parameters"]}["Other"] == "kept"


def test_where_nothing_moved_the_state_is_written_once_and_nothing_is_updated(bench: Bench) -> None:
    assert [bench.run(), bench.run()] == ["SUCCEEDED", "SUCCEEDED"]

    assert bench.state().reason == "A deployment brought it."
    assert bench.ssm.get_parameter(Name=STATE)["Parameter"]["Version"] == 1
    assert bench.updates() == 0


def test_a_failed_update_is_rolled_back_and_told_with_its_reason_and_not_tried_again(bench: Bench) -> None:
    bench.run()
    bench.fail_bad()
    version = bench.move(BAD)

    assert [bench.run(), bench.run()] == ["SUCCEEDED", "SUCCEEDED"]

    check(bench, RolloutPhase.ROLLED_BACK, BAD, GOOD[0], version)
    assert "its instances turned unhealthy" in bench.state().reason
    assert bench.told()[-2:] == ["shop: RUNNING", "shop: ROLLED_BACK"]
    assert bench.updates() == 1


def test_a_rolled_back_ami_is_tried_again_when_asked_or_when_the_channel_is_moved_to_it_again(bench: Bench) -> None:
    bench.fail_bad(first=2)
    bench.move(BAD)
    bench.run()

    bench.run({"again": True})
    asked = bench.state().state, bench.updates()
    version = bench.move(BAD)
    bench.run()

    assert asked == (RolloutPhase.ROLLED_BACK, 2)
    check(bench, RolloutPhase.SUCCEEDED, BAD, GOOD[0], version)


def test_a_frozen_fleet_says_why_and_goes_on_when_it_thaws(bench: Bench) -> None:
    bench.ssm.put_parameter(Name=FREEZE, Value="The sale is on.", Type="String")
    version = bench.move(GOOD[1])
    assert [bench.run(), bench.run()] == ["SUCCEEDED", "SUCCEEDED"]
    frozen, writes = bench.state(), bench.ssm.get_parameter(Name=STATE)["Parameter"]["Version"]

    bench.ssm.delete_parameter(Name=FREEZE)
    bench.run()

    assert (frozen.state, frozen.reason, writes) == (RolloutPhase.FROZEN, "The sale is on.", 1)
    check(bench, RolloutPhase.SUCCEEDED, GOOD[1], GOOD[0], version)


def test_outside_its_window_a_rollout_waits_and_inside_it_begins(it: Happenings, sandbox: Sandbox) -> None:
    bench = Bench(it, sandbox, windowed=True)
    version = bench.move(GOOD[1])
    assert [bench.run(), bench.run()] == ["SUCCEEDED", "SUCCEEDED"]
    waiting, updates = bench.state(), bench.updates()

    bench.run({"open": True})

    assert (waiting.state, waiting.ami, updates) == (RolloutPhase.WAITING, GOOD[1], 0)
    check(bench, RolloutPhase.SUCCEEDED, GOOD[1], GOOD[0], version)


def test_of_many_executions_at_a_busy_stack_one_works_and_the_newest_waits(bench: Bench) -> None:
    bench.run()
    held = bench.fault(service="ssm", operation="PutParameter", parameters={"Name": COPY}, latency=1e9)
    bench.deploy("other")
    version = bench.move(GOOD[1])
    first = bench.start()
    wait_until(lambda: bench.state().state is RolloutPhase.WAITING)
    second = bench.start()
    third = bench.start()
    second_left = bench.ended(second)
    bench.end(held)

    assert [second_left, bench.ended(first), bench.ended(third)] == ["SUCCEEDED"] * 3

    check(bench, RolloutPhase.SUCCEEDED, GOOD[1], GOOD[0], version)
    assert bench.updates() == 2


def test_an_update_of_somebody_else_that_comes_first_is_waited_for(bench: Bench) -> None:
    busy = {"code": "ValidationError", "message": "Stack:shop is in UPDATE_IN_PROGRESS state and can not be updated."}
    bench.fault(service="cloudformation", operation="UpdateStack", error=busy, first=2)
    version = bench.move(GOOD[1])

    bench.run()

    check(bench, RolloutPhase.SUCCEEDED, GOOD[1], GOOD[0], version)
    assert bench.told() == ["shop: RUNNING", "shop: SUCCEEDED"]


def test_a_roll_back_that_fails_is_continued(bench: Bench) -> None:
    bench.run()
    error = {"code": "ValidationException", "message": "out of order"}
    bench.fault(service="ssm", operation="PutParameter", parameters={"Name": COPY}, error=error, first=3)
    version = bench.move(GOOD[1])

    assert bench.run() == "SUCCEEDED"

    check(bench, RolloutPhase.ROLLED_BACK, GOOD[1], GOOD[0], version)
    assert len(bench.calls(service="cloudformation", operation="ContinueUpdateRollback")) == 2


def test_a_roll_back_that_fails_for_good_is_reported_and_left_to_people(bench: Bench) -> None:
    bench.run()
    error = {"code": "ValidationException", "message": "out of order"}
    bench.fault(service="ssm", operation="PutParameter", parameters={"Name": COPY}, error=error)
    bench.move(GOOD[1])

    assert [bench.run(), bench.run()] == ["SUCCEEDED", "SUCCEEDED"]

    assert bench.stack()[0] == "UPDATE_ROLLBACK_FAILED"
    assert (bench.state().state, bench.state().reason) == (RolloutPhase.FAILED, "The stack is UPDATE_ROLLBACK_FAILED.")
    assert bench.told()[-1] == "shop: FAILED"
    assert bench.told().count("shop: FAILED") == 1


def test_a_stack_that_stays_busy_is_reported_after_as_many_looks_as_there_is_patience_for(
    it: Happenings, sandbox: Sandbox
) -> None:
    bench = Bench(it, sandbox, patience=3)
    held = bench.fault(service="ssm", operation="PutParameter", parameters={"Name": COPY}, latency=1e9)
    version = bench.move(GOOD[1])

    assert bench.run() == "SUCCEEDED"
    state = bench.state()
    bench.end(held)
    it.settle()
    bench.run()

    assert state.state is RolloutPhase.FAILED
    assert state.reason == "After 3 looks, 30 seconds apart, the stack is still UPDATE_IN_PROGRESS."
    check(bench, RolloutPhase.SUCCEEDED, GOOD[1], GOOD[0], version)


def test_an_update_that_is_refused_is_reported_with_the_words_of_the_service(bench: Bench) -> None:
    error = {"code": "AccessDenied", "message": "not authorized to perform: ec2:CreateLaunchTemplateVersion"}
    bench.fault(service="cloudformation", operation="UpdateStack", error=error)
    bench.move(GOOD[1])

    assert [bench.run(), bench.run()] == ["SUCCEEDED", "SUCCEEDED"]

    assert bench.state().state is RolloutPhase.FAILED
    assert "ec2:CreateLaunchTemplateVersion" in bench.state().reason
    assert bench.told() == ["shop: RUNNING", "shop: FAILED"]


def test_nothing_to_update_is_success(bench: Bench) -> None:
    error = {"code": "ValidationError", "message": "No updates are to be performed."}
    bench.fault(service="cloudformation", operation="UpdateStack", error=error)
    bench.move(GOOD[1])

    assert [bench.run(), bench.run()] == ["SUCCEEDED", "SUCCEEDED"]

    assert (bench.state().state, bench.state().reason) == (RolloutPhase.SUCCEEDED, "There was nothing to update.")
    assert bench.told() == ["shop: RUNNING", "shop: SUCCEEDED"]


def test_a_channel_that_is_gone_is_reported_and_a_stack_that_is_gone_ends_everything(bench: Bench) -> None:
    bench.run()
    bench.ssm.delete_parameter(Name=bench.plan.channel)
    bench.run()
    state = bench.state()
    bench.cloudformation.delete_stack(StackName="shop")

    assert bench.run() == "SUCCEEDED"

    assert (state.state, state.reason) == (RolloutPhase.FAILED, f"There is no parameter {bench.plan.channel}.")


def test_a_channel_whose_write_came_to_nothing_after_its_answer_moves_nothing(bench: Bench) -> None:
    bench.run()
    bench.move("ami-00000000000000000", DataType="aws:ec2:image")
    bench.it.settle()

    assert bench.run() == "SUCCEEDED"

    check_quiet(bench)


def test_an_event_that_comes_late_or_tells_something_else_moves_nothing(bench: Bench) -> None:
    version = bench.move(GOOD[1])
    bench.run()
    late = {"detail-type": "Parameter Store Change", "detail": {"name": bench.plan.channel, "operation": "Create"}}

    assert [bench.run(late), bench.run({"again": "yes", "open": 1}), bench.run()] == ["SUCCEEDED"] * 3

    check(bench, RolloutPhase.SUCCEEDED, GOOD[1], GOOD[0], version)
    assert bench.updates() == 1


def test_a_state_that_nobody_can_read_is_written_anew(bench: Bench) -> None:
    bench.ssm.put_parameter(Name=STATE, Value="who knows", Type="String")
    version = bench.move(GOOD[1])

    bench.run()

    check(bench, RolloutPhase.SUCCEEDED, GOOD[1], GOOD[0], version)


def check_quiet(bench: Bench) -> None:
    assert bench.stack() == ("CREATE_COMPLETE", GOOD[0])
    assert (bench.state().state, bench.state().ami, bench.updates()) == (RolloutPhase.SUCCEEDED, GOOD[0], 0)


def test_where_deployments_roll_out_the_machine_tells_what_they_do(it: Happenings, sandbox: Sandbox) -> None:
    bench = Bench(it, sandbox, updates=False)
    bench.run()
    version = bench.move(GOOD[1])
    bench.run()
    awaited = bench.state()
    watch_deployment(bench)
    check(bench, RolloutPhase.SUCCEEDED, GOOD[1], GOOD[0], version)

    bench.fail_bad()
    version = bench.move(BAD)
    watch_deployment(bench)

    check(bench, RolloutPhase.ROLLED_BACK, BAD, GOOD[1], version)
    assert (awaited.state, awaited.reason) == (RolloutPhase.WAITING, "The next deployment brings it.")
    assert [call["role"] for call in bench.calls(service="cloudformation", operation="UpdateStack")] == [None, None]
    assert bench.told() == [
        "shop: SUCCEEDED",
        "shop: RUNNING",
        "shop: SUCCEEDED",
        "shop: RUNNING",
        "shop: ROLLED_BACK",
    ]


def watch_deployment(bench: Bench) -> None:
    """Deploy, with an execution that begins meanwhile."""
    held = bench.fault(service="ssm", operation="PutParameter", parameters={"Name": COPY}, latency=1e9)
    bench.deploy()
    execution = bench.start()
    wait_until(lambda: bench.state().state is RolloutPhase.RUNNING)
    bench.end(held)
    bench.ended(execution)


class Scenario:
    """One rollout that ends well and one that is rolled back, over and over."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        bench.run()
        bench.fail_bad()
        self._good = 0

    def move(self, *, good: bool) -> tuple[str, str, int]:
        """Move the channel to another AMI; return it, the one that runs, and the version."""
        runs = self.bench.stack()[1]
        self._good += good
        ami = GOOD[self._good % 2] if good else BAD
        return ami, runs, self.bench.move(ami)

    def check(self, moved: tuple[str, str, int]) -> None:
        """Hold what there is against what should be: nothing stands half way."""
        ami, runs, version = moved
        check(self.bench, RolloutPhase.ROLLED_BACK if ami == BAD else RolloutPhase.SUCCEEDED, ami, runs, version)


WRITES = {"Publish", "PutParameter", "UpdateStack"}
READS = {"DescribeStacks", "GetParameter"}
SEEN = {"DescribeStacks": 2, "Publish": 2, "PutParameter": 2}
"""How often each run makes a call for certain; once the others.  How often it looks depends on the machine's speed."""


def test_calls_that_are_throttled_or_lose_their_answers_change_nothing_of_the_end(
    bench: Bench, record_property: Any
) -> None:
    scenario, points = Scenario(bench), Counter[str]()
    for good in (True, False):
        bench.forget_calls()
        moved = scenario.move(good=good)
        bench.run()
        scenario.check(moved)
        calls = numbered(bench)
        after = next(index for index, (call, _) in enumerate(calls) if call["operation"] == "UpdateStack")
        # Until the update both ways are one.
        met = [(call, before) for call, before in (calls if good else calls[after:]) if is_certain(call, before)]
        for kind in ("throttle", "lose_answer"):
            # To a reader, a lost answer is an error like any other.
            struck = [one for one in met if kind == "throttle" or one[0]["operation"] in WRITES]
            struck = [one for one in struck if good or one[0]["operation"] not in READS]
            faults = [
                bench.fault(**call, **{kind: {} if kind == "throttle" else True}, skip=before, first=1)
                for call, before in struck
            ]
            moved = scenario.move(good=good)

            assert bench.run() == "SUCCEEDED", kind

            scenario.check(moved)
            assert [bench.end(fault) for fault in faults] == [1] * len(faults), (kind, struck)
            points[f"{kind}, {'good' if good else 'bad'} AMI"] += len(faults)
    record_property("fault_points", dict(points))
    assert points == {
        "throttle, good AMI": 12,
        "lose_answer, good AMI": 5,
        "throttle, bad AMI": 4,
        "lose_answer, bad AMI": 3,
    }


def is_certain(call: dict[str, Any], before: int) -> bool:
    return before < SEEN.get(call["operation"], 1)


def numbered(bench: Bench) -> list[tuple[dict[str, Any], int]]:
    """Return what faults know the calls of the rollout's role by, each with the number of the same that came before."""
    bench.it.settle()
    found = list[tuple[dict[str, Any], int]]()
    for call in bench.calls():
        if call["role"] == bench.role:
            names = {name: call["parameters"][name] for name in ("Name",) if name in call["parameters"]}
            kind = {"service": call["service"], "operation": call["operation"], "parameters": names}
            found.append((kind, sum(kind == other for other, _ in found)))
    return found


def test_an_execution_that_ends_after_any_step_is_taken_up_by_the_next(bench: Bench, record_property: Any) -> None:
    scenario, points = Scenario(bench), Counter[str]()
    whole = definition(bench.plan)
    for good in (True, False):
        moved = scenario.move(good=good)
        execution = bench.start()
        bench.ended(execution)
        scenario.check(moved)
        steps = list(dict.fromkeys(bench.steps(execution)))
        for step in steps if good else steps[steps.index("Update the stack") + 1 :]:
            if not step.endswith((": tell", ": write", "Update the stack", "Wait for the stack")):
                continue  # it changes nothing outside: to end here is to end after the last step that does
            moved = scenario.move(good=good)
            crash = bench.define(crashing(whole, step))

            ended = bench.run(machine=crash)
            bench.run()

            assert ended == "FAILED", step
            scenario.check(moved)
            points["good AMI" if good else "bad AMI"] += 1
    record_property("fault_points", dict(points))
    assert points == {"good AMI": 6, "bad AMI": 3}


def crashing(whole: dict[str, Any], step: str) -> dict[str, Any]:
    """Return the machine, of which every execution ends as soon as ``step`` is done."""
    states = deepcopy(whole["States"])
    states["Crash"] = {"Type": "Fail", "Error": "Crash"}
    states[step]["Next"] = "Crash"
    for catcher in states[step].get("Catch", ()):
        catcher["Next"] = "Crash"
    reached, left = dict[str, Any](), [whole["StartAt"]]
    while left:
        name = left.pop()
        if name not in reached:
            state = reached[name] = states[name]
            follow = [state, *state.get("Choices", ()), *state.get("Catch", ())]
            left += [one["Next"] for one in follow if "Next" in one] + [state.get("Default", name)]
    return {**whole, "States": reached}
