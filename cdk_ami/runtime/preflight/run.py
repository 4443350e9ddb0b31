"""Runs the checks, and turns whatever keeps one from looking into a finding of its own."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from cdk_ami.runtime.preflight import (
    channels,
    encryption,
    keys,
    launch_templates,
    marketplace,
    network,
    parameters,
    quotas,
    regions,
    target_roles,
)
from cdk_ami.runtime.preflight.model import Check, Finding, NotSeenError, Status
from cdk_ami.runtime.regions import WORKERS

if TYPE_CHECKING:
    from cdk_ami.runtime.preflight.accounts import Accounts
    from cdk_ami.runtime.preflight.needs import Needs

CHECKS: Final[tuple[Check, ...]] = (
    regions.CHECK,
    network.CHECK,
    marketplace.CHECK,
    keys.CHECK,
    encryption.CHECK,
    target_roles.CHECK,
    parameters.CHECK,
    launch_templates.CHECK,
    channels.CHECK,
    quotas.CHECK,
)
"""Every check, in the order in which a build and a deployment meet what they look at."""

_DENIED: Final = frozenset(
    {"AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation", "UnauthorizedException"}
)
_THROTTLED: Final = frozenset(
    {"RequestLimitExceeded", "SlowDown", "Throttling", "ThrottlingException", "TooManyRequestsException"}
)


def run(needs: Needs, accounts: Accounts, checks: Sequence[Check] = CHECKS) -> list[Finding]:
    """Return what the checks find, each once, check by check; a need that nobody could look at is in it as not checked.

    One thing may be needed twice, as a key is for the build and for a copy, and found to be the same.
    """
    with ThreadPoolExecutor(max_workers=WORKERS) as pool:
        asked = [pool.submit(_look, check, need, accounts) for check in checks for need in check.needs(needs)]
        return list(dict.fromkeys(finding for answer in asked for finding in answer.result()))


def _look(check: Check, need: Any, accounts: Accounts) -> list[Finding]:
    found: list[Finding] = []
    try:
        found.extend(check.look(need, accounts))
    except NotSeenError as error:
        found.append(_not_checked(check, need, error.message, error.fix))
    except ClientError as error:
        found.append(_not_checked(check, need, *_reason(check, error)))
    except BotoCoreError as error:
        found.append(_not_checked(check, need, str(error), "see that the Region can be reached, and try again"))
    return found


def _reason(check: Check, error: ClientError) -> tuple[str, str]:
    code, operation = error.response["Error"]["Code"], error.operation_name
    if code in _DENIED:
        actions = {one.operation.partition(":")[2]: one.action for one in check.calls}
        action = actions.get(operation) or operation
        return f"{operation} is not allowed", f"allow {action} to whoever runs this"
    if code in _THROTTLED:
        return f"{operation} was throttled to the end", "try again when less goes on in the account"
    return f"{operation} failed: {error.response['Error'].get('Message') or code}", "mend this and try again"


def _not_checked(check: Check, need: Any, message: str, fix: str) -> Finding:
    return Finding(
        check=check.name,
        account=need.account,
        region=need.region,
        subject=need.subject,
        status=Status.NOT_CHECKED,
        message=message,
        fix=fix,
    )
