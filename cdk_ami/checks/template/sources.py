"""What a recipe's parent image says of itself: platform, processor, end of support."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from cdk_ami.checks.template.places import Resource
from cdk_ami.source.catalog import BY_PARAMETER, MANAGED_IMAGES
from cdk_ami.source.platform import Architecture, Platform

_MANAGED: Final = re.compile(r":imagebuilder:[^/]*:aws:image/(?P<name>[a-z0-9-_]+)/")
_PARAMETER: Final = re.compile(r"(?:ssm:|resolve:ssm:)(?P<name>/aws/service/[^:\]}]+)")
_ARM: Final = re.compile(r"arm64|aarch64")
_INTEL: Final = re.compile(r"x86|amd64")
_WINDOWS: Final = re.compile(r"windows", re.IGNORECASE)
_LINUX: Final = re.compile(r"linux|amzn|al2023|ubuntu|debian|rhel|red-hat|suse|sles|centos|rocky|alma", re.IGNORECASE)
_ENDED: Final = (
    (r"amazon-linux-ami|amzn-ami-|/amazon-linux-1|al1-", "Amazon Linux AMI (1)", "2023-12-31"),
    (r"ubuntu-server-14|/ubuntu/server/14\.04|ubuntu-trusty", "Ubuntu 14.04", "2019-04-30"),
    (r"ubuntu-server-16|/ubuntu/server/16\.04|ubuntu-xenial", "Ubuntu 16.04", "2021-04-30"),
    (r"ubuntu-server-18|/ubuntu/server/18\.04|ubuntu-bionic", "Ubuntu 18.04", "2023-05-31"),
    (r"ubuntu-server-20|/ubuntu/server(?:-minimal)?/20\.04|ubuntu-focal", "Ubuntu 20.04", "2025-05-31"),
    (r"amazon-linux-2-|/amzn2-ami-", "Amazon Linux 2", "2026-06-30"),
    (r"(?i)windows-server-2012|Windows_Server-2012|WIN2012", "Windows Server 2012", "2023-10-10"),
    (r"(?i)windows-server-2016|Windows_Server-2016|WIN2016", "Windows Server 2016", "2027-01-12"),
    (r"(?i)centos-linux-7|centos-7|centos7", "CentOS 7", "2024-06-30"),
    (r"(?i)centos-stream-8|centos-8|centos8", "CentOS Stream 8", "2024-05-31"),
    (r"debian/(?:release/)?10/|debian-10", "Debian 10", "2024-06-30"),
    (r"debian/(?:release/)?11/|debian-11", "Debian 11", "2026-08-31"),
    (r"red-hat-enterprise-linux-7|rhel-7", "Red Hat Enterprise Linux 7", "2024-06-30"),
)


class SourceFacts(NamedTuple):
    """What is known of a parent image.

    Attributes:
        platform: Operating system, None when it cannot be told.
        architecture: Processor, None when it cannot be told.
        ended: Title and last day of support of what has ended, or ends within a year of the catalogue's date.
    """

    platform: Platform | None = None
    architecture: Architecture | None = None
    ended: tuple[str, str] | None = None


def source_facts(parent: str) -> SourceFacts:
    """Return what the text of ``ParentImage`` tells, tokens in it left aside."""
    managed, parameter = _MANAGED.search(parent), _PARAMETER.search(parent)
    name = managed["name"] if managed else parameter["name"] if parameter else ""
    known = MANAGED_IMAGES.get(name) or BY_PARAMETER.get(name)
    ended = next(((title, day) for pattern, title, day in _ENDED if re.search(pattern, name)), None) if name else None
    if known is not None:
        if known.near_end_of_support:
            ended = (known.title, known.support_ends)
        return SourceFacts(known.platform, known.architecture, ended)
    platform = Platform.WINDOWS if _WINDOWS.search(name) else Platform.LINUX if _LINUX.search(name) else None
    processor = Architecture.ARM64 if _ARM.search(name) else Architecture.X86_64 if _INTEL.search(name) else None
    return SourceFacts(platform, processor, ended)


def facts_of(recipe: Resource) -> SourceFacts:
    """Return what is known of a recipe's parent image."""
    return source_facts(recipe.get("ParentImage").partial)
