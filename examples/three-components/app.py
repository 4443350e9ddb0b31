"""One image of components of different kinds: packages, files, a service, monitoring, a secret, and ready ones."""

from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_secretsmanager as secretsmanager

from cdk_ami import AgentConfig, AgentLog, Component, GoldenImage, ImageFile, ReadyComponent, SourceImage

HERE = Path(__file__).parent

app = cdk.App()
stack = cdk.Stack(app, "Shop", env=cdk.Environment(account="123456789012", region="us-east-1"))

license_key = secretsmanager.Secret(stack, "LicenseKey")
activate = Component.from_commands(
    "activate",
    # The value is in the variable of this step alone; the image keeps what the program makes of it.
    ['install -d -m 0750 /etc/shop && printf "%s" "$LICENSE_KEY" | sha256sum > /etc/shop/license'],
    secrets={"LICENSE_KEY": license_key},
)
agent = AgentConfig(logs=[AgentLog(path="/var/log/nginx/access.log", log_group="nginx/access")])

GoldenImage(
    stack,
    "Image",
    name="shop",
    source=SourceImage.amazon_linux_2023(),
    components=[
        Component.packages("web-server", ["nginx"]),
        Component.from_files(
            "site",
            {
                "/srv/shop": HERE / "site",
                "/etc/nginx/conf.d/shop.conf": ImageFile(HERE / "shop.conf", mode="0644"),
            },
        ),
        Component.service("nginx"),
        activate,
        Component.cloudwatch_agent(agent),
        Component.ready(ReadyComponent.TIME_SYNC),
        Component.ready(ReadyComponent.NO_LEFTOVERS),
    ],
    tests=[Component.from_commands("page", ["curl --fail http://localhost:8080/ | grep Served"], phase="test")],
)
app.synth()
