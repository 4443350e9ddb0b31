from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cdk_ami.runtime import lock
from cdk_ami.runtime.lock import LEASE, Phase, Record, Taken, acquire, begin_moving, holder, lock_path, release
from cdk_ami.runtime.regions import RegionClients

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
JOURNAL = ({"region": "us-east-1", "channel": "stable", "before": "ami-0123456789abcdef0"},)
OfRegion = Callable[..., RegionClients]


@pytest.fixture
def ssm(clients: OfRegion) -> Any:
    return clients().ssm


def take(ssm: Any, owner: str, *, at: datetime = NOW, living: tuple[str, ...] = (), **options: Any) -> Any:
    return acquire(ssm, "web", owner, now=at, alive=lambda name: name in living, **options)


def test_one_holds_the_lock_until_it_gives_it_back(ssm: Any) -> None:
    first = take(ssm, "a")
    again = take(ssm, "a", living=("a",))
    second = take(ssm, "b", living=("a",))
    released = [release(ssm, "web", "a", now=NOW) for _ in range(2)]
    third = take(ssm, "b", living=("a",))

    assert first == again == Taken(number=1)
    assert isinstance(second, Record)
    assert second.owner == "a"
    assert released == [True, False]
    assert third == Taken(number=3)


def test_the_lock_of_an_execution_that_has_ended_is_free_with_what_it_left_half_moved(ssm: Any) -> None:
    take(ssm, "a")
    assert begin_moving(ssm, "web", "a", JOURNAL, now=NOW)

    heir = take(ssm, "b")
    second_heir = take(ssm, "c")

    assert heir == Taken(number=3, journal=JOURNAL, heir_of="a")
    assert second_heir == Taken(number=4, journal=JOURNAL, heir_of="a")
    assert holder(ssm, "web") == Record(
        number=4,
        owner="c",
        phase=Phase.MOVING,
        since="2026-11-28T12:00:00+00:00",
        heir_of="a",
        journal=JOURNAL,
    )
    assert not begin_moving(ssm, "web", "a", JOURNAL, now=NOW)
    assert not release(ssm, "web", "a", now=NOW)


def test_a_command_holds_the_lock_for_a_time_that_begins_anew_when_it_moves(ssm: Any) -> None:
    take(ssm, "ann", lease=LEASE)
    moving = NOW + timedelta(minutes=14)

    before = take(ssm, "b", at=moving)
    assert begin_moving(ssm, "web", "ann", JOURNAL, now=moving, lease=LEASE)
    during = take(ssm, "b", at=moving + timedelta(minutes=14))
    after = take(ssm, "b", at=moving + LEASE)

    assert isinstance(before, Record)
    assert isinstance(during, Record)
    assert after == Taken(number=3, journal=JOURNAL, heir_of="ann")


def test_a_holder_gives_way_only_while_it_has_moved_nothing(ssm: Any) -> None:
    take(ssm, "a")
    queued = take(ssm, "b", living=("a", "b"))
    stranger = take(ssm, "b", living=("a", "b"), supersede="other")
    superseding = take(ssm, "b", living=("a", "b"), supersede="")
    late = begin_moving(ssm, "web", "a", JOURNAL, now=NOW)
    moving = begin_moving(ssm, "web", "b", JOURNAL, now=NOW)
    refused = take(ssm, "c", living=("a", "b"), supersede="")

    assert isinstance(queued, Record)
    assert isinstance(stranger, Record)
    assert superseding == Taken(number=2, superseded="a")
    assert (late, moving) == (False, True)
    assert isinstance(refused, Record)


def test_of_many_that_find_the_same_dead_holder_one_succeeds_it(ssm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    take(ssm, "dead")
    together, create = threading.Barrier(4), lock._create
    monkeypatch.setattr(
        lock, "_create", lambda client, image, record: (together.wait(5) and False) or create(client, image, record)
    )
    found: dict[str, Any] = {}

    def run(name: str) -> None:
        found[name] = take(ssm, name, living=("p", "q", "r", "s"))

    threads = [threading.Thread(target=run, args=(name,)) for name in "pqrs"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    winners = [name for name, answer in found.items() if isinstance(answer, Taken)]
    assert len(winners) == 1
    assert [answer.owner for answer in found.values() if isinstance(answer, Record)] == winners * 3


class LosesAnswers:
    """A client whose every write is done and answered with an error, the first time."""

    def __init__(self, ssm: Any) -> None:
        self._ssm, self.lost = ssm, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ssm, name)

    def put_parameter(self, **request: Any) -> Any:
        answer = self._ssm.put_parameter(**request)
        if '"lost"' not in request["Value"]:
            self.lost += 1
            raise TimeoutError(answer)
        return answer


@pytest.mark.parametrize("step", ["acquire", "begin", "release"])
def test_a_step_whose_answer_was_lost_finds_that_it_was_done(ssm: Any, step: str) -> None:
    losing = LosesAnswers(ssm)
    steps: dict[str, Callable[[Any], Any]] = {
        "acquire": lambda client: isinstance(take(client, "a", living=("a",)), Taken),
        "begin": lambda client: begin_moving(client, "web", "a", JOURNAL, now=NOW),
        "release": lambda client: release(client, "web", "a", now=NOW),
    }
    for name, done in steps.items():
        if name == step:
            break
        assert done(ssm)
    before = getattr(holder(ssm, "web"), "number", 0)

    with pytest.raises(TimeoutError):
        steps[step](losing)
    again = steps[step](ssm)

    assert (losing.lost, again) == (1, step != "release")
    assert getattr(holder(ssm, "web"), "number", 0) == before + 1


def test_records_that_nobody_needs_are_deleted_a_day_later(ssm: Any) -> None:
    for name in "abc":
        take(ssm, name)
        release(ssm, "web", name, now=NOW)
    kept = len(ssm.get_parameters_by_path(Path=lock_path("web"))["Parameters"])

    # Written by the sandbox's clock, which is ahead of NOW or behind it.
    later = datetime.now(UTC) + timedelta(days=2)
    take(ssm, "d")
    release(ssm, "web", "d", now=later)

    names = [found["Name"] for found in ssm.get_parameters_by_path(Path=lock_path("web"))["Parameters"]]
    assert kept == 6
    assert names == [f"{lock_path('web')}/00000008"]
    assert take(ssm, "e") == Taken(number=9)


class States:
    """A client of Step Functions that knows these executions."""

    def __init__(self, **statuses: str) -> None:
        self.statuses = statuses

    def describe_execution(self, *, executionArn: str) -> Any:  # noqa: N803
        return {"status": self.statuses[executionArn]}


@pytest.mark.parametrize(("status", "runs"), [("RUNNING", True), ("FAILED", False), ("ABORTED", False)])
def test_an_execution_holds_the_lock_while_it_runs(status: str, runs: bool) -> None:  # noqa: FBT001
    assert lock.runs(States(a=status), "a") is runs


def test_an_execution_that_step_functions_has_forgotten_runs_no_more(aws: Callable[..., Any]) -> None:
    arn = "arn:aws:states:us-east-1:123456789012:execution:none:gone"

    assert not lock.runs(aws("stepfunctions"), arn)
