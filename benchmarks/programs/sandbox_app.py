"""What the benchmark of the sandbox deploys: an image with its pipeline, and two groups of instances in two Regions.

python benchmarks/programs/sandbox_app.py FOLDER first|changed|broken
"""

from __future__ import annotations

import sys

import aws_cdk as cdk
from aws_cdk import aws_autoscaling as autoscaling
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms

from cdk_ami import BuildTrigger, Component, Distribution, GoldenImage, SourceImage

ACCOUNT = "123456789012"
REGIONS = ("us-east-1", "eu-west-1")


def main() -> None:
    folder, variant = sys.argv[1:]
    app = cdk.App(outdir=folder, analytics_reporting=False)
    image = cdk.Stack(app, "Image", env=cdk.Environment(account=ACCOUNT, region=REGIONS[0]))
    GoldenImage(
        image,
        "Image",
        name="web",
        source=SourceImage.amazon_linux_2023(),
        components=[Component.from_commands("hello", [f"echo {variant}"])],
        distribution=Distribution.to_regions(*REGIONS),
        trigger=BuildTrigger.on_change() if variant == "changed" else BuildTrigger.manual(),
    )
    if variant == "broken":
        # Last, so that there is something to roll back.
        alias = kms.CfnAlias(
            image, "Bad", alias_name="alias/none", target_key_id="00000000-0000-0000-0000-000000000000"
        )
        alias.node.add_dependency(image.node.find_child("Image"))
    for region in REGIONS:
        fleet(cdk.Stack(app, f"Fleet-{region}", env=cdk.Environment(account=ACCOUNT, region=region)))
    app.synth()


def fleet(stack: cdk.Stack) -> None:
    """Make a network and a group of two instances in it."""
    vpc = ec2.Vpc(stack, "Vpc", availability_zones=[f"{stack.region}{zone}" for zone in "ab"], nat_gateways=1)
    template = ec2.LaunchTemplate(
        stack,
        "Template",
        instance_type=ec2.InstanceType("t3.micro"),
        machine_image=ec2.MachineImage.latest_amazon_linux2023(),
    )
    autoscaling.CfnAutoScalingGroup(
        stack,
        "Group",
        auto_scaling_group_name="fleet",
        min_size="2",
        max_size="4",
        vpc_zone_identifier=[subnet.subnet_id for subnet in vpc.private_subnets],
        launch_template=autoscaling.CfnAutoScalingGroup.LaunchTemplateSpecificationProperty(
            launch_template_id=template.launch_template_id, version=template.latest_version_number
        ),
    )


if __name__ == "__main__":
    main()
