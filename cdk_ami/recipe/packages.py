"""Packages of Linux distributions as a component document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

from cdk_ami.checks import packages as rules
from cdk_ami.checks.rule import is_token
from cdk_ami.errors import Faults
from cdk_ami.recipe import actions
from cdk_ami.recipe.builder import ComponentDocument, Phase, Step
from cdk_ami.source.platform import Platform


class PackageManager(StrEnum):
    """A program that installs packages, by the name of its command."""

    DNF = "dnf"
    """Amazon Linux 2023, Fedora, Red Hat Enterprise Linux."""

    YUM = "yum"
    """Amazon Linux 2."""

    APT = "apt-get"
    """Debian, Ubuntu."""

    ZYPPER = "zypper"
    """SUSE."""


_APT: Final = "apt-get --yes --option DPkg::Lock::Timeout=300"
_RPM: Final = f"{PackageManager.DNF}|{PackageManager.YUM}|{PackageManager.ZYPPER})"


def packages_document(
    name: str,
    install: Sequence[str] | Mapping[str, str],
    *,
    remove: Sequence[str],
    manager: PackageManager | None,
    platform: Platform,
    where: str,
) -> ComponentDocument:
    """Return the document that installs and removes packages, and checks that it did.

    Args:
        name: Name of the component.
        install: Packages to install, as a mapping with the version of each.
        remove: Packages to remove.
        manager: Package manager, None for the one that is there.
        platform: Operating system of the image.
        where: What an error names.

    Raises:
        ConfigError: When no package is named, or a name is none.
    """
    faults = Faults(where)
    faults.check("platform", rules.packages_platform(platform))
    faults.check("packages", rules.packages_given(install if isinstance(install, str) else list(install), list(remove)))
    faults.raise_if_any()
    versions = dict(install) if isinstance(install, Mapping) else dict.fromkeys(install, "")
    for package, version in versions.items():
        faults.check(f"packages[{package!r}]", (*rules.package_name(package), *rules.package_version(version)))
    for index, package in enumerate(remove):
        faults.check(f"remove[{index}]", rules.package_name(package))
    faults.raise_if_any()
    tasks = [
        *(["installs " + ", ".join(versions)] if versions else []),
        *(["removes " + ", ".join(remove)] * bool(remove)),
    ]
    return ComponentDocument(
        name=name,
        description=" and ".join(tasks).capitalize(),
        phases=[
            Phase("build", [Step("Packages", actions.bash(_detect(manager), _change(versions, remove)))]),
            Phase("validate", [Step("Check", actions.bash(_detect(manager), _check(versions, remove)))]),
        ],
    )


def _detect(manager: PackageManager | None) -> str:
    wanted = [str(manager)] if manager else [str(one) for one in PackageManager]
    return (
        "manager=\n"
        f"for one in {' '.join(wanted)}; do\n"
        '  if command -v "$one" > /dev/null; then manager=$one; break; fi\n'
        "done\n"
        'if [ -z "$manager" ]; then\n'
        f'  echo "no package manager is here: looked for {", ".join(wanted)}" >&2\n'
        "  exit 1\n"
        "fi"
    )


def _change(versions: Mapping[str, str], remove: Sequence[str]) -> str:
    rpm = " ".join(_spec(name, version, "-") for name, version in versions.items())
    deb = " ".join(_spec(name, version, "=") for name, version in versions.items())
    zypper = " ".join(_spec(name, version, "=") for name, version in versions.items())
    gone = " ".join(remove)
    return "\n".join(
        [
            'case "$manager" in',
            f"{PackageManager.DNF}|{PackageManager.YUM})",
            *([f'  "$manager" --assumeyes install {rpm}'] if rpm else []),
            *([f'  "$manager" --assumeyes remove {gone}'] if gone else []),
            '  "$manager" clean all',
            '  rm -rf "/var/cache/$manager"',
            "  ;;",
            f"{PackageManager.APT})",
            "  export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=a",
            f"  {_APT} update",
            *([f"  {_APT} install {deb}"] if deb else []),
            *([f"  {_APT} remove {gone}"] if gone else []),
            "  apt-get clean",
            "  rm -rf /var/lib/apt/lists/*",
            "  ;;",
            f"{PackageManager.ZYPPER})",
            *([f"  zypper --non-interactive install {zypper}"] if zypper else []),
            *([f"  zypper --non-interactive remove {gone}"] if gone else []),
            "  zypper clean --all",
            "  ;;",
            "esac",
        ]
    )


def _check(versions: Mapping[str, str], remove: Sequence[str]) -> str:
    # A name may be one that packages provide, such as a virtual package of apt.  What only the deployment knows cannot
    # be turned into a pattern here.
    versions = {name: "" if is_token(version) else version for name, version in versions.items() if not is_token(name)}
    remove = [name for name in remove if not is_token(name)]
    return "\n".join(
        [
            'case "$manager" in',
            _RPM,
            *(f"  {_rpm_there(name, version)}" for name, version in versions.items()),
            *(f"  if rpm --query {name}; then echo '{name} is still there' >&2; exit 1; fi" for name in remove),
            "  ;;",
            f"{PackageManager.APT})",
            "  form='${db:Status-Status} ${binary:Package}=${Version} ${Provides}\\n'",
            '  there=$(dpkg-query --show --showformat="$form")',
            *(f"  {_deb_there(name, version)}" for name, version in versions.items()),
            *(
                f"  if grep --quiet --extended-regexp '^installed {_plain(name)}(:[a-z0-9]+)?=' <<< \"$there\"; then"
                f" echo '{name} is still there' >&2; exit 1; fi"
                for name in remove
            ),
            "  ;;",
            "esac",
        ]
    )


def _rpm_there(name: str, version: str) -> str:
    if version:
        return f"[ -n \"$(rpm --query --all '{name}-{version}')\" ] || {{ {_missing(name, version)} }}"
    return f"rpm --query --whatprovides {name} || {{ {_missing(name, version)} }}"


def _deb_there(name: str, version: str) -> str:
    plain = _plain(name.partition(":")[0])
    start = f"^installed {plain}(:[a-z0-9]+)?="
    pattern = f"{start}{_plain(version)}" if version else f"{start}|^installed .* {plain}( |,|$)"
    if version and not version.endswith("*"):
        pattern += " "
    return f"grep --quiet --extended-regexp '{pattern}' <<< \"$there\" || {{ {_missing(name, version)} }}"


def _missing(name: str, version: str) -> str:
    return f"echo '{name}{' ' + version if version else ''} is not installed' >&2; exit 1;"


def _plain(text: str) -> str:
    return text.rstrip("*").replace(".", "[.]").replace("+", "[+]")


def _spec(name: str, version: str, sign: str) -> str:
    return f"'{name}{sign}{version}'" if version else name
