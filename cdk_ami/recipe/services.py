"""A service that runs from the first boot on, as a component document."""

from __future__ import annotations

from typing import Final

from cdk_ami.checks import packages as rules
from cdk_ami.errors import Faults
from cdk_ami.recipe import actions
from cdk_ami.recipe.builder import ComponentDocument, Phase, Step
from cdk_ami.source.platform import Platform

_ATTEMPTS: Final = 40
_PAUSE: Final = 3


def service_document(name: str, unit: str, *, start: bool, platform: Platform, where: str) -> ComponentDocument:
    """Return the document that enables a service, and tests that it runs on a new instance.

    Args:
        name: Name of the component.
        unit: Name of the service.
        start: Whether it is started during the build too.
        platform: Operating system of the image.
        where: What an error names.

    Raises:
        ConfigError: When the name is none of a service.
    """
    faults = Faults(where)
    faults.check("unit", rules.service_name(unit))
    faults.raise_if_any()
    build, validate, test = (_windows if platform is Platform.WINDOWS else _linux)(unit, start=start)
    return ComponentDocument(
        name=name,
        description=f"Enables the service {unit}, and tests that it runs",
        phases=[
            Phase("build", [Step("Enable", build)]),
            Phase("validate", [Step("IsEnabled", validate)]),
            Phase("test", [Step("Runs", test, timeout_seconds=2 * _ATTEMPTS * _PAUSE)]),
        ],
    )


def running_on_linux(unit: str) -> actions.ExecuteBash:
    """Return the action that waits until a unit of systemd runs, and tells its last words when it does not."""
    return actions.bash(
        f"for attempt in $(seq {_ATTEMPTS}); do\n"
        f"  if systemctl is-active --quiet {unit}; then\n"
        "    exit 0\n"
        "  fi\n"
        f"  sleep {_PAUSE}\n"
        "done\n"
        f"systemctl status --no-pager {unit} || true\n"
        f"journalctl --unit {unit} --no-pager --lines 50\n"
        "exit 1"
    )


def running_on_windows(unit: str) -> actions.ExecutePowerShell:
    """Return the action that waits until a service of Windows runs."""
    return actions.powershell(f"(Get-Service -Name '{unit}').WaitForStatus('Running', '00:02:00')")


def _linux(unit: str, *, start: bool) -> tuple[actions.Action, actions.Action, actions.Action]:
    return (
        actions.bash(
            "systemctl daemon-reload", f"systemctl enable {unit}", *([f"systemctl start {unit}"] if start else [])
        ),
        actions.bash(f"systemctl is-enabled {unit}"),
        running_on_linux(unit),
    )


def _windows(unit: str, *, start: bool) -> tuple[actions.Action, actions.Action, actions.Action]:
    return (
        actions.powershell(
            f"Set-Service -Name '{unit}' -StartupType Automatic", *([f"Start-Service -Name '{unit}'"] if start else [])
        ),
        actions.powershell(
            f"if ((Get-Service -Name '{unit}').StartType -ne 'Automatic') {{ throw '{unit} does not start by itself' }}"
        ),
        running_on_windows(unit),
    )
