"""A server that somebody set up by hand, captured every night, and a fleet of exact copies of it in two zones."""

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_events as events
from aws_cdk import aws_sns as sns

from cdk_ami import BootTest, Distribution, ImageFleet, InstanceCapture

app = cdk.App()
stack = cdk.Stack(app, "Shop", env=cdk.Environment(account="123456789012", region="us-east-1"))
vpc = ec2.Vpc.from_vpc_attributes(
    stack,
    "Vpc",
    vpc_id="vpc-0123456789abcdef0",
    availability_zones=["us-east-1a", "us-east-1b"],
    public_subnet_ids=["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
)

capture = InstanceCapture(
    stack,
    "Capture",
    name="shop",
    instance_tags={"Role": "golden-shop"},
    commands=["systemctl stop shop", "sync"],
    distribution=Distribution.to_regions("us-east-1", "eu-west-1"),
    # The copy must not reach what the server reaches.
    test=BootTest(
        instance_type="t3.small",
        subnet=vpc.public_subnets[0],
        security_groups=[ec2.SecurityGroup(stack, "Nothing", vpc=vpc, allow_all_outbound=False)],
    ),
    schedule=events.Schedule.cron(hour="3", minute="0"),
    notifications=sns.Topic(stack, "Captured"),
)

ImageFleet(
    stack,
    "Fleet",
    image=capture.machine_image(),
    vpc=vpc,
    zones=["us-east-1a", "us-east-1b"],
    instance_type="t3.small",
)
app.synth()
