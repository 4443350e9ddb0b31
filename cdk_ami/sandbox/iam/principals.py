"""Who makes a request: the role or the user whose keys signed it."""

from __future__ import annotations

from typing import Any

from moto.iam.models import iam_backends
from moto.sts.models import sts_backends
from moto.utilities.utils import get_partition

from cdk_ami.sandbox.clients import ROLE_HEADER


def principal_of(response: Any) -> str:
    """Return the ARN of who asks: a role by its keys or by an engine's word, a user, else the account itself.

    Args:
        response: The emulator's handler of the request.
    """
    if named := response.headers.get(ROLE_HEADER):
        return str(named)
    account, partition = response.current_account, get_partition(response.region)
    role = sts_backends[account][partition].get_assumed_role_from_access_key(response.access_key)
    if role is not None:
        return str(role.role_arn)
    user = iam_backends[account][partition].get_user_from_access_key_id(response.access_key)
    return str(user.arn) if user is not None else account_principal(account, response.region)


def account_principal(account: str, region: str) -> str:
    """Return the ARN by which policies name a whole account."""
    return f"arn:{get_partition(region)}:iam::{account}:root"


def account_of(principal: str) -> str:
    """Return the account of a principal's ARN."""
    return principal.split(":")[4]
