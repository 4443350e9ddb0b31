"""The operating systems and processors that an image is for."""

from __future__ import annotations

from enum import StrEnum


class Platform(StrEnum):
    """Operating system of an image, in Image Builder's words.

    https://docs.aws.amazon.com/imagebuilder/latest/APIReference/API_CreateComponent.html
    """

    LINUX = "Linux"
    WINDOWS = "Windows"


class Architecture(StrEnum):
    """Processor of an image, in EC2's words.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Image.html
    """

    X86_64 = "x86_64"
    ARM64 = "arm64"
