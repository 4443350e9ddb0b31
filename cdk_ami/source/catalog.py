"""The public AMIs that a build commonly starts from, as data: no CDK, no AWS call.

Each vendor publishes the id of its newest AMI in a public SSM parameter of every Region.  A recipe names the parameter,
so the id is looked up when a build starts, in the build's Region.

Sources, read on 2026-11-22:
https://docs.aws.amazon.com/linux/al2023/ug/ec2.html (Amazon Linux 2023),
https://docs.aws.amazon.com/AL2/latest/ug/ec2.html (Amazon Linux 2),
https://documentation.ubuntu.com/aws/aws-how-to/instances/find-ubuntu-images/ (Ubuntu),
https://wiki.debian.org/Cloud/AmazonEC2Image (Debian),
https://docs.aws.amazon.com/ec2/latest/windows-ami-reference/windows-ami-versions.html (Windows Server).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cdk_ami.source.platform import Architecture, Platform

CATALOG_DATE: Final = "2026-11-22"
"""The day on which the catalogue was read.  A support that ends within a year of it is near its end."""

AMAZON_LINUX_OWNER: Final = "137112412989"
"""Account that publishes Amazon Linux.  https://docs.aws.amazon.com/linux/al2023/ug/identify-images.html"""

UBUNTU_OWNER: Final = "099720109477"
"""Account of Canonical.  https://documentation.ubuntu.com/aws/aws-how-to/instances/find-ubuntu-images/"""

DEBIAN_OWNER: Final = "136693071363"
"""Account of the Debian cloud team.  https://wiki.debian.org/Cloud/AmazonEC2Image"""

WINDOWS_OWNER: Final = "801119661308"
"""Account that publishes Windows Server.  https://docs.aws.amazon.com/ec2/latest/windows-ami-reference/"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicImage:
    """One public AMI of a vendor, newest release.

    Attributes:
        title: What people call it, such as ``Amazon Linux 2023 (minimal)``.
        family: Vendor's product: ``amazon-linux``, ``ubuntu``, ``debian`` or ``windows-server``.
        version: Release of the product, such as ``2023`` or ``24.04``.
        variant: ``""`` for the usual image, ``minimal`` or ``core`` otherwise.
        platform: Operating system.
        architecture: Processor.
        parameter: Public SSM parameter that holds the AMI id in each Region.
        ami_name: Name of the AMI with ``{stamp}`` in place of the vendor's release stamp.
        description: Description of the AMI, as the vendor writes it.
        owner: Account that publishes the AMI, twelve digits.
        root_device: Name of the root device, such as ``/dev/xvda``.
        root_gib: Size of the root volume as published, in GiB: a smaller one cannot hold the image.
        os_version: What Image Builder calls the operating system; a component's supported versions are prefixes of it.
        user: Account that the image creates for logging in.
        support_ends: Last day of the vendor's security updates without a paid plan, ``YYYY-MM-DD``.
    """

    title: str
    family: str
    version: str
    variant: str = ""
    platform: Platform
    architecture: Architecture
    parameter: str
    ami_name: str
    description: str
    owner: str
    root_device: str
    root_gib: int
    os_version: str
    user: str
    support_ends: str

    @property
    def near_end_of_support(self) -> bool:
        """Tell whether support ended, or ends within a year of the catalogue's date."""
        year, rest = CATALOG_DATE.split("-", 1)
        return self.support_ends < f"{int(year) + 1}-{rest}"


_BOTH: Final = (Architecture.X86_64, Architecture.ARM64)
_DEBIAN_WORD: Final = {Architecture.X86_64: "amd64", Architecture.ARM64: "arm64"}


