"""Rules over single servers in zones: what they keep, and their addresses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import AddressValueError, IPv4Address
from typing import Final

from cdk_ami.checks.rule import Problem, is_token, rule

_CFN: Final = "https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/"


@rule(
    "KeptByReplacement",
    source="https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-update-behaviors.html",
)
def kept(what: str, *, replaces_instances: bool) -> Iterator[Problem]:
    """A volume or an address cannot move to a new instance that starts before the old one is gone."""
    if replaces_instances:
        yield Problem(
            problem="cannot move to a new instance, which starts before the old one is gone",
            got=what,
            fix="set replacement=Replacement.ROOT_VOLUME, which keeps the instance",
        )


@rule("RootVolumeImage", source="https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/replace-root.html")
def root_volume_image(*, at_launch: bool) -> Iterator[Problem]:
    """A root volume is replaced by that of an AMI which the deployment knows."""
    if at_launch:
        yield Problem(
            problem="is read at launch, and instances that are kept are launched once",
            got="at-launch",
            fix="use machine_image() read at deploy, or pinned()",
        )


@rule("PrivateAddress", source=f"{_CFN}aws-resource-ec2-instance.html")
def private_addresses(addresses: Mapping[str, Sequence[str]], zones: Sequence[str], each: int) -> Iterator[Problem]:
    """Each zone that has fixed addresses has one for each instance, and no two instances share one."""
    seen: set[str] = set()
    for zone, given in addresses.items():
        at = f"[{zone!r}]"
        if zone not in zones:
            yield Problem(problem="is a zone without instances", got=zone, fix="name one of the zones", at=at)
        elif len(given) != each:
            yield Problem(problem=f"has not {each} addresses", got=list(given), fix="give one for each instance", at=at)
        for index, address in enumerate(given):
            if not is_token(address) and not _is_address(address):
                fix = "give one of the subnet, such as '10.0.1.10'"
                yield Problem(problem="is no private IPv4 address", got=address, fix=fix, at=f"{at}[{index}]")
            elif address in seen:
                yield Problem(problem="is given twice", got=address, fix="give another", at=f"{at}[{index}]")
            seen.add(address)


def _is_address(text: str) -> bool:
    try:
        return not IPv4Address(text).is_multicast
    except AddressValueError:
        return False


FAST_RESTORE_HOURS: Final = (1, 168)
"""How long fast restore may stay on: an hour is what AWS charges at least, and a week costs 126 USD for each zone.
https://aws.amazon.com/ebs/pricing/, read 2026-11-28"""


@rule("FastRestoreHours", source="https://docs.aws.amazon.com/ebs/latest/userguide/ebs-fast-snapshot-restore.html")
def fast_restore_hours(hours: int) -> Iterator[Problem]:
    """Fast restore stays on for an hour, which is charged at least, to a week."""
    low, high = FAST_RESTORE_HOURS
    if isinstance(hours, bool) or not isinstance(hours, int) or not low <= hours <= high:
        yield Problem(problem="is out of range", got=hours, fix=f"give {low} to {high} hours")
