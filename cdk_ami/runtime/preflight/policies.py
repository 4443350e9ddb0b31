"""What a policy document says, as far as that can be told without the request: the rest is said to be open."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple


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
    A statement with conditions counts as well: those of a key are about the service and the grant, which a build meets.
    """
    allowed = [one for one in _statements(document) if one.get("Effect") == "Allow" and _names(one, account)]
    missing = tuple(action for action in actions if not any(_covers(one, action) for one in allowed))
    denies = any(one.get("Effect") == "Deny" for one in _statements(document))
    return Said(missing, "it denies something as well, which was not weighed" if denies else "")


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


def _names(statement: Mapping[str, Any], account: str) -> bool:
    return any(
        one in {"*", account} or (one.startswith("arn:") and one.split(":")[4:5] == [account])
        for one in _principals(statement)
    )


def _principals(statement: Mapping[str, Any]) -> Iterator[str]:
    named = statement.get("Principal", {})
    yield from map(str, [named] if isinstance(named, str) else _many(named.get("AWS")))


def _covers(statement: Mapping[str, Any], action: str) -> bool:
    return any(fnmatchcase(action.lower(), str(one).lower()) for one in _many(statement.get("Action")))


def _many(value: Any) -> Sequence[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
