"""Roles that let the service work in another account: there, trusting, and with what the work needs.

Their policies are always judged, conditions included, before anything is done: a role that lacks something fails with
the action and the resource.  Where policies are enforced, the door judges each call besides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cdk_ami.sandbox import clients
from cdk_ami.sandbox.access.conditions import UndecidedError
from cdk_ami.sandbox.access.context import Context, Planned
from cdk_ami.sandbox.access.documents import Need, Principal, Verdict, judge, read
from cdk_ami.sandbox.imagebuilder.engine.plan import Place
from cdk_ami.sandbox.imagebuilder.engine.session import SERVICE, Session, StepError

_ASSUME = "sts:AssumeRole"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """A role of another account.

    Attributes:
        arn: Its ARN.
        trust: Who may take it.
        policies: What it may do.
    """

    arn: str
    trust: Mapping[str, Any]
    policies: tuple[Mapping[str, Any], ...]


def assume(session: Session, place: Place, role: str, needs: Sequence[Need], *, source: str | None = None) -> None:
    """Take a role of another account, by the role that the build acts by or as the service itself.

    Args:
        session: Calls of the build.
        place: The other account.
        role: Name of the role.
        needs: What the work there needs.
        source: ARN of the image for which the service takes the role by itself; None lets the build's own role take it.

    Raises:
        StepError: When the role is missing there, trusts others, or does not allow something that is needed.
    """
    key = (place.account, role)
    if key not in session.memo:
        session.memo[key] = _find(session, place, role)
        found: _Found = session.memo[key]
        _check_trust(session, place, found, source)
        taker = None if source else session.actor
        with clients.acting_by(taker, for_service=SERVICE if source else None, source=source):
            session.look("sts", "assume_role", at=place, RoleArn=found.arn, RoleSessionName="EC2ImageBuilder")
        session.act_by(place.account, found.arn)
    found = session.memo[key]
    if source:
        _check_trust(session, place, found, source)
    for need in needs:
        if not _allows(place, found, need):
            on = "" if need.resource == "*" else f" on {need.resource}"
            raise StepError(place, f"AccessDenied: the role {role} of {place.account} does not allow {need.action}{on}")


def _check_trust(session: Session, place: Place, found: _Found, source: str | None) -> None:
    """Check that a role trusts who takes it.

    Raises:
        StepError: When it does not.
    """
    home = session.home.account
    taker = Principal(account=home, service=SERVICE) if source else Principal(account=home, arns=(session.actor,))
    need = Need(action=_ASSUME, resource=found.arn)
    planned = Planned(account=place.account, region=place.region)
    context = Context(planned, need, None if source else session.actor, by_service=bool(source), source=source)
    try:
        verdict = judge([found.trust], need, context, taker)
    except UndecidedError as error:
        raise StepError(place, f"the sandbox cannot judge the trust policy of {found.arn}: it lacks {error}") from error
    if verdict not in {Verdict.ALLOWED, Verdict.DELEGATED}:
        name = found.arn.rpartition("/")[2]
        whom = f"{SERVICE} for {source}" if source else f"{home} by {session.actor}"
        raise StepError(place, f"{_ASSUME} is not allowed: the role {name} does not trust {whom}")


def _allows(place: Place, found: _Found, need: Need) -> bool:
    context = Context(Planned(account=place.account, region=place.region), need, found.arn)
    try:
        return judge(found.policies, need, context) is Verdict.ALLOWED
    except UndecidedError as error:
        raise StepError(place, f"the sandbox cannot judge the policies of {found.arn}: it lacks {error}") from error


def _find(session: Session, place: Place, role: str) -> _Found:
    try:
        found = session.call("iam", "get_role", at=place, RoleName=role)["Role"]
    except StepError as error:
        missing = f"{_ASSUME} is not possible: the role {role} does not exist in {place.account}"
        raise StepError(place, missing) from error
    return _Found(
        arn=found["Arn"],
        trust=read(found["AssumeRolePolicyDocument"]),
        policies=tuple(map(read, _policies(session, place, role))),
    )


def _policies(session: Session, place: Place, role: str) -> Iterator[Any]:
    for name in session.call("iam", "list_role_policies", at=place, RoleName=role)["PolicyNames"]:
        yield session.call("iam", "get_role_policy", at=place, RoleName=role, PolicyName=name)["PolicyDocument"]
    for attached in session.call("iam", "list_attached_role_policies", at=place, RoleName=role)["AttachedPolicies"]:
        arn = attached["PolicyArn"]
        policy = session.call("iam", "get_policy", at=place, PolicyArn=arn)["Policy"]
        answer = session.call(
            "iam", "get_policy_version", at=place, PolicyArn=arn, VersionId=policy["DefaultVersionId"]
        )
        yield answer["PolicyVersion"]["Document"]
