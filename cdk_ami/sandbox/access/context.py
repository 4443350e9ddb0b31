"""The condition keys of a request, as far as the sandbox can tell them.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from botocore.exceptions import ClientError

from cdk_ami.sandbox import clients
from cdk_ami.sandbox.access import tags
from cdk_ami.sandbox.access.conditions import UndecidedError
from cdk_ami.sandbox.access.documents import Need
from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.door import callers
from cdk_ami.sandbox.door.asked import Asked

RESOURCE_TAG: Final = ("aws:resourcetag/", "ec2:resourcetag/", "ssm:resourcetag/", "autoscaling:resourcetag/")
"""Beginnings of keys about a tag of the resource."""

ABSENT: Final = frozenset(
    {
        "aws:calledvia",
        "aws:multifactorauthage",
        "aws:multifactorauthpresent",
        "aws:sourceaccount",
        "aws:sourcearn",
        "aws:sourcevpc",
        "aws:sourcevpce",
        "aws:tokenissuetime",
        "aws:username",
        "iam:associatedresourcearn",
        "kms:grantisforawsresource",
        "kms:viaservice",
    }
)
"""Keys that a direct call with a role's keys does not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A request that an engine is about to make by a role, judged before it is made.

    Attributes:
        account: The account that will be asked.
        region: The Region.
        parameters: What will be asked, as far as conditions look at it.
    """

    account: str
    region: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


class Context:
    """The keys of one request and one need.

    Args:
        asked: The request.
        need: The need.
        role: The role that asks, None for an account's own keys.
        by_service: Whether a service asks to act with the role, which tells the account it acts for.
        source: ARN of the resource that the service acts for, where it tells; it names the account as well.
    """

    def __init__(
        self,
        asked: Asked | Planned,
        need: Need,
        role: str | None,
        *,
        by_service: bool = False,
        source: str | None = None,
    ) -> None:
        self._asked, self._need, self._role = asked, need, role
        self._by_service, self._source = by_service, source

    def __call__(self, key: str) -> Sequence[str] | None:
        """Return the values of a key, None when the request has none.

        Raises:
            UndecidedError: When the sandbox does not know the key.
        """
        name = key.lower()
        if name in self._need.keys:
            return self._need.keys[name]
        if name.startswith("aws:requesttag/"):
            return self._tag(tags.requested(self._asked.parameters), name)
        if name.startswith(RESOURCE_TAG):
            held = tags.of_resource(self._need.resource, self._asked.region, self._asked.account)
            return self._tag(held, name)
        values = self._values() | self._values_of_source()
        if name == "kms:resourcealiases":
            return _aliases(self._need.resource)
        if name in values:
            return values[name]
        if name in ABSENT or name in {"iam:passedtoservice", "ec2:createaction"}:
            return None
        raise UndecidedError(f"the condition key {key}")

    def _values_of_source(self) -> dict[str, Sequence[str] | None]:
        if not self._by_service:
            return {}
        account = self._source.split(":")[4] if self._source else self._asked.account
        return {"aws:sourceaccount": (account,), "aws:sourcearn": (self._source,) if self._source else None}

    def _tag(self, held: dict[str, str], name: str) -> Sequence[str] | None:
        # The key of a tag is compared without regard to case, as all condition keys are.
        wanted = name.partition("/")[2]
        found = [value for key, value in held.items() if key.lower() == wanted]
        return found or None

    def _values(self) -> dict[str, Sequence[str] | None]:
        asked, now = self._asked, CLOCK.now()
        account = self._role.split(":")[4] if self._role else asked.account
        owner = self._need.resource.split(":")[4] if self._need.resource.count(":") > 4 else ""  # noqa: PLR2004 - the parts of an ARN
        requested = tags.requested(asked.parameters)
        external = asked.parameters.get("ExternalId")
        session = asked.parameters.get("RoleSessionName")
        return {
            "aws:currenttime": (now.isoformat(),),
            "aws:epochtime": (str(int(now.timestamp())),),
            "aws:principalaccount": (account,),
            "aws:principalarn": (self._role or _principal(asked),),
            "aws:principaltype": ("AssumedRole" if self._role else "Account",),
            "aws:requestedregion": (asked.region,),
            "aws:resourceaccount": (owner or asked.account,),
            "aws:securetransport": ("true",),
            "aws:sourceip": ("127.0.0.1",),
            # What SNS says of whoever calls, which a topic's own policy compares with the owner.
            # https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-use-cases.html
            "aws:sourceowner": (account,),
            "aws:tagkeys": tuple(requested) or None,
            "aws:viaawsservice": ("false",),
            "ec2:region": (asked.region,),
            "kms:calleraccount": (account,),
            "kms:granteeprincipal": (str(asked.parameters["GranteePrincipal"]),)
            if "GranteePrincipal" in asked.parameters
            else None,
            "s3:prefix": (str(asked.parameters["Prefix"]),) if "Prefix" in asked.parameters else None,
            "sts:externalid": (str(external),) if external else None,
            "sts:rolesessionname": (str(session),) if session else None,
        }


def _principal(asked: Asked | Planned) -> str:
    return callers.principal_of(asked) if isinstance(asked, Asked) else f"arn:aws:iam::{asked.account}:root"


def _aliases(key: str) -> Sequence[str] | None:
    """Return the aliases of a key, None where the need is for no key or the key has none."""
    parts = key.split(":", 5)
    if len(parts) <= 5 or parts[2] != "kms" or "*" in key:  # noqa: PLR2004 - the parts of an ARN
        return None
    try:
        found = clients.client("kms", parts[3], parts[4]).list_aliases(KeyId=key)["Aliases"]
    except ClientError:
        return None
    return tuple(alias["AliasName"] for alias in found) or None
