"""One image and one fleet with this library, its component documents checked."""

from floor import ZONES, stack_with_network

from cdk_ami import (
    BuildEnvironment,
    BuildTrigger,
    Component,
    Distribution,
    GoldenImage,
    ImageChannel,
    ImageFleet,
    SourceImage,
)

app, stack, vpc = stack_with_network()
GoldenImage(
    stack,
    "Image",
    name="web",
    source=SourceImage.amazon_linux_2023(),
    components=[
        Component.from_file("components/apache.yaml"),
        Component.from_file("components/cloudwatch-agent.yaml"),
    ],
    environment=BuildEnvironment(vpc=vpc),
    distribution=Distribution.to_regions("us-east-1", "eu-west-1"),
    trigger=BuildTrigger.on_change(),
)
ImageFleet(
    stack,
    "Fleet",
    image=ImageChannel.from_name("web").machine_image(),
    vpc=vpc,
    zones=ZONES,
    instance_type="t3.micro",
)
app.synth()
