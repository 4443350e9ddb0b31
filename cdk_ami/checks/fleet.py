"""Rules over fleets: zones, sizes, replacement, user data."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from cdk_ami.checks.rule import Problem, is_token, rule
from cdk_ami.limits import (
    HEALTHY_PERCENT_MAX,
    HEALTHY_PERCENT_MIN,
    HEALTHY_PERCENT_SPAN,
    LOG_GROUP,
    USER_DATA_MAX_BYTES,
)

_ASG: Final = "https://docs.aws.amazon.com/autoscaling/ec2/APIReference/"
_ZONES: Final = "https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-availability-zones.html"
# A zone's name is its Region's with a letter, and a local or Wavelength zone has a group's name between the two.
_ZONE: Final = r"(?P<region>[a-z]{2,4}(?:-[a-z]+)+-[0-9]+)(?P<place>[a-z]|-[a-z0-9-]+)"
_ZONE_ID: Final = r"[a-z]{3,5}[0-9]-az[0-9]+"


@rule("Zones", source=_ZONES)
def zones(names: Sequence[str]) -> Iterator[Problem]:
    """A list of zones is not empty and names each zone once."""
    if not names:
        yield Problem(
            problem="is empty", got=list(names), fix="name at least one zone, or leave it out for all of the VPC's"
        )
    for index, name in enumerate(names):
        if name in names[:index]:
            yield Problem(problem="names a zone twice", got=name, fix="drop one of the two", at=f"[{index}]")


@rule("ZoneName", source=_ZONES)
def zone_name(name: str) -> Iterator[Problem]:
    """A zone is named by its Region and a letter."""
    if re.fullmatch(_ZONE_ID, name):
        yield Problem(
            problem="is the id of a zone, not its name",
            got=name,
            fix="give the name that your account has for it, such as 'us-east-1a'",
        )
    elif not re.fullmatch(_ZONE, name):
        yield Problem(problem="is no Availability Zone", got=name, fix="give a name such as 'us-east-1a'")


@rule("ZoneRegion", source=_ZONES)
def zone_region(name: str, region: str) -> Iterator[Problem]:
    """A zone lies in the stack's Region."""
    found = re.fullmatch(_ZONE, name)
    if found and found["region"] != region:
        yield Problem(
            problem=f"is not a zone of {region}, the Region of the stack",
            got=name,
            fix=f"name a zone of {region}, or move the stack to {found['region']}",
        )


@rule("ZoneInVpc", source="https://docs.aws.amazon.com/vpc/latest/userguide/configure-subnets.html")
def zones_in_vpc(names: Sequence[str], available: Sequence[str]) -> Iterator[Problem]:
    """Each chosen zone has a subnet among those selected."""
    for index, name in enumerate(names):
        if name not in available:
            known = ", ".join(dict.fromkeys(available)) or "none"
            yield Problem(
                problem="has no subnet among those selected in the VPC",
                got=name,
                fix=f"choose from {known}, or add a subnet there",
                at=f"[{index}]",
            )


@rule("ZonesUnknown", source="https://docs.aws.amazon.com/cdk/v2/guide/environments.html")
def zones_can_be_found(*, chosen: bool, known: bool) -> Iterator[Problem]:
    """Chosen zones are found only in a VPC whose zones are known at synthesis."""
    if chosen and not known:
        yield Problem(
            problem="names zones, and the VPC's zones are known only to the deployment",
            got="zones",
            fix="give the stack an account and Region, give the VPC availability_zones, or leave zones out",
        )


@rule("GroupSize", source=f"{_ASG}API_CreateAutoScalingGroup.html")
def group_size(value: int) -> Iterator[Problem]:
    """A size of a group is a whole number that is not negative."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        yield Problem(problem="is no number of instances", got=value, fix="give a whole number, 0 or more")


@rule("GroupSizes", source=f"{_ASG}API_CreateAutoScalingGroup.html")
def group_sizes(smallest: int, desired: int, largest: int) -> Iterator[Problem]:
    """The desired size lies between the smallest and the largest."""
    if smallest > largest:
        fix = "lower min_size or raise max_size"
        yield Problem(problem=f"is more than max_size, which is {largest}", got=smallest, fix=fix, at="min_size")
    elif not smallest <= desired <= largest:
        yield Problem(
            problem=f"is outside min_size and max_size, which are {smallest} and {largest}",
            got=desired,
            fix="choose a size between them, or widen them",
            at="desired_size",
        )


@rule("InstancesPerZone", source="https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html")
def instances_per_zone(value: int) -> Iterator[Problem]:
    """Each zone gets at least one instance."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        yield Problem(problem="is no number of instances for a zone", got=value, fix="give a whole number, 1 or more")


@rule("HealthyPercent", source=f"{_ASG}API_InstanceMaintenancePolicy.html")
def healthy_percent(least: int, most: int) -> Iterator[Problem]:
    """Replacement keeps 0 to 100 and at most 100 to 200 percent of a group, the two no more than 100 apart."""
    if not HEALTHY_PERCENT_MIN[0] <= least <= HEALTHY_PERCENT_MIN[1]:
        yield Problem(problem="is out of range", got=least, fix="give 0 to 100", at="min_healthy_percent")
    elif not HEALTHY_PERCENT_MAX[0] <= most <= HEALTHY_PERCENT_MAX[1]:
        yield Problem(problem="is out of range", got=most, fix="give 100 to 200", at="max_healthy_percent")
    elif most - least > HEALTHY_PERCENT_SPAN:
        yield Problem(
            problem=f"is more than {HEALTHY_PERCENT_SPAN} above min_healthy_percent",
            got=(least, most),
            fix=f"keep the two within {HEALTHY_PERCENT_SPAN}",
            at="max_healthy_percent",
        )
    elif least == most == HEALTHY_PERCENT_MIN[1]:
        yield Problem(
            problem="lets no instance go before another comes, nor come before another goes",
            got=(least, most),
            fix="raise max_healthy_percent to launch first, or lower min_healthy_percent to terminate first",
            at="max_healthy_percent",
        )


@rule("UserDataSize", source="https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-add-user-data.html")
def user_data_size(text: str) -> Iterator[Problem]:
    """User data has at most 16 KiB."""
    size = len(text.encode())
    if size > USER_DATA_MAX_BYTES:
        yield Problem(
            problem=f"has {size:,} bytes",
            got=f"{text[:30]}...",
            fix=f"keep it within {USER_DATA_MAX_BYTES:,}: bake the rest into the image",
        )


def all_known(values: Sequence[str]) -> bool:
    """Tell whether none of ``values`` waits for the deployment."""
    return not any(is_token(value) for value in values)


@rule(
    "AgentLogPrefix",
    source="https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html",
)
def agent_log_prefix(prefix: str) -> Iterator[Problem]:
    """The beginning of a log group's name is of letters, digits and a few signs, and no wildcard stands in it."""
    if not re.fullmatch(LOG_GROUP, prefix):
        yield Problem(
            problem="is not how the name of a log group begins",
            got=prefix,
            fix="use 1 to 512 letters, digits and -_/. only, such as '/golden-image/'",
        )
