"""The public AMIs, as data."""

from __future__ import annotations

import pytest

from cdk_ami.checks.names import account_id, parameter_name
from cdk_ami.checks.volumes import device_name
from cdk_ami.source.catalog import BY_PARAMETER, MANAGED_IMAGES, PUBLIC_IMAGES, PublicImage, choices, find
from cdk_ami.source.platform import Architecture, Platform


@pytest.mark.parametrize("image", PUBLIC_IMAGES, ids=lambda image: image.parameter.rsplit("/", 3)[-1])
def test_every_public_image_is_well_formed(image: PublicImage) -> None:
    assert not parameter_name(image.parameter)
    assert not account_id(image.owner)
    assert not device_name(image.root_device)
    assert "{stamp}" in image.ami_name
    assert image.root_gib > 0


def test_every_public_image_has_its_own_parameter() -> None:
    assert len(BY_PARAMETER) == len(PUBLIC_IMAGES)


def test_every_image_is_found_by_what_distinguishes_it() -> None:
    for image in PUBLIC_IMAGES:
        assert find(image.family, image.version, variant=image.variant, architecture=image.architecture) is image


def test_what_does_not_exist_is_not_found() -> None:
    assert find("windows-server", "2022", architecture=Architecture.ARM64) is None
    assert "2022 core x86_64" in choices("windows-server")


def test_support_that_ended_or_ends_within_a_year_is_near_its_end() -> None:
    near = {(image.family, image.version) for image in PUBLIC_IMAGES if image.near_end_of_support}

    assert near == {
        ("amazon-linux", "2"),
        ("ubuntu", "20.04"),
        ("ubuntu", "22.04"),
        ("debian", "11"),
        ("windows-server", "2016"),
    }


@pytest.mark.parametrize(
    ("name", "version", "platform", "architecture"),
    [
        ("amazon-linux-2023-x86", "2023", Platform.LINUX, Architecture.X86_64),
        ("amazon-linux-2-arm64", "2", Platform.LINUX, Architecture.ARM64),
        ("ubuntu-server-24-lts-arm64", "24.04", Platform.LINUX, Architecture.ARM64),
        ("windows-server-2022-english-core-base-x86", "2022", Platform.WINDOWS, Architecture.X86_64),
        ("windows-server-2025-english-full-base-x86", "2025", Platform.WINDOWS, Architecture.X86_64),
    ],
)
def test_managed_images_have_the_names_of_image_builder(
    name: str, version: str, platform: Platform, architecture: Architecture
) -> None:
    image = MANAGED_IMAGES[name]

    assert (image.version, image.platform, image.architecture) == (version, platform, architecture)
