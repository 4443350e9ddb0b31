"""Policies of IAM, keys, buckets and topics, read statement by statement."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cdk_ami.checks.template.places import Place, Resource
from cdk_ami.checks.template.types import MANAGED_POLICY, POLICY

EVERYTHING: Final = "*"


def statements(document: Place) -> list[Place]:
    """Return the statements of a policy document that allow something."""
    found = document.get("Statement")
    return [place for place in found.list() if place.get("Effect").text == "Allow"]


def texts(place: Place) -> list[Place]:
    """Return the texts that stand at a place, one or many."""
    return [item for item in place.list() if isinstance(item.raw, str)]


def principals(statement: Place, kind: str) -> list[Place]:
    """Return the principals of a statement of one kind, such as ``Service``."""
    return texts(statement.at(f"Principal.{kind}"))


def open_to_all(statement: Place) -> bool:
    """Tell whether a statement lets everybody in, and no condition keeps anybody out."""
    principal = statement.get("Principal")
    everybody = principal.text == EVERYTHING or any(item.text == EVERYTHING for item in principals(statement, "AWS"))
    return everybody and not statement.get("Condition").given and not statement.get("Condition").unknown


def policies_of(role: Resource) -> Iterator[Place]:
    """Yield the policy documents of a role that stand in its template."""
    yield from role.all("Policies[].PolicyDocument")
    for policy in role.template.of_type(POLICY, MANAGED_POLICY):
        if any(place.mentions(role.logical_id) for place in policy.get("Roles").items()):
            yield policy.get("PolicyDocument")
    for place in role.get("ManagedPolicyArns").items():
        own = role.target(place, MANAGED_POLICY)
        if own is not None:
            yield own.get("PolicyDocument")
