"""A channel as a machine image, in the three ways of reading it."""

from __future__ import annotations

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Final
from weakref import WeakKeyDictionary

import jsii
from aws_cdk import Annotations, CfnMapping, CfnParameter, Fn, Stack
from aws_cdk import aws_ec2 as ec2
from constructs import Construct, IConstruct

from cdk_ami.checks.regions import PARTITION_OF
from cdk_ami.checks.rule import is_token
from cdk_ami.distribution import known
from cdk_ami.distribution.channel import ImageChannel, Tracking
from cdk_ami.errors import Faults
from cdk_ami.home import account_of, app_of, partition_of, region_of, stack_of
from cdk_ami.source.platform import Architecture, Platform

_WINDOWS_ROOT = "/dev/sda1"

# By stack: the values of the parameters made in it, by logical id.  A look into the tree would cost two calls each.
_PARAMETERS: Final[WeakKeyDictionary[Stack, dict[str, str]]] = WeakKeyDictionary()

# By stack: the channels that were said to have to exist.
_TOLD: Final[WeakKeyDictionary[Stack, set[str]]] = WeakKeyDictionary()

_DEPLOYMENT_STOPS: Final = (
    "the deployment reads {name}; while that does not exist it stops before anything starts, "
    "with 'Unable to fetch parameters [{name}]'"
)
_NOTHING_STARTS: Final = (
    "each launch reads {name}; while that does not exist no instance starts, and an Auto Scaling group tries again "
    "without end; cdk-ami preflight finds it before a deployment"
)


@jsii.implements(ec2.IMachineImage)
class ChannelImage(ABC):
    """The AMI of a channel, for anything that takes an ``ec2.IMachineImage``.

    Made by ``ImageChannel.machine_image`` and ``ImageChannel.pinned``.

    Attributes:
        channel: The channel.
        tracking: When the channel is read.
        platform: Operating system of the image.
        architecture: Processor of the image.
        root_device: Name of the root device, None where it is not known.
    """

    tracking: Tracking

    def __init__(
        self, channel: ImageChannel, *, platform: Platform, architecture: Architecture, root_device: str | None
    ) -> None:
        self.channel = channel
        self.platform = platform
        self.architecture = architecture
        self.root_device = root_device or (_WINDOWS_ROOT if platform is Platform.WINDOWS else None)

    @abstractmethod
    def image_id(self, scope: IConstruct) -> str:
        """Return what stands for the AMI in the stack of ``scope``."""

    def find_faults(self, faults: Faults, *, scope: IConstruct, prop: str = "image") -> None:
        """Record in ``faults`` why the stack of ``scope`` cannot use the image.

        Args:
            faults: The call's faults.
            scope: Any construct of the stack that is to use the image.
            prop: Name of the property that holds the image.
        """
        if self.channel.owner is None:
            stack = stack_of(scope)
            known.find_faults(app_of(stack), self._place(stack), faults, prop=prop)

    def _place(self, stack: Stack) -> known.Place:
        owner = self.channel.owner or account_of(stack)
        return known.Place(owner, region_of(stack), self.channel.parameter_name)

    def _read(self, scope: IConstruct, stack: Stack, *, name: str, consequence: str) -> None:
        """Note that the stack reads the channel, and say what happens while nobody has made it."""
        app, place = app_of(stack), self._place(stack)
        if self.channel.owner is None:
            known.read(app, scope, place)
        told = _TOLD.setdefault(stack, set())
        if name in told or known.is_written(app, place):
            return
        told.add(name)
        remedy = (
            f"build the image into this Region and account first, or run: {self.channel.seed_command}"
            if self.channel.owner is None
            else f"the account {self.channel.owner} has to share it with this one, by a SharedChannel"
        )
        Annotations.of(stack).add_info_v2("cdk-ami::ChannelMustExist", f"{consequence.format(name=name)}; {remedy}")

    def get_image(self, scope: Construct) -> ec2.MachineImageConfig:
        """Return the image as the CDK's own constructs want it.

        Args:
            scope: Any construct of the stack that uses the image.
        """
        windows = self.platform is Platform.WINDOWS
        return ec2.MachineImageConfig(
            image_id=self.image_id(scope),
            os_type=ec2.OperatingSystemType.WINDOWS if windows else ec2.OperatingSystemType.LINUX,
            user_data=ec2.UserData.for_windows() if windows else ec2.UserData.for_linux(),
        )


