"""The state machine of a rollout, run on the local AWS."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from cdk_ami.fleet.rollout_machine import definition
from cdk_ami.fleet.rollout_state import RolloutPhase, RolloutState
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
def bench(it: Happenings) -> Bench:
    return Bench(it)


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


def test_outside_its_window_a_rollout_waits_and_inside_it_begins(it: Happenings) -> None:
    bench = Bench(it, windowed=True)
    version = bench.move(GOOD[1])
    assert [bench.run(), bench.run()] == ["SUCCEEDED", "SUCCEEDED"]
    waiting, updates = bench.state(), bench.updates()

    bench.run({"open": True})

    assert (waiting.state, waiting.ami, updates) == (RolloutPhase.WAITING, GOOD[1], 0)
    check(bench, RolloutPhase.SUCCEEDED, GOOD[1], GOOD[0], version)


def test_a_busy_stack_is_waited_for_and_of_many_executions_one_works_and_one_waits(bench: Bench) -> None:
    held = bench.fault(service="ssm", operation="PutParameter", parameters={"Name": COPY}, latency=1_000_000.0)
    bench.cloudformation.update_stack(
        StackName="shop",
        UsePreviousTemplate=True,
        Parameters=[{"ParameterKey": "Channel", "UsePreviousValue": True}],
    )
    first = bench.start()
    wait_until(lambda: bench.state().state is RolloutPhase.WAITING)
    bench.move(GOOD[1])
    second = bench.start()
    third = bench.start()
    wait_until(lambda: bench.ended(second) == "SUCCEEDED")  # it leaves the wait to the third
    bench.it.ask("faults")
    release(bench, held)

    assert [bench.ended(first), bench.ended(third)] == ["SUCCEEDED", "SUCCEEDED"]

    check(bench, RolloutPhase.SUCCEEDED, GOOD[1], GOOD[0], 2)
    assert bench.updates() == 2


def release(bench: Bench, fault: str) -> None:
    from tests.support.control import ask  # noqa: PLC0415

    del ask
    bench.aws  # noqa: B018
    raise NotImplementedError(fault)
