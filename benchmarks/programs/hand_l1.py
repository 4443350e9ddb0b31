"""The same resources as `ours.py`, each written by hand as an L1 of the CDK library, with nothing checked.

`tests/contract/test_benchmarks.py` holds the two to the same resources and properties.
"""

from hashlib import sha256
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_autoscaling as autoscaling
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_imagebuilder as imagebuilder
from aws_cdk import aws_logs as logs
from floor import SUBNETS, ZONES, stack_with_network

app, stack, vpc = stack_with_network()
TAGS = {"cdk-ami:image": "web"}


def trusting_ec2(name: str, description: str, policy: str, statements: list[dict[str, object]]) -> iam.CfnRole:
    return iam.CfnRole(
        stack,
        name,
        description=description,
        assume_role_policy_document={
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}
            ],
        },
        policies=[
            iam.CfnRole.PolicyProperty(
                policy_name=policy, policy_document={"Version": "2012-10-17", "Statement": statements}
            )
        ],
    )


components = []
for name, file in (("Apache", "apache"), ("CloudwatchAgent", "cloudwatch-agent")):
    text = Path(f"components/{file}.yaml").read_text()
    components.append(
        imagebuilder.CfnComponent(
            stack,
            f"Component{name}",
            name=f"web-{file}",
            version="1.0.0",
            platform="Linux",
            data=text,
            description=f"sha256 {sha256(text.encode()).hexdigest()[:12]}",
        )
    )
