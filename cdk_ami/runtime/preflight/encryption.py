"""Whether what a build makes is encrypted, by its recipe or by the account."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from cdk_ami.runtime.preflight.model import Check, Finding, Status, call

if TYPE_CHECKING:
    from cdk_ami.runtime.preflight.accounts import Accounts
    from cdk_ami.runtime.preflight.needs import EncryptionNeed


def _look(need: EncryptionNeed, accounts: Accounts) -> Iterator[Finding]:
    ec2 = accounts.client("ec2", need.account, need.region)
    on = ec2.get_ebs_encryption_by_default()["EbsEncryptionByDefault"]
    by_itself = "the recipe encrypts its volumes" if need.by_itself else "the recipe leaves a volume to the account"
    yield Finding(
        check="encryption",
        account=need.account,
        region=need.region,
        subject=need.subject,
        status=Status.OK if on or need.by_itself else Status.WARN,
        message=f"is {'on' if on else 'off'}; {by_itself}",
        fix="" if on or need.by_itself else "encrypt the volumes of the recipe, or switch it on in the Region",
    )


CHECK: Final = Check(
    name="encryption",
    about="Volumes are encrypted by the recipe, or by default in the Region.",
    source="https://docs.aws.amazon.com/ebs/latest/userguide/encryption-by-default.html",
    calls=(call("ec2:GetEbsEncryptionByDefault"),),
    needs=lambda needs: needs.encryption,
    look=_look,
)
