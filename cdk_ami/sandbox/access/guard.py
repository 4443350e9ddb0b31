"""Says who may not do what they ask, for the roles whose policies somebody wants enforced."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cdk_ami.sandbox.access import policies
from cdk_ami.sandbox.access.conditions import UndecidedError
from cdk_ami.sandbox.access.context import Context
from cdk_ami.sandbox.access.documents import Need, Principal, Verdict, judge, read
from cdk_ami.sandbox.access.needs import needs
from cdk_ami.sandbox.door import callers, wire
from cdk_ami.sandbox.door.asked import Asked
from cdk_ami.sandbox.faults.codes import Refusal

ALL: Final = "all-roles"
"""Enforces the policies of every role."""

READING: Final = ("Describe", "Get", "List", "Simulate", "Generate")
"""How operations of IAM begin that change nothing."""

DENIALS: Final = {
    "cloudwatch": ("AccessDenied", 403),
    "sns": ("AuthorizationError", 403),
    "sqs": ("AccessDenied", 403),
    "ec2": ("UnauthorizedOperation", 403),
    "query": ("AccessDenied", 403),
    "rest-xml": ("AccessDenied", 403),
    "json": ("AccessDeniedException", 400),
    "rest-json": ("AccessDeniedException", 403),
}
"""Code and status of a denial, by service, else by its protocol.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html and the common errors of each service"""

SERVICE_LINKED: Final = "/aws-service-role/"
"""Path of the roles that belong to a service.  What they may do is AWS's to say, so they are never judged."""

UNDECIDED: Final = "SandboxCannotDecide"
"""Code of a refusal to judge.  No service of AWS has it."""


class EnforcementError(ValueError):
    """A request about enforcement that cannot be followed."""


class Enforcement:
    """Whose policies count."""

    def __init__(self) -> None:
        self._roles: frozenset[str] | None = frozenset()

    def set(self, roles: frozenset[str] | None) -> None:
        """Enforce the policies of these roles, None those of all."""
        self._roles = roles
        policies.IDENTITIES.forget()

    def told(self) -> dict[str, Any]:
        """Return it as data."""
        return {"enforce": ALL if self._roles is None else sorted(self._roles)}

    def covers(self, role: str | None) -> bool:
        """Return whether the policies of a role count."""
        if role is None or SERVICE_LINKED in role:
            return False
        return self._roles is None or role in self._roles

    @property
    def active(self) -> bool:
        """Whether any counts."""
        return self._roles is None or bool(self._roles)


ENFORCED: Final = Enforcement()
"""The enforcement of this process."""


