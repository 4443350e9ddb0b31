"""Answers SimulatePrincipalPolicy by the same judge that enforces the policies of roles.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends
from moto.iam.responses import IamResponse

from cdk_ami.sandbox import emulator
from cdk_ami.sandbox.access.conditions import UndecidedError
from cdk_ami.sandbox.access.documents import Need, Verdict, judge, read
from cdk_ami.sandbox.access.policies import Identity

_REFUSED: Final = ("PolicyInputList", "PermissionsBoundaryPolicyInputList", "PolicyExclusionList", "ResourcePolicy")
"""Parameters that the sandbox does not weigh: it asks what the role may as it is."""

_DECISIONS: Final = {
    Verdict.ALLOWED: "allowed",
    Verdict.DELEGATED: "allowed",
    Verdict.DENIED: "explicitDeny",
    Verdict.SILENT: "implicitDeny",
}


class InvalidInput(ServiceException):  # type: ignore[misc]
    """What cannot be simulated."""

    code = "InvalidInput"


class NoSuchEntity(ServiceException):  # type: ignore[misc]
    """The principal does not exist."""

    code = "NoSuchEntity"


class SimulationAnswers:
    """Methods that the emulator's ``IamResponse`` lacks."""

    _get_param: Any

    def simulate_principal_policy(self) -> ActionResult:
        """Answer SimulatePrincipalPolicy for roles."""
        for name in _REFUSED:
            if self._get_param(name):
                raise InvalidInput(f"the sandbox does not simulate with {name}")
        arn = str(self._get_param("PolicySourceArn"))
        if ":role/" not in arn:
            raise InvalidInput(f"the sandbox simulates for roles, got {arn}")
        found = _identity(arn)
        if found is None:
            raise NoSuchEntity(f"The role {arn} cannot be found.")
        entries = self._get_param("ContextEntries", [])
        keys = {str(one["ContextKeyName"]).lower(): [str(v) for v in one["ContextKeyValues"]] for one in entries}
        resources = self._get_param("ResourceArns", []) or ["*"]
        results = [
            {
                "EvalActionName": action,
                "EvalResourceName": resource,
                "EvalDecision": _decided(found, action, resource, keys),
            }
            for action in self._get_param("ActionNames")
            for resource in resources
        ]
        return ActionResult({"EvaluationResults": results, "IsTruncated": False})


def _identity(arn: str) -> Identity | None:
    """Return what a role may do, from the emulator's own records: a call would wait for this one."""
    backend: Any = iam_backends[arn.split(":")[4]]["aws"]
    try:
        role = backend.get_role_by_arn(arn)
    except NotFoundException:
        return None
    managed = [_default(policy) for policy in role.managed_policies.values()]
    limit = role.permissions_boundary_arn
    return Identity(
        documents=tuple(map(read, [*role.policies.values(), *managed])),
        boundary=read(_default(backend.managed_policies[limit])) if limit else None,
        trust=read(role.assume_role_policy_document),
    )


def _default(policy: Any) -> str:
    return next(str(one.document) for one in policy.versions if one.is_default)


def _decided(role: Identity, action: str, resource: str, keys: Mapping[str, Sequence[str]]) -> str:
    need = Need(action=action, resource=resource)

    def context(key: str) -> Sequence[str] | None:
        return keys.get(key.lower())

    try:
        said = judge(role.documents, need, context)
        limit = Verdict.ALLOWED if role.boundary is None else judge([role.boundary], need, context)
    except UndecidedError as error:
        raise InvalidInput(f"the sandbox cannot simulate {action}: it lacks {error}") from error
    if Verdict.DENIED in {said, limit}:
        return _DECISIONS[Verdict.DENIED]
    return _DECISIONS[said if limit is Verdict.ALLOWED else Verdict.SILENT]


def install() -> None:
    """Put the method into the emulator's class."""
    emulator.graft(IamResponse, SimulationAnswers, new=frozenset({"simulate_principal_policy"}))
