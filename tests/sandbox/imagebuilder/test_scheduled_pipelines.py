"""Schedules: when they fall due, and pipelines that run by them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdk_ami.sandbox.imagebuilder.schedules import next_after

if TYPE_CHECKING:
    from tests.sandbox.imagebuilder.conftest import Account

START = datetime(2026, 3, 27, 12, 0, tzinfo=UTC)
"""A Friday; two days later Berlin changes to summer time."""


def due(expression: str, zone: str = "Etc/UTC", count: int = 1) -> list[str]:
    found, after = [], START
    for _ in range(count):
        moment = next_after(expression, zone, after, anchor=START)
        assert moment is not None
        found.append(f"{moment:%a %Y-%m-%d %H:%M}")
        after = moment
    return found


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("cron(0 4 * * ? *)", ["Sat 2026-03-28 04:00", "Sun 2026-03-29 04:00"]),
        ("cron(0 0 ? * sun *)", ["Sun 2026-03-29 00:00", "Sun 2026-04-05 00:00"]),
        ("cron(30 */8 ? * mon-fri *)", ["Fri 2026-03-27 16:30", "Mon 2026-03-30 00:30"]),
        ("cron(0 12 L * ? *)", ["Tue 2026-03-31 12:00", "Thu 2026-04-30 12:00"]),
        ("cron(0 12 1W * ? *)", ["Wed 2026-04-01 12:00", "Fri 2026-05-01 12:00"]),
        ("cron(0 12 ? * 3#2 *)", ["Tue 2026-04-14 12:00", "Tue 2026-05-12 12:00"]),
        ("cron(0 12 ? * 6L *)", ["Fri 2026-04-24 12:00", "Fri 2026-05-29 12:00"]),
        ("cron(15,45 12 27 mar ? *)", ["Fri 2026-03-27 12:15", "Fri 2026-03-27 12:45"]),
        ("cron(0 0 29 feb ? *)", ["Tue 2028-02-29 00:00", "Sun 2032-02-29 00:00"]),
        ("cron(0 0 1 1 ? 2030)", ["Tue 2030-01-01 00:00"]),
        ("cron(0 22-2/2 * * ? *)", ["Fri 2026-03-27 22:00", "Sat 2026-03-28 00:00"]),
        ("rate(1 day)", ["Sat 2026-03-28 12:00", "Sun 2026-03-29 12:00"]),
        ("rate(90 minutes)", ["Fri 2026-03-27 13:30", "Fri 2026-03-27 15:00"]),
    ],
)
def test_a_schedule_falls_due_when_it_says(expression: str, expected: list[str]) -> None:
    assert due(expression, count=len(expected)) == expected


def test_a_schedule_is_read_in_its_time_zone_and_an_hour_that_does_not_come_is_left_out() -> None:
    assert due("cron(0 4 * * ? *)", "Europe/Berlin", 3) == [
        "Sat 2026-03-28 03:00",
        "Sun 2026-03-29 02:00",
        "Mon 2026-03-30 02:00",
    ]
    assert due("cron(30 2 * * ? *)", "Europe/Berlin", 2) == ["Sat 2026-03-28 01:30", "Mon 2026-03-30 00:30"]


def test_a_schedule_whose_years_have_passed_never_falls_due() -> None:
    assert next_after("cron(0 0 * * ? 2025)", "Etc/UTC", START, anchor=START) is None


@given(st.integers(min_value=0, max_value=59), st.integers(min_value=0, max_value=23), st.integers(1, 100_000))
def test_what_falls_due_is_always_later_and_matches(minute: int, hour: int, ahead: int) -> None:
    after = START + timedelta(minutes=ahead)

    moment = next_after(f"cron({minute} {hour} * * ? *)", "Etc/UTC", after, anchor=START)

    assert moment is not None
    assert after < moment <= after + timedelta(days=1)
    assert (moment.minute, moment.hour) == (minute, hour)


def scheduled(account: Account, recipe: str, **schedule: Any) -> str:
    return account.pipeline(
        recipe,
        account.infrastructure(),
        schedule={"scheduleExpression": "rate(1 day)", **schedule},
        imageTestsConfiguration={"imageTestsEnabled": False},
        imageTags={"by": "schedule"},
    )


def shown(account: Account, pipeline: str) -> dict[str, Any]:
    found: dict[str, Any] = account.builder.get_image_pipeline(imagePipelineArn=pipeline)["imagePipeline"]
    return found


def images(account: Account, pipeline: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = account.builder.list_image_pipeline_images(imagePipelineArn=pipeline)[
        "imageSummaryList"
    ]
    return found


DAY = 86_400


def test_a_week_runs_exactly_the_builds_that_are_due(account: Account) -> None:
    pipeline = scheduled(account, account.recipe(), pipelineExecutionStartCondition="EXPRESSION_MATCH_ONLY")
    before = shown(account, pipeline)

    account.ask("clock", advance=7 * DAY + 60)

    made = images(account, pipeline)
    assert [image["version"] for image in made] == [f"1.0.0/{number}" for number in range(7, 0, -1)]
    assert {image["state"]["status"] for image in made} == {"AVAILABLE"}
    assert {image["buildType"] for image in made} == {"SCHEDULED"}
    assert {image["tags"]["by"] for image in made} == {"schedule"}
    after = shown(account, pipeline)
    first, eighth = (datetime.fromisoformat(one["dateNextRun"]) for one in (before, after))
    assert eighth - first == timedelta(days=7)
    last = datetime.fromisoformat(after["dateLastRun"])
    assert timedelta(0) <= first + timedelta(days=6) - last + timedelta(minutes=5) < timedelta(minutes=10)
    assert after["lastRunStatus"] == "AVAILABLE"


def test_a_pipeline_that_waits_for_updates_builds_when_something_is_new(account: Account) -> None:
    ssm, ec2 = account.aws("ssm"), account.aws("ec2")
    public = ssm.get_parameter(Name="/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64")
    other = ssm.get_parameter(Name="/aws/service/ami-amazon-linux-latest/amzn2-ami-hvm-x86_64-gp2")
    ssm.put_parameter(Name="/base", Value=public["Parameter"]["Value"], Type="String")
    account.component(version="1.0.0")
    newest = "arn:aws:imagebuilder:us-east-1:123456789012:component/apache/x.x.x"
    pipeline = scheduled(account, account.recipe(parent="ssm:/base", components=[{"componentArn": newest}]))

    counts = []
    account.ask("clock", advance=2 * DAY)  # the first build, and a day on which nothing is new
    counts.append(len(images(account, pipeline)))
    account.component(version="1.1.0")
    account.ask("clock", advance=2 * DAY)
    counts.append(len(images(account, pipeline)))
    ssm.put_parameter(Name="/base", Value=other["Parameter"]["Value"], Type="String", Overwrite=True)
    account.ask("clock", advance=2 * DAY)
    counts.append(len(images(account, pipeline)))

    assert counts == [1, 2, 3]
    newest_image = account.builder.get_image(imageBuildVersionArn=images(account, pipeline)[0]["arn"])["image"]
    captured = newest_image["outputResources"]["amis"][0]["image"]
    described = ec2.describe_images(ImageIds=[captured])["Images"][0]
    assert described["SourceImageId"] == other["Parameter"]["Value"]


@pytest.mark.parametrize(("policy", "failures"), [({"autoDisablePolicy": {"failureCount": 2}}, 2), ({}, 5)])
def test_a_pipeline_whose_scheduled_builds_keep_failing_is_disabled(
    account: Account, policy: dict[str, Any], failures: int
) -> None:
    taken = account.events("Image Pipeline Automatically Disabled")
    pipeline = scheduled(account, account.recipe(parent="ssm:/none"), **policy)
    account.run(pipeline)
    by_hand = shown(account, pipeline)["consecutiveFailures"]

    account.ask("clock", advance=10 * DAY)

    after = shown(account, pipeline)
    assert (by_hand, after["consecutiveFailures"], after["status"]) == (0, failures, "DISABLED")
    assert "dateNextRun" not in after
    assert len(images(account, pipeline)) == failures + 1
    [event] = taken()
    assert event["resources"] == [pipeline]
    assert event["detail"] == {"consecutive-failures": str(failures)}


def test_a_success_and_an_update_end_the_count_of_failures(account: Account) -> None:
    ssm = account.aws("ssm")
    recipe = account.recipe(parent="ssm:/base")
    pipeline = scheduled(account, recipe, autoDisablePolicy={"failureCount": 3})
    infrastructure = shown(account, pipeline)["infrastructureConfigurationArn"]

    account.ask("clock", advance=DAY + 60)
    failed = shown(account, pipeline)["consecutiveFailures"]
    account.builder.update_image_pipeline(
        imagePipelineArn=pipeline,
        imageRecipeArn=recipe,
        infrastructureConfigurationArn=infrastructure,
        schedule={"scheduleExpression": "rate(1 day)"},
        imageTestsConfiguration={"imageTestsEnabled": False},
    )
    updated = shown(account, pipeline)["consecutiveFailures"]
    account.ask("clock", advance=DAY + 60)
    again = shown(account, pipeline)["consecutiveFailures"]
    public = ssm.get_parameter(Name="/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64")
    ssm.put_parameter(Name="/base", Value=public["Parameter"]["Value"], Type="String")
    account.run(pipeline)

    assert (failed, updated, again, shown(account, pipeline)["consecutiveFailures"]) == (1, 0, 1, 0)


def test_a_disabled_or_deleted_pipeline_does_not_run_and_an_enabled_one_does_again(account: Account) -> None:
    recipe, infrastructure = account.recipe(), account.infrastructure()
    quiet: dict[str, Any] = {"imageTestsConfiguration": {"imageTestsEnabled": False}}
    schedule = {"scheduleExpression": "rate(1 day)"}
    pipeline = account.pipeline(recipe, infrastructure, schedule=schedule, status="DISABLED", **quiet)
    gone = account.pipeline(recipe, infrastructure, name="gone", schedule=schedule, **quiet)
    account.builder.delete_image_pipeline(imagePipelineArn=gone)

    account.ask("clock", advance=2 * DAY)
    before = account.builder.list_images()["imageVersionList"]
    account.builder.update_image_pipeline(
        imagePipelineArn=pipeline,
        imageRecipeArn=recipe,
        infrastructureConfigurationArn=infrastructure,
        schedule=schedule,
        status="ENABLED",
        **quiet,
    )
    account.ask("clock", advance=DAY + 60)

    assert before == []
    assert len(images(account, pipeline)) == 1


def test_a_build_that_waits_for_somebody_does_not_hold_the_clock(account: Account) -> None:
    gate = "schemaVersion: 1.0\nsteps:\n  - {name: Gate, action: WaitForAction}\n"
    arn = account.builder.create_workflow(name="gate", semanticVersion="1.0.0", type="BUILD", data=gate)
    pipeline = account.pipeline(
        account.recipe(),
        account.infrastructure(),
        executionRole="builder",
        workflows=[{"workflowArn": arn["workflowBuildVersionArn"]}],
        schedule={"scheduleExpression": "rate(1 day)"},
    )

    account.ask("clock", advance=DAY + 60)

    [image] = images(account, pipeline)
    assert image["state"]["status"] == "BUILDING"
    account.builder.cancel_image_creation(imageBuildVersionArn=image["arn"])
    assert account.ended(image["arn"])["state"]["status"] == "CANCELLED"
    assert account.builder.list_waiting_workflow_steps()["steps"] == []
