"""An image copied into the production accounts, which say by their roles what they let in, and shared with a unit."""

from pathlib import Path

import aws_cdk as cdk

from cdk_ami import (
    Accounts,
    Distribution,
    GoldenImage,
    ImageKey,
    LaunchPermission,
    SourceImage,
    Target,
    TargetAccountRole,
)

BUILDS, HOME, REGIONS = "123456789012", "us-east-1", ("us-east-1", "eu-west-1")

accounts = Accounts.from_file(Path(__file__).with_name("accounts.yaml"))
production = accounts.select(units=["Workloads/Prod"], tags={"stage": "prod"})
sandbox = LaunchPermission(organizational_units=[accounts.unit_arn("Sandbox")])
distribution = Distribution(
    targets=[Target(region=region, accounts=production, launch_permission=sandbox) for region in REGIONS],
    kms_keys=ImageKey.arns("payments", REGIONS, account=BUILDS),
)

app = cdk.App()
image = cdk.Stack(app, "PaymentsImage", env=cdk.Environment(account=BUILDS, region=HOME))
for region in REGIONS:
    key = cdk.Stack(app, f"PaymentsKey-{region}", env=cdk.Environment(account=BUILDS, region=region))
    ImageKey(key, "Key", image="payments", distribution=distribution, build_region=HOME)
    image.add_stack_dependency(key)
GoldenImage(image, "Image", name="payments", source=SourceImage.amazon_linux_2023(), distribution=distribution)

# Each of these is deployed with credentials of its account, once, before the first build.
for account in production:
    receives = cdk.Stack(app, f"PaymentsReceiver-{account}", env=cdk.Environment(account=account, region=HOME))
    deliveries = distribution.deliveries("payments", account=account, source_region=HOME, promoted=["stable"])
    TargetAccountRole(receives, "Images", source_account=BUILDS, deliveries=deliveries)
app.synth()
