"""One image and one fleet with the official constructs: the experimental L2 of Image Builder, and stable L2s.

The same capability as `ours.py`, as a user of those constructs writes it: roles with the same permissions, their own
defaults where they fit, an L1 where there is no L2, which is the build within a deployment.
"""

from pathlib import Path

import aws_cdk as cdk
import aws_cdk.aws_imagebuilder_alpha as imagebuilder
from aws_cdk import aws_autoscaling as autoscaling
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_imagebuilder as imagebuilder_l1
from aws_cdk import aws_logs as logs
from aws_cdk import aws_ssm as ssm
from floor import ZONES, stack_with_network

app, stack, vpc = stack_with_network()
TAGS = {"cdk-ami:image": "web"}
CHANNEL = "/imagebuilder/web/latest"

components = [
    imagebuilder.Component(
        stack,
        name,
        component_name=f"web-{file}",
        component_version="1.0.0",
        platform=imagebuilder.Platform.LINUX,
        data=imagebuilder.ComponentData.from_inline(Path(f"components/{file}.yaml").read_text()),
    )
    for name, file in (("Apache", "apache"), ("Agent", "cloudwatch-agent"))
]
boot_test = imagebuilder.AmazonManagedComponent.from_amazon_managed_component_name(
    stack, "BootTest", "simple-boot-test-linux"
)
recipe = imagebuilder.ImageRecipe(
    stack,
    "Recipe",
    image_recipe_name="web",
    image_recipe_version="1.0.x",
    base_image=imagebuilder.BaseImage.from_ssm_parameter_name(
        "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
    ),
    components=[imagebuilder.ComponentConfiguration(component=component) for component in (*components, boot_test)],
    block_devices=[
        ec2.BlockDevice(
            device_name="/dev/xvda",
            volume=ec2.BlockDeviceVolume.ebs(8, encrypted=True, volume_type=ec2.EbsDeviceVolumeType.GP3),
        )
    ],
    ami_tags=TAGS,
    uninstall_ssm_agent_after_build=False,
)
log_group = logs.LogGroup(
    stack,
    "LogGroup",
    log_group_name="/aws/imagebuilder/web",
    retention=logs.RetentionDays.THREE_MONTHS,
    removal_policy=cdk.RemovalPolicy.DESTROY,
)
builds = ec2.SecurityGroup(stack, "Builds", vpc=vpc, allow_all_outbound=False)
for port in (443, 80):
    builds.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(port), "AWS and package repositories")
