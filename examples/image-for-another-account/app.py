"""An image with a key of its own in each of two Regions, that a second account launches."""

import aws_cdk as cdk

from cdk_ami import Component, Distribution, GoldenImage, ImageKey, LaunchPermission, SourceImage, Target, Volume

ACCOUNT, PARTNER = "123456789012", "210987654321"
REGIONS = ("us-east-1", "eu-west-1")

app = cdk.App()
distribution = Distribution(
    targets=[Target(region=region, launch_permission=LaunchPermission(accounts=[PARTNER])) for region in REGIONS],
    # Keys are Regional; their aliases are known before they exist.
    kms_keys=ImageKey.arns("shared", REGIONS, account=ACCOUNT),
)

keys = []
for region in REGIONS:
    stack = cdk.Stack(app, f"SharedKey-{region}", env=cdk.Environment(account=ACCOUNT, region=region))
    key = ImageKey(stack, "Key", image="shared", distribution=distribution, build_region=REGIONS[0])
    cdk.CfnOutput(stack, "KeyArn", value=key.key_arn)  # the partner's KeyGrant names it
    keys.append(stack)

images = cdk.Stack(app, "SharedImage", env=cdk.Environment(account=ACCOUNT, region=REGIONS[0]))
GoldenImage(
    images,
    "Image",
    name="shared",
    source=SourceImage.ubuntu(version="24.04"),
    components=[Component.aws_managed("update-linux")],
    volumes=[Volume(size_gib=16)],
    distribution=distribution,
)
for stack in keys:
    images.add_stack_dependency(stack)
app.synth()
