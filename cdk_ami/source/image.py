"""What a build starts from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from cdk_ami.checks import distribution as amis
from cdk_ami.checks import sources
from cdk_ami.checks.components import component_version
from cdk_ami.checks.names import parameter_name
from cdk_ami.errors import Faults
from cdk_ami.source.catalog import BY_PARAMETER, CATALOG_DATE, MANAGED_IMAGES, PublicImage
from cdk_ami.source.parent import Fixed, Lookup, Managed, Parent, find_faults_of_stack, parent_image
from cdk_ami.source.platform import Architecture, Platform
from cdk_ami.source.traits import Given, Traits, find_late_values, published

if TYPE_CHECKING:
    from aws_cdk import Annotations
    from constructs import Construct


class Channel(Protocol):
    """What a golden image's channel offers: the parameter that holds the id of its AMI."""

    @property
    def parameter_name(self) -> str:
        """Name of the SSM parameter."""


class BoundSource(NamedTuple):
    """A source image as a recipe in one stack needs it.

    Attributes:
        parent_image: Value of the recipe's ``ParentImage``: an AMI id, ``ssm:`` and a parameter, an image ARN or a
            Marketplace product id.
        parameter_name: The parameter that the build reads, or None.  The service-linked role reads public parameters
            and those under ``/imagebuilder/``; any other needs a role that may.
        root_device: Name of the root device.
    """

    parent_image: str
    parameter_name: str | None
    root_device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceImage:
    """What a build starts from: a public AMI, a custom one, a Marketplace product, or another golden image.

    Make one with a class method.  Where a parameter names the AMI, the recipe names the parameter, so that each build
    takes the AMI of that day, and a pipeline can wait for a new one.

    Example:
        ::

            public = SourceImage.ubuntu(version="24.04", architecture=Architecture.ARM64)
            layered = SourceImage.from_channel(ImageChannel.from_name("base"), root_device="/dev/xvda")

    Attributes:
        title: What people call it, such as ``Ubuntu 24.04 LTS``.
        platform: Operating system, which the components must suit.
        architecture: Processor, which the build's instance types must suit.
        owner: Account that publishes the AMI: twelve digits, an alias, or None when it is not known.
        root_device: Name of the root device, such as ``/dev/xvda``.
        os_version: What Image Builder calls the operating system, such as ``Amazon Linux 2023``; empty when it is
            not known.
    """

    title: str
    platform: Platform
    architecture: Architecture
    owner: str | None
    root_device: str
    os_version: str
    _parent: Parent
    _support_ends: str = ""
    _assumed_root_device: bool = False

    @classmethod
    def amazon_linux_2023(
        cls, *, architecture: Architecture = Architecture.X86_64, minimal: bool = False
    ) -> SourceImage:
        """Return the newest Amazon Linux 2023.

        Args:
            architecture: Processor.
            minimal: Whether to start from the image with the fewest packages (2 GiB instead of 8).  It lacks the
                Systems Manager agent, which Image Builder installs for the build; ``keep_ssm_agent=False`` of the
                golden image removes it again.

        Raises:
            ConfigError: When Amazon publishes no such AMI.
        """
        variant = "minimal" if minimal else ""
        return cls._public("amazon_linux_2023", "amazon-linux", "2023", variant, architecture)

    @classmethod
    def amazon_linux_2(cls, *, architecture: Architecture = Architecture.X86_64) -> SourceImage:
        """Return the newest Amazon Linux 2, whose support ended on 2026-06-30: binding it warns.

        Raises:
            ConfigError: When Amazon publishes no such AMI.
        """
        return cls._public("amazon_linux_2", "amazon-linux", "2", "", architecture)

    @classmethod
    def ubuntu(
        cls, *, version: str = "24.04", architecture: Architecture = Architecture.X86_64, minimal: bool = False
    ) -> SourceImage:
        """Return the newest image of an Ubuntu LTS release.

        Args:
            version: Release, such as ``24.04``.
            architecture: Processor.
            minimal: Whether to start from Ubuntu's minimal image.

        Raises:
            ConfigError: When Canonical publishes no such AMI.
        """
        return cls._public("ubuntu", "ubuntu", version, "minimal" if minimal else "", architecture)

    @classmethod
    def debian(cls, *, version: str = "12", architecture: Architecture = Architecture.X86_64) -> SourceImage:
        """Return the newest image of a Debian release.

        Args:
            version: Release, such as ``12``.
            architecture: Processor.

        Raises:
            ConfigError: When Debian publishes no such AMI.
        """
        return cls._public("debian", "debian", version, "", architecture)

    @classmethod
    def windows_server(
        cls,
        *,
        version: str = "2022",
        core: bool = False,
        architecture: Architecture = Architecture.X86_64,
    ) -> SourceImage:
        """Return the newest English image of a Windows Server release, patched monthly by Amazon.

        Args:
            version: Release, such as ``2022``.
            core: Whether to start from the installation without a desktop.
            architecture: Processor; Windows Server exists for x86_64 only.

        Raises:
            ConfigError: When Amazon publishes no such AMI.
        """
        return cls._public("windows_server", "windows-server", version, "core" if core else "", architecture)

    @classmethod
    def from_ssm_parameter(
        cls,
        name: str,
        *,
        platform: Platform | None = None,
        architecture: Architecture | None = None,
        root_device: str | None = None,
        owner: str | None = None,
    ) -> SourceImage:
        """Return the AMI that an SSM parameter holds when a build starts.

        Args:
            name: Name of the parameter in the build's Region, or the ARN of one that another account shares.
            platform: Operating system.  None takes the catalogue's when the parameter is a known public one, else
                Linux.
            architecture: Processor.  None takes the catalogue's when the parameter is known, else x86_64.
            root_device: Name of the root device.  None takes the catalogue's when the parameter is known, else the
                usual one of the platform, with a warning: another name would add a second volume.
            owner: Account that publishes the AMI, for the reader and for account guards.

        Raises:
            ConfigError: When the name is no name of a parameter, or another argument contradicts the catalogue.
        """
        faults = Faults("SourceImage.from_ssm_parameter")
        if not sources.is_parameter_arn(name):
            faults.check("name", parameter_name(name))
        public = BY_PARAMETER.get(name)
        parent = Fixed(parent_image=f"ssm:{name}", parameter=name)
        given = Given(platform=platform, architecture=architecture, root_device=root_device)
        return cls._described(faults, parent, given, title=name, owner=owner, public=public)

    @classmethod
    def from_ami_id(
        cls,
        ami_id: str,
        *,
        platform: Platform | None = None,
        architecture: Architecture | None = None,
        root_device: str | None = None,
        owner: str | None = None,
    ) -> SourceImage:
        """Return one AMI by its id, which exists in one Region only and never changes.

        Args:
            ami_id: Id such as ``ami-0123456789abcdef0``.
            platform: Operating system; None means Linux.
            architecture: Processor; None means x86_64.
            root_device: Name of the root device; None means the usual one of the platform, with a warning.
            owner: Account that publishes the AMI, for the reader and for account guards.

        Raises:
            ConfigError: When the id is malformed.
        """
        faults = Faults("SourceImage.from_ami_id")
        faults.check("ami_id", amis.ami_id(ami_id))
        parent = Fixed(parent_image=ami_id)
        given = Given(platform=platform, architecture=architecture, root_device=root_device)
        return cls._described(faults, parent, given, title=ami_id, owner=owner)

    @classmethod
    def from_image_builder(
        cls,
        name_or_arn: str,
        *,
        version: str = "x.x.x",
        platform: Platform | None = None,
        architecture: Architecture | None = None,
        root_device: str | None = None,
    ) -> SourceImage:
        """Return an image of Image Builder: one that AWS manages, or one of your own.

        Args:
            name_or_arn: Name of a managed image, such as ``amazon-linux-2023-x86``, or the ARN of an image.
            version: Version of the managed image; ``x.x.x`` is the newest of each day.  An ARN brings its own.
            platform: Operating system.  None takes the catalogue's when the name is known, else Linux.
            architecture: Processor.  None takes the catalogue's when the name is known, else x86_64.
            root_device: Name of the root device.  None takes the catalogue's when the name is known, else the usual
                one of the platform, with a warning.

        Raises:
            ConfigError: When the name, the ARN or the version is malformed.
        """
        faults = Faults("SourceImage.from_image_builder")
        faults.check("name_or_arn", sources.image_builder_image(name_or_arn))
        faults.check("version", component_version(version))
        parent: Parent
        if name_or_arn.startswith("arn:") or "${Token[" in name_or_arn:
            parent, public = Fixed(parent_image=name_or_arn), None
        else:
            parent, public = Managed(name=name_or_arn, version=version), MANAGED_IMAGES.get(name_or_arn)
        given = Given(platform=platform, architecture=architecture, root_device=root_device)
        return cls._described(faults, parent, given, title=name_or_arn, owner=None, public=public)

    @classmethod
    def from_channel(
        cls,
        channel: Channel,
        *,
        platform: Platform = Platform.LINUX,
        architecture: Architecture = Architecture.X86_64,
        root_device: str | None = None,
    ) -> SourceImage:
        """Return what another golden image's channel points at when a build starts: images in layers.

        Args:
            channel: The other image's channel, in the build's Region.
            platform: Operating system of the other image.
            architecture: Processor of the other image.
            root_device: Name of the root device; None means the usual one of the platform, with a warning.
        """
        name = channel.parameter_name
        parent = Fixed(parent_image=f"ssm:{name}", parameter=name)
        faults = Faults("SourceImage.from_channel")
        faults.check("channel", parameter_name(name))
        given = Given(platform=platform, architecture=architecture, root_device=root_device)
        return cls._described(faults, parent, given, title=name, owner="self")

    @classmethod
    def lookup(
        cls,
        *,
        name: str,
        owners: Sequence[str],
        platform: Platform | None = None,
        architecture: Architecture | None = None,
        root_device: str | None = None,
    ) -> SourceImage:
        """Return the newest AMI with a name, looked up once and kept in ``cdk.context.json``.

        The stack must name its account and Region.  The AMI stays the same until the context is refreshed with
        ``cdk context --reset``; a parameter follows its AMI by itself and is the better choice where there is one.

        Args:
            name: Name of the AMI, with ``*`` for what varies.
            owners: Accounts whose AMIs are trusted: ids, or ``amazon``, ``aws-marketplace``, ``self``.  Required:
                anybody can publish an AMI under any name.
            platform: Operating system; None means Linux.
            architecture: Processor; None means x86_64.
            root_device: Name of the root device; None means the usual one of the platform, with a warning.

        Raises:
            ConfigError: When the name matches everything, or no owner is trusted.
        """
        faults = Faults("SourceImage.lookup")
        faults.check("name", sources.lookup_name(name))
        faults.check("owners", sources.lookup_owners(owners))
        find_late_values(faults, {"name": name, "owners": owners})
        trusted = tuple(owners)
        parent = Lookup(name=name, owners=trusted, architecture=architecture or Architecture.X86_64)
        owner = trusted[0] if len(trusted) == 1 else None
        given = Given(platform=platform, architecture=architecture, root_device=root_device)
        return cls._described(faults, parent, given, title=name, owner=owner)

    @classmethod
    def marketplace(
        cls,
        product_id: str,
        *,
        version: str | None = None,
        platform: Platform | None = None,
        architecture: Architecture | None = None,
        root_device: str | None = None,
    ) -> SourceImage:
        """Return an AMI product of the Marketplace that the account has subscribed to.

        Args:
            product_id: Id such as ``prod-abcdefghijklm``.
            version: Version of the product.  None takes the newest at each build.
            platform: Operating system; None means Linux.
            architecture: Processor; None means x86_64.
            root_device: Name of the root device; None means the usual one of the platform, with a warning.

        Raises:
            ConfigError: When the id is malformed.
        """
        faults = Faults("SourceImage.marketplace")
        faults.check("product_id", sources.product_id(product_id))
        # https://docs.aws.amazon.com/marketplace/latest/buyerguide/buyer-ami-aliases.html
        parameter = None if version is None else f"/aws/service/marketplace/{product_id}/{version}"
        if parameter is not None:
            faults.check("version", parameter_name(parameter))
        parent = Fixed(parent_image=f"ssm:{parameter}" if parameter else product_id, parameter=parameter)
        given = Given(platform=platform, architecture=architecture, root_device=root_device)
        return cls._described(faults, parent, given, title=product_id, owner="aws-marketplace")

    @property
    def parameter_name(self) -> str | None:
        """The SSM parameter that a build reads, None without one."""
        return self._parent.parameter if isinstance(self._parent, Fixed) else None

    def find_faults(self, faults: Faults, *, account: str, region: str) -> None:
        """Record in ``faults`` why a stack of this account and Region cannot use the image; most always can."""
        find_faults_of_stack(self._parent, faults, account=account, region=region)

    def bind(self, scope: Construct) -> BoundSource:
        """Return what a recipe in ``scope`` needs, and attach the warnings about this image to ``scope``.

        Raises:
            ConfigError: When the AMI must be looked up and the stack names no account or Region.
        """
        self._warn(scope)
        return BoundSource(
            parent_image=parent_image(self._parent, scope),
            parameter_name=self.parameter_name,
            root_device=self.root_device,
        )

    def _warn(self, scope: Construct) -> None:
        if self._support_ends:
            verb = "ended" if self._support_ends < CATALOG_DATE else "ends"
            _annotations(scope).add_warning_v2(
                "cdk-ami::SourceNearEndOfSupport",
                f"the vendor's support of {self.title} {verb} on {self._support_ends}: move to a newer release",
            )
        if self._assumed_root_device:
            _annotations(scope).add_warning_v2(
                "cdk-ami::AssumedRootDevice",
                f"the root device of {self.title} is taken to be {self.root_device}: give root_device, because "
                "another name would add a second volume and leave the root volume as it is",
            )

    @classmethod
    def _public(cls, method: str, family: str, version: str, variant: str, architecture: Architecture) -> SourceImage:
        public = published(method, family, version, variant, architecture)
        parent = Fixed(parent_image=f"ssm:{public.parameter}", parameter=public.parameter)
        return cls._of(Traits.of_public(public), parent)

    @classmethod
    def _described(
        cls,
        faults: Faults,
        parent: Parent,
        given: Given,
        *,
        title: str,
        owner: str | None,
        public: PublicImage | None = None,
    ) -> SourceImage:
        given.find_faults(faults, public)
        faults.raise_if_any()
        return cls._of(Traits.of_public(public) if public else Traits.of_given(given, title=title, owner=owner), parent)

    @classmethod
    def _of(cls, traits: Traits, parent: Parent) -> SourceImage:
        return cls(
            title=traits.title,
            platform=traits.platform,
            architecture=traits.architecture,
            owner=traits.owner,
            root_device=traits.root_device,
            os_version=traits.os_version,
            _parent=parent,
            _support_ends=traits.support_ends,
            _assumed_root_device=traits.assumed_root_device,
        )


def _annotations(scope: Construct) -> Annotations:
    from aws_cdk import Annotations  # noqa: PLC0415 - the value object itself is plain data

    return Annotations.of(scope)
