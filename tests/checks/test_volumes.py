"""Rules over volumes."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from cdk_ami.checks import volumes
from cdk_ami.checks.rule import Problem

TOKEN = "${Token[TOKEN.42]}"
NUMBER_TOKEN = -1.8881545897087626e289


@pytest.mark.parametrize(
    ("found", "rule", "fix"),
    [
        (volumes.device_name("sda"), "DeviceName", "/dev/sdf"),
        (volumes.devices_once(["/dev/xvda", "/dev/sda"]), "DevicesOnce", "its own device"),
        (volumes.volume_type("gp4"), "VolumeType", "gp3"),
        (volumes.volume_size("gp3", 0), "VolumeSize", "1 to 16,000"),
        (volumes.volume_size("gp3", 16_001), "VolumeSize", "1 to 16,000"),
        (volumes.volume_size("io2", 3), "VolumeSize", "4 to 16,000"),
        (volumes.volume_size("standard", 2_000), "VolumeSize", "1 to 1,024"),
        (volumes.volume_size("gp3", 1.5), "VolumeSize", "whole GiB"),  # type: ignore[arg-type]
        (volumes.volume_size("gp3", gib=True), "VolumeSize", "whole GiB"),
        (volumes.volume_iops("io2", None), "VolumeIops", "how many"),
        (volumes.volume_iops("gp2", 3_000), "VolumeIops", "use gp3"),
        (volumes.volume_iops("gp3", 2_999), "VolumeIops", "3,000 to 64,000"),
        (volumes.volume_iops_per_gib("gp3", 10, 6_000), "VolumeIopsPerGib", "12 GiB"),
        (volumes.volume_iops_per_gib("io1", 100, 5_001), "VolumeIopsPerGib", "101 GiB"),
        (volumes.volume_throughput("gp2", 125, None), "VolumeThroughput", "use gp3"),
        (volumes.volume_throughput("gp3", 1_001, 16_000), "VolumeThroughput", "125 to 1,000"),
        (volumes.volume_throughput("gp3", 1_000, None), "VolumeThroughput", "iops to 4,000"),
        (volumes.root_volume_type("st1"), "RootVolumeType", "gp3"),
        (volumes.extra_volume_size("/dev/sdf", None), "ExtraVolumeSize", "how many GiB"),
        (volumes.volume_key(encrypted=False, has_key=True), "VolumeKey", "encrypted=True"),
    ],
)
def test_a_bad_volume_is_refused_with_its_rule_and_its_fix(found: Iterable[Problem], rule: str, fix: str) -> None:
    problems = list(found)

    assert [problem.rule for problem in problems] == [f"cdk-ami::{rule}"]
    assert fix in problems[0].fix


@pytest.mark.parametrize(
    "found",
    [
        volumes.device_name("/dev/xvda"),
        volumes.device_name("/dev/sda1"),
        volumes.device_name("xvdf"),
        volumes.devices_once(["/dev/xvda", "/dev/sdf"]),
        volumes.volume_size("gp3", None),
        volumes.volume_iops("gp3", None),
        volumes.volume_iops_per_gib("gp3", 1, 3_000),
        volumes.volume_iops_per_gib("gp3", None, 16_000),
        volumes.volume_throughput("gp3", 1_000, 4_000),
        volumes.extra_volume_size(None, None),
        volumes.volume_key(encrypted=True, has_key=True),
    ],
)
def test_a_good_volume_is_accepted(found: Iterable[Problem]) -> None:
    assert list(found) == []


@pytest.mark.parametrize(
    "found",
    [
        volumes.device_name(TOKEN),
        volumes.devices_once([TOKEN, TOKEN]),
        volumes.volume_type(TOKEN),
        volumes.volume_size("gp3", NUMBER_TOKEN),  # type: ignore[arg-type]
        volumes.volume_iops("gp3", NUMBER_TOKEN),  # type: ignore[arg-type]
        volumes.volume_iops_per_gib("gp3", NUMBER_TOKEN, 64_000),  # type: ignore[arg-type]
        volumes.volume_throughput("gp3", NUMBER_TOKEN, None),  # type: ignore[arg-type]
    ],
)
def test_a_token_is_never_refused(found: Iterable[Problem]) -> None:
    assert list(found) == []
