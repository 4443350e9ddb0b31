"""Rules over groups, each by its borders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from cdk_ami.checks import groups as rules
from cdk_ami.checks.rule import Problem
from cdk_ami.checks.volumes import volume_rate
from cdk_ami.source.platform import Architecture

ARM, X86 = Architecture.ARM64, Architecture.X86_64
Check = Callable[..., Sequence[Problem]]

GOOD: list[tuple[Check, tuple[Any, ...], dict[str, Any]]] = [
    (rules.mixed_choices, (), {"types": 40, "needs": 0}),
    (rules.mixed_choices, (), {"types": 0, "needs": 4}),
    (rules.weights, ([1, 999],), {}),
    (rules.weights, ([None, None],), {}),
    (rules.need_bounds, (2, 2), {}),
    (rules.need_bounds, (0, None), {}),
    (rules.need_lists, (), {"allowed": ["m*"] * 400, "excluded": []}),
    (rules.manufacturers_fit, ([], ARM), {}),
    (rules.manufacturers_fit, (["intel", "amazon-web-services"], ARM), {}),
    (rules.allowed_types_fit, (["m7*", "m7i.large"], ARM), {}),
    (rules.allowed_types_fit, (["m7g.*", "m7i.*"], X86), {}),
    (rules.allowed_types_fit, (["m7g.*large"], ARM), {}),
    (rules.allowed_types_fit, ([], ARM), {}),
    (rules.spot_shares, (0, 0), {}),
    (rules.spot_shares, (5, 100), {}),
    (rules.allocations, ("prioritized", "capacity-optimized-prioritized"), {"needs": False}),
    (rules.allocations, ("lowest-price", "capacity-optimized"), {"needs": True}),
    (rules.spot_pools, (20, "lowest-price"), {}),
    (rules.spot_price, (0.001,), {}),
    (rules.rebalancing, (1,), {"wanted": True}),
    (rules.rebalancing, (0,), {"wanted": False}),
    (rules.capacity_unit, ("memory-mib",), {"needs": True}),
    (rules.warm_pool_size, (0, 3, 3), {}),
    (rules.hibernation, ("/dev/xvda",), {"encrypted": True}),
    (rules.health_checks, (["EBS"],), {"target_groups": 0}),
    (rules.health_checks, (["ELB"],), {"target_groups": 1}),
    (rules.scaling_target, (0.1,), {}),
    (rules.termination_policies, (["OldestInstance", "Default"],), {}),
    (rules.lifetime, (86_400,), {}),
    (rules.lifetime, (31_536_000,), {}),
    (rules.cpu_options, (2, 2, "m7i.large"), {}),
    (rules.cpu_options, (2, 1, "m7g.large"), {}),
    (rules.cpu_options, (None, None, None), {}),
    (rules.cpu_features, ("m8i-flex.large",), {"sev_snp": False, "nested": True}),
    (rules.cpu_features, (None,), {"sev_snp": True, "nested": True}),
    (volume_rate, (100,), {"launched": True}),
    (volume_rate, (300,), {"launched": True}),
    (volume_rate, (None,), {"launched": False}),
]

BAD: list[tuple[Check, tuple[Any, ...], dict[str, Any], str, object]] = [
    (rules.mixed_choices, (), {"types": 41, "needs": 0}, "", 41),
    (rules.mixed_choices, (), {"types": 0, "needs": 5}, "", 5),
    (rules.mixed_choices, (), {"types": 1, "needs": 1}, "", (1, 1)),
    (rules.weights, ([0, 1],), {}, "[0].weight", 0),
    (rules.weights, ([1, 1_000],), {}, "[1].weight", 1_000),
    (rules.need_bounds, (-1, None), {}, "", -1),
    (rules.need_lists, (), {"allowed": ["m*"] * 401, "excluded": []}, "", 401),
    (rules.manufacturers_fit, (["intel", "amd"], ARM), {}, "", ["intel", "amd"]),
    (rules.allowed_types_fit, (["m7i.*"], ARM), {}, "", ["m7i.*"]),
    (rules.spot_shares, (-1, 0), {}, ".on_demand_base", -1),
    (rules.spot_shares, (0, -1), {}, ".spot_percent", -1),
    (
        rules.allocations,
        (None, "capacity-optimized-prioritized"),
        {"needs": True},
        ".spot_allocation",
        "capacity-optimized-prioritized",
    ),
    (rules.spot_pools, (21, "lowest-price"), {}, "", 21),
    (rules.spot_pools, (2, None), {}, "", 2),
    (rules.warm_pool_size, (-1, None, 0), {}, ".min_size", -1),
    (rules.hibernation, (None,), {"encrypted": True}, "", None),
    (rules.termination_policies, (["OldestInstance", "OldestInstance"],), {}, "[1]", "OldestInstance"),
    (rules.lifetime, (86_399,), {}, "", 86_399),
    (rules.lifetime, (31_536_001,), {}, "", 31_536_001),
    (rules.cpu_options, (2, None, None), {}, ".threads_per_core", None),
    (rules.cpu_options, (None, 1, None), {}, ".core_count", None),
    (rules.cpu_options, (0, 1, None), {}, ".core_count", 0),
    (rules.cpu_options, (1, 3, "m7i.large"), {}, ".threads_per_core", 3),
    (rules.cpu_features, ("m7i.large",), {"sev_snp": False, "nested": True}, ".nested_virtualization", "m7i.large"),
    (volume_rate, (99,), {"launched": True}, "", 99),
    (volume_rate, (301,), {"launched": True}, "", 301),
]


@pytest.mark.parametrize(("check", "values", "words"), GOOD)
def test_what_aws_takes_is_let_through(check: Check, values: tuple[Any, ...], words: dict[str, Any]) -> None:
    assert check(*values, **words) == ()


@pytest.mark.parametrize(("check", "values", "words", "at", "got"), BAD)
def test_what_aws_refuses_is_told_with_its_place(
    check: Check, values: tuple[Any, ...], words: dict[str, Any], at: str, got: object
) -> None:
    (problem,) = check(*values, **words)

    assert (problem.at, problem.got) == (at, got)
    assert problem.rule.startswith("cdk-ami::")
