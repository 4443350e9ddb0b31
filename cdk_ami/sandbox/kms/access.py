"""Whether a key's policy or one of its grants lets somebody use it through EC2."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from moto.organizations.models import organizations_backends

from cdk_ami.sandbox.access.conditions import Context, UndecidedError
from cdk_ami.sandbox.access.documents import Need, Principal, Verdict, judge, read
from cdk_ami.sandbox.iam.principals import account_of

READ: Final = ("kms:Decrypt", "kms:CreateGrant")
"""What EC2 does with the key of a snapshot that it reads, on behalf of its caller.

https://docs.aws.amazon.com/ebs/latest/userguide/ebs-encryption-requirements.html
"""

WRITE: Final = ("kms:GenerateDataKeyWithoutPlaintext", "kms:CreateGrant")
"""What EC2 does with the key that encrypts a new volume or snapshot."""

SERVICE_LINKED: Final = "/aws-service-role/"
"""Path of the roles that belong to a service.  Their policies hold nothing for keys, so a key must name them itself.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/key-policy-requirements-EBS-encryption.html
"""


def refused(key: Any, principal: str, actions: Iterable[str]) -> str | None:
    """Return the first of ``actions`` that ``principal`` may not do with ``key``, a key of the emulator's, or None.

    A key policy that leaves the decision to an account's own policies lets everybody of the account in but the roles
    of services: whether an identity's policies are enforced is for the sandbox's door to say.
    """
    context = _context(key, principal)
    who = Principal(account=account_of(principal), arns=() if principal.endswith(":root") else (principal,))
    for action in actions:
        try:
            verdict = judge([read(key.policy)], Need(action=action, resource=key.arn), context, who)
        except UndecidedError:  # a policy beyond the sandbox lets nobody in
            return action
        allowed = verdict is Verdict.ALLOWED or (verdict is Verdict.DELEGATED and SERVICE_LINKED not in principal)
        if verdict is Verdict.DENIED or not (allowed or _granted(key, principal, action)):
            return action
    return None


def _granted(key: Any, principal: str, action: str) -> bool:
    account = f"{principal.rsplit(':', 1)[0]}:root"
    return any(
        action.removeprefix("kms:") in grant.operations and grant.grantee_principal in {principal, account}
        for grant in list(key.grants.values())
    )


def _context(key: Any, principal: str) -> Context:
    account = account_of(principal)
    known = {
        "kms:viaservice": f"ec2.{key.region}.amazonaws.com",
        "kms:calleraccount": account,
        "kms:grantisforawsresource": "true",
        "aws:principalaccount": account,
        "aws:principalarn": principal,
        "aws:principalorgid": _organization(account),
        "aws:requestedregion": key.region,
    }

    def values(name: str) -> Sequence[str] | None:
        value = known.get(name.lower())
        return None if value is None else (value,)

    return values


def _organization(account: str) -> str | None:
    master, partition = organizations_backends.master_accounts.get(account, (account, "aws"))
    organization = organizations_backends[master][partition].org
    return None if organization is None else str(organization.id)