def answer(method: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
    """Begin, end or tell enforcement.

    Raises:
        EnforcementError: When that is not possible.
    """
    if method == "DELETE":
        ENFORCED.set(frozenset())
    if method == "POST":
        wanted = asked.get("enforce")
        if set(asked) != {"enforce"} or not (
            wanted == ALL or (isinstance(wanted, list) and all(map(_is_role, wanted)))
        ):
            raise EnforcementError(f"enforce is {ALL} or a list of ARNs of roles, got {dict(asked)!r}")
        ENFORCED.set(None if wanted == ALL else frozenset(map(str, wanted)))
    return ENFORCED.told()


def _is_role(value: object) -> bool:
    return isinstance(value, str) and value.count(":") == 5 and ":role/" in value  # noqa: PLR2004 - the parts of an ARN


def refusal(asked: Asked) -> Refusal | None:
    """Return how a request is refused because its caller may not make it, None when it may."""
    if not ENFORCED.active:
        return None
    role = callers.role_of(asked)
    try:
        judged = role is not None and ENFORCED.covers(role)
        denied = _denied(asked, str(role)) if judged else _denied_by_trust(asked, role)
    except UndecidedError as error:
        return Refusal(
            UNDECIDED,
            f"the sandbox cannot judge {asked.operation} of {asked.service} for {role}: it lacks {error}",
            400,
        )
    return None if denied is None else _refusal(asked, *denied)


def passed(asked: Asked) -> None:
    """Take note of a request that was answered: what was read of IAM may have changed."""
    if ENFORCED.active and asked.service == "iam" and not asked.operation.startswith(READING):
        policies.IDENTITIES.forget()


Denial = tuple[Need, str]


def _denied(asked: Asked, role: str) -> Denial | None:
    if (asked.service, asked.operation) == ("sts", "GetCallerIdentity"):
        return None  # needs no permission, whatever a policy says
    identity = policies.IDENTITIES.of(role)
    if identity is None:
        return needs(asked)[0], f"because the role {role} does not exist"
    if asked.named_role and asked.for_service:
        assume = Need(action="sts:AssumeRole", resource=role)
        context = Context(asked, assume, role, by_service=True)
        service = Principal(account=role.split(":")[4], service=asked.for_service)
        if judge([identity.trust], assume, context, service) is not Verdict.ALLOWED:
            return assume, f"because the role's trust policy does not let {asked.for_service} assume it"
    session = callers.session_of(asked)
    for need in needs(asked):
        why = _why_not(asked, need, role, identity, session)
        if why is not None:
            return need, why
    return None


def _why_not(asked: Asked, need: Need, role: str, identity: policies.Identity, session: Any) -> str | None:
    """Return why a need is denied, None when it is allowed."""
    context = Context(asked, need, role)
    own = judge(identity.documents, need, context)
    resource = _of_resource(asked, need, role, context)
    limits = [("permissions boundary", identity.boundary)]
    if session is not None and session.policy:
        limits.append(("session policy", read(session.policy)))
    said = [own, resource, *(judge([limit], need, context) for _, limit in limits if limit is not None)]
    if Verdict.DENIED in said:
        return "with an explicit deny"
    for what, limit in limits:
        if limit is not None and judge([limit], need, context) is not Verdict.ALLOWED:
            return f"because no {what} allows the {need.action} action"
    if _suffices(own, resource, need, role):
        return None
    if own is Verdict.ALLOWED:
        return f"because no resource-based policy allows the {need.action} action"
    return f"because no identity-based policy allows the {need.action} action"


def _suffices(own: Verdict, resource: Verdict | None, need: Need, role: str) -> bool:
    parts = need.resource.split(":", 5)
    owner = parts[4] if len(parts) > 5 else ""  # noqa: PLR2004 - the parts of an ARN
    by_both = need.action.startswith("kms:") or need.action == "sts:AssumeRole" or owner not in {"", role.split(":")[4]}
    if resource is None:
        return own is Verdict.ALLOWED
    if not by_both:
        return Verdict.ALLOWED in {own, resource}
    if owner in {"", role.split(":")[4]} and resource is Verdict.ALLOWED:
        return True  # the policy of a key or a role names the caller itself
    return own is Verdict.ALLOWED and resource in {Verdict.ALLOWED, Verdict.DELEGATED}


def _of_resource(asked: Asked, need: Need, role: str, context: Context) -> Verdict | None:
    """Return what the policy of the resource says, None where there is none."""
    principal = Principal(account=role.split(":")[4], arns=(role, callers.principal_of(asked)))
    if need.action == "sts:AssumeRole":
        target = policies.IDENTITIES.of(need.resource)
        return Verdict.SILENT if target is None else judge([target.trust], need, context, principal)
    document = policies.of_resource(need.resource, asked.region, asked.account)
    return None if document is None else judge([document], need, context, principal)


def _denied_by_trust(asked: Asked, role: str | None) -> Denial | None:
    """Judge who assumes a role whose policies count, when those of the caller do not: its trust policy decides."""
    if (asked.service, asked.operation) != ("sts", "AssumeRole"):
        return None
    target = str(asked.parameters.get("RoleArn"))
    if not ENFORCED.covers(target):
        return None
    need = Need(action="sts:AssumeRole", resource=target)
    identity = policies.IDENTITIES.of(target)
    if identity is None:
        return need, "because the role does not exist"
    account = role.split(":")[4] if role else asked.account
    principal = Principal(account=account, arns=(role or "", callers.principal_of(asked)), service=asked.for_service)
    context = Context(asked, need, role, by_service=asked.for_service is not None, source=asked.source)
    verdict = judge([identity.trust], need, context, principal)
    if verdict in {Verdict.ALLOWED, Verdict.DELEGATED}:
        return None
    return need, "because no resource-based policy allows the sts:AssumeRole action"


def _refusal(asked: Asked, need: Need, why: str) -> Refusal:
    protocol = wire.protocol_of(asked.service)
    code, status = DENIALS.get(asked.service) or DENIALS[protocol]
    if need.action == "sts:AssumeRole":  # by whatever service: it is STS that refuses
        code = DENIALS["query"][0]
    on = "" if need.resource == "*" else f" on resource: {need.resource}"
    told = f"User: {callers.principal_of(asked)} is not authorized to perform: {need.action}{on} {why}"
    return Refusal(
        code, f"You are not authorized to perform this operation. {told}" if protocol == "ec2" else told, status
    )
