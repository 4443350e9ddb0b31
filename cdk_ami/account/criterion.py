"""What an AMI of somebody else must be to be allowed, as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cdk_ami.checks import account as rules

if TYPE_CHECKING:
    from cdk_ami.errors import Faults


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageCriterion:
    """AMIs that an account allows itself to see and launch: those that meet all of what is given.

    AMIs of the account itself are always allowed.
    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-allowed-amis.html

    Attributes:
        providers: Who made the AMI: 12-digit accounts, ``amazon``, ``aws-marketplace``, ``aws-backup-vault``, or
            ``none`` alone for nobody else.  Default: anybody.
        names: Patterns of the AMI's name, with ``*`` and ``?``.  A name can be taken by anybody, so name providers too.
            Default: any.
        max_age_days: Most days since the AMI was made.  Default: any age.
        max_deprecated_days: Most days since the AMI was deprecated; 0 allows no deprecated one.  Default: however long.
    """

    providers: Sequence[str] = ()
    names: Sequence[str] = ()
    max_age_days: int | None = None
    max_deprecated_days: int | None = None

    def check(self, faults: Faults, prop: str) -> None:
        """Add what EC2 would refuse of it to ``faults``."""
        for index, one in enumerate(self.providers):
            faults.check(f"{prop}.providers[{index}]", rules.provider(one))
        faults.check(f"{prop}.providers", rules.own_only(tuple(self.providers)))
        for index, name in enumerate(self.names):
            faults.check(f"{prop}.names[{index}]", rules.name_pattern(name))
        for field in ("max_age_days", "max_deprecated_days"):
            if (count := getattr(self, field)) is not None:
                faults.check(f"{prop}.{field}", rules.days(count))
        if not self.as_parameter():
            faults.add(prop, "asks for nothing", got="ImageCriterion()", fix="name providers, names or an age")

    def as_parameter(self) -> dict[str, Any]:
        """Return it as EC2's ``ImageCriterionRequest``."""
        made: dict[str, Any] = {}
        if self.providers:
            made["ImageProviders"] = list(self.providers)
        if self.names:
            made["ImageNames"] = list(self.names)
        if self.max_age_days is not None:
            made["CreationDateCondition"] = {"MaximumDaysSinceCreated": self.max_age_days}
        if self.max_deprecated_days is not None:
            made["DeprecationTimeCondition"] = {"MaximumDaysSinceDeprecated": self.max_deprecated_days}
        return made
