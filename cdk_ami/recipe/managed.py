"""Components that AWS manages."""

from __future__ import annotations

from enum import StrEnum

from cdk_ami.source.platform import Platform


class ManagedComponent(StrEnum):
    """Names of common components that AWS manages; ``Component.aws_managed`` takes any other name too.

    https://docs.aws.amazon.com/imagebuilder/latest/userguide/use-managed-components.html, read on 2026-11-22
    """

    AWS_CLI_LINUX = "aws-cli-version-2-linux"
    AWS_CLI_WINDOWS = "aws-cli-version-2-windows"
    CLOUDWATCH_AGENT_LINUX = "amazon-cloudwatch-agent-linux"
    CLOUDWATCH_AGENT_WINDOWS = "amazon-cloudwatch-agent-windows"
    DOCKER_LINUX = "docker-ce-linux"
    HELLO_WORLD_LINUX = "hello-world-linux"
    HELLO_WORLD_WINDOWS = "hello-world-windows"
    PYTHON_3_LINUX = "python-3-linux"
    PYTHON_3_WINDOWS = "python-3-windows"
    REBOOT_LINUX = "reboot-linux"
    REBOOT_TEST_LINUX = "reboot-test-linux"
    REBOOT_TEST_WINDOWS = "reboot-test-windows"
    REBOOT_WINDOWS = "reboot-windows"
    SIMPLE_BOOT_TEST_LINUX = "simple-boot-test-linux"
    SIMPLE_BOOT_TEST_WINDOWS = "simple-boot-test-windows"
    STIG_LINUX = "stig-build-linux"
    STIG_WINDOWS = "stig-build-windows"
    UPDATE_LINUX = "update-linux"
    UPDATE_WINDOWS = "update-windows"


def platform_of(name: str) -> Platform | None:
    """Return the operating system that a managed component's name tells, or None when it tells none."""
    words = name.split("-")
    if "linux" in words:
        return Platform.LINUX
    return Platform.WINDOWS if "windows" in words else None


def is_test(name: str) -> bool:
    """Tell whether a managed component's name says that it tests: AWS puts the word into each of them."""
    return "test" in name.split("-")
