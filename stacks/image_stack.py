"""The stack that builds a golden image and sends it where it is needed."""

from __future__ import annotations

from typing import Final

from aws_cdk import CfnOutput, Environment, Stack
from constructs import Construct

from cdk_ami import (
    Architecture,
    BuildEnvironment,
    BuildSchedule,
    BuildTrigger,
    Component,
    Distribution,
    GoldenImage,
    SourceImage,
    Volume,
)
from cdk_ami.settings import ImageSettings
from stacks.network import Network

_BUILD_CIDR: Final = "10.255.0.0/24"


class ImageStack(Stack):
    """One golden image: its recipe, the network its builds run in, its pipeline and its distribution.

    Args:
        scope: The app or stage.
        construct_id: Name of the stack.
        settings: The image.
        distribution: Where its AMIs go.
        zone: Availability Zone that the builds run in; any will do.
        env: Account and Region; the Region is where the image is built.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: ImageSettings,
        distribution: Distribution,
        zone: str,
        env: Environment,
    ) -> None:
        super().__init__(scope, construct_id, env=env, description=f"Builds the golden image {settings.name}")
        self._zones = [zone]
        network = Network(self, "Network", zones=self._zones, cidr=_BUILD_CIDR)
        self.image = GoldenImage(
            self,
            "Image",
            name=settings.name,
            source=source_image(settings),
            components=[_component(name) for name in settings.components],
            volumes=[Volume(size_gib=settings.root_volume_gib)],
            environment=BuildEnvironment(
                instance_types=settings.instance_types or None,
                vpc=network.vpc,
                subnet=network.vpc.public_subnets[0],
            ),
            distribution=distribution,
            trigger=_trigger(settings),
        )
        CfnOutput(self, "PipelineArn", value=self.image.pipeline_arn, description="Starts a build by hand")
        CfnOutput(
            self, "Channel", value=self.image.channel.parameter_name, description="Holds the AMI id, in every Region"
        )

    @property
    def availability_zones(self) -> list[str]:
        """The zones of the stack, named by it: the CDK would look them up in the account."""
        return self._zones


def source_image(settings: ImageSettings) -> SourceImage:
    """Return the source image that the settings name."""
    architecture = Architecture(settings.architecture)
    family, _, version = settings.source.rpartition("-")
    match settings.source:
        case "amazon-linux-2023" | "amazon-linux-2023-minimal":
            return SourceImage.amazon_linux_2023(architecture=architecture, minimal=version == "minimal")
        case "amazon-linux-2":
            return SourceImage.amazon_linux_2(architecture=architecture)
    match family:
        case "ubuntu":
            return SourceImage.ubuntu(version=version, architecture=architecture)
        case "debian":
            return SourceImage.debian(version=version, architecture=architecture)
        case _:
            return SourceImage.windows_server(version=version)


def _component(name: str) -> Component:
    kind, _, rest = name.partition(":")
    match kind:
        case "aws":
            return Component.aws_managed(rest)
        case "ready":
            return Component.ready(rest)
        case _:
            return Component.from_file(name)


def _trigger(settings: ImageSettings) -> BuildTrigger:
    match settings.build:
        case "on-change":
            return BuildTrigger.on_change()
        case "schedule":
            return BuildTrigger.schedule(BuildSchedule(expression=settings.schedule))
        case _:
            return BuildTrigger.manual()
