"""Schedules, instance types and triggers as plain data."""

from __future__ import annotations

import pytest

from cdk_ami.build.schedule import BuildSchedule
from cdk_ami.build.trigger import BuildTrigger
from cdk_ami.checks.instances import architecture_of, instance_architecture
from cdk_ami.checks.schedules import schedule_expression, time_zone
from cdk_ami.source.platform import Architecture


@pytest.mark.parametrize(
    "expression",
    [
        "cron(0 4 * * ? *)",
        "cron(0/15 0-6,20-23 ? * mon-fri *)",
        "cron(30 2 1,15 jan-mar ? 2026-2030)",
        "cron(0 0 L * ? *)",
        "cron(0 0 LW * ? *)",
        "cron(0 0 15W * ? *)",
        "cron(0 0 ? * fri#2 *)",
        "cron(0 0 ? * 6L *)",
        "cron(0 0 */2 * ? *)",
        "rate(1 day)",
        "rate(12 hours)",
    ],
)
def test_what_the_service_reads_as_a_schedule_is_accepted(expression: str) -> None:
    assert schedule_expression(expression) == ()


@pytest.mark.parametrize(
    ("expression", "problem", "got"),
    [
        ("0 4 * * ? *", "is no schedule", "0 4 * * ? *"),
        ("rate(0 days)", "is no schedule", "rate(0 days)"),
        ("rate(1 week)", "is no schedule", "rate(1 week)"),
        ("cron(0 4 * * ?)", "has 5 fields", "cron(0 4 * * ?)"),
        ("cron(0  4 * * ? *)", "has 7 fields", "cron(0  4 * * ? *)"),
        ("cron(60 4 * * ? *)", "has no minute that the service knows", "60"),
        ("cron(0 24 * * ? *)", "has no hour that the service knows", "24"),
        ("cron(0 4 0 * ? *)", "has no day of the month that the service knows", "0"),
        ("cron(0 4 * 13 ? *)", "has no month that the service knows", "13"),
        ("cron(0 4 ? * sonntag *)", "has no day of the week that the service knows", "sonntag"),
        ("cron(0 4 * * ? 1969)", "has no year that the service knows", "1969"),
        ("cron(0/0 4 * * ? *)", "has no minute that the service knows", "0/0"),
        ("cron(? 4 * * ? *)", "has no minute that the service knows", "?"),
        ("cron(0 4 ? * fri#6 *)", "has no day of the week that the service knows", "fri#6"),
        ("cron(0 4 * * * *)", "does not leave exactly one of the two days open", "cron(0 4 * * * *)"),
        ("cron(0 4 ? * ? *)", "does not leave exactly one of the two days open", "cron(0 4 ? * ? *)"),
    ],
)
def test_what_the_service_does_not_read_is_refused(expression: str, problem: str, got: str) -> None:
    (found,) = schedule_expression(expression)

    assert (found.problem, found.got) == (problem, got)


@pytest.mark.parametrize("hour", range(24))
def test_daily_and_weekly_make_expressions_that_the_service_reads(hour: int) -> None:
    assert schedule_expression(BuildSchedule.daily(hour=hour).expression) == ()
    assert schedule_expression(BuildSchedule.weekly(weekday="mon", hour=hour).expression) == ()


@pytest.mark.parametrize(("name", "faults"), [("Etc/UTC", 0), ("America/New_York", 0), ("Berlin time", 1), ("X", 1)])
def test_time_zones_have_iana_names(name: str, faults: int) -> None:
    assert len(time_zone(name)) == faults


@pytest.mark.parametrize(
    ("name", "architecture"),
    [
        ("t3.medium", Architecture.X86_64),
        ("t4g.small", Architecture.ARM64),
        ("m7gd.16xlarge", Architecture.ARM64),
        ("c6gn.large", Architecture.ARM64),
        ("x2gd.metal", Architecture.ARM64),
        ("im4gn.large", Architecture.ARM64),
        ("is4gen.large", Architecture.ARM64),
        ("g5g.xlarge", Architecture.ARM64),
        ("a1.large", Architecture.ARM64),
        ("p6e-gb200.36xlarge", Architecture.ARM64),
        ("g5.xlarge", Architecture.X86_64),
        ("g4dn.xlarge", Architecture.X86_64),
        ("gr6.4xlarge", Architecture.X86_64),
        ("c7i-flex.large", Architecture.X86_64),
        ("p6-b200.48xlarge", Architecture.X86_64),
        ("u-6tb1.metal", None),
        ("mac2.metal", None),
        ("nonsense", None),
    ],
)
def test_the_name_of_an_instance_type_tells_its_processor(name: str, architecture: Architecture | None) -> None:
    assert architecture_of(name) == architecture


def test_an_instance_type_whose_name_tells_nothing_is_let_through() -> None:
    assert instance_architecture("u-6tb1.metal", Architecture.ARM64) == ()


def test_only_builds_in_deployments_have_a_fingerprint() -> None:
    destinations = [("us-east-1", ())]

    assert BuildTrigger.manual().fingerprint(destinations) is None
    assert BuildTrigger.schedule(BuildSchedule.daily()).fingerprint(destinations) is None
    assert BuildTrigger.on_change().fingerprint(destinations) is not None


def test_the_fingerprint_changes_with_what_it_stands_for_and_with_nothing_else() -> None:
    plain = BuildTrigger.on_change().fingerprint([("us-east-1", ()), ("eu-west-1", ())])

    assert BuildTrigger.on_change().fingerprint([("eu-west-1", ()), ("us-east-1", ())]) == plain
    assert BuildTrigger.on_change().fingerprint([("us-east-1", ())]) != plain
    assert BuildTrigger.on_change().fingerprint([("us-east-1", ("1",)), ("eu-west-1", ())]) != plain
    assert BuildTrigger.on_change(also=["1"]).fingerprint([("us-east-1", ()), ("eu-west-1", ())]) != plain
    assert (
        BuildTrigger.on_change(schedule=BuildSchedule.daily()).fingerprint([("us-east-1", ()), ("eu-west-1", ())])
        == plain
    )
