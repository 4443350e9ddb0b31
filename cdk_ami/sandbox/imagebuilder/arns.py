"""ARNs of the service and how their versions are matched; pure.

https://docs.aws.amazon.com/imagebuilder/latest/userguide/ibhow-semantic-versioning.html, read 2026-11-22
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from cdk_ami.naming import normalized

VERSION_NODE_MAX: Final = 2**30 - 1
"""Largest number of a version's node.
https://docs.aws.amazon.com/imagebuilder/latest/APIReference/API_CreateComponent.html"""

MANAGED: Final = "aws"
"""Stands for the account in ARNs of what Amazon manages."""

_ARN: Final = re.compile(
    r"arn:(?P<partition>aws[^:]*):imagebuilder:(?P<region>[^:]+):(?P<account>[^:]+):"
    r"(?P<kind>workflow/[a-z]+|[a-z-]+)/(?P<name>[a-z0-9-_]+)"
    r"(?:/(?P<version>[0-9x]+\.[0-9x]+\.[0-9x]+)(?:/(?P<build>[0-9]+))?)?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arn:
    """A parsed ARN.

    Attributes:
        region: Region code.
        account: Twelve digits, or ``aws`` for what Amazon manages.
        kind: Such as ``component``, ``image-recipe`` or ``workflow/build``.
        name: The normalized name.
        version: Such as ``1.0.0`` or ``1.x.x``; empty for kinds without versions.
        build: Number of the build version, None where the ARN names none.
        partition: Such as ``aws``.
    """

    region: str
    account: str
    kind: str
    name: str
    version: str = ""
    build: int | None = None
    partition: str = "aws"

    def __str__(self) -> str:
        parts = [self.kind, self.name, self.version, "" if self.build is None else str(self.build)]
        tail = "/".join(part for part in parts if part)
        return f"arn:{self.partition}:imagebuilder:{self.region}:{self.account}:{tail}"


def parse(text: str) -> Arn | None:
    """Return the parts of an ARN of the service, None when it is none."""
    match = _ARN.fullmatch(text)
    if match is None:
        return None
    build = match["build"]
    return Arn(
        region=match["region"],
        account=match["account"],
        kind=match["kind"],
        name=match["name"],
        version=match["version"] or "",
        build=None if build is None else int(build),
        partition=match["partition"],
    )


def arn(*, region: str, account: str, kind: str, name: str, version: str = "", build: int | None = None) -> str:
    """Return the ARN of a resource by its name as the user wrote it."""
    return str(Arn(region=region, account=account, kind=kind, name=normalized(name), version=version, build=build))


def nodes(version: str) -> tuple[int, int, int]:
    """Return the numbers of a concrete version; kinds without versions count as zero."""
    if not version:
        return 0, 0, 0
    major, minor, patch = version.split(".")
    return int(major), int(minor), int(patch)


def is_wildcard(version: str) -> bool:
    """Tell whether a version holds an ``x``."""
    return "x" in version


def version_fault(version: str) -> str | None:
    """Return what is wrong with a version, concrete or with wildcards, or None."""
    parts = version.split(".")
    first = parts.index("x") if "x" in parts else len(parts)
    if any(part != "x" for part in parts[first:]):
        return "every node to the right of the first x must be x"
    if any(int(part) > VERSION_NODE_MAX for part in parts[:first]):
        return f"a node may not exceed {VERSION_NODE_MAX}"
    return None


def matches(version: str, pattern: str) -> bool:
    """Tell whether a concrete version is one of those that ``pattern`` names."""
    return all(asked in ("x", node) for node, asked in zip(version.split("."), pattern.split("."), strict=True))


def latest(candidates: Iterable[Arn]) -> Arn | None:
    """Return the newest of the candidates by version, then build."""
    return max(candidates, key=lambda found: (nodes(found.version), found.build or 0), default=None)


def select(wanted: Arn, candidates: Iterable[Arn]) -> Arn | None:
    """Return the newest candidate that the ARN ``wanted`` names; a version or build left open takes the newest."""
    return latest(
        found
        for found in candidates
        if (found.kind, found.name, found.account, found.region)
        == (wanted.kind, wanted.name, wanted.account, wanted.region)
        and (not wanted.version or matches(found.version, wanted.version))
        and wanted.build in (None, found.build)
    )


def next_version(pattern: str, existing: Iterable[str]) -> str:
    """Return the version that a new recipe of the version ``pattern`` gets.

    The leftmost ``x`` becomes one more than the highest node there is beside the fixed ones, the rest become zero; the
    first recipe starts at zero, or at 1.0.0 where the major node is open.
    """
    if not is_wildcard(pattern):
        return pattern
    parts = pattern.split(".")
    place = parts.index("x")
    found = [nodes(version)[place] for version in existing if version.split(".")[:place] == parts[:place]]
    first = 1 if place == 0 else 0
    node = max(found) + 1 if found else first
    return ".".join([*parts[:place], str(node), *["0"] * (2 - place)])


def references(concrete: str) -> dict[str, str]:
    """Return the ``latestVersionReferences`` of the resource with the concrete ARN ``concrete``."""
    parsed = parse(concrete)
    if parsed is None or not parsed.version:
        return {}
    major, minor, _ = parsed.version.split(".")

    def of(version: str) -> str:
        return str(
            Arn(
                region=parsed.region,
                account=parsed.account,
                kind=parsed.kind,
                name=parsed.name,
                version=version,
                partition=parsed.partition,
            )
        )

    return {
        "latestVersionArn": of("x.x.x"),
        "latestMajorVersionArn": of(f"{major}.x.x"),
        "latestMinorVersionArn": of(f"{major}.{minor}.x"),
        "latestPatchVersionArn": of(parsed.version),
    }
