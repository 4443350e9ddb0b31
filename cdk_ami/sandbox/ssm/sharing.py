"""Parameters of other accounts, read by their ARN when their owner shares them.

https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-shared-parameters.html, read 2026-11-28
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from moto.organizations.models import organizations_backends
from moto.ram.exceptions import InvalidParameterException, UnknownResourceException
from moto.ram.models import ResourceAccessManagerBackend, ResourceShare, ram_backends
from moto.ram.responses import ResourceAccessManagerResponse
from moto.ram.urls import url_paths
from moto.ssm.models import Parameter, ssm_backends

from cdk_ami.sandbox import emulator
from cdk_ami.sandbox.ec2.visibility import memberships
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
        and any(_means(principal, reader) for principal in share.principals)
        for share in shares
    ):
        return None
    selector = f":{shared.selector}" if shared.selector else ""
    found: Parameter | None = ssm_backends[shared.account][shared.region].get_parameter(f"{shared.name}{selector}")
    return found


def _means(principal: str, account: str) -> bool:
    if principal.startswith("arn:aws:organizations:"):
        return principal in memberships(account)
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
        """Add principals; organizational units at any depth, where the emulator knows those below the root only."""
        owner: str = self.account_id  # type: ignore[attr-defined]
        units = [principal for principal in principals if ":ou/" in principal]
        for unit in units:
            if all(unit != known.arn for known in _units(owner)):
                raise UnknownResourceException(f"OrganizationalUnit {unit.rpartition('/')[2]} could not be found.")
        _ORIGINAL["add_principals"](self, [principal for principal in principals if principal not in units])
        self.principals += units  # type: ignore[attr-defined]


def _units(account: str) -> list[Any]:
    master, partition = organizations_backends.master_accounts.get(account, (account, "aws"))
    return list(organizations_backends[master][partition].ou)


class ShareOperations:
    """Methods that the emulator's ``ResourceAccessManagerBackend`` lacks."""

    resource_shares: list[ResourceShare]

    def _share(self, arn: str) -> ResourceShare:
        for share in self.resource_shares:
            if share.arn == arn and share.status == "ACTIVE":
                return share
        raise UnknownResourceException(f"ResourceShare {arn} could not be found.")

    def associate_resource_share(self, arn: str, resources: list[str], principals: list[str]) -> dict[str, Any]:
        """Add resources and principals that the share does not have yet."""
        share = self._share(arn)
        share.add_resources([one for one in resources if one not in share.resource_arns])
        share.add_principals([one for one in principals if one not in share.principals])
        return _associations(share, resources, principals, "ASSOCIATED")

    def disassociate_resource_share(self, arn: str, resources: list[str], principals: list[str]) -> dict[str, Any]:
        """Take resources and principals away from the share."""
        share = self._share(arn)
        share.resource_arns = [one for one in share.resource_arns if one not in resources]
        share.principals = [one for one in share.principals if one not in principals]
        return _associations(share, resources, principals, "DISASSOCIATED")


def _associations(share: ResourceShare, resources: list[str], principals: list[str], status: str) -> dict[str, Any]:
    kinds = [(one, "RESOURCE") for one in resources] + [(one, "PRINCIPAL") for one in principals]
    return {
        "resourceShareAssociations": [
            {"resourceShareArn": share.arn, "associatedEntity": one, "associationType": kind, "status": status}
            for one, kind in kinds
        ]
    }


class ShareAnswers:
    """Methods that the emulator's ``ResourceAccessManagerResponse`` lacks."""

    ram_backend: Any
    _get_param: Any

    def associate_resource_share(self) -> str:
        """Answer AssociateResourceShare."""
        return self._associated(self.ram_backend.associate_resource_share)

    def disassociate_resource_share(self) -> str:
        """Answer DisassociateResourceShare."""
        return self._associated(self.ram_backend.disassociate_resource_share)

    def _associated(self, act: Callable[..., dict[str, Any]]) -> str:
        given = [self._get_param(name, []) for name in ("resourceArns", "principals")]
        return json.dumps(act(self._get_param("resourceShareArn"), *given))


def install() -> None:
    """Let parameters be shared."""
    known = getattr(ResourceShare, "SHAREABLE_RESOURCES", None)
    if not isinstance(known, list):
        raise EmulatorMismatchError("moto's ResourceShare has no SHAREABLE_RESOURCES; install a version in range")
    if "parameter" not in known:
        known.append("parameter")
    _ORIGINAL.update(emulator.graft(ResourceShare, ShareMends))
    operations = frozenset({"associate_resource_share", "disassociate_resource_share"})
    emulator.graft(ResourceAccessManagerBackend, ShareOperations, new=operations | {"_share"})
    emulator.graft(ResourceAccessManagerResponse, ShareAnswers, new=operations | {"_associated"})
    for operation in operations:
        url_paths[f"{{0}}/{operation.replace('_', '')}$"] = ResourceAccessManagerResponse.dispatch


_ORIGINAL: Final[dict[str, Callable[..., Any]]] = {}
