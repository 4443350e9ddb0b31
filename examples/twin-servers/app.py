"""One server in us-east-1a, and its exact copy in us-east-1b, both from the same golden image.

Each keeps its address and its data for good.  When the image moves, a deployment gives one server after the other the
root volume of the new AMI; should the first not come up with it, it goes back, and the second is never touched.
"""

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2

from cdk_ami import ImageChannel, Replacement, Volume, ZonalInstances

ZONES = ["us-east-1a", "us-east-1b"]

app = cdk.App()
stack = cdk.Stack(app, "TwinServers", env=cdk.Environment(account="123456789012", region="us-east-1"))
vpc = ec2.Vpc(stack, "Vpc", availability_zones=ZONES, nat_gateways=0, restrict_default_security_group=False)
twins = ZonalInstances(
    stack,
    "Twins",
    image=ImageChannel.from_name("web").machine_image(),
    vpc=vpc,
    zones=ZONES,
    subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC),
    instance_type="t3.micro",
    replacement=Replacement.ROOT_VOLUME,
    data_volumes=[Volume(device="/dev/sdf", size_gib=20)],
    private_addresses={"us-east-1a": ["10.0.0.10"], "us-east-1b": ["10.0.64.10"]},
)
twins.connections.allow_from_any_ipv4(ec2.Port.tcp(443), "HTTPS from everywhere")
app.synth()
