"""Who makes a request: an account's own keys, a role by its keys, or a role by an engine's word."""

from __future__ import annotations

from moto.sts.models import AssumedRole, sts_backends
from moto.utilities.utils import get_partition

from cdk_ami.sandbox.door.asked import Asked


def session_of(asked: Asked) -> AssumedRole | None:
    """Return the session of a role whose keys signed a request, None when no role's did."""
    if not asked.access_key:
        return None
    account = asked.account
    if account not in sts_backends:
        return None
    sessions = sts_backends[account][get_partition(asked.region)].assumed_roles
    return next((one for one in reversed(sessions) if one.access_key_id == asked.access_key), None)


def role_of(asked: Asked) -> str | None:
    """Return the ARN of the role that a request is made with, None when with none."""
    if asked.named_role:
        return asked.named_role
    session = session_of(asked)
    return None if session is None else str(session.role_arn)


def principal_of(asked: Asked) -> str:
    """Return the ARN of who asks, as GetCallerIdentity would tell it."""
    if asked.named_role:
        account, name = asked.named_role.split(":")[4], asked.named_role.rpartition("/")[2]
        service = (asked.for_service or "sandbox").partition(".")[0]
        return f"arn:aws:sts::{account}:assumed-role/{name}/{service}"
    session = session_of(asked)
    return f"arn:aws:iam::{asked.account}:root" if session is None else str(session.arn)