def _amazon_linux_2023(architecture: Architecture, *, minimal: bool) -> PublicImage:
    kind = "-minimal" if minimal else ""
    return PublicImage(
        title=f"Amazon Linux 2023{' (minimal)' if minimal else ''}",
        family="amazon-linux",
        version="2023",
        variant="minimal" if minimal else "",
        platform=Platform.LINUX,
        architecture=architecture,
        parameter=f"/aws/service/ami-amazon-linux-latest/al2023-ami{kind}-kernel-default-{architecture}",
        ami_name=f"al2023-ami{kind}-2023.9.{{stamp}}.0-kernel-6.1-{architecture}",
        description=f"Amazon Linux 2023 AMI 2023.9.{{stamp}}.0 {architecture} HVM kernel-6.1",
        owner=AMAZON_LINUX_OWNER,
        root_device="/dev/xvda",
        root_gib=2 if minimal else 8,
        os_version="Amazon Linux 2023",
        user="ec2-user",
        support_ends="2029-06-30",
    )


def _amazon_linux_2(architecture: Architecture) -> PublicImage:
    return PublicImage(
        title="Amazon Linux 2",
        family="amazon-linux",
        version="2",
        platform=Platform.LINUX,
        architecture=architecture,
        parameter=f"/aws/service/ami-amazon-linux-latest/amzn2-ami-kernel-5.10-hvm-{architecture}-gp2",
        ami_name=f"amzn2-ami-kernel-5.10-hvm-2.0.{{stamp}}.0-{architecture}-gp2",
        description=f"Amazon Linux 2 Kernel 5.10 AMI 2.0.{{stamp}}.0 {architecture} HVM gp2",
        owner=AMAZON_LINUX_OWNER,
        root_device="/dev/xvda",
        root_gib=8,
        os_version="Amazon Linux 2",
        user="ec2-user",
        support_ends="2026-06-30",  # https://aws.amazon.com/amazon-linux-2/faqs/
    )


def _ubuntu(
    version: str, codename: str, volume: str, support_ends: str, architecture: Architecture, *, minimal: bool
) -> PublicImage:
    word = _DEBIAN_WORD[architecture]
    kind = "-minimal" if minimal else ""
    folder = "hvm-ssd-gp3" if volume == "ebs-gp3" else "hvm-ssd"
    product = "ubuntu-minimal/images" if minimal else "ubuntu/images"
    return PublicImage(
        title=f"Ubuntu {version} LTS{' (minimal)' if minimal else ''}",
        family="ubuntu",
        version=version,
        variant="minimal" if minimal else "",
        platform=Platform.LINUX,
        architecture=architecture,
        parameter=f"/aws/service/canonical/ubuntu/server{kind}/{version}/stable/current/{word}/hvm/{volume}/ami-id",
        ami_name=f"{product}/{folder}/ubuntu-{codename}-{version}-{word}{kind or '-server'}-{{stamp}}",
        description=f"Canonical, Ubuntu, {version} LTS, {word} {codename} image build on {{stamp}}",
        owner=UBUNTU_OWNER,
        root_device="/dev/sda1",
        root_gib=8,
        os_version=f"Ubuntu {version.partition('.')[0]}",
        user="ubuntu",
        support_ends=support_ends,
    )


def _debian(version: str, support_ends: str, architecture: Architecture) -> PublicImage:
    word = _DEBIAN_WORD[architecture]
    return PublicImage(
        title=f"Debian {version}",
        family="debian",
        version=version,
        platform=Platform.LINUX,
        architecture=architecture,
        parameter=f"/aws/service/debian/release/{version}/latest/{word}",
        ami_name=f"debian-{version}-{word}-{{stamp}}-2300",
        description=f"Debian {version} ({{stamp}}-2300)",
        owner=DEBIAN_OWNER,
        root_device="/dev/xvda",
        root_gib=8,
        os_version=f"Debian {version}",
        user="admin",
        support_ends=support_ends,
    )


