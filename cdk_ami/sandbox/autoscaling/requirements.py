"""Instance types that meet requirements, from the emulator's list of types.

https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_InstanceRequirements.html, read 2026-11-28
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

from moto.ec2.models.instance_types import INSTANCE_TYPES

from cdk_ami.sandbox.autoscaling.errors import refuse

MOST_TYPES: Final = 20
"""How many fitting types a group tries.  AWS tries all, by price; here the smallest come first."""

MANUFACTURERS: Final = {"amazon-web-services": "AWS", "intel": "Intel", "amd": "AMD", "apple": "Apple"}
"""Makers of processors, as requirements name them and as the list does."""

PRICES: Final = frozenset(
    {
        "SpotMaxPricePercentageOverLowestPrice",
        "MaxSpotPriceAsPercentageOfOptimalOnDemandPrice",
        "OnDemandMaxPricePercentageOverLowestPrice",
    }
)
"""Requirements about prices, which the sandbox does not have: they leave out nothing."""

Facts = Mapping[str, Any]


def fitting_types(requirements: Mapping[str, Any], architecture: str) -> list[str]:
    """Return the types that meet ``requirements`` and run AMIs of ``architecture``, the smallest first.

    Raises:
        AutoscalingClientError: When no type does, or a requirement is one that the sandbox cannot judge.
    """
    unknown = sorted(frozenset(requirements) - frozenset(_TESTS) - PRICES)
    if unknown:
        raise refuse(f"the sandbox does not judge the instance requirements {', '.join(unknown)}")
    asked = {"BareMetal": "excluded", "BurstablePerformance": "excluded", **requirements}
    found = [
        (facts["VCpuInfo"]["DefaultVCpus"], facts["MemoryInfo"]["SizeInMiB"], name)
        for name, facts in INSTANCE_TYPES.items()
        if architecture in facts.get("ProcessorInfo", {}).get("SupportedArchitectures", ())
        and all(_TESTS[key](facts, wanted) for key, wanted in asked.items() if key not in PRICES)
    ]
    if not found:
        raise refuse(f"No instance type meets the instance requirements for the architecture {architecture}")
    return [name for _, _, name in sorted(found)[:MOST_TYPES]]


def _within(value: float, bounds: Mapping[str, Any]) -> bool:
    return float(bounds.get("Min", 0)) <= value <= float(bounds.get("Max", value))


def _included(value: object, wish: str) -> bool:
    return wish == "included" or bool(value) == (wish == "required")


def _named(facts: Facts, patterns: list[str]) -> bool:
    return any(fnmatchcase(facts["InstanceType"], pattern) for pattern in patterns)


def _generation(facts: Facts) -> str:
    return "current" if facts.get("CurrentGeneration") else "previous"


def _accelerators(facts: Facts) -> int:
    kinds = (
        (facts.get("GpuInfo") or {}).get("Gpus", ()),
        (facts.get("InferenceAcceleratorInfo") or {}).get("Accelerators", ()),
    )
    return sum(int(one.get("Count", 0)) for kind in kinds for one in kind)


_TESTS: Final[dict[str, Callable[[Facts, Any], bool]]] = {
    "VCpuCount": lambda facts, wanted: _within(facts["VCpuInfo"]["DefaultVCpus"], wanted),
    "MemoryMiB": lambda facts, wanted: _within(facts["MemoryInfo"]["SizeInMiB"], wanted),
    "MemoryGiBPerVCpu": lambda facts, wanted: _within(
        facts["MemoryInfo"]["SizeInMiB"] / 1024 / facts["VCpuInfo"]["DefaultVCpus"], wanted
    ),
    "CpuManufacturers": lambda facts, wanted: (
        facts["ProcessorInfo"].get("Manufacturer") in {MANUFACTURERS.get(name) for name in wanted}
    ),
    "InstanceGenerations": lambda facts, wanted: _generation(facts) in wanted,
    "AllowedInstanceTypes": _named,
    "ExcludedInstanceTypes": lambda facts, wanted: not _named(facts, wanted),
    "BareMetal": lambda facts, wanted: _included(facts.get("BareMetal"), wanted),
    "BurstablePerformance": lambda facts, wanted: _included(facts.get("BurstablePerformanceSupported"), wanted),
    "RequireHibernateSupport": lambda facts, wanted: not wanted or bool(facts.get("HibernationSupported")),
    "LocalStorage": lambda facts, wanted: _included(facts.get("InstanceStorageSupported"), wanted),
    "NetworkInterfaceCount": lambda facts, wanted: _within(facts["NetworkInfo"]["MaximumNetworkInterfaces"], wanted),
    "AcceleratorCount": lambda facts, wanted: _within(_accelerators(facts), wanted),
}
"""How to tell whether a type meets each requirement."""