boot_test_versions = f"arn:{stack.partition}:imagebuilder:{stack.region}:aws:component/simple-boot-test-linux/*"
build_role = iam.Role(
    stack,
    "BuildRole",
    assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"),
    inline_policies={
        "Build": iam.PolicyDocument(
            statements=[
                iam.PolicyStatement(
                    actions=[
                        "ec2messages:AcknowledgeMessage",
                        "ec2messages:DeleteMessage",
                        "ec2messages:FailMessage",
                        "ec2messages:GetEndpoint",
                        "ec2messages:GetMessages",
                        "ec2messages:SendReply",
                        "ssm:ListInstanceAssociations",
                        "ssm:PutInventory",
                        "ssm:UpdateInstanceAssociationStatus",
                        "ssm:UpdateInstanceInformation",
                        "ssmmessages:CreateControlChannel",
                        "ssmmessages:CreateDataChannel",
                        "ssmmessages:OpenControlChannel",
                        "ssmmessages:OpenDataChannel",
                    ],
                    resources=["*"],
                ),
                iam.PolicyStatement(
                    actions=["s3:GetObject"],
                    resources=[
                        "arn:aws:s3:::ec2imagebuilder-managed-resources-us-east-1-prod/*",
                        "arn:aws:s3:::ec2imagebuilder-toe-us-east-1-prod/*",
                    ],
                ),
                iam.PolicyStatement(
                    actions=["imagebuilder:GetComponent"],
                    resources=[*(component.component_arn for component in components), boot_test_versions],
                ),
                iam.PolicyStatement(
                    actions=["ssm:GetDocument"],
                    resources=["arn:aws:ssm:us-east-1::document/AWS-GatherSoftwareInventory"],
                ),
            ]
        )
    },
)
log_group.grant_write(build_role)
infrastructure = imagebuilder.InfrastructureConfiguration(
    stack,
    "Infrastructure",
    infrastructure_configuration_name="web",
    vpc=vpc,
    subnet_selection=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC),
    security_groups=[builds],
    role=build_role,
    instance_types=[ec2.InstanceType(name) for name in ("m6i.large", "m5.large", "t3.large")],
    http_tokens=imagebuilder.HttpTokens.REQUIRED,
    http_put_response_hop_limit=2,
    terminate_instance_on_failure=True,
)
channel = ssm.StringParameter.from_string_parameter_name(stack, "Channel", CHANNEL)
distribution = imagebuilder.DistributionConfiguration(
    stack,
    "Distribution",
    distribution_configuration_name="web",
    ami_distributions=[
        imagebuilder.AmiDistribution(
            region=region,
            ami_name="web-{{ imagebuilder:buildDate }}",
            ami_description="web, a golden image",
            ami_tags=TAGS,
            ssm_parameters=[
                imagebuilder.SSMParameterConfigurations(
                    parameter=channel, data_type=ssm.ParameterDataType.AWS_EC2_IMAGE
                )
            ],
        )
        for region in ("us-east-1", "eu-west-1")
    ],
)
pipeline = imagebuilder.ImagePipeline(
    stack,
    "Pipeline",
    image_pipeline_name="web",
    recipe=recipe,
    infrastructure_configuration=infrastructure,
    distribution_configuration=distribution,
    image_log_group=log_group,
    image_pipeline_log_group=log_group,
    image_tests_enabled=True,
    enhanced_image_metadata_enabled=True,
)
pipeline_resource = pipeline.node.default_child
assert isinstance(pipeline_resource, imagebuilder_l1.CfnImagePipeline)  # noqa: S101 - narrows a type
pipeline_resource.image_tags = TAGS
image = imagebuilder_l1.CfnImage(
    stack,
    "Image",
    image_pipeline_execution_settings=imagebuilder_l1.CfnImage.ImagePipelineExecutionSettingsProperty(
        deployment_id=pipeline_resource.attr_deployment_id, on_update=True
    ),
    tags=TAGS,
)
image.apply_removal_policy(cdk.RemovalPolicy.RETAIN)
image.node.add_dependency(log_group, build_role, infrastructure, builds)

fleet_role = iam.Role(stack, "FleetRole", assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"))
fleet_role.add_to_policy(
    iam.PolicyStatement(
        actions=[
            "ssm:UpdateInstanceInformation",
            "ssmmessages:CreateControlChannel",
            "ssmmessages:CreateDataChannel",
            "ssmmessages:OpenControlChannel",
            "ssmmessages:OpenDataChannel",
        ],
        resources=["*"],
    )
)
fleet_role.add_to_policy(
    iam.PolicyStatement(
        actions=["cloudwatch:PutMetricData"],
        resources=["*"],
        conditions={"StringEquals": {"cloudwatch:namespace": "CWAgent"}},
    )
)
fleet_role.add_to_policy(iam.PolicyStatement(actions=["ec2:DescribeTags", "ec2:DescribeVolumes"], resources=["*"]))
template = ec2.LaunchTemplate(
    stack,
    "LaunchTemplate",
    machine_image=ec2.MachineImage.from_ssm_parameter(CHANNEL),
    instance_type=ec2.InstanceType("t3.micro"),
    require_imdsv2=True,
    http_put_response_hop_limit=1,
    role=fleet_role,
    security_group=ec2.SecurityGroup(stack, "FleetSecurityGroup", vpc=vpc),
)
cdk.Tags.of(template).add("Name", "Web/Fleet")
autoscaling.AutoScalingGroup(
    stack,
    "Fleet",
    vpc=vpc,
    vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC, availability_zones=ZONES),
    launch_template=template,
    min_capacity=len(ZONES),
    max_capacity=len(ZONES),
    az_capacity_distribution_strategy=autoscaling.CapacityDistributionStrategy.BALANCED_BEST_EFFORT,
    min_healthy_percentage=100,
    max_healthy_percentage=110,
    default_instance_warmup=cdk.Duration.seconds(60),
    health_checks=autoscaling.HealthChecks.ec2(grace_period=cdk.Duration.seconds(60)),
    update_policy=autoscaling.UpdatePolicy.instance_refresh(
        strategy=autoscaling.InstanceRefreshStrategy.ROLLING,
        min_healthy_percentage=100,
        max_healthy_percentage=110,
        skip_matching=True,
    ),
)
app.synth()