def _windows_server(version: str, support_ends: str, *, core: bool) -> PublicImage:
    kind = "Core" if core else "Full"
    return PublicImage(
        title=f"Windows Server {version}{' (Core)' if core else ''}",
        family="windows-server",
        version=version,
        variant="core" if core else "",
        platform=Platform.WINDOWS,
        architecture=Architecture.X86_64,
        parameter=f"/aws/service/ami-windows-latest/Windows_Server-{version}-English-{kind}-Base",
        ami_name=f"Windows_Server-{version}-English-{kind}-Base-{{stamp}}",
        description=f"Microsoft Windows Server {version} {kind} Locale English AMI provided by Amazon",
        owner=WINDOWS_OWNER,
        root_device="/dev/sda1",
        root_gib=30,
        os_version=f"Microsoft Windows Server {version}",
        user="Administrator",
        support_ends=support_ends,
    )


def _managed_name(image: PublicImage) -> str:
    processor = "x86" if image.architecture is Architecture.X86_64 else "arm64"
    match image.family:
        case "ubuntu":
            return f"ubuntu-server-{image.version.partition('.')[0]}-lts-{processor}"
        case "windows-server":
            return f"windows-server-{image.version}-english-{image.variant or 'full'}-base-{processor}"
        case _:
            return f"{image.family}-{image.version}-{processor}"


# Standard maintenance.  https://ubuntu.com/about/release-cycle; a month stands as its last day.
_UBUNTU: Final = (
    ("20.04", "focal", "ebs-gp2", "2025-05-31"),
    ("22.04", "jammy", "ebs-gp2", "2027-04-30"),
    ("24.04", "noble", "ebs-gp3", "2029-04-30"),
    ("26.04", "resolute", "ebs-gp3", "2031-04-30"),
)
# Long-term support.  https://wiki.debian.org/LTS
_DEBIAN: Final = (("11", "2026-08-31"), ("12", "2028-06-30"), ("13", "2030-06-30"))
# Extended end date.  https://learn.microsoft.com/lifecycle/products/?terms=windows%20server
_WINDOWS: Final = (("2016", "2027-01-12"), ("2019", "2029-01-09"), ("2022", "2031-10-14"), ("2025", "2034-11-14"))

PUBLIC_IMAGES: Final[tuple[PublicImage, ...]] = (
    *(_amazon_linux_2023(architecture, minimal=minimal) for minimal in (False, True) for architecture in _BOTH),
    *(_amazon_linux_2(architecture) for architecture in _BOTH),
    *(
        _ubuntu(version, codename, volume, ends, architecture, minimal=minimal)
        for version, codename, volume, ends in _UBUNTU
        for minimal in (False, True)
        for architecture in _BOTH
    ),
    *(_debian(version, ends, architecture) for version, ends in _DEBIAN for architecture in _BOTH),
    *(_windows_server(version, ends, core=core) for version, ends in _WINDOWS for core in (False, True)),
)
"""Every public AMI of the catalogue, by product, release, variant, processor."""

MANAGED_IMAGES: Final[dict[str, PublicImage]] = {
    _managed_name(image): image for image in PUBLIC_IMAGES if image.variant in {"", "core"} and image.family != "debian"
}
"""The public AMI behind each image that Image Builder manages, by the managed image's name.
https://docs.aws.amazon.com/imagebuilder/latest/userguide/what-is-image-builder.html"""

BY_PARAMETER: Final[dict[str, PublicImage]] = {image.parameter: image for image in PUBLIC_IMAGES}
"""The public AMI of each public parameter."""


def find(family: str, version: str, *, variant: str = "", architecture: Architecture) -> PublicImage | None:
    """Return the public AMI that matches in everything, or None."""
    wanted = (family, version, variant, architecture)
    for image in PUBLIC_IMAGES:
        if (image.family, image.version, image.variant, image.architecture) == wanted:
            return image
    return None


def choices(family: str) -> tuple[str, ...]:
    """Return what the catalogue has of a product, such as ``24.04 minimal arm64``, to name in an error."""
    return tuple(
        " ".join(part for part in (image.version, image.variant, image.architecture) if part)
        for image in PUBLIC_IMAGES
        if image.family == family
    )
