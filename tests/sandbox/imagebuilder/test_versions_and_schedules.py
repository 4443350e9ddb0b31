"""The pure parts: ARNs, versions, schedules and names of AMIs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdk_ami.sandbox.imagebuilder import arns, schedules
from cdk_ami.sandbox.imagebuilder.engine.plan import Place, ami_name, build_stamp, plan_delivery

HOME = Place(region="us-east-1", account="123456789012")


@pytest.mark.parametrize(
    ("pattern", "existing", "version"),
    [
        ("1.0.x", [], "1.0.0"),
        ("1.0.x", ["1.0.0", "1.0.9", "1.0.10"], "1.0.11"),
        ("1.0.x", ["1.1.4", "2.0.7"], "1.0.0"),
        ("1.x.x", ["1.0.5", "1.3.2"], "1.4.0"),
        ("x.x.x", [], "1.0.0"),
        ("x.x.x", ["4.1.1"], "5.0.0"),
        ("3.2.1", ["3.2.0"], "3.2.1"),
    ],
)
def test_a_wildcard_in_a_recipe_version_takes_the_next_number(pattern: str, existing: list[str], version: str) -> None:
    assert arns.next_version(pattern, existing) == version


@given(st.lists(st.integers(min_value=0, max_value=50), max_size=20))
def test_the_next_version_is_never_one_that_exists(patches: list[int]) -> None:
    existing = [f"1.0.{patch}" for patch in patches]

    assert arns.next_version("1.0.x", existing) not in existing


@pytest.mark.parametrize("version", ["x.2.x", "1.x.8", "1.0.1073741824"])
def test_versions_that_the_service_does_not_know_have_a_fault(version: str) -> None:
    assert arns.version_fault(version)


@pytest.mark.parametrize("version", ["1.0.0", "1.0.x", "x.x.x", "1.0.1073741823"])
def test_versions_that_the_service_knows_have_none(version: str) -> None:
    assert arns.version_fault(version) is None


def test_an_arn_reads_back_as_it_was_written() -> None:
    text = "arn:aws:imagebuilder:eu-west-1:aws:workflow/build/build-image/1.0.2/1"

    parsed = arns.parse(text)

    assert parsed is not None
    assert (parsed.kind, parsed.name, parsed.version, parsed.build) == ("workflow/build", "build-image", "1.0.2", 1)
    assert str(parsed) == text


def test_an_open_build_takes_the_newest_of_the_newest_version() -> None:
    found = [
        arns.parse(f"arn:aws:imagebuilder:us-east-1:123456789012:component/a/{tail}")
        for tail in ("1.0.2/1", "1.0.10/1", "1.0.10/2", "2.0.0/1")
    ]
    wanted = arns.parse("arn:aws:imagebuilder:us-east-1:123456789012:component/a/1.x.x")

    newest = arns.select(wanted, [each for each in found if each]) if wanted else None

    assert str(newest).endswith("/1.0.10/2")


@pytest.mark.parametrize(
    "expression",
    [
        "cron(0 4 ? * sun *)",
        "cron(*/15 0-6 1,15 jan-mar ? 2026-2030)",
        "cron(0 0 LW * ? *)",
        "cron(0 0 ? * 6#2 *)",
        "cron(0 0 3W * ? *)",
        "rate(1 day)",
        "rate(12 hours)",
    ],
)
def test_schedules_of_the_service_are_accepted(expression: str) -> None:
    assert schedules.schedule_fault(expression) is None


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("every day", "must be cron"),
        ("cron(0 4 * * sun)", "six fields"),
        ("cron(0 4 * * sun *)", "exactly one"),
        ("cron(0 4 ? * ? *)", "exactly one"),
        ("cron(60 4 ? * sun *)", "no minute"),
        ("cron(0 4 ? foo sun *)", "no month"),
        ("cron(0 4 ? * 8 *)", "no day of the week"),
        ("cron(0 4  ? * 1 *)", "six fields"),
        ("rate(1 days)", "singular"),
        ("rate(2 day)", "singular"),
        ("rate(0 days)", "rate(<number> <unit>)"),
        ("cron(*/0 4 ? * sun *)", "no minute"),
        ("cron(0 4 ? * 2/2 *)", "no day of the week"),
    ],
)
def test_schedules_that_cannot_be_read_say_why(expression: str, why: str) -> None:
    assert why in str(schedules.schedule_fault(expression))


def test_time_zones_are_those_of_the_iana_database() -> None:
    assert schedules.timezone_fault("Europe/Berlin") is None
    assert "Mars/Olympus" in str(schedules.timezone_fault("Mars/Olympus"))


def test_build_stamps_are_never_the_same() -> None:
    stamps = [build_stamp() for _ in range(1000)]

    assert sorted(set(stamps)) == stamps


def test_the_date_and_the_build_stand_for_their_places_in_a_name() -> None:
    name = ami_name(
        "web {{ imagebuilder:buildDate }} b{{imagebuilder:buildVersion}}", image="web", stamp="2026-01-01", build=7
    )

    assert name == "web 2026-01-01 b7"
    assert ami_name(None, image="web", stamp="2026-01-01", build=7) == "web 2026-01-01"


def test_a_target_with_accounts_copies_to_those_and_to_the_one_that_builds() -> None:
    targets = [
        {"region": "us-east-1", "amiDistributionConfiguration": {"targetAccountIds": ["111111111111"]}},
        {"region": "eu-west-1", "amiDistributionConfiguration": {"targetAccountIds": ["222222222222"]}},
    ]

    delivery = plan_delivery(targets, home=HOME, image="web", image_arn="arn", recipe_tags={}, stamp="now", build=1)

    assert [(copy.place.region, copy.place.account, copy.captured) for copy in delivery.copies] == [
        ("us-east-1", "123456789012", True),
        ("us-east-1", "111111111111", False),
        ("eu-west-1", "123456789012", False),
        ("eu-west-1", "222222222222", False),
    ]


def test_an_ami_that_exists_already_is_copied_at_home_too() -> None:
    targets = [{"region": "us-east-1", "amiDistributionConfiguration": {"name": "x {{ imagebuilder:buildDate }}"}}]

    delivery = plan_delivery(
        targets, home=HOME, image="web", image_arn="arn", recipe_tags={}, stamp="now", build=1, captured=False
    )

    assert delivery.captured is None
    assert [(copy.place, copy.name) for copy in delivery.copies] == [(HOME, "x now")]
