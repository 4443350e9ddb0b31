"""Whether accounts that receive copies have the role that builds take there, and whether it is right."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from botocore.exceptions import ClientError

from cdk_ami.checks.regions import PARTITION_OF
from cdk_ami.runtime.preflight.model import Check, Finding, Status, call
from cdk_ami.runtime.preflight.policies import trusts
from cdk_ami.runtime.preflight.simulation import denied

if TYPE_CHECKING:
    from cdk_ami.runtime.preflight.accounts import Accounts
    from cdk_ami.runtime.preflight.needs import TargetRoleNeed

_HAVE_IT: Final = "deploy a TargetAccountRole in that account"


class _Use(NamedTuple):
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    keys: dict[str, str]


def _look(need: TargetRoleNeed, accounts: Accounts) -> Iterator[Finding]:
    iam = accounts.client("iam", need.account, "")
    try:
        role = iam.get_role(RoleName=need.subject)["Role"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchEntity":
            raise
        if need.made:
            yield _finding(need, Status.OK, f"is made by the stack {need.made}")
        else:
            yield _finding(need, Status.FAIL, "does not exist: no copy can be made in the account", _HAVE_IT)
        return
    if not trusts(role["AssumeRolePolicyDocument"], need.owner):
        message = f"is not trusted to the account {need.owner}, which builds"
        yield _finding(need, Status.FAIL, message, f"{_HAVE_IT}, for the account {need.owner}")
        return
    missing = [action for use in _uses(need) for action in denied(iam, role["Arn"], *use)]
    if missing:
        actions = ", ".join(dict.fromkeys(missing))
        yield _finding(need, Status.FAIL, f"lacks {actions}", f"{_HAVE_IT}, or allow it what it lacks")
        return
    yield _finding(need, Status.OK, f"is trusted to {need.owner} and may copy, tag, share and write what it has to")


def _uses(need: TargetRoleNeed) -> Iterator[_Use]:
    for region, tags in need.copies:
        partition = PARTITION_OF.get(region, "aws")
        image = f"arn:{partition}:ec2:{region}::image/ami-0123456789abcdef0"
        where = {"aws:RequestedRegion": region}
        # Tags as a build gives them: roles may be held to them.
        given = (*tags, ("CreatedBy", "EC2 Image Builder"))
        asked = {f"aws:RequestTag/{key}": value for key, value in given}
        held = {f"aws:ResourceTag/{key}": value for key, value in given}
        yield _Use(("ec2:DescribeImages",), ("*",), where)
        yield _Use(("ec2:CopyImage",), (image,), where | asked | held)
        # A copy has no tags before these, and its launch permissions are set whether it is shared or not.
        yield _Use(("ec2:CreateTags",), (image,), where | asked)
        yield _Use(("ec2:ModifyImageAttribute",), (image,), where | held)
        for owned, name in need.parameters:
            if owned == region:
                arn = f"arn:{partition}:ssm:{region}:{need.account}:parameter{name}"
                yield _Use(("ssm:PutParameter",), (arn,), where)
        for owned, template_id, default in need.launch_templates:
            if owned == region:
                arn = f"arn:{partition}:ec2:{region}:{need.account}:launch-template/{template_id}"
                actions = ("ec2:CreateLaunchTemplateVersion", *(("ec2:ModifyLaunchTemplate",) if default else ()))
                yield _Use(actions, (arn,), where | asked | held)


def _finding(need: TargetRoleNeed, status: Status, message: str, fix: str = "") -> Finding:
    return Finding(
        check="target-roles",
        account=need.account,
        region="",
        subject=need.subject,
        status=status,
        message=message,
        fix=fix,
    )


CHECK: Final = Check(
    name="target-roles",
    about="Each account that receives copies has the service's role, trusted to the builder, with what it needs.",
    source="https://docs.aws.amazon.com/imagebuilder/latest/userguide/cross-account-dist.html",
    calls=(call("iam:GetRole"), call("iam:SimulatePrincipalPolicy", "where the role exists")),
    needs=lambda needs: needs.target_roles,
    look=_look,
)
