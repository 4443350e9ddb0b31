"""Parameters of other accounts, read by their ARN when their owner shares them.

https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-shared-parameters.html, read 2026-11-28
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from moto.organizations.models import organizations_backends
from moto.ram.exceptions import InvalidParameterException
from moto.ram.models import ResourceShare, ram_backends
from moto.ssm.models import Parameter, ssm_backends

from cdk_ami.sandbox import emulator
from cdk_ami.sandbox.mismatch import EmulatorMismatchError

_ARN: Final = re.compile(
    r"arn:aws:ssm:(?P<region>[^:]+):(?P<account>\d{12}):parameter/(?P<name>[^:]+)(?::(?P<version>.+))?"
)


class Shared(NamedTuple):
    """What the full ARN of a parameter names; ``selector`` is a version or label, or empty."""

    region: str
    account: str
    name: str
    selector: str


def parse(name: str) -> Shared | None:
    """Return what an ARN names, None for a plain name."""
    match = _ARN.fullmatch(name)
    if match is None:
        return None
    plain = match["name"]
    # A name with a path begins with a slash, which its ARN swallows.
    return Shared(match["region"], match["account"], f"/{plain}" if "/" in plain else plain, match["version"] or "")


def read(shared: Shared, *, reader: str) -> Parameter | None:
    """Return the parameter of another account, None when it is not shared with ``reader``."""
    arn = f"arn:aws:ssm:{shared.region}:{shared.account}:parameter/{shared.name.removeprefix('/')}"
    shares = ram_backends[shared.account][shared.region].resource_shares
    if not any(
        share.status == "ACTIVE"
        and arn in share.resource_arns
        and any(_means(principal, reader, owner=shared.account) for principal in share.principals)
        for share in shares
    ):
        return None
    selector = f":{shared.selector}" if shared.selector else ""
    found: Parameter | None = ssm_backends[shared.account][shared.region].get_parameter(f"{shared.name}{selector}")
    return found


def _means(principal: str, account: str, *, owner: str) -> bool:
    if principal.startswith("arn:aws:organizations:"):
        # An organizational unit is refused when the share is made.
        return account in {member.id for member in organizations_backends[owner]["aws"].accounts}
    return principal in {account, f"arn:aws:iam::{account}:root"}


class ShareMends:
    """Methods for the emulator's ``ResourceShare``."""

    def add_resources(self, resource_arns: list[str]) -> None:
        """Add resources; parameters of the advanced tier may be among them."""
        for arn in resource_arns:
            shared = parse(arn)
            if shared is None:
                continue
            found = ssm_backends[shared.account][shared.region].get_parameter(shared.name)
            if found is None:
                raise InvalidParameterException(f"The parameter {arn} does not exist.")
            if found.tier != "Advanced":
                raise InvalidParameterException(
                    f"The parameter {arn} is not of the advanced tier: it cannot be shared."
                )
        _ORIGINAL["add_resources"](self, resource_arns)

    def add_principals(self, principals: list[str]) -> None:
        """Add principals; who belongs to an organizational unit is not known to the sandbox."""
        for principal in principals:
            if ":ou/" in principal:
                raise InvalidParameterException(f"the sandbox does not share with organizational units: {principal}")
        _ORIGINAL["add_principals"](self, principals)


def install() -> None:
    """Let parameters be shared."""
    known = getattr(ResourceShare, "SHAREABLE_RESOURCES", None)
    if not isinstance(known, list):
        raise EmulatorMismatchError("moto's ResourceShare has no SHAREABLE_RESOURCES; install a version in range")
    if "parameter" not in known:
        known.append("parameter")
    _ORIGINAL.update(emulator.graft(ResourceShare, ShareMends))


_ORIGINAL: Final[dict[str, Callable[..., Any]]] = {}
