"""How much a build copies at once, and when that is too much."""

from __future__ import annotations

import aws_cdk as cdk
import pytest
from constructs import IConstruct

from cdk_ami import Distribution, Target, Volume
from cdk_ami.distribution.quotas import Load, loads
from cdk_ami.limits import AMI_COPIES_AT_ONCE, SNAPSHOT_COPIES_AT_ONCE
from tests.support.images import make_image
from tests.support.synth import make_stack


def accounts(count: int) -> list[str]:
    return [f"{number:012}" for number in range(1, count + 1)]


def test_the_captured_ami_is_no_copy_and_every_other_one_is() -> None:
    distribution = Distribution(
        targets=[Target(region="us-east-1", accounts=accounts(2)), Target(region="eu-west-1", accounts=accounts(3))]
    )

    found = list(loads(distribution, build_region="us-east-1", volumes=2))

    assert found == [Load("us-east-1", 2, 2), Load("eu-west-1", 4, 2)]
    assert [load.snapshots for load in found] == [4, 8]


def test_accounts_that_only_the_deployment_knows_count_as_none() -> None:
    unknown = cdk.Fn.split(",", cdk.Fn.import_value("Elsewhere"))

    (load,) = loads(Distribution(targets=[Target(region="eu-west-1", accounts=unknown)]), build_region="x", volumes=1)

    assert load.copies == 1


@pytest.mark.parametrize(
    ("copies", "volumes", "above", "wave"),
    [(20, 1, False, 20), (21, 1, True, 20), (10, 2, False, 10), (11, 2, True, 10), (1, 20, False, 1), (1, 21, True, 1)],
)
def test_the_quota_counts_each_volume_of_each_copy(copies: int, volumes: int, above: bool, wave: int) -> None:  # noqa: FBT001 - a column of the table
    load = Load("eu-west-1", copies, volumes)

    assert (load.is_above_quota, load.copies_in_a_wave) == (above, wave)


@pytest.mark.parametrize("volumes", range(1, 31))
def test_a_wave_is_never_above_the_quota_unless_one_copy_is(volumes: int) -> None:
    wave = Load("eu-west-1", 2_000, volumes).copies_in_a_wave

    assert 1 <= wave <= AMI_COPIES_AT_ONCE
    assert wave == 1 or wave * volumes <= SNAPSHOT_COPIES_AT_ONCE


def test_more_copies_than_run_at_once_are_a_warning_that_says_how_to_split_them() -> None:
    stack = make_stack()
    key = "arn:aws:kms:eu-west-1:123456789012:alias/golden"
    few, many = (
        Distribution(
            targets=[
                Target(region="us-east-1", kms_key=key.replace("eu-west-1", "us-east-1")),
                Target(region="eu-west-1", kms_key=key, accounts=accounts(count)),
            ]
        )
        for count in (9, 10)
    )
    volumes = [Volume(), Volume(size_gib=8, device="/dev/sdf")]

    made = make_image(stack, distribution=many, volumes=volumes)
    other = make_image(make_stack("Few"), distribution=few, volumes=volumes)

    (told,) = warnings_below(made)
    assert "copies 11 AMIs of 2 volumes into eu-west-1, 22 snapshot copies at once" in told
    assert "keep 10 copies in this distribution and bring the AMI to the others in waves of 10" in told
    assert "cdk-ami::CopiesAboveQuota" in told
    assert warnings_below(other) == []


def warnings_below(made: IConstruct) -> list[str]:
    return [
        str(entry.data) for child in made.node.find_all() for entry in child.node.metadata if "warn" in str(entry.type)
    ]
