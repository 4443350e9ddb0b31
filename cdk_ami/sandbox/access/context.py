"""The condition keys of a request, as far as the sandbox can tell them.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

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


class Context:
    """The keys of one request and one need.

    Args:
        asked: The request.
        need: The need.
        role: The role that asks, None for an account's own keys.
        by_service: Whether a service asks to act with the role, which tells the account it acts for.
    """

    def __init__(self, asked: Asked, need: Need, role: str | None, *, by_service: bool = False) -> None:
        self._asked, self._need, self._role, self._by_service = asked, need, role, by_service

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
        if self._by_service and name == "aws:sourceaccount":
            return (self._asked.account,)
        values = self._values()
        if name in values:
            return values[name]
        if name in ABSENT or name in {"iam:passedtoservice", "ec2:createaction"}:
            return None
        raise UndecidedError(f"the condition key {key}")

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
            "aws:principalarn": (self._role or callers.principal_of(asked),),
            "aws:principaltype": ("AssumedRole" if self._role else "Account",),
            "aws:requestedregion": (asked.region,),
            "aws:resourceaccount": (owner or asked.account,),
            "aws:securetransport": ("true",),
            "aws:sourceip": ("127.0.0.1",),
            "aws:tagkeys": tuple(requested) or None,
            "aws:viaawsservice": ("false",),
            "ec2:region": (asked.region,),
            "kms:calleraccount": (account,),
            "s3:prefix": (str(asked.parameters["Prefix"]),) if "Prefix" in asked.parameters else None,
            "sts:externalid": (str(external),) if external else None,
            "sts:rolesessionname": (str(session),) if session else None,
        }