class DeployedImage(ChannelImage):
    """Reads the channel when the stack is deployed, once for all users of the stack."""

    tracking = Tracking.AT_DEPLOY

    def image_id(self, scope: IConstruct) -> str:
        """Return the value of the stack's parameter for the channel.

        A parameter's default is plain text, so a name that only the deployment knows becomes a dynamic reference.  A
        deployment reads that as well, but a channel that moved is no change by itself: another one must come with it.
        https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references-ssm.html
        """
        stack = stack_of(scope)
        if is_token(self.channel.parameter_name) and self.channel.owner is None:
            return f"{{{{resolve:ssm:{self.channel.parameter_name}}}}}"
        logical_id = self.parameter_id
        made = _PARAMETERS.setdefault(stack, {})
        if logical_id not in made:
            made[logical_id] = self._parameter(scope, stack, logical_id).value_as_string
        return made[logical_id]

    @property
    def parameter_id(self) -> str:
        """Logical id of the parameter that a stack gets for the channel."""
        return _logical_id("Channel", self._identity)

    @property
    def _identity(self) -> str:
        shared = "" if self.channel.owner is None else f"/{self.channel.owner}"
        return f"{self.channel.parameter_name}{shared}"

    def _parameter(self, scope: IConstruct, stack: Stack, logical_id: str) -> CfnParameter:
        region = region_of(stack)
        name = self.channel.parameter_in(partition=PARTITION_OF.get(region, "aws"), region=region)
        self._read(scope, stack, name=name, consequence=_DEPLOYMENT_STOPS)
        remedy = (
            f"build the image first or run: {self.channel.seed_command}"
            if self.channel.owner is None
            else f"have the account {self.channel.owner} share it"
        )
        # A default is plain text, and no dynamic reference reads a parameter of another account: where the ARN is not
        # known here, whoever deploys gives it.  https://github.com/aws/aws-cdk/pull/30646
        unknown = is_token(name)
        what = f"ARN of {self.channel.parameter_name} in this Region" if unknown else name
        return CfnParameter(
            stack,
            logical_id,
            type="AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>",
            default=None if unknown else name,
            description=(
                f"The AMI that the channel {what} names when the stack is deployed. If it cannot be fetched, {remedy}"
            ),
        )


class LaunchedImage(ChannelImage):
    """Leaves the channel to be read at each launch."""

    tracking = Tracking.AT_LAUNCH

    def image_id(self, scope: IConstruct) -> str:
        """Return the reference that EC2 resolves: by name, or by the ARN of a parameter that another account shares.

        https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/create-launch-template.html#use-an-ssm-parameter-instead-of-an-ami-id
        """
        stack = stack_of(scope)
        region = region_of(stack)
        partition = PARTITION_OF.get(region) or partition_of(stack)
        name = self.channel.parameter_in(partition=partition, region=region)
        self._read(scope, stack, name=name, consequence=_NOTHING_STARTS)
        return f"resolve:ssm:{name}"


class PinnedImage(ChannelImage):
    """Holds AMI ids, by Region."""

    tracking = Tracking.PINNED

    def __init__(
        self,
        channel: ImageChannel,
        *,
        ami_ids: Mapping[str, str],
        platform: Platform,
        architecture: Architecture,
        root_device: str | None,
    ) -> None:
        super().__init__(channel, platform=platform, architecture=architecture, root_device=root_device)
        self.ami_ids = dict(ami_ids)

    def find_faults(self, faults: Faults, *, scope: IConstruct, prop: str = "image") -> None:
        """Record in ``faults`` that no id is pinned for the stack's Region; who pins reads no channel."""
        region = region_of(stack_of(scope))
        if not is_token(region) and region not in self.ami_ids:
            faults.add(
                prop,
                f"is pinned in other Regions than {region}",
                got=sorted(self.ami_ids),
                fix=f"add the AMI id of {region} to pinned()",
            )

    def image_id(self, scope: IConstruct) -> str:
        """Return the id of the stack's Region; a Region that only the deployment knows is looked up in a mapping.

        Raises:
            ConfigError: When no id is pinned for the stack's Region.
        """
        faults = Faults(scope)
        self.find_faults(faults, scope=scope)
        faults.raise_if_any()
        stack = stack_of(scope)
        region = region_of(stack)
        return self._looked_up(stack) if is_token(region) else self.ami_ids[region]

    def _looked_up(self, stack: Stack) -> str:
        rows = {region: {"Ami": ami_id} for region, ami_id in sorted(self.ami_ids.items())}
        logical_id = _logical_id("Pinned", self.channel.parameter_name + repr(rows))
        if stack.node.try_find_child(logical_id) is None:
            CfnMapping(stack, logical_id, mapping=rows)
        return Fn.find_in_map(logical_id, stack.region, "Ami")


def _logical_id(kind: str, identity: str) -> str:
    """Return an id that people can read and that no other ``identity`` has: ``ChannelWebServerLatest1A2B3C4D``.

    The name of the channel is the parameter's identity, so that it stands in the id is no accident.
    """
    words = re.findall(r"[A-Za-z0-9]+", identity.removeprefix("/imagebuilder/"))
    readable = "".join(word[0].upper() + word[1:] for word in words)[:80]
    return f"{kind}{readable}{hashlib.sha256(identity.encode()).hexdigest()[:8].upper()}"
