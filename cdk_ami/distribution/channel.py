"""The pointer to the AMI of the day: all that a consumer of an image knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, overload

from cdk_ami.checks import distribution as rules
from cdk_ami.checks import names
from cdk_ami.errors import Faults
from cdk_ami.naming import ENTRY_CHANNEL, channel_parameter, normalized
from cdk_ami.source.platform import Architecture, Platform

if TYPE_CHECKING:
    from aws_cdk import aws_iam as iam

    from cdk_ami.distribution.channel_image import ChannelImage, DeployedImage, LaunchedImage, PinnedImage


class Tracking(StrEnum):
    """When a channel is read, which is when a new AMI reaches instances.

    There is no hidden default: each ``machine_image`` says which.
    """

    AT_DEPLOY = "at-deploy"
    """A deployment reads the channel.  The launch template holds an AMI id, a moved channel replaces instances with the
    next deployment, and a failed deployment goes back to the AMI before."""

    AT_LAUNCH = "at-launch"
    """Each launch reads the channel (``resolve:ssm:``).  Running instances stay as they are, nothing can be rolled
    back, and instances of one group may run different AMIs."""

    PINNED = "pinned"
    """AMI ids stand in the code.  Nothing changes unless the code does."""


@dataclass(frozen=True, slots=True)
class ImageChannel:
    """A pointer to one AMI in each Region: the SSM parameter ``/imagebuilder/IMAGE/CHANNEL``.

    A build moves the entry channel, ``latest``; promotion moves the others.  A channel may be named in any app, stack,
    account or Region that has the parameter: its producer need not be known.  An account that may only launch the AMI,
    and has no copy, has no parameter either: it reads the owner's, by ``from_shared``.

    Example:
        ::

            web = ImageChannel.from_name("web")
            at_deploy = web.machine_image(root_device="/dev/xvda")
            held = web.pinned({"us-east-1": "ami-0123456789abcdef0"})

    Attributes:
        image: Name of the image, such as ``web-server``: the name of its ``GoldenImage``.
        channel: Name of the channel.  Default: ``latest``.
        owner: Account whose parameter is read, twelve digits, where it shares the channel.  Default: each reader's own.

    Raises:
        ConfigError: When the two make no parameter name, or the owner is no account.
    """

    image: str
    channel: str = ENTRY_CHANNEL
    owner: str | None = None

    def __post_init__(self) -> None:
        faults = Faults("ImageChannel")
        if self.owner is not None:
            faults.check("account", names.account_id(self.owner))
        faults.check("channel", rules.channel_name(self.channel))
        faults.check("image", names.parameter_name(channel_parameter(self.image)))
        faults.raise_if_any()

    @classmethod
    def from_name(cls, image: str, channel: str = ENTRY_CHANNEL) -> ImageChannel:
        """Return the channel ``channel`` of the image ``image``, which another stack or app may build.

        Args:
            image: Name of the image, such as ``web-server``.
            channel: Name of the channel.  Default: ``latest``.

        Raises:
            ConfigError: When the two make no parameter name.
        """
        return cls(image, channel)

    @classmethod
    def from_shared(cls, image: str, *, account: str, channel: str = ENTRY_CHANNEL) -> ImageChannel:
        """Return the channel that the account ``account`` shares, for accounts that may launch its AMIs without a copy.

        The service writes channels into accounts that own the AMI only.  The others read the owner's parameter by its
        ARN, in the same Region, once the owner has shared it by a ``SharedChannel``.

        https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-shared-parameters.html

        Example:
            ::

                web = ImageChannel.from_shared("web", account="123456789012")
                at_deploy = web.machine_image(root_device="/dev/xvda")

        Args:
            image: Name of the image, such as ``web-server``.
            account: Account that owns the AMI and shares the channel, twelve digits.
            channel: Name of the channel.  Default: ``latest``.

        Raises:
            ConfigError: When the two make no parameter name, or the account is none.
        """
        return cls(image, channel, account)

    @property
    def parameter_name(self) -> str:
        """Name of the SSM parameter, such as ``/imagebuilder/web-server/latest``."""
        return channel_parameter(self.image, self.channel)

    def parameter_in(self, *, partition: str, region: str) -> str:
        """Return what names the parameter to a reader in ``region``: its name, or the ARN of one that is shared.

        Args:
            partition: Partition of the reader, such as ``aws``.
            region: Region of the reader: parameters are shared within a Region.
        """
        if self.owner is None:
            return self.parameter_name
        return f"arn:{partition}:ssm:{region}:{self.owner}:parameter{self.parameter_name}"

    @property
    def seed_command(self) -> str:
        """The command that creates the channel where it does not exist yet."""
        return f"cdk-ami channels seed {normalized(self.image)} {self.channel}"

    @overload
    def machine_image(
        self,
        *,
        tracking: Literal[Tracking.AT_DEPLOY] = ...,
        platform: Platform = ...,
        architecture: Architecture = ...,
        root_device: str | None = ...,
    ) -> DeployedImage: ...

    @overload
    def machine_image(
        self,
        *,
        tracking: Literal[Tracking.AT_LAUNCH],
        platform: Platform = ...,
        architecture: Architecture = ...,
        root_device: str | None = ...,
    ) -> LaunchedImage: ...

    @overload
    def machine_image(
        self,
        *,
        tracking: Tracking,
        platform: Platform = ...,
        architecture: Architecture = ...,
        root_device: str | None = ...,
    ) -> ChannelImage: ...

    def machine_image(
        self,
        *,
        tracking: Tracking = Tracking.AT_DEPLOY,
        platform: Platform = Platform.LINUX,
        architecture: Architecture = Architecture.X86_64,
        root_device: str | None = None,
    ) -> ChannelImage:
        """Return the image for anything that takes an ``ec2.IMachineImage``.

        At deploy, the stack gets one parameter for the channel, of type
        ``AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>``. While the channel does not exist, a deployment stops
        before anything starts; an info, ``cdk-ami::ChannelMustExist``, says how to seed it, unless the same app
        builds the image in that Region.

        Args:
            tracking: When the channel is read.  Default: at deploy.
            platform: Operating system of the image.  Default: Linux.
            architecture: Processor of the image, which a fleet checks against its instance type.  Default: x86_64.
            root_device: Name of the root device, such as ``/dev/xvda``, which a fleet needs to size or encrypt the root
                volume anew.  Default: ``/dev/sda1`` for Windows; unknown for Linux, so volumes stay as the AMI has
                them.

        Raises:
            ConfigError: When ``tracking`` is pinned, which needs ids.
        """
        from cdk_ami.distribution.channel_image import DeployedImage, LaunchedImage  # noqa: PLC0415 - needs the CDK

        if tracking is Tracking.PINNED:
            faults = Faults(f"ImageChannel({self.parameter_name})")
            faults.add("tracking", "names no AMI to pin", got=str(tracking), fix="call pinned({'REGION': 'ami-...'})")
            faults.raise_if_any()
        kind = DeployedImage if tracking is Tracking.AT_DEPLOY else LaunchedImage
        return kind(self, platform=platform, architecture=architecture, root_device=root_device)

    def pinned(
        self,
        ami_ids: Mapping[str, str],
        *,
        platform: Platform = Platform.LINUX,
        architecture: Architecture = Architecture.X86_64,
        root_device: str | None = None,
    ) -> PinnedImage:
        """Return the image held at known AMIs, whatever the channel says: for servers with state.

        Args:
            ami_ids: AMI id by Region code, such as ``{"eu-west-1": "ami-0123456789abcdef0"}``, at least one.
            platform: Operating system of the image.  Default: Linux.
            architecture: Processor of the image.  Default: x86_64.
            root_device: Name of the root device, see ``machine_image``.

        Raises:
            ConfigError: When a Region or an AMI id is none, or there is not any.
        """
        from cdk_ami.distribution.channel_image import PinnedImage  # noqa: PLC0415 - needs the CDK

        faults = Faults(f"ImageChannel({self.parameter_name})")
        if not ami_ids:
            faults.add("ami_ids", "is empty", got={}, fix="give the AMI id of each Region, by its code")
        for region, ami_id in ami_ids.items():
            faults.check(f"ami_ids[{region!r}]", names.region(region))
            faults.check(f"ami_ids[{region!r}]", rules.ami_id(ami_id))
        faults.raise_if_any()
        return PinnedImage(
            self, ami_ids=dict(ami_ids), platform=platform, architecture=architecture, root_device=root_device
        )

    def grant_read(self, grantee: iam.IGrantable) -> iam.Grant:
        """Let ``grantee`` read the channel in its stack's Region: the parameter of its own account, or the shared one.

        Who launches needs this where the channel is read at launch; where it is read at deploy, who deploys needs it.

        Args:
            grantee: Who is to read.
        """
        from aws_cdk import Aws  # noqa: PLC0415 - the channel itself is plain data
        from aws_cdk import aws_iam as iam  # noqa: PLC0415 - same

        owner = self.owner or Aws.ACCOUNT_ID
        parameter = f"arn:{Aws.PARTITION}:ssm:{Aws.REGION}:{owner}:parameter{self.parameter_name}"
        return iam.Grant.add_to_principal(
            grantee=grantee, actions=["ssm:GetParameter", "ssm:GetParameters"], resource_arns=[parameter]
        )
