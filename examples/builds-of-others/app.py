"""AMIs that something else makes, brought to every Region on a channel: a CodeBuild project, and a further wave."""

import aws_cdk as cdk
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_sns as sns

from cdk_ami import Distribution, GoldenImage, ImageFleet, ImageProducer, SourceImage

app = cdk.App()
env = cdk.Environment(account="123456789012", region="us-east-1")

# A build of one's own: whatever the project does, it exports the variable AMI_ID in the end.
shop = cdk.Stack(app, "Shop", env=env)
bake = codebuild.Project.from_project_name(shop, "Bake", "shop-bake")
producer = ImageProducer(
    shop,
    "Shop",
    name="shop",
    distribution=Distribution.to_regions("us-east-1", "eu-west-1"),
    notifications=sns.Topic(shop, "Distributed"),
)
producer.start_from(bake)

vpc = ec2.Vpc.from_vpc_attributes(
    shop,
    "Vpc",
    vpc_id="vpc-0123456789abcdef0",
    availability_zones=["us-east-1a", "us-east-1b"],
    public_subnet_ids=["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
)
ImageFleet(
    shop,
    "Fleet",
    image=producer.machine_image(),
    vpc=vpc,
    zones=["us-east-1a", "us-east-1b"],
    instance_type="t3.micro",
)

# A large distribution in two waves: the pipeline's own Regions, and then, from the finished build, the others.
web = cdk.Stack(app, "Web", env=env)
image = GoldenImage(
    web,
    "Image",
    name="web",
    source=SourceImage.amazon_linux_2023(),
    distribution=Distribution.to_regions("us-east-1", "us-west-2"),
)
asia = ImageProducer(
    web, "Asia", name="web", wave="asia", distribution=Distribution.to_regions("ap-south-1", "ap-northeast-1")
)
asia.start_from(image)
app.synth()
