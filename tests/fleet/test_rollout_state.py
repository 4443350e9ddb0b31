"""The state of a rollout: what a promotion waits for."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdk_ami.fleet.rollout_state import (
    READ_SELECTOR,
    RolloutPhase,
    RolloutState,
    freeze_parameter,
    parse,
    put_parameters,
    rollout_parameter,
    rollouts_path,
    state_fields,
)

STATES = st.builds(
    RolloutState,
    state=st.sampled_from(RolloutPhase),
    ami=st.from_regex(r"ami-[0-9a-f]{17}", fullmatch=True),
    previous=st.text(),
    reason=st.text(),
    at=st.just("2026-11-28T08:20:00.000Z"),
    execution=st.text(),
    version=st.integers(min_value=0, max_value=1_000),
)


@given(state=STATES)
def test_a_state_is_read_as_it_was_written(state: RolloutState) -> None:
    assert parse(state.dump()) == state


@pytest.mark.parametrize(
    "text", ["", "RUNNING", "[]", "{}", '{"state": "DONE"}', '{"state": "RUNNING", "version": []}']
)
def test_what_is_no_state_is_refused_and_shown(text: str) -> None:
    with pytest.raises(ValueError, match="is not the state of a rollout") as caught:
        parse(text)

    assert repr(text) in str(caught.value)


def test_members_of_a_newer_version_are_left_aside_and_missing_ones_are_empty() -> None:
    assert parse('{"state": "FROZEN", "mood": "calm"}') == RolloutState(state=RolloutPhase.FROZEN)


def test_only_an_outcome_ends_a_rollout() -> None:
    ended = [phase.value for phase in RolloutPhase if RolloutState(state=phase).ended]

    assert ended == ["SUCCEEDED", "ROLLED_BACK", "FAILED"]


def test_a_state_answers_the_write_it_saw_and_those_before() -> None:
    state = RolloutState(state=RolloutPhase.ROLLED_BACK, version=7)

    assert [state.answers(version) for version in (6, 7, 8)] == [True, True, False]


def test_the_names_follow_the_channel_as_image_builder_writes_it() -> None:
    assert rollouts_path("Web Server", "stable") == "/imagebuilder/web-server/stable/rollouts"
    assert rollout_parameter("Web Server", "stable", "eu") == "/imagebuilder/web-server/stable/rollouts/eu"
    assert freeze_parameter("Web Server", "stable", "eu") == "/imagebuilder/web-server/stable/rollouts/eu/freeze"


def test_what_a_state_machine_writes_has_every_member_that_is_read() -> None:
    fields = state_fields(RolloutPhase.RUNNING, ami="$.a", previous="$.p", reason="$.r", version="$.v")

    assert {name.removesuffix(".$") for name in fields} == set(json.loads(RolloutState(RolloutPhase.RUNNING).dump()))
    assert put_parameters("/n", "$.state")["Value.$"] == "States.JsonToString($.state)"
    assert READ_SELECTOR == {"rollout.$": "States.StringToJson($.Parameter.Value)"}
