"""One golden image behind a load balancer, in three zones of each of two Regions, with a canary before them.

Each Region is a stack of its own, which knows the image by its channel alone.  A build moves ``latest``, which the
canary follows; the promotion moves ``stable``, which the fleets follow, one Region after the other.
"""

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticloadbalancingv2 as elb

from cdk_ami import Gate, ImageChannel, ImageFleet, Promotion, Rollout, Scaling, Wave, ZonalShift

REGIONS = ["us-east-1", "eu-west-1"]
HOME = REGIONS[0]  # where the image is built
WEB = ImageChannel.from_name("web", channel="stable")


def network(stack: cdk.Stack, zones: list[str]) -> ec2.Vpc:
    """Return a VPC with a public subnet in each zone."""
    return ec2.Vpc(
        stack,
        "Vpc",
        availability_zones=zones,
        nat_gateways=0,
        subnet_configuration=[ec2.SubnetConfiguration(name="Public", subnet_type=ec2.SubnetType.PUBLIC)],
        restrict_default_security_group=False,
    )


def web_fleet(app: cdk.App, region: str) -> cdk.Stack:
    """Return the stack of one Region."""
    stack = cdk.Stack(app, f"WebFleet-{region}", env=cdk.Environment(account="123456789012", region=region))
    vpc = network(stack, [f"{region}{letter}" for letter in "abc"])
    balancer = elb.ApplicationLoadBalancer(stack, "Balancer", vpc=vpc, internet_facing=True)
    targets = elb.ApplicationTargetGroup(
        stack,
        "Targets",
        vpc=vpc,
        port=80,
        target_type=elb.TargetType.INSTANCE,
        deregistration_delay=cdk.Duration.seconds(30),
        health_check=elb.HealthCheck(path="/", healthy_threshold_count=2, interval=cdk.Duration.seconds(10)),
    )
    balancer.add_listener("Http", port=80, default_target_groups=[targets])
    fleet = ImageFleet(
        stack,
        "Fleet",
        image=WEB.machine_image(root_device="/dev/xvda"),
        vpc=vpc,
        max_size=9,
        # The load balancer judges the instances: one that answers no more is replaced.
        target_groups=[targets],
        health_check_grace=cdk.Duration.minutes(2),
        zonal_shift=ZonalShift.IGNORE_UNHEALTHY,
        scaling=[Scaling.on_cpu(percent=60), Scaling.on_requests(targets, a_minute=1_000)],
        group_metrics=True,
        rollout=Rollout.on_channel(name="web"),
    )
    cdk.CfnOutput(stack, "Address", value=balancer.load_balancer_dns_name, description="Where the fleet answers")
    cdk.CfnOutput(stack, "TargetGroup", value=targets.target_group_arn, description="Who is healthy")
    cdk.CfnOutput(stack, "Group", value=fleet.auto_scaling_group_name, description="The Auto Scaling group")
    return stack


def web_canary(app: cdk.App) -> None:
    """Make one server that takes each build first."""
    stack = cdk.Stack(app, "WebCanary", env=cdk.Environment(account="123456789012", region=HOME))
    ImageFleet(
        stack,
        "Fleet",
        image=ImageChannel.from_name("web").machine_image(root_device="/dev/xvda"),
        vpc=network(stack, [f"{HOME}a"]),
        rollout=Rollout.on_channel(name="web-canary"),
    )


def web_promotion(app: cdk.App) -> None:
    """Make what moves ``stable`` to each build that has proven itself."""
    stack = cdk.Stack(app, "WebPromotion", env=cdk.Environment(account="123456789012", region=HOME))
    Promotion(
        stack,
        "Promotion",
        image="web",
        gates=[Gate.canary("web-canary", bake=cdk.Duration.minutes(30)), Gate.approval()],
        waves=[Wave([region], fleets=["web"], bake=cdk.Duration.minutes(15)) for region in REGIONS],
    )


app = cdk.App()
for name in REGIONS:
    web_fleet(app, name)
web_canary(app)
web_promotion(app)
app.synth()
