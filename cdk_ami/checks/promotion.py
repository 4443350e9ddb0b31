"""Rules over promotions: channels, waves, gates, times."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from cdk_ami.checks.rule import Problem, is_token, rule
from cdk_ami.limits import (
    ALARMS_PER_CALL,
    APPROVAL_SECONDS_MAX,
    APPROVAL_SECONDS_MIN,
    BAKE_SECONDS_MAX,
    CHANNEL_NAME,
    PARAMETER_ADVANCED_BYTES,
    PATIENCE_SECONDS_MAX,
    PATIENCE_SECONDS_MIN,
    ROLE_ARN,
    SCAN_SEVERITIES,
)

_SSM: Final = "https://docs.aws.amazon.com/systems-manager/latest/APIReference/"
_SFN: Final = "https://docs.aws.amazon.com/step-functions/latest/dg/"
_JOURNAL_ROOM: Final = 1024
"""What the record of a lock holds besides its journal: owner, reason, times."""


@rule("PromotionChannels", source=f"{_SSM}API_PutParameter.html")
def channels_differ(from_channel: str, to_channel: str) -> Iterator[Problem]:
    """A promotion moves another channel than the one its builds come from."""
    if to_channel == from_channel:
        yield Problem(
            problem="is the channel that the builds come from", got=to_channel, fix="name another one, such as 'stable'"
        )


@rule(
    "PromotionEntry",
    source="https://docs.aws.amazon.com/imagebuilder/latest/APIReference/API_SsmParameterConfiguration.html",
)
def not_the_entry(to_channel: str, from_channel: str, entry: str) -> Iterator[Problem]:
    """A promotion never moves the channel that every build moves."""
    if to_channel == entry != from_channel:
        yield Problem(
            problem="is the entry channel, which every build moves",
            got=to_channel,
            fix="name another one, such as 'stable'",
        )


@rule("PromotionWaves", source=f"{_SFN}state-map-inline.html")
def waves_present(count: int) -> Iterator[Problem]:
    """A promotion moves at least one place."""
    if not count:
        yield Problem(problem="is empty", got=[], fix="name at least one wave with one Region")


@rule("PromotionWave", source=f"{_SFN}state-map-inline.html")
def wave_regions(regions: Sequence[str]) -> Iterator[Problem]:
    """A wave has at least one Region."""
    if not regions:
        yield Problem(problem="is empty", got=[], fix="name at least one Region, or drop the wave")


@rule("PromotionPlaceOnce", source=f"{_SSM}API_PutParameter.html")
def place_once(place: tuple[str, str], earlier: Sequence[tuple[str, str]]) -> Iterator[Problem]:
    """A place is moved in one wave."""
    region, account = place
    if place in earlier:
        of = f" of the account {account}" if account else ""
        yield Problem(problem=f"is moved by a wave before already{of}", got=region, fix="drop one of the two")


@rule("FleetName", source=f"{_SSM}API_PutParameter.html")
def fleet_names(fleets: Sequence[str]) -> Iterator[Problem]:
    """A fleet is named by the last part of its rollout's parameter, each once."""
    for index, fleet in enumerate(fleets):
        if is_token(fleet):
            continue
        if not re.fullmatch(CHANNEL_NAME, fleet):
            yield Problem(
                problem="is no name of a rollout",
                got=fleet,
                fix="give the name of the fleet's rollout, such as 'web'",
                at=f"[{index}]",
            )
        elif fleet in fleets[:index]:
            yield Problem(problem="names a fleet twice", got=fleet, fix="drop one of the two", at=f"[{index}]")


@rule(
    "WatchedAlarms", source="https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html"
)
def alarm_names(alarms: Sequence[str]) -> Iterator[Problem]:
    """A look asks for at most 100 alarms, each named once."""
    if len(alarms) > ALARMS_PER_CALL:
        yield Problem(
            problem=f"names {len(alarms)} alarms",
            got=len(alarms),
            fix=f"keep at most {ALARMS_PER_CALL}: join them in a composite alarm",
        )
    for index, alarm in enumerate(alarms):
        if alarm in alarms[:index]:
            yield Problem(problem="names an alarm twice", got=alarm, fix="drop one of the two", at=f"[{index}]")


@rule("BakeTime", source=f"{_SFN}service-quotas.html")
def bake_seconds(seconds: float) -> Iterator[Problem]:
    """A wave bakes for at most seven days."""
    if not 0 <= seconds <= BAKE_SECONDS_MAX:
        yield Problem(problem="is out of range", got=f"{seconds:g} s", fix="use 0 seconds to 7 days")


@rule("PromotionPatience", source=f"{_SFN}service-quotas.html")
def patience_seconds(seconds: float) -> Iterator[Problem]:
    """What is waited for has between a minute and seven days."""
    if not PATIENCE_SECONDS_MIN <= seconds <= PATIENCE_SECONDS_MAX:
        yield Problem(problem="is out of range", got=f"{seconds:g} s", fix="use 1 minute to 7 days")


@rule("ApprovalExpiry", source=f"{_SFN}connect-to-resource.html")
def approval_seconds(seconds: float) -> Iterator[Problem]:
    """An approval expires after between five minutes and thirty days."""
    if not APPROVAL_SECONDS_MIN <= seconds <= APPROVAL_SECONDS_MAX:
        yield Problem(
            problem="is out of range",
            got=f"{seconds:g} s",
            fix="use 5 minutes, so that people can answer, to 30 days, so that a question does not outlive its build",
        )


@rule("ScanSeverity", source="https://docs.aws.amazon.com/imagebuilder/latest/APIReference/API_SeverityCounts.html")
def scan_severity(severity: str) -> Iterator[Problem]:
    """A scan counts findings by three severities, and all of them."""
    if severity not in SCAN_SEVERITIES:
        yield Problem(
            problem="is no severity that Image Builder counts",
            got=severity,
            fix=f"use one of {', '.join(SCAN_SEVERITIES)}",
        )


@rule("RoleOfAccount", source="https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html")
def role_of_account(arn: str, account: str) -> Iterator[Problem]:
    """The role that moves an account's channels is a role of that account."""
    if is_token(arn):
        return
    found = re.fullmatch(ROLE_ARN, arn)
    if found is None:
        yield Problem(
            problem="is no ARN of a role", got=arn, fix=f"give one such as arn:aws:iam::{account}:role/promote"
        )
    elif found["account"] != account:
        yield Problem(problem=f"is a role of another account than {account}", got=arn, fix=f"name a role of {account}")


@rule("PromotionJournal", source="https://docs.aws.amazon.com/general/latest/gr/ssm.html")
def journal_fits(journal: Sequence[Mapping[str, Any]]) -> Iterator[Problem]:
    """What a promotion moves is written down in one parameter first."""
    size = len(json.dumps(journal, separators=(",", ":")).encode()) + _JOURNAL_ROOM
    if size > PARAMETER_ADVANCED_BYTES:
        yield Problem(
            problem=f"move {len(journal)} places, whose journal of {size} bytes is longer than a parameter",
            got=len(journal),
            fix="use shorter names of roles, or one promotion for each group of accounts",
        )
