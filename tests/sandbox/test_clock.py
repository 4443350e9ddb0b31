from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from cdk_ami.sandbox.clock import Clock
from cdk_ami.sandbox.server import Sandbox


def test_calls_are_done_in_the_order_of_their_times_and_at_them() -> None:
    clock, done = Clock(), []
    start = clock.now()
    for hours in (3, 1, 2):
        clock.after(hours * 3600, lambda hours=hours: done.append((hours, clock.now())))  # type: ignore[misc]

    clock.advance(150 * 60)

    assert [hours for hours, _ in done] == [1, 2]
    assert all(abs(at - start - timedelta(hours=hours)) < timedelta(minutes=1) for hours, at in done)


def test_a_call_that_repeats_itself_falls_due_as_often_as_there_is_time() -> None:
    clock, done = Clock(), []

    def hourly() -> None:
        done.append(clock.now())
        clock.after(3600, hourly)

    clock.after(3600, hourly)

    clock.advance(24 * 3600 + 60)

    assert len(done) == 24


def test_a_cancelled_call_is_not_done() -> None:
    clock, done = Clock(), []
    clock.after(10, lambda: done.append("cancelled")).cancel()
    clock.after(10, lambda: done.append("kept"))

    clock.advance(11)

    assert done == ["kept"]


def test_a_call_in_the_past_is_done_without_anybody_advancing_the_clock() -> None:
    clock, done = Clock(), Event()

    clock.at(datetime(2000, 1, 1, tzinfo=UTC), done.set)

    assert done.wait(10)


def test_a_sleeper_wakes_when_the_clock_is_advanced() -> None:
    clock, outcome = Clock(), []
    asleep = Thread(target=lambda: outcome.append(clock.sleep(3600)))
    asleep.start()

    while asleep.is_alive():
        clock.advance(3600)
        asleep.join(0.01)

    assert outcome == [True]


def test_a_sleeper_that_is_stopped_says_so() -> None:
    stopped = Event()
    stopped.set()

    assert Clock().sleep(3600, stopped) is False


def test_a_fast_clock_passes_an_hour_in_no_time() -> None:
    clock = Clock()
    clock.run_at(1_000_000)

    assert clock.sleep(3600) is True


def test_a_reset_forgets_speed_calls_and_what_was_advanced() -> None:
    clock, done = Clock(), []
    clock.advance(1_000_000)
    clock.run_at(100)
    clock.after(3600, lambda: done.append("never"))

    clock.reset()
    clock.advance(7200)

    assert (clock.speed, done) == (1.0, [])
    assert abs(clock.now() - datetime.now(UTC) - timedelta(hours=2)) < timedelta(minutes=1)


def test_the_clock_is_told_and_moved_over_http(sandbox: Sandbox) -> None:
    before = datetime.fromisoformat(_ask(sandbox)["now"])

    moved = _ask(sandbox, advance=86_400, speed=2)

    assert moved["speed"] == 2
    assert datetime.fromisoformat(moved["now"]) - before >= timedelta(days=1)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"advance": -1}, "advance is a number above 0, got -1"),
        ({"speed": "fast"}, "speed is a number above 0, got 'fast'"),
        ({"back": 1}, "the clock takes advance or speed, got ['back']"),
    ],
)
def test_the_clock_refuses_what_it_cannot_do(sandbox: Sandbox, asked: dict[str, Any], told: str) -> None:
    with pytest.raises(HTTPError) as refused:
        _ask(sandbox, **asked)

    assert (refused.value.code, json.load(refused.value)["error"]) == (400, told)


def _ask(sandbox: Sandbox, **asked: Any) -> Any:
    body = json.dumps(asked).encode() if asked else None
    with urlopen(Request(f"{sandbox.endpoint}/_sandbox/clock", data=body)) as answer:  # noqa: S310 - loopback
        return json.load(answer)
