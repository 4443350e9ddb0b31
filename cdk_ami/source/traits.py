"""What a source image is, as far as it is known: told by the catalogue, by the caller, or assumed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from cdk_ami.checks import sources
from cdk_ami.checks.rule import is_token
from cdk_ami.checks.volumes import device_name
from cdk_ami.errors import Faults
from cdk_ami.source.catalog import PublicImage, find
from cdk_ami.source.platform import Architecture, Platform

_ROOT_DEVICES: Final = {Platform.LINUX: "/dev/xvda", Platform.WINDOWS: "/dev/sda1"}


class Given(NamedTuple):
    """What the caller says of an image; None leaves it to the catalogue, or to the usual.

    Attributes:
        platform: Operating system.
        architecture: Processor.
        root_device: Name of the root device.
    """

    platform: Platform | None
    architecture: Architecture | None
    root_device: str | None

    def find_faults(self, faults: Faults, public: PublicImage | None) -> None:
        """Record in ``faults`` what is malformed, and what contradicts the catalogue's ``public``."""
        platform, architecture = self.platform, self.architecture
        find_late_values(faults, {"platform": platform, "architecture": architecture})
        faults.check("platform", sources.platform_known(platform or Platform.LINUX))
        faults.check("architecture", sources.architecture_known(architecture or Architecture.X86_64))
        faults.check("architecture", sources.windows_architecture(platform or "", architecture or ""))
        if self.root_device is not None:
            faults.check("root_device", device_name(self.root_device))
        if public is None:
            return
        for prop, given, known in (
            ("platform", platform, public.platform),
            ("architecture", architecture, public.architecture),
            ("root_device", self.root_device, public.root_device),
        ):
            if given is not None and given != known:
                fix = f"leave it out, or give {str(known)!r}"
                faults.add(prop, f"is not that of {public.title}", got=str(given), fix=fix)


class Traits(NamedTuple):
    """What an image is.

    Attributes:
        title: What people call it.
        platform: Operating system.
        architecture: Processor.
        owner: Account that publishes it, None when it is not known.
        root_device: Name of the root device.
        os_version: What Image Builder calls the operating system, empty when it is not known.
        support_ends: Day on which the vendor's support ends, empty unless that is near.
        assumed_root_device: Whether nobody told the root device.
    """

    title: str
    platform: Platform
    architecture: Architecture
    owner: str | None
    root_device: str
    os_version: str = ""
    support_ends: str = ""
    assumed_root_device: bool = False

    @classmethod
    def of_public(cls, public: PublicImage) -> Traits:
        """Return what the catalogue tells of ``public``."""
        return cls(
            title=public.title,
            platform=public.platform,
            architecture=public.architecture,
            owner=public.owner,
            root_device=public.root_device,
            os_version=public.os_version,
            support_ends=public.support_ends if public.near_end_of_support else "",
        )

    @classmethod
    def of_given(cls, given: Given, *, title: str, owner: str | None) -> Traits:
        """Return what the caller tells of an image that no catalogue knows, and the usual for the rest."""
        platform = Platform(given.platform or Platform.LINUX)
        return cls(
            title=title,
            platform=platform,
            architecture=Architecture(given.architecture or Architecture.X86_64),
            owner=owner,
            root_device=given.root_device or _ROOT_DEVICES[platform],
            assumed_root_device=given.root_device is None,
        )


def published(method: str, family: str, version: str, variant: str, architecture: Architecture) -> PublicImage:
    """Return the catalogue's image that the method ``method`` of `SourceImage` asks for.

    Raises:
        ConfigError: When the vendor publishes no such image.
    """
    faults = Faults(f"SourceImage.{method}")
    faults.check("architecture", sources.architecture_known(architecture))
    find_late_values(faults, {"architecture": architecture})
    faults.raise_if_any()
    if family == "windows-server":
        faults.check("architecture", sources.windows_architecture(Platform.WINDOWS, architecture))
        faults.raise_if_any()
    faults.check("version", sources.source_release(family, version, variant, architecture))
    public = find(family, version, variant=variant, architecture=Architecture(architecture))
    if public is not None:
        return public
    if not faults:
        # Rules let tokens through, and no parameter's name can be made of one.
        faults.add("version", "is known to the deployment only", got=version, fix="write the release out")
    raise faults.error()


def find_late_values(faults: Faults, values: Mapping[str, object]) -> None:
    """Record in ``faults`` what must be known while the template is built, because its shape follows from it."""
    for prop, value in values.items():
        if is_token(value):
            faults.add(prop, "is known to the deployment only", got="a token", fix=f"write {prop} out")
