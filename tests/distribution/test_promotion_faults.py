"""A promotion on the sandbox's interpreter, struck by a fault at each of its calls, or ended at each of them."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import pytest

from cdk_ami.distribution.promotion_machine import definition
from cdk_ami.distribution.promotion_plan import Meanwhile, PlacePlan, PromotionPlan, WatchPlan, WavePlan
from cdk_ami.fleet.rollout_state import RolloutPhase
from cdk_ami.runtime import lock
from tests.support.fake_world import HOME, Fault, Machines, World

REGIONS = ("us-east-1", "eu-west-1", "eu-north-1")
OLD = {region: f"ami-0000000000000000{number}" for number, region in enumerate(REGIONS)}
NEW = {region: f"ami-1111111111111111{number}" for number, region in enumerate(REGIONS)}
STABLE, LATEST = "/imagebuilder/web/stable", "/imagebuilder/web/latest"
WATCH = WatchPlan(fleets=("web",), alarms=("errors",), bake_seconds=60, patience_seconds=600)
PLAN = PromotionPlan(
    image="web",
    from_channel="latest",
    to_channel="stable",
    partition="aws",
    waves=(
        WavePlan(places=(PlacePlan(region=REGIONS[0], wave=0),), watch=WATCH),
        WavePlan(places=tuple(PlacePlan(region=region, wave=1) for region in REGIONS[1:]), watch=WATCH),
    ),
)


def made_of(plan: PromotionPlan) -> dict[str, Any]:
    """Return the definition with an ARN where CloudFormation puts it."""
    text = str(definition(plan)).replace("${Function}", f"arn:aws:lambda:{HOME}:123456789012:function:steps")
    return dict(eval(text.replace("${Topic}", f"arn:aws:sns:{HOME}:123456789012:told")))  # noqa: S307 - our own text


def world_with(*, first: bool = False) -> World:
    """Return a world in which a new build waits; with ``first`` nothing was ever promoted to the last two Regions."""
    world = World()
    for region in REGIONS:
        world.images[region, OLD[region]] = "arn:aws:imagebuilder:us-east-1:123456789012:image/web/1.0.0/1"
        world.images[region, NEW[region]] = "arn:aws:imagebuilder:us-east-1:123456789012:image/web/1.0.1/1"
        world.put(region, LATEST, NEW[region])
        if not first or region == HOME:
            world.put(region, STABLE, OLD[region])
    return world


def stable(world: World) -> dict[str, str | None]:
    return {region: world.value(region, STABLE) for region in REGIONS}


def holder(world: World) -> lock.Record | None:
    return lock.holder(world.clients("ssm"), "web")


@pytest.fixture
def patch() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.mark.parametrize(
    ("bad", "dies", "first"),
    [
        pytest.param(None, False, False, id="a good build, a call fails"),
        pytest.param(None, True, False, id="a good build, the execution dies"),
        pytest.param(None, True, True, id="the first promotion to some Regions, the execution dies"),
        pytest.param("eu-north-1", False, False, id="a bad build, a call fails"),
        pytest.param("eu-north-1", True, False, id="a bad build, the execution dies"),
    ],
)
def test_nothing_is_left_half_moved_whatever_call_fails_or_is_the_last(
    patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], bad: str | None, *, dies: bool, first: bool
) -> None:
    machine = made_of(PLAN)

    def fresh() -> tuple[World, Machines]:
        world = world_with(first=first)
        world.fleet = lambda region, ami: (
            (RolloutPhase.ROLLED_BACK, "its instances are unhealthy")
            if region == bad and ami == NEW[region]
            else (RolloutPhase.SUCCEEDED, "")
        )
        return world, Machines(world, machine, patch)

    world, machines = fresh()
    before = stable(world)
    clean = machines.run()
    # A channel that was not there has no fleet that could turn it down.
    fails = bad is not None and not (first and bad != HOME)
    goal = before if fails else NEW
    assert (clean.status, stable(world)) == ("FAILED" if fails else "SUCCEEDED", goal), clean.cause
    # A read that fails after it was done is one that failed before.
    points = [(at, after) for at, call in enumerate(world.calls) for after in (False, True)[: 1 + ("Get" not in call)]]

    for at, after in points:
        world, machines = fresh()
        world.fault = Fault(at=at, after=after, dies=dies)
        struck = machines.run()
        told = (at, after, world.calls[at], struck.status, struck.cause, stable(world))
        if dies:
            machines.run("reconcile")
        else:
            assert struck.status == clean.status, told
        assert stable(world) == goal, told
        last = holder(world)
        assert last is not None, told
        assert last.phase is lock.Phase.FREE, told
        if fails:
            assert any("its instances are unhealthy" in message for _, message in world.messages), told
    with capsys.disabled():
        sys.stdout.write(f" {len(points)} fault points")
    assert len(points) >= 50


def test_a_build_that_is_bad_in_the_first_wave_reaches_no_other_region(patch: pytest.MonkeyPatch) -> None:
    world = world_with()
    world.fleet = lambda *_: (RolloutPhase.ROLLED_BACK, "its instances are unhealthy")

    Machines(world, made_of(PLAN), patch).run()

    assert stable(world) == OLD
    assert {call.split()[0] for call in world.calls if f"PutParameter {STABLE}" in call} == {HOME}
    assert "the fleet web in us-east-1 rolled back: its instances are unhealthy" in world.messages[0][1]


def test_a_write_that_comes_to_nothing_after_its_200_moves_all_back(patch: pytest.MonkeyPatch) -> None:
    world = world_with()
    world.refuses = lambda region, name, value: region == "eu-north-1" and name == STABLE and value == NEW[region]

    run = Machines(world, made_of(PLAN), patch).run()

    assert run.status == "FAILED"
    assert stable(world) == OLD
    assert [subject for subject, _ in world.messages] == [f"cdk-ami: stable of web was moved back from {NEW[HOME]}"]
    assert f"still holds {OLD['eu-north-1']}: {NEW['eu-north-1']} was not accepted" in world.messages[0][1]


def test_a_write_that_stands_late_does_not_come_after_the_channel_was_moved_back(patch: pytest.MonkeyPatch) -> None:
    world = world_with()
    late: list[str] = []

    def refuses(region: str, name: str, value: str) -> bool:
        if region != "eu-north-1" or name != STABLE or value != NEW[region]:
            return False
        late.append(value)
        return True

    world.refuses = refuses

    def stands(call: str) -> None:
        # The write that was answered stands just when the channel is being moved back.
        if (
            call == f"eu-north-1 PutParameter {STABLE}"
            and len(late) == 3
            and world.value("eu-north-1", STABLE) != late[0]
        ):
            world.put("eu-north-1", STABLE, late[0])

    world.on_call = stands
    Machines(world, made_of(PLAN), patch).run()

    assert stable(world) == OLD


def test_an_event_that_comes_twice_late_or_never_changes_nothing(patch: pytest.MonkeyPatch) -> None:
    world = world_with()
    machines = Machines(world, made_of(PLAN), patch)

    runs = [machines.run(started) for started in ("event", "event", "reconcile")]
    written = [call for call in world.calls if f"PutParameter {STABLE}" in call]
    lost = {region: f"ami-2222222222222222{number}" for number, region in enumerate(REGIONS)}
    for region in REGIONS:
        world.images[region, lost[region]] = "arn:aws:imagebuilder:us-east-1:123456789012:image/web/1.0.2/1"
        world.put(region, LATEST, lost[region])
    machines.run("reconcile")

    assert {run.status for run in runs} == {"SUCCEEDED"}
    assert len(written) == 3
    assert stable(world) == lost


def test_a_refused_build_is_tried_again_only_by_a_command(patch: pytest.MonkeyPatch) -> None:
    world = world_with()
    world.fleet = lambda region, ami: (
        (RolloutPhase.ROLLED_BACK, "") if ami == NEW[region] else (RolloutPhase.SUCCEEDED, "")
    )
    machines = Machines(world, made_of(PLAN), patch)
    machines.run("event")
    calls = len(world.calls)

    again = [machines.run(started).status for started in ("event", "reconcile")]
    quiet = not any("PutParameter" in call for call in world.calls[calls:])
    world.fleet = lambda *_: (RolloutPhase.SUCCEEDED, "")
    machines.run("command")

    assert (again, quiet) == (["SUCCEEDED", "SUCCEEDED"], True)
    assert stable(world) == NEW


def test_an_alarm_in_the_last_wave_moves_all_waves_back_the_newest_first(patch: pytest.MonkeyPatch) -> None:
    world = world_with()
    world.alarms["eu-west-1/errors"] = "ALARM"

    Machines(world, made_of(PLAN), patch).run()

    moved = [call.split()[0] for call in world.calls if f"PutParameter {STABLE}" in call]
    assert moved[0] == HOME
    assert sorted(moved[1:5]) == sorted([*REGIONS[1:], *REGIONS[1:]])
    assert moved[5:] == [HOME]
    assert "the alarm errors in eu-west-1 is raised" in world.messages[0][1]


@pytest.mark.parametrize(
    ("phase", "says"),
    [
        (RolloutPhase.RUNNING, "the fleet web in us-east-1 is running: busy after 10 minutes"),
        (RolloutPhase.FROZEN, "the fleet web in us-east-1 is frozen: busy after 10 minutes"),
        (RolloutPhase.FAILED, "the fleet web in us-east-1 failed: busy"),
    ],
)
def test_a_fleet_that_does_not_come_through_fails_its_wave(
    patch: pytest.MonkeyPatch, phase: RolloutPhase, says: str
) -> None:
    world = world_with()
    world.fleet = lambda *_: (phase, "busy")

    Machines(world, made_of(PLAN), patch).run()

    assert stable(world) == OLD
    assert says in world.messages[0][1]


def test_regions_with_different_builds_are_waited_for_and_then_refused(patch: pytest.MonkeyPatch) -> None:
    world = world_with()
    world.put("eu-west-1", LATEST, OLD["eu-west-1"])

    run = Machines(world, made_of(PLAN), patch).run()

    assert (run.status, stable(world)) == ("FAILED", OLD)
    assert "the channel holds different builds" in world.messages[0][1]


def test_what_somebody_moved_meanwhile_is_left_alone(patch: pytest.MonkeyPatch) -> None:
    world = world_with()
    other = "ami-33333333333333333"

    def meddle(call: str) -> None:
        if call == f"eu-west-1 PutParameter {STABLE}" and world.value(HOME, STABLE) == NEW[HOME]:
            world.put(HOME, STABLE, other)
            world.alarms["eu-west-1/errors"] = "ALARM"

    world.on_call = meddle
    Machines(world, made_of(PLAN), patch).run()

    assert stable(world) == {**OLD, HOME: other}


def test_another_execution_that_took_the_lock_ends_this_one_before_it_moves_anything(
    patch: pytest.MonkeyPatch,
) -> None:
    world = world_with()
    plan = replace(PLAN, meanwhile=Meanwhile.SUPERSEDE)

    def supersede(call: str) -> None:
        last = lock.holder(world.clients("ssm"), "web") if "DescribeImages" in call and not world.alarms else None
        if last is not None:
            world.alarms["done"] = "OK"
            owner = "arn:aws:states:us-east-1:123456789012:execution:promotion:newer"
            world.running.add(owner)
            lock.acquire(
                world.clients("ssm"), "web", owner, now=world.now, alive=lambda _: True, supersede=last.owner[:70]
            )

    world.on_call = supersede
    run = Machines(world, made_of(plan), patch).run()

    assert (run.error, stable(world)) == ("Superseded", OLD)
