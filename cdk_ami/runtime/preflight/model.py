"""What a check is, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cdk_ami.runtime.preflight.accounts import Accounts
    from cdk_ami.runtime.preflight.needs import Needs


class Status(StrEnum):
    """How a need is met."""

    OK = "ok"
    WARN = "warn"
    """Legal, and probably not what is wanted."""

    FAIL = "fail"
    """The deployment or the build would fail."""

    NOT_CHECKED = "not checked"
    """Nobody could look; never taken for success."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check says of one need.

    Attributes:
        check: Name of the check.
        account: Account that was looked at.
        region: Region that was looked at, empty for what belongs to no Region.
        subject: What the need is about: a key, a role, a parameter.
        status: How it is met.
        message: What was found, in words.
        fix: What to do about it, empty when there is nothing to do.
    """

    check: str
    account: str
    region: str
    subject: str
    status: Status
    message: str
    fix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of a check, and the permission that it takes.

    Attributes:
        operation: As boto3's service and the API name it, such as ``ec2:DescribeRegions``.
        action: The IAM action, None for a call that needs no permission.
        why: When it is made, where that is not always.
    """

    operation: str
    action: str | None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One kind of need, and how it is looked at.

    Attributes:
        name: Name, such as ``keys``.
        about: What it finds, one sentence.
        source: The page that states why it matters.
        calls: What it calls.
        needs: Picks the needs that it is about.
        look: Looks at one of them.
    """

    name: str
    about: str
    source: str
    calls: Sequence[Call]
    needs: Callable[[Needs], Sequence[Any]]
    look: Callable[[Any, Accounts], Iterator[Finding]]


class NotSeenError(Exception):
    """Somewhere that nobody can look from here, with what to do about it.

    Attributes:
        message: Why.
        fix: What to do.
    """

    def __init__(self, message: str, *, fix: str) -> None:
        super().__init__(message)
        self.message, self.fix = message, fix


def call(operation: str, why: str = "", *, action: str | None = "") -> Call:
    """Return a call whose permission is called as it is, unless another is given."""
    return Call(operation=operation, action=operation if action == "" else action, why=why)
