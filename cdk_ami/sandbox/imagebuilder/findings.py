"""Findings of vulnerability scans: what one can plant, how they are counted, and which fail an image; pure.

https://docs.aws.amazon.com/imagebuilder/latest/APIReference/API_ScanResultCondition.html, read 2026-11-28
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

SEVERITIES: Final = ("UNTRIAGED", "INFORMATIONAL", "LOW", "MEDIUM", "HIGH", "CRITICAL")
"""Severities, the mildest first.
https://docs.aws.amazon.com/inspector/latest/user/findings-understanding-severity.html"""

FIXES: Final = ("YES", "NO", "PARTIAL")
COUNTED: Final = ("critical", "high", "medium")
"""Severities that the service counts by name; ``all`` counts every finding.
https://docs.aws.amazon.com/imagebuilder/latest/APIReference/API_SeverityCounts.html"""

_DEFAULT_ID: Final = "CVE-2026-0001"


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """A vulnerability that every scan of an image finds.

    Attributes:
        image: Normalized name of the image; empty is every image.
        severity: One of ``SEVERITIES``.
        fix: One of ``FIXES``.
        vulnerability: Its id, such as ``CVE-2026-0001``.
        package: Name of the package that has it.
        version: Version of the package that has it.
        title: What it is called.
    """

    image: str = ""
    severity: str = "HIGH"
    fix: str = "YES"
    vulnerability: str = _DEFAULT_ID
    package: str = "openssl"
    version: str = "1.0.0"
    title: str = ""

    @property
    def fixable(self) -> bool:
        """Whether there is a fix, for some packages at least."""
        return self.fix != "NO"


def plant(asked: Mapping[str, Any], *, image: str) -> Planted:
    """Return the finding that somebody asks to plant.

    Raises:
        ValueError: When it is none.
    """
    names = ("severity", "fix", "vulnerability", "package", "version", "title")
    if unknown := sorted(set(asked) - set(names)):
        raise ValueError(f"a finding has {', '.join(names)}, got {unknown}")
    if wrong := [name for name, value in asked.items() if not isinstance(value, str) or not value]:
        raise ValueError(f"{wrong[0]} of a finding is a text, got {asked[wrong[0]]!r}")
    found = Planted(image=image, **asked)
    for name, value, allowed in (("severity", found.severity, SEVERITIES), ("fix", found.fix, FIXES)):
        if value not in allowed:
            raise ValueError(f"{name} of a finding is one of {', '.join(allowed)}, got {value!r}")
    return found


def exceeding(found: Iterable[Planted], *, highest: str, fixable: bool) -> list[Planted]:
    """Return the findings that fail an image: those that count, and are above the highest severity that passes."""
    limit = SEVERITIES.index(highest)
    return [
        finding for finding in found if SEVERITIES.index(finding.severity) > limit and (finding.fixable or not fixable)
    ]


def severity_counts(severities: Iterable[str]) -> dict[str, int]:
    """Return the counts that events and aggregations show."""
    known = list(severities)
    return {"all": len(known), **{name: known.count(name.upper()) for name in COUNTED}}


def shown(finding: Planted, *, account: str, image_arn: str, pipeline_arn: str | None, now: Any) -> dict[str, Any]:
    """Return a finding as the API shows it."""
    package: dict[str, Any] = {"name": finding.package, "version": finding.version, "packageManager": "OS"}
    if finding.fixable:
        package["fixedInVersion"] = f"{finding.version}.1"
    return {
        "awsAccountId": account,
        "imageBuildVersionArn": image_arn,
        **({"imagePipelineArn": pipeline_arn} if pipeline_arn else {}),
        "type": "PACKAGE_VULNERABILITY",
        "title": finding.title or f"{finding.vulnerability} - {finding.package}",
        "description": f"{finding.package} {finding.version} has {finding.vulnerability}.",
        "severity": finding.severity,
        "firstObservedAt": now,
        "updatedAt": now,
        "fixAvailable": finding.fix,
        "packageVulnerabilityDetails": {
            "vulnerabilityId": finding.vulnerability,
            "vulnerablePackages": [package],
            "source": "SANDBOX",
        },
    }
