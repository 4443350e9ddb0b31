"""An image encrypted with keys of its own, in two Regions, that a second account launches."""

import aws_cdk as cdk

from cdk_ami import Component, Distribution, GoldenImage, LaunchPermission, SourceImage, Target, Volume

PARTNER = "210987654321"

app = cdk.App()
stack = cdk.Stack(app, "SharedImage", env=cdk.Environment(account="123456789012", region="us-east-1"))
GoldenImage(
    stack,
    "Image",
    name="shared",
    source=SourceImage.ubuntu(version="24.04"),
    components=[Component.aws_managed("update-linux")],
    volumes=[Volume(size_gib=16)],
    distribution=Distribution(
        targets=[
            Target(
                region=region,
                # Keys are Regional, so each Region names its own, by an alias that the key stacks agree on.
                kms_key=f"arn:aws:kms:{region}:123456789012:alias/golden-images",
                launch_permission=LaunchPermission(accounts=[PARTNER]),
            )
            for region in ("us-east-1", "eu-west-1")
        ],
    ),
)
app.synth()
