"""Whether a key's policy or one of its grants lets somebody use it through EC2."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from moto.iam.models import iam_backends
from moto.organizations.models import organizations_backends

from cdk_ami.sandbox.access.conditions import Context, UndecidedError
from cdk_ami.sandbox.access.documents import Need, Principal, Verdict, judge, read
from cdk_ami.sandbox.access.guard import ENFORCED, SERVICE_LINKED
from cdk_ami.sandbox.iam.principals import account_of

READ: Final = ("kms:Decrypt", "kms:CreateGrant")
"""What EC2 does with the key of a snapshot that it reads, on behalf of its caller.

https://docs.aws.amazon.com/ebs/latest/userguide/ebs-encryption-requirements.html
"""

WRITE: Final = ("kms:GenerateDataKeyWithoutPlaintext", "kms:CreateGrant")
"""What EC2 does with the key that encrypts a new volume or snapshot."""


def refused(key: Any, principal: str, actions: Iterable[str]) -> str | None:
    """Return why ``principal`` may not do the first of ``actions`` that it may not with ``key``, None when it may all.

    The key is one of the emulator's.  A key policy that leaves the decision to an account's own policies lets everybody
    of the account in but the roles of services, which have no such policies
    (https://docs.aws.amazon.com/autoscaling/ec2/userguide/key-policy-requirements-EBS-encryption.html).  Where the
    policies of a role are enforced, they decide; in another account than the key's they must always allow as well.
    """
    context = _context(key, principal)
    who = Principal(account=account_of(principal), arns=() if principal.endswith(":root") else (principal,))
    own = _documents(principal) if ":role/" in principal and ENFORCED.covers(principal) else None
    for action in actions:
        need = Need(action=action, resource=key.arn)
        try:
            verdict = judge([read(key.policy)], need, context, who)
            allowed = own is None or judge(own, need, context) is Verdict.ALLOWED
        except UndecidedError as error:  # a policy beyond the sandbox lets nobody in
            return f"the sandbox cannot judge whether {principal} may do {action} with it: it lacks {error}"
        named = _names(verdict, key, principal)
        granted = _granted(key, principal, action)
        if verdict is Verdict.DENIED or not (named or granted):
            return f"neither its policy nor its grants let {principal} do {action}"
        by_itself = granted or (verdict is Verdict.ALLOWED and who.account == account_of(key.arn))
        if not (allowed or by_itself):
            return f"no policy of {principal} allows {action} on it"
    return None


def allows_call(key: Any, principal: str, action: str, *, grantee: str | None = None) -> bool:
    """Tell whether the policy of ``key`` lets somebody of another account call KMS itself.

    Args:
        key: The key.
        principal: ARN of who calls.
        action: What is called.
        grantee: To whom a grant is to be made.
    """
    known = {"kms:viaservice": None, "kms:grantisforawsresource": None, "kms:granteeprincipal": grantee}
    who = Principal(account=account_of(principal), arns=() if principal.endswith(":root") else (principal,))
    try:
        verdict = judge([read(key.policy)], Need(action=action, resource=key.arn), _context(key, principal, known), who)
    except UndecidedError:  # a policy beyond the sandbox lets nobody in
        return False
    return _names(verdict, key, principal)


def account_root(principal: str) -> str:
    """Return the ARN by which policies and grants name the whole account of a principal."""
    return f"{principal.split(':iam::', 1)[0]}:iam::{account_of(principal)}:root"


def _names(verdict: Verdict, key: Any, principal: str) -> bool:
    """Tell whether a key policy lets in by itself, as far as it can: what a role's own policies say comes besides.

    Roles of services have no policies for keys.  So delegation to their account is not enough, and across accounts,
    where both sides must allow, nothing but a grant is.
    """
    if SERVICE_LINKED not in principal:
        return verdict in {Verdict.ALLOWED, Verdict.DELEGATED}
    return verdict is Verdict.ALLOWED and account_of(principal) == account_of(key.arn)


def _documents(role: str) -> list[Any]:
    """Return the policies of a role, straight from the emulator: EC2 asks while it answers."""
    found = [one for one in list(iam_backends[account_of(role)]["aws"].roles.values()) if one.arn == role]
    inline = [document for one in found for document in one.policies.values()]
    managed = [
        version.document
        for one in found
        for policy in one.managed_policies.values()
        for version in policy.versions
        if version.is_default
    ]
    return [read(document) for document in (*inline, *managed)]


def _granted(key: Any, principal: str, action: str) -> bool:
    account = account_root(principal)
    return any(
        action.removeprefix("kms:") in grant.operations and grant.grantee_principal in {principal, account}
        for grant in list(key.grants.values())
    )


def _context(key: Any, principal: str, changes: Mapping[str, Any] | None = None) -> Context:
    account = account_of(principal)
    known: dict[str, Any] = {
        "kms:resourcealiases": tuple(key.aliases) or None,
        "kms:viaservice": f"ec2.{key.region}.amazonaws.com",
        "kms:calleraccount": account,
        "kms:grantisforawsresource": "true",
        "aws:principalaccount": account,
        "aws:principalarn": principal,
        "aws:principalorgid": _organization(account),
        "aws:principalorgpaths": _organization_path(account),
        "aws:requestedregion": key.region,
        **(changes or {}),
    }

    def values(name: str) -> Sequence[str] | None:
        value = known.get(name.lower())
        return (value,) if isinstance(value, str) else value

    return values


def _organization(account: str) -> str | None:
    master, partition = organizations_backends.master_accounts.get(account, (account, "aws"))
    organization = organizations_backends[master][partition].org
    return None if organization is None else str(organization.id)


def _organization_path(account: str) -> str | None:
    """Return where in its organization an account stands, such as ``o-a1b2c3d4e5/r-ab12/ou-ab12-11111111/``.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
    """
    master, partition = organizations_backends.master_accounts.get(account, (account, "aws"))
    backend = organizations_backends[master][partition]
    if backend.org is None:
        return None
    units = {unit.id: unit for unit in backend.ou if unit.id != backend.org.root_id}
    member = next((one for one in backend.accounts if one.id == account), None)
    steps: list[str] = []
    parent = None if member is None else member.parent_id
    while parent is not None and parent in units:
        steps.insert(0, parent)
        parent = units[parent].parent_id
    return "/".join((str(backend.org.id), str(backend.org.root_id), *steps, ""))
