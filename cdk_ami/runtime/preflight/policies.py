"""What a policy document says, as far as that can be told without the request: the rest is said to be open."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from fnmatch import fnmatchcase
from typing import Any, Final, NamedTuple

_BY_ACCOUNT: Final = frozenset({"aws:principalaccount", "kms:calleraccount"})
"""Condition keys that name the caller's account.
https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html"""


class Said(NamedTuple):
    """What a resource's policy says of an account.

    Attributes:
        missing: Actions that no statement allows it.
        open: Why the answer may be another one, empty where it cannot.
    """

    missing: tuple[str, ...]
    open: str


def says(document: Mapping[str, Any], account: str, actions: Sequence[str]) -> Said:
    """Return what the policy of a resource says of ``account`` and ``actions``.

    A statement for the account, or for any of its roles, counts; which of them it has to be is for whoever reads it.
    Of conditions those that tell accounts apart are weighed; the others are about the service and the grant, which a
    build meets.
    """
    statements = _statements(document)
    allowed = [(one, _names(one, account)) for one in statements if one.get("Effect") == "Allow"]
    missing = []
    left_open = ["it denies something as well, which was not weighed"] if _denies(statements) else []
    for action in actions:
        found = [named for one, named in allowed if named is not _Named.NO and _covers(one, action)]
        if not found:
            missing.append(action)
        elif _Named.YES not in found:
            left_open.append("it asks for an organization, of which nobody asked whether the account is a member")
    return Said(tuple(missing), "; ".join(dict.fromkeys(left_open)))


def trusts(document: Mapping[str, Any], account: str) -> bool:
    """Tell whether a trust policy lets the account as such take the role."""
    for one in _statements(document):
        acts = any(fnmatchcase("sts:AssumeRole", str(action)) for action in _many(one.get("Action")))
        if (
            one.get("Effect") == "Allow"
            and acts
            and set(_principals(one)) & {account, f"arn:aws:iam::{account}:root", "*"}
        ):
            return True
    return False


def _statements(document: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    return [one for one in _many(document.get("Statement")) if isinstance(one, Mapping)]


class _Named(Enum):
    """Whether a statement is about an account."""

    YES = "yes"
    NO = "no"
    OPEN = "if it is in the organization"


def _names(statement: Mapping[str, Any], account: str) -> _Named:
    for one in _principals(statement):
        if one == account or (one.startswith("arn:") and one.split(":")[4:5] == [account]):
            return _Named.YES
    if "*" not in _principals(statement):
        return _Named.NO
    asked = [
        (key.lower(), [str(value) for value in _many(values)])
        for operator, keys in statement.get("Condition", {}).items()
        if "not" not in operator.lower()
        for key, values in keys.items()
    ]
    if any(key in _BY_ACCOUNT and account not in values for key, values in asked):
        return _Named.NO
    return _Named.OPEN if any(key.startswith("aws:principalorg") for key, _ in asked) else _Named.YES


def _denies(statements: Iterable[Mapping[str, Any]]) -> bool:
    return any(one.get("Effect") == "Deny" for one in statements)


def _principals(statement: Mapping[str, Any]) -> list[str]:
    named = statement.get("Principal", {})
    return [str(one) for one in ([named] if isinstance(named, str) else _many(named.get("AWS")))]


def _covers(statement: Mapping[str, Any], action: str) -> bool:
    return any(fnmatchcase(action.lower(), str(one).lower()) for one in _many(statement.get("Action")))


def _many(value: Any) -> Sequence[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
