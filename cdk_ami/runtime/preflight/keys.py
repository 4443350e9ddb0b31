"""Whether keys exist, are on, and let in those who have to use them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from cdk_ami.runtime.preflight.model import Check, Finding, NotSeenError, Status, call
from cdk_ami.runtime.preflight.policies import says

if TYPE_CHECKING:
    from cdk_ami.runtime.preflight.accounts import Accounts
    from cdk_ami.runtime.preflight.needs import KeyNeed

ACTIONS: Final = (
    "kms:CreateGrant",
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
)
"""What copying and launching an encrypted AMI takes.
https://docs.aws.amazon.com/imagebuilder/latest/userguide/cross-account-dist.html, read 2026-11-28"""


def _look(need: KeyNeed, accounts: Accounts) -> Iterator[Finding]:
    if need.made:
        yield _finding(need, Status.OK, f"is made by the stack {need.made}")
        return
    if need.key is None:
        raise NotSeenError("only the deployment knows which key it is", fix="name the key by an alias ARN")
    kms = accounts.client("kms", need.account, need.region)
    try:
        found = kms.describe_key(KeyId=need.key)["KeyMetadata"]
    except ClientError as error:
        if error.response["Error"]["Code"] not in {"NotFoundException", "InvalidArnException"}:
            raise
        what = "the alias names no key" if "alias/" in need.key else "there is no such key"
        yield _finding(need, Status.FAIL, f"{what} in {need.region}", "make the key there first, or name another one")
        return
    problem = _problem(need, found)
    if problem is not None:
        yield _finding(need, Status.FAIL, *problem)
        return
    if found.get("KeyManager") == "AWS":
        yield _finding(need, Status.OK, "is the key of AWS, which every role of this account may use")
        return
    yield from _use(need, json.loads(kms.get_key_policy(KeyId=found["Arn"], PolicyName="default")["Policy"]))


def _problem(need: KeyNeed, found: dict[str, Any]) -> tuple[str, str] | None:
    if found["KeyState"] != "Enabled":
        return f"is in the state {found['KeyState']}", "enable the key, or cancel its deletion"
    usage, spec = found.get("KeyUsage", "ENCRYPT_DECRYPT"), found.get("KeySpec", "SYMMETRIC_DEFAULT")
    if (usage, spec) != ("ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT"):
        return "encrypts no volumes: EBS takes symmetric keys only", "name a symmetric key for encryption"
    if need.shared and found.get("KeyManager") == "AWS":
        return "is the key of AWS, and others are to use the AMI", "name a customer managed key"
    return None


def _use(need: KeyNeed, policy: dict[str, Any]) -> Iterator[Finding]:
    for account in need.users:
        said = says(policy, account, ACTIONS)
        if said.missing:
            actions = ", ".join(said.missing)
            fix = f"add a statement for arn:aws:iam::{account}:root to the key's policy that allows {actions}"
            yield _finding(need, Status.FAIL, f"does not let the account {account} use it: {actions}", fix)
        else:
            status = Status.WARN if said.open else Status.OK
            fix = "read the key's policy" if said.open else ""
            yield _finding(
                need, status, f"lets the account {account} use it{f'; {said.open}' if said.open else ''}", fix
            )


def _finding(need: KeyNeed, status: Status, message: str, fix: str = "") -> Finding:
    return Finding(
        check="keys",
        account=need.account,
        region=need.region,
        subject=need.subject,
        status=status,
        message=message,
        fix=fix,
    )


CHECK: Final = Check(
    name="keys",
    about="Keys exist in their Region, are on, encrypt volumes, and let in each account that builds or copies.",
    source="https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-modifying-external-accounts.html",
    calls=(call("kms:DescribeKey"), call("kms:GetKeyPolicy")),
    needs=lambda needs: needs.keys,
    look=_look,
)
