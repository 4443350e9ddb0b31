"""Whether the channels that fleets read exist, and hold an AMI that is there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from cdk_ami.runtime.preflight.model import Check, Finding, Status, call

if TYPE_CHECKING:
    from cdk_ami.runtime.preflight.accounts import Accounts
    from cdk_ami.runtime.preflight.needs import ChannelNeed


def _look(need: ChannelNeed, accounts: Accounts) -> Iterator[Finding]:
    found = accounts.client("ssm", need.account, need.region).get_parameters(Names=[need.name])["Parameters"]
    if not found:
        yield _absent(need)
        return
    ami = found[0]["Value"]
    images = accounts.client("ec2", need.account, need.region).describe_images(
        Filters=[{"Name": "image-id", "Values": [ami]}]
    )["Images"]
    state = images[0]["State"] if images else "gone, or not shared with this account"
    well = state == "available"
    yield _finding(
        need,
        Status.OK if well else Status.FAIL,
        f"holds {ami}, which is {state}",
        "" if well else "move the channel to an AMI that can be launched: build the image, or cdk-ami channels show",
    )


def _absent(need: ChannelNeed) -> Finding:
    consequence = (
        "no instance will start, and a group tries again without end" if need.at_launch else "the deployment will stop"
    )
    if need.built:
        return _finding(need, Status.OK, f"does not exist yet; the stack {need.writer} builds the image before", "")
    if need.name.startswith("arn:"):
        owner = need.name.split(":")[4]
        return _finding(
            need,
            Status.FAIL,
            f"cannot be read: it does not exist, or is not shared; {consequence}",
            f"deploy a SharedChannel in the account {owner}",
        )
    image, _, channel = need.name.removeprefix("/imagebuilder/").rpartition("/")
    build = f"start the pipeline of the stack {need.writer}" if need.writer else "build the image"
    seed = f"run cdk-ami channels seed {image} {channel} --region {need.region}"
    return _finding(need, Status.FAIL, f"does not exist; {consequence}", f"{build}, or {seed}")


def _finding(need: ChannelNeed, status: Status, message: str, fix: str) -> Finding:
    return Finding(
        check="channels",
        account=need.account,
        region=need.region,
        subject=need.subject,
        status=status,
        message=message,
        fix=fix,
    )


CHECK: Final = Check(
    name="channels",
    about="Each channel that a stack reads exists, or is built before; its AMI can be launched.",
    source="https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/systems-manager-parameter-types.html",
    calls=(call("ssm:GetParameters"), call("ec2:DescribeImages")),
    needs=lambda needs: needs.channels,
    look=_look,
)
