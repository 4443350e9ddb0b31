"""Rules over packages and services of an image."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from cdk_ami.checks.rule import Problem, rule

_COMPONENTS: Final = "https://docs.aws.amazon.com/imagebuilder/latest/userguide/manage-components.html"
_PACKAGE: Final = r"[A-Za-z0-9][A-Za-z0-9+._-]*(?::[a-z0-9]+)?"
_VERSION: Final = r"[A-Za-z0-9][A-Za-z0-9+.:~_-]*\*?"
_SERVICE: Final = r"[A-Za-z0-9_][A-Za-z0-9:_.@-]{0,254}"


@rule("Packages", source=_COMPONENTS)
def packages_given(install: Sequence[str], remove: Sequence[str]) -> Iterator[Problem]:
    """A component made of packages installs or removes at least one."""
    if isinstance(install, str):
        yield Problem(problem="are one text", got=install, fix="give a list of names")
    elif not install and not remove:
        yield Problem(problem="name none", got=[], fix="name at least one to install or to remove")


@rule("PackageName", source=_COMPONENTS)
def package_name(name: str) -> Iterator[Problem]:
    """A package's name is one word that no shell and no package manager takes for anything else."""
    if not isinstance(name, str) or not re.fullmatch(_PACKAGE, name):
        yield Problem(
            problem="is no name of a package", got=name, fix="use letters, digits and + . _ -; a version goes beside it"
        )


@rule("PackageVersion", source=_COMPONENTS)
def package_version(version: str) -> Iterator[Problem]:
    """A package's version is written as the distribution writes it, perhaps with a star at its end."""
    if not isinstance(version, str) or (version and not re.fullmatch(_VERSION, version)):
        yield Problem(problem="is no version of a package", got=version, fix="write one such as 1.24.0 or 1.24.*")


@rule("PackagesPlatform", source=_COMPONENTS)
def packages_platform(platform: str) -> Iterator[Problem]:
    """Packages are installed on Linux: Windows has no package manager that each image holds."""
    if platform == "Windows":
        yield Problem(
            problem="is Windows, which has no package manager that each image holds",
            got=str(platform),
            fix="use Component.from_commands with platform=Platform.WINDOWS, or aws_managed('chocolatey') before it",
        )


@rule("ServiceName", source=_COMPONENTS)
def service_name(unit: str) -> Iterator[Problem]:
    """A service has the name of a unit of systemd, or of a service of Windows."""
    if not isinstance(unit, str) or not re.fullmatch(_SERVICE, unit):
        yield Problem(problem="is no name of a service", got=unit, fix="write it as systemd does, such as httpd")
