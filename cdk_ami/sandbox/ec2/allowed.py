"""Allowed AMIs: which images of others an account lets itself see and launch.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-allowed-amis.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from fnmatch import fnmatchcase
from typing import Any, Final

from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.ec2.image import Image
from cdk_ami.sandbox.ec2.refusal import refusal

CRITERIA_LIMIT: Final = 10
"""https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ImageCriterionRequest.html, as the limits below."""

VALUE_LIMITS: Final = {"ImageProviders": 200, "ImageNames": 50, "MarketplaceProductCodes": 50, "ImageWatermarks": 50}

NOT_OFFERED: Final = ("MarketplaceProductCodes", "ScanResultCondition")
"""Criteria that nothing in the sandbox could meet."""

_ACCOUNT: Final = re.compile(r"\d{12}")
_ALIASES: Final = frozenset({"amazon", "aws-marketplace", "aws-backup-vault", "none"})
_NAME: Final = re.compile(r"[A-Za-z0-9()\[\] ./\-'@_*?]{1,128}")

Criterion = Mapping[str, Any]


@dataclass(slots=True)
class Settings:
    """The settings of one account in one Region.

    Attributes:
        state: ``disabled``, ``audit-mode`` or ``enabled``.
        criteria: An image is allowed when it meets any of them, each of them as a whole.
    """

    state: str = "disabled"
    criteria: list[Criterion] = field(default_factory=list)

    def allows(self, image: Image, account: str) -> bool:
        """Tell whether ``account``, whose settings these are, allows ``image``: its own ones always."""
        return image.owner_id == account or any(_meets(image, criterion) for criterion in self.criteria)

    def hides(self, image: Image, account: str) -> bool:
        """Tell whether ``account`` can neither see nor launch ``image``."""
        return self.state == "enabled" and not self.allows(image, account)


def settings(backend: Any) -> Settings:
    """Return the settings of an account in a Region, whose EC2 ``backend`` is."""
    # The backend's own dictionary, so that a reset forgets them too.
    found: Settings = backend.__dict__.setdefault("sandbox_allowed_images", Settings())
    return found


def _meets(image: Image, criterion: Criterion) -> bool:
    return all(test(image, criterion[name]) for name, test in _TESTS.items() if criterion.get(name))


def _by_provider(image: Image, providers: list[str]) -> bool:
    return image.owner_id in providers or image.owner_alias in providers


def _by_name(image: Image, names: list[str]) -> bool:
    return any(fnmatchcase(image.name, name.replace("[", "[[]")) for name in names)


def _by_age(image: Image, condition: Mapping[str, int]) -> bool:
    longest = timedelta(days=condition["MaximumDaysSinceCreated"])
    return CLOCK.now() - image.created.replace(tzinfo=UTC) <= longest


def _by_deprecation(image: Image, condition: Mapping[str, int]) -> bool:
    if image.deprecated_at is None or not image.deprecated:
        return True
    longest = timedelta(days=condition["MaximumDaysSinceDeprecated"])
    return bool(longest) and CLOCK.now() - image.deprecated_at <= longest


def _by_watermark(image: Image, marks: list[Mapping[str, Any]]) -> bool:
    return any(_carries(image, mark) for mark in marks)


def _carries(image: Image, wanted: Mapping[str, Any]) -> bool:
    now = CLOCK.now().replace(tzinfo=None)
    for mark in image.watermarks.values():
        if not fnmatchcase(mark.key, wanted.get("WatermarkKey", "*")):
            continue
        if wanted.get("SourceImageRegion", mark.region) != mark.region:
            continue
        ages = (
            (wanted.get("MaximumDaysSinceSourceImageCreated"), mark.image_created),
            (wanted.get("MaximumDaysSinceWatermarkCreated"), mark.attached),
        )
        if all(days is None or now - since <= timedelta(days=days) for days, since in ages):
            return True
    return False


_TESTS: Final[Mapping[str, Callable[[Image, Any], bool]]] = {
    "ImageProviders": _by_provider,
    "ImageNames": _by_name,
    "CreationDateCondition": _by_age,
    "DeprecationTimeCondition": _by_deprecation,
    "ImageWatermarks": _by_watermark,
}


def check_criteria(criteria: list[dict[str, Any]]) -> None:
    """Refuse criteria that EC2 would not take.

    Raises:
        EC2ClientError: InvalidParameterValue, or UnsupportedOperation for what the sandbox cannot judge.
    """
    if len(criteria) > CRITERIA_LIMIT:
        raise refusal(
            "InvalidParameterValue", f"At most {CRITERIA_LIMIT} image criteria are allowed, got {len(criteria)}"
        )
    for criterion in criteria:
        for name in NOT_OFFERED:
            if criterion.get(name):
                raise refusal("UnsupportedOperation", f"the sandbox does not offer the image criterion {name}")
        if not any(criterion.get(name) for name in _TESTS):
            raise refusal("InvalidParameterValue", "An image criterion must not be empty")
        for name, most in VALUE_LIMITS.items():
            if len(criterion.get(name, [])) > most:
                raise refusal("InvalidParameterValue", f"At most {most} values are allowed for {name}")
        _check_values(criterion)


def _check_values(criterion: Criterion) -> None:
    providers = criterion.get("ImageProviders", [])
    for provider in providers:
        if provider not in _ALIASES and not _ACCOUNT.fullmatch(provider):
            raise refusal("InvalidParameterValue", f"Invalid value '{provider}' for imageProvider")
    if "none" in providers and len(providers) > 1:
        raise refusal("InvalidParameterValue", "When the image provider none is given, no other value can be")
    for name in criterion.get("ImageNames", []):
        if not _NAME.fullmatch(name):
            raise refusal("InvalidParameterValue", f"Invalid value '{name}' for imageName")
