"""A base image, and an application's image on top of it that is built anew when the base has changed."""

import aws_cdk as cdk
from aws_cdk import aws_sns as sns

from cdk_ami import BuildSchedule, BuildTrigger, Component, GoldenImage, ImageChannel, SourceImage

app = cdk.App()
env = cdk.Environment(account="123456789012", region="us-east-1")

security = cdk.Stack(app, "Security", env=env)
base = GoldenImage(
    security,
    "Base",
    name="base",
    source=SourceImage.amazon_linux_2023(),
    components=[
        Component.aws_managed("update-linux"),
        Component.from_commands("sshd", ["sed -i 's/^#*PermitRootLogin.*/PermitRootLogin no/' /etc/ssh/sshd_config"]),
    ],
    tests=[Component.from_commands("sshd-test", ["sshd -T | grep -qi 'permitrootlogin no'"], phase="test")],
    trigger=BuildTrigger.schedule(BuildSchedule(expression="cron(0 2 ? * sun *)")),
    notifications=sns.Topic(security, "Builds"),
)

# Another team, another stack: the base is known by its channel alone.
shop = cdk.Stack(app, "Shop", env=env)
GoldenImage(
    shop,
    "Image",
    name="shop",
    source=SourceImage.from_channel(ImageChannel.from_name("base")),
    components=[Component.from_commands("java", ["dnf install -y java-21-amazon-corretto-headless"])],
    # The default start condition: at that time, and only when the base or a component has a new version.
    trigger=BuildTrigger.schedule(BuildSchedule(expression="cron(0 5 ? * * *)", time_zone="Europe/Berlin")),
)
app.synth()
