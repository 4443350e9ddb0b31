"""Which images a lifecycle policy acts on, and how; pure.

https://docs.aws.amazon.com/imagebuilder/latest/userguide/image-lifecycle-rules.html and
https://docs.aws.amazon.com/imagebuilder/latest/userguide/lifecycle-policy-execution.html, read 2026-11-28
"""

from __future__ import annotations

import calendar
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from cdk_ami.naming import normalized
from cdk_ami.sandbox.imagebuilder import arns

BUILDING: Final = frozenset({"PENDING", "CREATING", "BUILDING", "TESTING", "DISTRIBUTING", "INTEGRATING"})
"""States of images that no lifecycle touches."""

_ENDED_BADLY: Final = frozenset({"FAILED", "CANCELLED"})
_PAST: Final[Mapping[str, frozenset[str]]] = {
    "DEPRECATE": frozenset({"DEPRECATED", "DISABLED", "FAILED", "CANCELLED"}),
    "DISABLE": frozenset({"DISABLED", "FAILED", "CANCELLED"}),
    "DELETE": frozenset(),
}
"""States in which an image is past an action."""

_ORDER: Final = ("DEPRECATE", "DISABLE", "DELETE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An image as a policy sees it.

    Attributes:
        arn: ARN of its build version.
        created: When it was made.
        status: Its status.
        recipe: Normalized name of its recipe, empty where none made it.
        version: Version of the recipe.
        tags: Tags of the image resource, not those of its AMIs.
    """

    arn: str
    created: datetime
    status: str
    recipe: str
    version: str
    tags: Mapping[str, str]


def selected(images: Sequence[Candidate], selection: Mapping[str, Any]) -> list[Candidate]:
    """Return the images that a policy is for: by recipe and version, or by any one of its tags."""
    tags = selection.get("tagMap") or {}
    if tags:
        return [image for image in images if _tagged(image, tags)]
    recipes = [(normalized(one["name"]), one["semanticVersion"]) for one in selection.get("recipes") or ()]
    return [
        image
        for image in images
        if any(image.recipe == name and arns.matches(image.version, version) for name, version in recipes)
    ]


def choose(
    images: Sequence[Candidate], rules: Sequence[Mapping[str, Any]], now: datetime
) -> Iterator[tuple[Candidate, Mapping[str, Any]]]:
    """Yield each image that a rule acts on, with the rule: at most one for each, the mildest first.

    Images are counted for each version of a recipe by itself.
    """
    by_action = {rule["action"]["type"]: rule for rule in rules}
    groups: dict[tuple[str, str], list[Candidate]] = defaultdict(list)
    for image in images:
        if image.status not in BUILDING:
            groups[image.recipe, image.version].append(image)
    for group in groups.values():
        slot = 0
        for image in sorted(group, key=lambda one: (one.created, one.arn), reverse=True):
            rule = next(
                (by_action[name] for name in _ORDER if name in by_action and _meets(image, by_action[name], slot, now)),
                None,
            )
            if image.status not in _ENDED_BADLY:
                slot += 1
            if rule is not None:
                yield image, rule


def _meets(image: Candidate, rule: Mapping[str, Any], slot: int, now: datetime) -> bool:
    action, found = rule["action"]["type"], rule["filter"]
    if image.status in _PAST[action] or _tagged(image, (rule.get("exclusionRules") or {}).get("tagMap") or {}):
        return False
    if action == "DELETE" and image.status in _ENDED_BADLY:
        return True
    if found["type"] == "COUNT":
        return slot >= int(found["value"])
    if action == "DELETE" and slot < int(found.get("retainAtLeast") or 0):
        return False
    return image.created <= earlier(now, found["value"], found["unit"])


def earlier(now: datetime, value: int, unit: str) -> datetime:
    """Return the time a number of units before ``now``; months and years are those of the calendar."""
    if unit in ("DAYS", "WEEKS"):
        return now - timedelta(days=value * (7 if unit == "WEEKS" else 1))
    months = now.year * 12 + now.month - 1 - value * (12 if unit == "YEARS" else 1)
    year, month = divmod(months, 12)
    return now.replace(year=year, month=month + 1, day=min(now.day, calendar.monthrange(year, month + 1)[1]))


def excluded(
    ami: Mapping[str, Any], region: str, shared: Sequence[str], rules: Mapping[str, Any], now: datetime
) -> str:
    """Return why an AMI is left alone, or nothing.

    Args:
        ami: EC2's description of it.
        region: Where it is.
        shared: Accounts that may launch it.
        rules: ``exclusionRules.amis``.
        now: The present.
    """
    if region in (rules.get("regions") or ()):
        return f"The AMI is in the excluded Region {region}."
    if rules.get("isPublic") and ami.get("Public"):
        return "The AMI is public."
    tags = {tag["Key"]: tag["Value"] for tag in ami.get("Tags") or ()}
    if hit := next((key for key, value in (rules.get("tagMap") or {}).items() if tags.get(key) == value), None):
        return f"The AMI has the excluded tag {hit}."
    if hit := next((account for account in rules.get("sharedAccounts") or () if account in shared), None):
        return f"The AMI is shared with the account {hit}."
    launched, window = ami.get("LastLaunchedTime"), rules.get("lastLaunched")
    if window and launched and datetime.fromisoformat(str(launched)) >= earlier(now, window["value"], window["unit"]):
        return f"The AMI was launched at {launched}."
    return ""


def _tagged(image: Candidate, tags: Mapping[str, str]) -> bool:
    return any(image.tags.get(key) == value for key, value in tags.items())
