"""Whether the source of a recipe can be launched: it is there, and a product of the Marketplace is subscribed to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from cdk_ami.runtime.preflight.model import Check, Finding, NotSeenError, Status, call

if TYPE_CHECKING:
    from cdk_ami.runtime.preflight.accounts import Accounts
    from cdk_ami.runtime.preflight.needs import ParentNeed

_PARAMETER: Final = re.compile(r"ssm:(?P<name>/.+)")
_AMI: Final = re.compile(r"ami-[0-9a-f]{8,17}")
_ARCHITECTURES: Final = {"arm64": "t4g.micro", "x86_64": "t3.micro", "x86_64_mac": "mac2.metal"}
_MAY: Final = "DryRunOperation"
_NOT_SUBSCRIBED: Final = "OptInRequired"


def _look(need: ParentNeed, accounts: Accounts) -> Iterator[Finding]:
    parameter = _PARAMETER.fullmatch(need.parent)
    if parameter is not None:
        ssm = accounts.client("ssm", need.account, need.region)
        found = ssm.get_parameters(Names=[parameter["name"]])["Parameters"]
        if not found:
            yield _finding(need, Status.FAIL, "the parameter does not exist", "name a parameter of the build's Region")
            return
        ami = found[0]["Value"]
    elif _AMI.fullmatch(need.parent):
        ami = need.parent
    elif need.parent.startswith("prod-"):
        raise NotSeenError("a product without a version names no AMI to try", fix="name the version of the product")
    else:
        yield _finding(need, Status.OK, "is an image of Image Builder, which needs no subscription")
        return
    yield from _tried(need, accounts.client("ec2", need.account, need.region), ami)


def _tried(need: ParentNeed, ec2: Any, ami: str) -> Iterator[Finding]:
    found = ec2.describe_images(Filters=[{"Name": "image-id", "Values": [ami]}], IncludeDeprecated=True)["Images"]
    if not found:
        yield _finding(need, Status.FAIL, f"{ami} does not exist there, or is not shared", "name another source")
        return
    codes = [
        one["ProductCodeId"] for one in found[0].get("ProductCodes", ()) if one["ProductCodeType"] == "marketplace"
    ]
    if not codes:
        yield _finding(need, Status.OK, f"{ami} is no product of the Marketplace")
        return
    code = _dry_run(ec2, ami, found[0]["Architecture"])
    if code == _MAY:
        yield _finding(need, Status.OK, f"{ami} is subscribed to")
        return
    yield _finding(
        need,
        Status.FAIL,
        f"{ami} is a product of the Marketplace that the account has not subscribed to",
        f"subscribe to it and accept its terms: https://aws.amazon.com/marketplace/pp?sku={codes[0]}",
    )


def _dry_run(ec2: Any, ami: str, architecture: str) -> str:
    try:
        ec2.run_instances(
            ImageId=ami, InstanceType=_ARCHITECTURES.get(architecture, "t3.micro"), MinCount=1, MaxCount=1, DryRun=True
        )
    except ClientError as error:
        code = str(error.response["Error"]["Code"])
        if code in {_MAY, _NOT_SUBSCRIBED}:
            return code
        raise
    raise AssertionError("a dry run never succeeds")


def _finding(need: ParentNeed, status: Status, message: str, fix: str = "") -> Finding:
    return Finding(
        check="marketplace",
        account=need.account,
        region=need.region,
        subject=need.parent,
        status=status,
        message=message,
        fix=fix,
    )


CHECK: Final = Check(
    name="marketplace",
    about="The source of each recipe exists, and a product of the Marketplace is subscribed to.",
    source="https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html",
    calls=(
        call("ssm:GetParameters", "where a parameter names the source"),
        call("ec2:DescribeImages"),
        call("ec2:RunInstances", "as a dry run, which starts nothing; for products of the Marketplace only"),
    ),
    needs=lambda needs: needs.parents,
    look=_look,
)
