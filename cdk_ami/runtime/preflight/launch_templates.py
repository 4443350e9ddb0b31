"""Whether launch templates that builds write exist, and carry the tag that the service asks for elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from cdk_ami.runtime.preflight.model import Check, Finding, Status, call

if TYPE_CHECKING:
    from cdk_ami.runtime.preflight.accounts import Accounts
    from cdk_ami.runtime.preflight.needs import LaunchTemplateNeed

TAG: Final = ("CreatedBy", "EC2 Image Builder")
"""Tag of a launch template that the role of another account may write.
https://docs.aws.amazon.com/imagebuilder/latest/userguide/cross-account-dist.html, read 2026-11-28"""


def _look(need: LaunchTemplateNeed, accounts: Accounts) -> Iterator[Finding]:
    ec2 = accounts.client("ec2", need.account, need.region)
    try:
        found = ec2.describe_launch_templates(LaunchTemplateIds=[need.template_id])["LaunchTemplates"]
    except ClientError as error:
        if not error.response["Error"]["Code"].startswith("InvalidLaunchTemplateId"):
            raise
        yield _finding(need, Status.FAIL, "does not exist there", "give the id of a launch template of that Region")
        return
    tags = {(tag["Key"], tag["Value"]) for tag in found[0].get("Tags", ())}
    tagged = TAG in tags
    if need.foreign and not tagged:
        command = f"aws ec2 create-tags --resources {need.template_id} --tags 'Key={TAG[0]},Value={TAG[1]}'"
        yield _finding(need, Status.FAIL, f"lacks the tag {TAG[0]}={TAG[1]}, so no build may write it", command)
        return
    yield _finding(need, Status.OK, "exists, tagged for the service" if tagged else "exists", "")


def _finding(need: LaunchTemplateNeed, status: Status, message: str, fix: str) -> Finding:
    return Finding(
        check="launch-templates",
        account=need.account,
        region=need.region,
        subject=need.template_id,
        status=status,
        message=message,
        fix=fix,
    )


CHECK: Final = Check(
    name="launch-templates",
    about="Launch templates that a distribution writes exist; those of other accounts carry the service's tag.",
    source="https://docs.aws.amazon.com/imagebuilder/latest/userguide/cross-account-dist.html",
    calls=(call("ec2:DescribeLaunchTemplates"),),
    needs=lambda needs: needs.launch_templates,
    look=_look,
)
