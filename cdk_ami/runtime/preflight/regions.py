"""Whether every Region is switched on in its account."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from cdk_ami.runtime.preflight.model import Check, Finding, Status, call

if TYPE_CHECKING:
    from cdk_ami.runtime.preflight.accounts import Accounts
    from cdk_ami.runtime.preflight.needs import RegionNeed

_USABLE: Final = frozenset({"opt-in-not-required", "opted-in"})


def _look(need: RegionNeed, accounts: Accounts) -> Iterator[Finding]:
    # Asked of a Region that every account has: one that is off answers nothing.
    ec2 = accounts.client("ec2", need.account, "")
    found = ec2.describe_regions(AllRegions=True)["Regions"]
    state = next((one["OptInStatus"] for one in found if one["RegionName"] == need.region), "")
    usable = state in _USABLE
    yield Finding(
        check="regions",
        account=need.account,
        region=need.region,
        subject=need.region,
        status=Status.OK if usable else Status.FAIL,
        message="is on" if usable else f"is {state or 'unknown to the account'}",
        fix="" if usable else f"aws account enable-region --region-name {need.region}, and wait until it is on",
    )


CHECK: Final = Check(
    name="regions",
    about="Each Region that is deployed or copied to is switched on in the account.",
    source="https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-regions.html",
    calls=(call("ec2:DescribeRegions"),),
    needs=lambda needs: needs.regions,
    look=_look,
)
