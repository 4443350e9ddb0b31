"""Packages, services, restarts, and components of AWS, of the Marketplace and of this library."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cdk_ami import Platform
from cdk_ami.errors import ConfigError
from cdk_ami.recipe.agent import AgentConfig
from cdk_ami.recipe.component import Component
from cdk_ami.recipe.managed import ManagedComponent
from cdk_ami.recipe.packages import PackageManager
from cdk_ami.recipe.ready import ReadyComponent
from tests.contract.refusals.row import image
from tests.support.components import scripts_of, steps_of
from tests.support.synth import make_stack, template_of

LINUX, WINDOWS = Platform.LINUX, Platform.WINDOWS


def bash(script: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/bash", "-c", script],
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **variables},
        check=False,
        capture_output=True,
        text=True,
    )


@pytest.fixture
def managers(tmp_path: Path) -> Callable[..., str]:
    """Return what makes a path on which only some package managers are, each of which writes down its calls."""

    def make(*names: str) -> str:
        folder = tmp_path / "-".join(names)
        folder.mkdir()
        for name in names:
            program = folder / name
            program.write_text(f'#!/bin/bash\necho "{name} $*" >> {tmp_path}/calls\n')
            program.chmod(0o755)
        (folder / "rm").symlink_to("/bin/true")
        return str(folder)

    return make


@pytest.mark.parametrize(
    ("there", "calls"),
    [
        (
            ["dnf", "yum"],
            ["dnf --assumeyes install git nginx-1.24.*", "dnf --assumeyes remove telnet", "dnf clean all"],
        ),
        (["yum"], ["yum --assumeyes install git nginx-1.24.*", "yum --assumeyes remove telnet", "yum clean all"]),
        (
            ["apt-get"],
            [
                "apt-get --yes --option DPkg::Lock::Timeout=300 update",
                "apt-get --yes --option DPkg::Lock::Timeout=300 install git nginx=1.24.*",
                "apt-get --yes --option DPkg::Lock::Timeout=300 remove telnet",
                "apt-get clean",
            ],
        ),
        (
            ["zypper"],
            [
                "zypper --non-interactive install git nginx=1.24.*",
                "zypper --non-interactive remove telnet",
                "zypper clean --all",
            ],
        ),
    ],
)
def test_packages_come_by_the_manager_that_is_there(
    there: list[str], calls: list[str], managers: Callable[..., str], tmp_path: Path
) -> None:
    component = Component.packages("tools", {"git": "", "nginx": "1.24.*"}, remove=["telnet"])

    done = bash(scripts_of(component)["Packages"], PATH=managers(*there))

    assert done.stderr == ""
    assert (tmp_path / "calls").read_text().splitlines() == calls


def test_a_named_manager_must_be_there(managers: Callable[..., str]) -> None:
    component = Component.packages("tools", ["git"], manager=PackageManager.DNF)

    done = bash(scripts_of(component)["Packages"], PATH=managers("apt-get"))

    assert done.returncode == 1
    assert "looked for dnf" in done.stderr


@pytest.mark.skipif(shutil.which("dpkg-query") is None, reason="asks the packages of Debian")
@pytest.mark.parametrize(
    ("packages", "remove", "says"),
    [
        (["bash", "awk"], [], ""),
        ({"bash": "5*"}, [], ""),
        (["no-such-package"], [], "no-such-package is not installed"),
        ({"bash": "1.0"}, [], "bash 1.0 is not installed"),
        ([], ["bash"], "bash is still there"),
        ([], ["no-such-package"], ""),
    ],
)
def test_the_check_of_packages_knows_what_is_installed(packages: Any, remove: list[str], says: str) -> None:
    component = Component.packages("tools", packages, remove=remove, manager=PackageManager.APT)

    done = bash(scripts_of(component, "validate")["Check"])

    assert done.returncode == (1 if says else 0)
    assert says in done.stderr


def test_a_service_is_enabled_and_must_run_on_a_new_instance() -> None:
    component = Component.service("httpd")

    assert component.name == "service-httpd"
    assert "systemctl enable httpd\nsystemctl start httpd" in scripts_of(component)["Enable"]
    assert "is-active --quiet httpd" in scripts_of(component, "test")["Runs"]
    assert steps_of(component, "test")[0]["timeoutSeconds"] == 240
    assert (component.platform, component.has_tests) == (LINUX, True)


def test_a_service_that_cannot_run_during_the_build_is_only_enabled() -> None:
    component = Component.service("app@1.service", name="app", start=False)

    assert "start" not in scripts_of(component)["Enable"]


def test_a_service_of_windows_starts_by_itself() -> None:
    component = Component.service("W3SVC", platform=WINDOWS)

    assert "Set-Service -Name 'W3SVC' -StartupType Automatic" in scripts_of(component)["Enable"]
    assert "WaitForStatus('Running'" in scripts_of(component, "test")["Runs"]
    assert component.platform is WINDOWS


@pytest.mark.parametrize("platform", [LINUX, WINDOWS])
def test_a_restart_is_for_any_system(platform: Platform) -> None:
    component = Component.reboot(delay_seconds=5)

    assert steps_of(component) == [{"name": "Reboot", "action": "Reboot", "inputs": {"delaySeconds": 5}}]
    assert component.platform is None
    assert component.bind(make_stack(), platform=platform).arn


def test_a_component_of_the_marketplace_is_named_with_its_product() -> None:
    stack = make_stack()
    component = Component.marketplace("hardening-linux", "prod-abcdefgh12345", version="1.x.x", platform=LINUX)

    image(stack, components=[component])

    template = str(template_of(stack))
    assert ":aws-marketplace:component/hardening-linux-prod-abcdefgh12345/1.x.x" in template
    assert "imagebuilder:GetMarketplaceResource" in template
    by_arn = Component.from_arn(
        "arn:aws:imagebuilder:us-east-1:aws-marketplace:component/hardening-linux-prod-abcdefgh12345/1.0.0"
    )
    assert component.identity == by_arn.identity


def test_the_documented_parameters_of_a_managed_component_are_checked() -> None:
    name = ManagedComponent.DISTRIBUTOR_PACKAGE_WINDOWS

    with pytest.raises(ConfigError) as caught:
        Component.aws_managed(name, parameters={"PackageNam": "AwsVssComponents"})

    assert [fault.prop for fault in caught.value.faults] == ["parameters['PackageNam']", "parameters['PackageName']"]
    assert "'PackageName'" in caught.value.fix
    assert Component.aws_managed(name, parameters={"PackageName": "AwsVssComponents"}).platform is WINDOWS


def test_each_managed_component_has_a_name_of_the_service() -> None:
    for name in ManagedComponent:
        parameters = {"PackageName": "x"} if name is ManagedComponent.DISTRIBUTOR_PACKAGE_WINDOWS else None
        assert Component.aws_managed(name, parameters=parameters).identity == f"aws {name}"


@pytest.mark.parametrize("ready", ReadyComponent)
def test_a_ready_component_builds_validates_and_tests_on_linux(ready: ReadyComponent) -> None:
    component = Component.ready(ready)

    assert component.document is not None
    assert component.name == component.document.name == ready
    assert component.document.phases == ("build", "validate", "test")
    assert component.document.warnings == ()
    assert (component.platform, component.supported_os) == (LINUX, ())
    assert all(default is not None for default in component.document.parameters.values())
    assert component.bind(make_stack(), platform=LINUX).has_tests


@pytest.mark.parametrize("ready", ReadyComponent)
def test_each_script_of_a_ready_component_is_bash_that_stops_at_failures(ready: ReadyComponent) -> None:
    component = Component.ready(ready)

    for phase in ("build", "validate", "test"):
        for script in scripts_of(component, phase).values():
            assert subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=True).stderr == ""
            assert script.startswith("set -euo pipefail")
            # A quiet grep at the end of a pipe ends early, and what writes into it fails then.
            assert "| grep --quiet" not in script


def filled(script: str, **values: str) -> str:
    for name, value in values.items():
        script = script.replace("{{ " + name + " }}", value)
    return script


@pytest.mark.skipif(shutil.which("dpkg-query") is None, reason="asks the packages of Debian")
def test_the_bill_of_materials_lists_each_package_and_is_json(tmp_path: Path) -> None:
    component = Component.ready(ReadyComponent.PACKAGE_SBOM)

    done = [
        bash(filled(scripts_of(component, phase)[step], ReportFolder=str(tmp_path)))
        for phase, step in (
            ("build", "WriteFromPackages"),
            ("validate", "AllPackagesAreListed"),
            ("test", "BillIsThere"),
        )
    ]

    assert [(one.returncode, one.stderr) for one in done] == [(0, "")] * 3
    bill = json.loads((tmp_path / "sbom.cdx.json").read_text())
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.5")
    found = {one["name"]: one["purl"] for one in bill["components"]}
    assert found["bash"].startswith("pkg:deb/")


def test_a_bill_that_lacks_packages_fails_the_build(tmp_path: Path) -> None:
    (tmp_path / "sbom.cdx.json").write_text('{"bomFormat": "CycloneDX", "components": []}')
    validate = scripts_of(Component.ready(ReadyComponent.PACKAGE_SBOM), "validate")["AllPackagesAreListed"]

    assert bash(filled(validate, ReportFolder=str(tmp_path))).returncode == 1


@pytest.mark.skipif(shutil.which("lsblk") is None, reason="needs util-linux")
def test_the_disk_report_is_written_and_asks_for_room(tmp_path: Path) -> None:
    component = Component.ready("disk-report")

    report = bash(filled(scripts_of(component)["Report"], ReportFolder=str(tmp_path)))
    room = scripts_of(component, "validate")["HasRoom"]
    enough = bash(filled(room, ReportFolder=str(tmp_path), FreePercent="0"))
    too_little = bash(filled(room, ReportFolder=str(tmp_path), FreePercent="101"))

    assert report.returncode == 0
    assert "# File systems" in (tmp_path / "disks.txt").read_text()
    assert (enough.returncode, too_little.returncode) == (0, 1)
    assert "less than 101%" in too_little.stderr


@pytest.mark.parametrize(
    "make",
    [
        lambda edit: Component.packages("x", ["git", *(["jq"] if edit else [])]),
        lambda edit: Component.service("httpd", name="x", start=edit),
        lambda edit: Component.cloudwatch_agent(AgentConfig(interval_seconds=30 if edit else 60)),
        lambda edit: Component.reboot(delay_seconds=5 if edit else 0),
    ],
)
def test_the_description_changes_with_the_document_and_with_nothing_else(make: Callable[[bool], Component]) -> None:
    first, same, edited = (make(edit) for edit in (False, False, True))

    assert (first.description, first.data, first.name) == (same.description, same.data, same.name)
    assert first.description != edited.description
    assert first.data != edited.data
    assert first.name == edited.name


REFUSED: list[tuple[Callable[[], Component], str, str, str]] = [
    (lambda: Component.packages("x"), "Packages", "packages", "at least one"),
    (lambda: Component.packages("x", "git"), "Packages", "packages", "list of names"),
    (lambda: Component.packages("x", ["--force"]), "PackageName", "packages['--force']", "letters"),
    (lambda: Component.packages("x", remove=["a b"]), "PackageName", "remove[0]", "letters"),
    (lambda: Component.packages("x", {"git": "1 2"}), "PackageVersion", "packages['git']", "1.24"),
    (lambda: Component.packages("x", ["git"], platform=WINDOWS), "PackagesPlatform", "platform", "from_commands"),
    (lambda: Component.service("a b"), "ServiceName", "unit", "httpd"),
    (lambda: Component.reboot(delay_seconds=-1), "RebootDelay", "delay_seconds", "from 0"),
    (lambda: Component.marketplace("x-linux", "Prod 1"), "MarketplaceProduct", "product_id", "product's page"),
    (lambda: Component.ready("no-leftover"), "ReadyComponent", "component", "'no-leftovers'"),
]


@pytest.mark.parametrize(("make", "rule", "prop", "fix"), REFUSED)
def test_what_makes_no_component_is_refused(make: Callable[[], Component], rule: str, prop: str, fix: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make()

    assert (caught.value.faults[0].rule, caught.value.prop) == (f"cdk-ami::{rule}", prop)
    assert fix in caught.value.fix
    assert caught.value.where.startswith("Component.")


def test_packages_are_refused_in_an_image_of_windows() -> None:
    with pytest.raises(ConfigError) as caught:
        Component.packages("tools", ["git"]).bind(make_stack(), platform=WINDOWS)

    assert "is for Linux, the image is Windows" in str(caught.value)
