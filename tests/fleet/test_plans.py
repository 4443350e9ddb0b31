"""The plans of a fleet: zones, sizes, permissions."""

from __future__ import annotations

import aws_cdk as cdk
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdk_ami.errors import Faults
from cdk_ami.fleet.permissions import fleet_policy
from cdk_ami.fleet.sizes import GroupSizes, plan_sizes
from cdk_ami.fleet.zones import ZoneSubnet, choose_subnets, spread, zone_label

ZONES = st.lists(st.sampled_from([f"us-east-1{letter}" for letter in "abcdef"]), min_size=1, unique=True)
SUBNETS = st.lists(
    st.builds(
        ZoneSubnet,
        zone=st.sampled_from([f"us-east-1{letter}" for letter in "abcdef"]),
        subnet_id=st.from_regex(r"subnet-[0-9a-f]{8}", fullmatch=True),
    ),
    max_size=20,
)
SIZE = st.none() | st.integers(min_value=0, max_value=100)


@given(count=st.integers(min_value=0, max_value=500), zones=ZONES)
def test_instances_spread_within_one_of_each_other_and_none_is_lost(count: int, zones: list[str]) -> None:
    counts = spread(count, zones)

    assert list(counts) == zones
    assert sum(counts.values()) == count
    assert max(counts.values()) - min(counts.values()) <= 1
    assert counts == spread(count, zones)


@given(selected=SUBNETS)
def test_without_chosen_zones_each_zone_has_the_first_of_its_subnets(selected: list[ZoneSubnet]) -> None:
    chosen = choose_subnets(selected, None, faults=Faults("S"))

    zones = [subnet.zone for subnet in chosen]
    assert zones == list(dict.fromkeys(subnet.zone for subnet in selected))
    assert all(subnet == next(other for other in selected if other.zone == subnet.zone) for subnet in chosen)


@given(selected=SUBNETS, zones=ZONES)
def test_chosen_zones_keep_their_order_and_a_zone_without_a_subnet_is_a_fault(
    selected: list[ZoneSubnet], zones: list[str]
) -> None:
    faults = Faults("S")

    chosen = choose_subnets(selected, zones, faults=faults)

    present = {subnet.zone for subnet in selected}
    assert [subnet.zone for subnet in chosen] == [zone for zone in zones if zone in present]
    assert bool(faults) == any(zone not in present for zone in zones)


@given(smallest=SIZE, desired=SIZE, largest=SIZE, zones=st.integers(min_value=1, max_value=6))
def test_sizes_keep_what_was_given_and_fit_each_other_wherever_they_can(
    smallest: int | None, desired: int | None, largest: int | None, zones: int
) -> None:
    sizes = plan_sizes(smallest, desired, largest, zones=zones)

    given_sizes = (smallest, desired, largest)
    planned = (sizes.smallest, sizes.desired, sizes.largest)
    assert all(plan == size for size, plan in zip(given_sizes, planned, strict=True) if size is not None)
    stated = [size for size in given_sizes if size is not None]
    if stated == sorted(stated):  # sizes that contradict each other are refused later
        assert sizes.smallest <= sizes.desired <= sizes.largest


@pytest.mark.parametrize(
    ("smallest", "desired", "largest", "expected"),
    [
        (None, None, None, GroupSizes(smallest=3, desired=3, largest=3, states_desired=False)),
        (1, None, None, GroupSizes(smallest=1, desired=3, largest=3, states_desired=True)),
        (None, None, 2, GroupSizes(smallest=2, desired=2, largest=2, states_desired=False)),
        (None, 6, None, GroupSizes(smallest=6, desired=6, largest=6, states_desired=True)),
        (5, None, 9, GroupSizes(smallest=5, desired=5, largest=9, states_desired=False)),
        (0, 0, None, GroupSizes(smallest=0, desired=0, largest=0, states_desired=True)),
    ],
)
def test_sizes_default_to_one_instance_in_each_of_three_zones(
    smallest: int | None, desired: int | None, largest: int | None, expected: GroupSizes
) -> None:
    assert plan_sizes(smallest, desired, largest, zones=3) == expected


def test_a_size_that_only_the_deployment_knows_stands_for_the_others() -> None:
    unknown = int(cdk.Token.as_number(cdk.Fn.ref("Size")))

    assert plan_sizes(unknown, None, None, zones=3) == GroupSizes(
        smallest=unknown, desired=unknown, largest=unknown, states_desired=False
    )
    assert plan_sizes(None, None, unknown, zones=3).desired == 3


@pytest.mark.parametrize(
    ("zone", "label"),
    [
        ("us-east-1a", "A"),
        ("ap-southeast-2c", "C"),
        ("us-gov-west-1b", "B"),
        ("us-west-2-lax-1a", "Lax1a"),
        ("us-east-1-wl1-bos-wlz-1", "Wl1BosWlz1Number"),
        ("${Token[AZ.1]}", "Zone3Number"),
    ],
)
def test_a_zone_is_told_from_the_others_of_its_region_by_its_label(zone: str, label: str) -> None:
    assert zone_label(zone, 2) == label


def test_a_role_for_nothing_has_no_statement() -> None:
    assert fleet_policy(session_manager=False, cloudwatch_agent=False)["Statement"] == []


def test_every_wildcard_of_the_policy_is_a_session_a_metric_of_the_agent_or_a_description() -> None:
    statements = fleet_policy(session_manager=True, cloudwatch_agent=True, log_group_arns=["arn:x"])["Statement"]

    wild = {statement["Sid"]: statement for statement in statements if statement["Resource"] == "*"}
    assert set(wild) == {"Sessions", "Metrics", "Dimensions"}
    assert wild["Metrics"]["Condition"] == {"StringEquals": {"cloudwatch:namespace": "CWAgent"}}
    assert [action for statement in statements for action in statement["Action"] if "*" in action] == []


def test_log_groups_are_written_and_never_made() -> None:
    [statement] = fleet_policy(session_manager=False, cloudwatch_agent=False, log_group_arns=["arn:x"])["Statement"]

    assert statement["Resource"] == "arn:x"
    assert "logs:CreateLogGroup" not in statement["Action"]


def test_the_agents_own_log_groups_are_made_written_and_given_a_retention() -> None:
    made, described = fleet_policy(session_manager=False, cloudwatch_agent=False, agent_log_groups_arn="arn:x*")[
        "Statement"
    ]

    assert made["Resource"] == "arn:x*"
    assert made["Action"] == [
        "logs:CreateLogGroup",
        "logs:PutRetentionPolicy",
        "logs:CreateLogStream",
        "logs:DescribeLogStreams",
        "logs:PutLogEvents",
    ]
    assert (described["Action"], described["Resource"]) == ("logs:DescribeLogGroups", "*")