boot_test = f"arn:{stack.partition}:imagebuilder:{stack.region}:aws:component/simple-boot-test-linux"
recipe = imagebuilder.CfnImageRecipe(
    stack,
    "Recipe",
    name="web",
    version="1.0.x",
    parent_image="ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
    components=[
        *(
            imagebuilder.CfnImageRecipe.ComponentConfigurationProperty(component_arn=component.attr_arn)
            for component in components
        ),
        imagebuilder.CfnImageRecipe.ComponentConfigurationProperty(component_arn=f"{boot_test}/x.x.x"),
    ],
    block_device_mappings=[
        imagebuilder.CfnImageRecipe.InstanceBlockDeviceMappingProperty(
            device_name="/dev/xvda",
            ebs=imagebuilder.CfnImageRecipe.EbsInstanceBlockDeviceSpecificationProperty(
                encrypted=True, volume_type="gp3", delete_on_termination=True
            ),
        )
    ],
    additional_instance_configuration=imagebuilder.CfnImageRecipe.AdditionalInstanceConfigurationProperty(
        systems_manager_agent=imagebuilder.CfnImageRecipe.SystemsManagerAgentProperty(uninstall_after_build=False)
    ),
    ami_tags=TAGS,
)
log_group = logs.CfnLogGroup(stack, "LogGroup", log_group_name="/aws/imagebuilder/web", retention_in_days=90)
role = trusting_ec2(
    "Role",
    "What a build of web may do",
    "Build",
    [
        {
            "Sid": "Agent",
            "Effect": "Allow",
            "Action": [
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
            "Resource": "*",
        },
        {
            "Sid": "Objects",
            "Effect": "Allow",
            "Action": "s3:GetObject",
            "Resource": [
                "arn:aws:s3:::ec2imagebuilder-managed-resources-us-east-1-prod/*",
                "arn:aws:s3:::ec2imagebuilder-toe-us-east-1-prod/*",
            ],
        },
        {
            "Sid": "Logs",
            "Effect": "Allow",
            "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": log_group.attr_arn,
        },
        {
            "Sid": "Components",
            "Effect": "Allow",
            "Action": "imagebuilder:GetComponent",
            "Resource": [*(component.attr_arn for component in components), f"{boot_test}/*"],
        },
        {
            "Sid": "Inventory",
            "Effect": "Allow",
            "Action": "ssm:GetDocument",
            "Resource": "arn:aws:ssm:us-east-1::document/AWS-GatherSoftwareInventory",
        },
    ],
)
profile = iam.CfnInstanceProfile(stack, "InstanceProfile", roles=[role.ref])
security_group = ec2.CfnSecurityGroup(
    stack,
    "SecurityGroup",
    group_description="Builds of web: nothing in",
    vpc_id=vpc.vpc_id,
    security_group_egress=[
        ec2.CfnSecurityGroup.EgressProperty(
            ip_protocol="tcp",
            cidr_ip="0.0.0.0/0",
            from_port=port,
            to_port=port,
            description="AWS and package repositories",
        )
        for port in (443, 80)
    ],
)
infrastructure = imagebuilder.CfnInfrastructureConfiguration(
    stack,
    "Infrastructure",
    name="web",
    description="Where web is built",
    instance_profile_name=profile.ref,
    instance_types=["m6i.large", "m5.large", "t3.large"],
    instance_metadata_options=imagebuilder.CfnInfrastructureConfiguration.InstanceMetadataOptionsProperty(
        http_put_response_hop_limit=2, http_tokens="required"
    ),
    security_group_ids=[security_group.attr_group_id],
    subnet_id=SUBNETS[0],
    terminate_instance_on_failure=True,
)
distribution = imagebuilder.CfnDistributionConfiguration(
    stack,
    "Distribution",
    name="web",
    description="Where the AMIs of web go",
    distributions=[
        imagebuilder.CfnDistributionConfiguration.DistributionProperty(
            region=region,
            ami_distribution_configuration={
                "Name": "web-{{ imagebuilder:buildDate }}",
                "Description": "web, a golden image",
                "AmiTags": TAGS,
            },
            ssm_parameter_configurations=[
                imagebuilder.CfnDistributionConfiguration.SsmParameterConfigurationProperty(
                    data_type="aws:ec2:image", parameter_name="/imagebuilder/web/latest"
                )
            ],
        )
        for region in ("us-east-1", "eu-west-1")
    ],
)
pipeline = imagebuilder.CfnImagePipeline(
    stack,
    "Pipeline",
    name="web",
    description="Builds web",
    image_recipe_arn=recipe.attr_arn,
    infrastructure_configuration_arn=infrastructure.attr_arn,
    distribution_configuration_arn=distribution.attr_arn,
    enhanced_image_metadata_enabled=True,
    image_tags=TAGS,
    image_tests_configuration=imagebuilder.CfnImagePipeline.ImageTestsConfigurationProperty(image_tests_enabled=True),
    logging_configuration=imagebuilder.CfnImagePipeline.PipelineLoggingConfigurationProperty(
        image_log_group_name=log_group.ref, pipeline_log_group_name=log_group.ref
    ),
)
image = imagebuilder.CfnImage(
    stack,
    "Image",
    image_pipeline_execution_settings=imagebuilder.CfnImage.ImagePipelineExecutionSettingsProperty(
        deployment_id=pipeline.attr_deployment_id, on_update=True
    ),
    tags=TAGS,
)
image.apply_removal_policy(cdk.RemovalPolicy.RETAIN)

fleet_role = trusting_ec2(
    "FleetRole",
    "Instances of Web/Fleet",
    "Fleet",
    [
        {
            "Sid": "Sessions",
            "Effect": "Allow",
            "Action": [
                "ssm:UpdateInstanceInformation",
                "ssmmessages:CreateControlChannel",
                "ssmmessages:CreateDataChannel",
                "ssmmessages:OpenControlChannel",
                "ssmmessages:OpenDataChannel",
            ],
            "Resource": "*",
        },
        {
            "Sid": "Metrics",
            "Effect": "Allow",
            "Action": "cloudwatch:PutMetricData",
            "Resource": "*",
            "Condition": {"StringEquals": {"cloudwatch:namespace": "CWAgent"}},
        },
        {
            "Sid": "Dimensions",
            "Effect": "Allow",
            "Action": ["ec2:DescribeTags", "ec2:DescribeVolumes"],
            "Resource": "*",
        },
    ],
)
fleet_profile = iam.CfnInstanceProfile(stack, "FleetInstanceProfile", roles=[fleet_role.ref])
fleet_group = ec2.CfnSecurityGroup(
    stack,
    "FleetSecurityGroup",
    group_description="Instances of a golden image, without inbound rules",
    vpc_id=vpc.vpc_id,
    security_group_egress=[
        ec2.CfnSecurityGroup.EgressProperty(
            ip_protocol="-1", cidr_ip="0.0.0.0/0", description="Allow all outbound traffic by default"
        )
    ],
)
channel = cdk.CfnParameter(
    stack,
    "Channel",
    type="AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>",
    default="/imagebuilder/web/latest",
    description="The AMI that the channel names when the stack is deployed",
)
template = ec2.CfnLaunchTemplate(
    stack,
    "LaunchTemplate",
    launch_template_data=ec2.CfnLaunchTemplate.LaunchTemplateDataProperty(
        image_id=channel.value_as_string,
        instance_type="t3.micro",
        iam_instance_profile=ec2.CfnLaunchTemplate.IamInstanceProfileProperty(arn=fleet_profile.attr_arn),
        metadata_options=ec2.CfnLaunchTemplate.MetadataOptionsProperty(
            http_endpoint="enabled", http_put_response_hop_limit=1, http_tokens="required"
        ),
        monitoring=ec2.CfnLaunchTemplate.MonitoringProperty(enabled=False),
        security_group_ids=[fleet_group.attr_group_id],
        tag_specifications=[
            ec2.CfnLaunchTemplate.TagSpecificationProperty(
                resource_type=kind, tags=[cdk.CfnTag(key="Name", value="Web/Fleet")]
            )
            for kind in ("instance", "volume")
        ],
    ),
)
group = autoscaling.CfnAutoScalingGroup(
    stack,
    "Fleet",
    min_size="3",
    max_size="3",
    vpc_zone_identifier=SUBNETS[: len(ZONES)],
    launch_template=autoscaling.CfnAutoScalingGroup.LaunchTemplateSpecificationProperty(
        launch_template_id=template.ref, version=template.attr_latest_version_number
    ),
    availability_zone_distribution=autoscaling.CfnAutoScalingGroup.AvailabilityZoneDistributionProperty(
        capacity_distribution_strategy="balanced-best-effort"
    ),
    instance_maintenance_policy=autoscaling.CfnAutoScalingGroup.InstanceMaintenancePolicyProperty(
        max_healthy_percentage=110, min_healthy_percentage=100
    ),
    default_instance_warmup=60,
    health_check_grace_period=60,
    health_check_type="EC2",
)
group.cfn_options.update_policy = cdk.CfnUpdatePolicy(
    auto_scaling_instance_refresh=cdk.CfnAutoScalingInstanceRefresh(
        strategy="Rolling",
        preferences=cdk.CfnAutoScalingInstanceRefreshPreferences(
            max_healthy_percentage=110, min_healthy_percentage=100, skip_matching=True
        ),
    ),
    auto_scaling_scheduled_action=cdk.CfnAutoScalingScheduledAction(ignore_unmodified_group_size_properties=True),
)
app.synth()
