"""The rules of the service, one backend for each account and Region, in the emulator's own form."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from moto.core.base_backend import AccountSpecificBackend, BackendDict, BaseBackend
from moto.core.exceptions import ServiceException

from cdk_ami.sandbox.clock import CLOCK

REGIONS: Final[list[str]] = AccountSpecificBackend.get_session().get_available_regions("ec2")
"""The Regions of the service: those of EC2.  A session of our own would take a quarter of a second."""

RULE_LIMIT: Final = 250
"""Rules in a Region.  https://docs.aws.amazon.com/ebs/latest/userguide/recycle-bin-quotas.html."""

Tags = list[dict[str, str]]


class RbinError(ServiceException):  # type: ignore[misc]
    """An answer other than success; ``code`` is the name of an error shape, which brings the HTTP state."""

    def __init__(self, code: str, message: str, reason: str) -> None:
        super().__init__(code, message)
        self.reason = reason


def invalid(message: str) -> RbinError:
    """Return the error for a value that the service does not take."""
    return RbinError("ValidationException", message, "INVALID_PARAMETER_VALUE")


@dataclass(slots=True, kw_only=True)
class Rule:
    """A retention rule.

    Attributes:
        identifier: Eleven letters and digits.
        arn: Its ARN.
        kind: ``EC2_IMAGE`` or ``EBS_SNAPSHOT``.
        days: How long things stay in the bin.
        description: What it is for; None says nothing.
        resource_tags: Any of these makes a thing stay; none at all is a rule for the whole Region.
        exclude_tags: Any of these makes a Region's rule pass a thing by.
        unlock_days: Days from its unlocking until a locked rule can be changed; None was never locked.
        locked: Whether it is locked.
        unlocked_at: When a rule that is being unlocked can be changed; None when none is.
        tags: The rule's own tags.
    """

    identifier: str
    arn: str
    kind: str
    days: int
    description: str | None = None
    resource_tags: Tags = field(default_factory=list)
    exclude_tags: Tags = field(default_factory=list)
    unlock_days: int | None = None
    locked: bool = False
    unlocked_at: datetime | None = None
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def lock_state(self) -> str:
        """State of the lock in the service's words, by the clock."""
        if self.locked:
            return "locked"
        return "pending_unlock" if self.unlocked_at and CLOCK.now() < self.unlocked_at else "unlocked"

    def lock(self, days: int) -> None:
        """Let nobody change or delete the rule."""
        if self.resource_tags or self.exclude_tags:
            raise invalid("Only Region-level retention rules without exclusion tags can be locked.")
        if self.locked:
            raise self._wrong_state()
        self.locked, self.unlock_days, self.unlocked_at = True, days, None

    def unlock(self) -> None:
        """Let the rule be changed again once the delay is over."""
        if not self.locked or self.unlock_days is None:
            raise self._wrong_state()
        self.locked, self.unlocked_at = False, CLOCK.now() + timedelta(days=self.unlock_days)

    def check_open(self) -> None:
        """Refuse a change of a rule that is locked, or was until lately.

        Raises:
            RbinError: ConflictException.
        """
        if self.lock_state != "unlocked":
            raise self._wrong_state()

    def _wrong_state(self) -> RbinError:
        return RbinError(
            "ConflictException", f"The retention rule {self.identifier} is {self.lock_state}.", "INVALID_RULE_STATE"
        )

    def keeps(self, kind: str, tags: dict[str, str]) -> bool:
        """Tell whether a deleted thing with ``tags`` goes into the bin by this rule."""
        if kind != self.kind:
            return False
        wanted, passed = (
            any(tags.get(each["ResourceTagKey"]) == each.get("ResourceTagValue", "") for each in listed)
            for listed in (self.resource_tags, self.exclude_tags)
        )
        return wanted if self.resource_tags else not passed


class RecycleBinBackend(BaseBackend):  # type: ignore[misc]
    """The rules of one account in one Region, by their identifiers."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.rules: dict[str, Rule] = {}

    def retention(self, kind: str, tags: dict[str, str]) -> int | None:
        """Return how many days a deleted thing stays in the bin: the longest of its rules; None is not at all."""
        return max((rule.days for rule in list(self.rules.values()) if rule.keeps(kind, tags)), default=None)

    def rule(self, identifier: str) -> Rule:
        """Return a rule by its identifier.

        Raises:
            RbinError: ResourceNotFoundException.
        """
        found = self.rules.get(identifier)
        if found is None:
            raise RbinError(
                "ResourceNotFoundException", f"The retention rule {identifier} does not exist.", "RULE_NOT_FOUND"
            )
        return found

    def rule_by_arn(self, arn: str) -> Rule:
        """Return a rule by its ARN."""
        return self.rule(arn.rpartition("/")[2])


rbin_backends: Any = BackendDict(RecycleBinBackend, "rbin", use_boto3_regions=False, additional_regions=REGIONS)
