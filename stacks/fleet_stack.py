"""The stack that runs a golden image in the zones of one Region."""

from __future__ import annotations

from typing import Any, Final

from aws_cdk import Annotations, CfnOutput, Environment, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_sns as sns
from constructs import Construct

from cdk_ami import Architecture, ImageChannel, ImageFleet, Rollout, SourceImage, Tracking
from cdk_ami.fleet.rollout import RolloutMode
from cdk_ami.settings import FleetSettings
from stacks.network import Network

AGENT_LOG_PREFIX: Final = "/golden-image/"
"""What `components/cloudwatch-agent.yaml` begins the names of its log groups with."""


class FleetStack(Stack):
    """Instances of one golden image, balanced over the zones of one Region.

    The stack knows the image by its channel alone, so that it can be deployed by another team, in another app.

    Args:
        scope: The app or stage.
        construct_id: Name of the stack.
        settings: The fleet.
        source: What the image was built from, which tells its platform, architecture and root device.
        env: Account and Region.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: FleetSettings,
        source: SourceImage,
        env: Environment,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            env=env,
            description=f"Runs the golden image {settings.image} ({settings.channel}) in {settings.region}",
        )
        self._zones = list(settings.zones)
        channel = ImageChannel.from_name(settings.image, channel=settings.channel)
        notices = sns.Topic(self, "Notices", enforce_ssl=True)
        mode = RolloutMode(settings.rollout)
        self.fleet = ImageFleet(
            self,
            "Fleet",
            image=channel.machine_image(
                tracking=Tracking.AT_LAUNCH if mode is RolloutMode.AT_NEXT_LAUNCH else Tracking.AT_DEPLOY,
                platform=source.platform,
                architecture=Architecture(settings.architecture or source.architecture),
                root_device=source.root_device,
            ),
            vpc=self._vpc(settings),
            zones=settings.zones,
            instance_type=settings.instance_type,
            desired_size=settings.size,
            agent_log_prefix=AGENT_LOG_PREFIX,
            notifications=notices,
            rollout=_rollout(mode, settings.name, notices),
        )
        CfnOutput(self, "NoticesTopic", value=notices.topic_arn, description="Tells of launches and terminations")
        CfnOutput(self, "Group", value=self.fleet.auto_scaling_group_name, description="The Auto Scaling group")
        CfnOutput(self, "Channel", value=channel.parameter_name, description="The channel that the fleet follows")

    @property
    def availability_zones(self) -> list[str]:
        """The zones of the stack, named by it: the CDK would look them up in the account."""
        return self._zones

    def _vpc(self, settings: FleetSettings) -> ec2.IVpc:
        if settings.vpc_id is None:
            return Network(self, "Network", zones=settings.zones, cidr=settings.cidr).vpc
        vpc = ec2.Vpc.from_vpc_attributes(
            self,
            "Vpc",
            vpc_id=settings.vpc_id,
            availability_zones=list(settings.zones),
            public_subnet_ids=[settings.subnets[zone] for zone in settings.zones],
        )
        # Nothing here routes, so nobody asks the subnets for their route tables.
        Annotations.of(vpc).acknowledge_warning("@aws-cdk/aws-ec2:noSubnetRouteTableId")
        return vpc


def _rollout(mode: RolloutMode, name: str, notices: sns.ITopic) -> Rollout[Any] | None:
    """Return what the settings ask for; the first of the three is what a fleet does by itself."""
    match mode:
        case RolloutMode.ON_CHANNEL:
            return Rollout.on_channel(name=name, notifications=notices)
        case RolloutMode.AT_NEXT_LAUNCH:
            return Rollout.at_next_launch()
        case _:
            return None
