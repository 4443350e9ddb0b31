"""Components that AWS manages."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from cdk_ami.source.platform import Platform


class ManagedComponent(StrEnum):
    """Names of components that AWS manages; ``Component.aws_managed`` takes any other name too.

    https://docs.aws.amazon.com/imagebuilder/latest/userguide/use-managed-components.html, read on 2026-11-28
    """

    APT_REPOSITORY_TEST_LINUX = "apt-repository-test-linux"
    AWS_CLI_LINUX = "aws-cli-version-2-linux"
    AWS_CLI_WINDOWS = "aws-cli-version-2-windows"
    CHOCOLATEY = "chocolatey"
    CHRONY_TEST = "chrony-time-configuration-test"
    CLOUDWATCH_AGENT_LINUX = "amazon-cloudwatch-agent-linux"
    CLOUDWATCH_AGENT_WINDOWS = "amazon-cloudwatch-agent-windows"
    CODEDEPLOY_AGENT_LINUX = "aws-codedeploy-agent-linux"
    CODEDEPLOY_AGENT_WINDOWS = "aws-codedeploy-agent-windows"
    CORRETTO_8_WINDOWS = "amazon-corretto-8-windows"
    CORRETTO_11 = "amazon-corretto-11"
    CORRETTO_11_WINDOWS = "amazon-corretto-11-windows"
    CORRETTO_17_HEADLESS = "amazon-corretto-17-headless"
    CORRETTO_17_JDK = "amazon-corretto-17-jdk"
    CORRETTO_17_WINDOWS = "amazon-corretto-17-windows"
    CORRETTO_21_HEADLESS = "amazon-corretto-21-headless"
    CORRETTO_21_JDK = "amazon-corretto-21-jdk"
    CORRETTO_21_WINDOWS = "amazon-corretto-21-windows"
    DCV_SERVER_LINUX = "dcv-server-linux"
    DCV_SERVER_WINDOWS = "dcv-server-windows"
    DISTRIBUTOR_PACKAGE_WINDOWS = "distributor-package-windows"
    DOCKER_LINUX = "docker-ce-linux"
    DOCKER_UBUNTU = "docker-ce-ubuntu"
    DOTNET_RUNTIME_LTS_LINUX = "dotnet-runtime-lts-linux"
    DOTNET_RUNTIME_LTS_WINDOWS = "dotnet-runtime-lts-windows"
    DOTNET_SDK_LTS_LINUX = "dotnet-sdk-lts-linux"
    DOTNET_SDK_LTS_WINDOWS = "dotnet-sdk-lts-windows"
    EBS_VOLUME_USAGE_TEST_LINUX = "ebs-volume-usage-test-linux"
    EBS_VOLUME_USAGE_TEST_WINDOWS = "ebs-volume-usage-test-windows"
    EC2LAUNCH_V2_WINDOWS = "ec2launch-v2-windows"
    ENI_ATTACHMENT_TEST_LINUX = "eni-attachment-test-linux"
    ENI_ATTACHMENT_TEST_WINDOWS = "eni-attachment-test-windows"
    GO_STABLE_LINUX = "go-stable-linux"
    GO_STABLE_WINDOWS = "go-stable-windows"
    HELLO_WORLD_LINUX = "hello-world-linux"
    HELLO_WORLD_WINDOWS = "hello-world-windows"
    INSPECTOR_TEST_LINUX = "inspector-test-linux"
    INSPECTOR_TEST_WINDOWS = "inspector-test-windows"
    MARIADB_LINUX = "mariadb-linux"
    NETWORK_ROUTE_TEST_WINDOWS = "ec2-network-route-test-windows"
    PHP_8_2_LINUX = "php-8-2-linux"
    POWERSHELL_LTS_LINUX = "powershell-lts-linux"
    POWERSHELL_LTS_WINDOWS = "powershell-lts-windows"
    PYTHON_3_LINUX = "python-3-linux"
    PYTHON_3_WINDOWS = "python-3-windows"
    REBOOT_LINUX = "reboot-linux"
    REBOOT_TEST_LINUX = "reboot-test-linux"
    REBOOT_TEST_WINDOWS = "reboot-test-windows"
    REBOOT_WINDOWS = "reboot-windows"
    SCAP_COMPLIANCE_CHECKER_LINUX = "scap-compliance-checker-linux"
    SCAP_COMPLIANCE_CHECKER_WINDOWS = "scap-compliance-checker-windows"
    SIMPLE_BOOT_TEST_LINUX = "simple-boot-test-linux"
    SIMPLE_BOOT_TEST_WINDOWS = "simple-boot-test-windows"
    SSH_HOST_KEY_TEST_LINUX = "validate-ssh-host-key-generation-linux"
    SSH_PUBLIC_KEY_TEST_LINUX = "validate-ssh-public-key-linux"
    SSH_SINGLE_PUBLIC_KEY_TEST_LINUX = "validate-single-ssh-public-key-test-linux"
    STIG_LINUX = "stig-build-linux"
    STIG_LINUX_HIGH = "stig-build-linux-high"
    STIG_LINUX_LOW = "stig-build-linux-low"
    STIG_LINUX_MEDIUM = "stig-build-linux-medium"
    STIG_WINDOWS = "stig-build-windows"
    STIG_WINDOWS_HIGH = "stig-build-windows-high"
    STIG_WINDOWS_LOW = "stig-build-windows-low"
    STIG_WINDOWS_MEDIUM = "stig-build-windows-medium"
    TOMCAT_9_LINUX = "apache-tomcat-9-linux"
    UPDATE_LINUX = "update-linux"
    UPDATE_LINUX_KERNEL_5 = "update-linux-kernel-5"
    UPDATE_WINDOWS = "update-windows"
    VSS_WINDOWS = "aws-vss-components-windows"
    WINDOWS_ACTIVATION_TEST = "windows-activation-test"
    WINDOWS_PASSWORD_TEST = "windows-is-ready-with-password-generation-test"  # noqa: S105 - a component's name
    WINDOWS_SERVER_IIS = "windows-server-iis"
    YUM_REPOSITORY_TEST_LINUX = "yum-repository-test-linux"


_PARAMETERS: Final[Mapping[str, Mapping[str, str | None]]] = {
    "aws-vss-components-windows": {"PackageVersion": ""},
    "distributor-package-windows": {
        "Action": "Install",
        "PackageName": None,
        "PackageVersion": "",
        "AdditionalArguments": "",
    },
}
"""Parameters of the components whose parameters AWS documents: the default of each, None where one must be given.
https://docs.aws.amazon.com/imagebuilder/latest/userguide/mgdcomponent-distributor-win.html, read on 2026-11-28"""


def parameters_of(name: str) -> Mapping[str, str | None] | None:
    """Return the parameters that a managed component declares, with their defaults, or None when they are not known."""
    return _PARAMETERS.get(str(name))


def platform_of(name: str) -> Platform | None:
    """Return the operating system that a managed component's name tells, or None when it tells none."""
    words = name.split("-")
    if "linux" in words:
        return Platform.LINUX
    return Platform.WINDOWS if "windows" in words else None


def is_test(name: str) -> bool:
    """Tell whether a managed component's name says that it tests: AWS puts one of two words into each of them."""
    return not {"test", "validate"}.isdisjoint(name.split("-"))
