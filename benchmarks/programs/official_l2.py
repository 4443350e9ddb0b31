"""One image and one fleet with the official constructs: the experimental L2 of Image Builder, L2s of the stable library."""

import aws_cdk as cdk
import aws_cdk.aws_imagebuilder_alpha as imagebuilder
from aws_cdk import aws_autoscaling as autoscaling
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from floor import stack_with_network

app, stack, vpc = stack_with_network()
ec2_service = iam.ServicePrincipal("ec2.amazonaws.com")
components = [
    imagebuilder.Component(
        stack,
        name,
        platform=imagebuilder.Platform.LINUX,
        data=imagebuilder.ComponentData.from_inline(_text),
    )
    for name, _text in (
        (name, open(f"components/{file}.yaml", encoding="utf-8").read())  # noqa: PTH123, SIM115 - as users write it
        for name, file in (("Apache", "apache"), ("Agent", "cloudwatch-agent"))
    )
]
recipe = imagebuilder.ImageRecipe(
    stack,
    "Recipe",
    base_image=imagebuilder.BaseImage.from_ssm_parameter_name(
        "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
    ),
    components=[imagebuilder.ComponentConfiguration(component=component) for component in components],
    block_devices=[
        ec2.BlockDevice(
            device_name="/dev/xvda",
            volume=ec2.BlockDeviceVolume.ebs(8, encrypted=True, volume_type=ec2.EbsDeviceVolumeType.GP3),
        )
    ],
)
security_group = ec2.SecurityGroup(stack, "Builds", vpc=vpc)
infrastructure = imagebuilder.InfrastructureConfiguration(
    stack,
    "Infrastructure",
    vpc=vpc,
    security_groups=[security_group],
    instance_types=[ec2.InstanceType("m6i.large")],
)
distribution = imagebuilder.DistributionConfiguration(
    stack,
    "Distribution",
    ami_distributions=[
        imagebuilder.AmiDistribution(
            region=region,
            ssm_parameters=[
                imagebuilder.SSMParameterConfigurations(
                    parameter=cdk.aws_ssm.StringParameter.from_string_parameter_name(
                        stack, f"Channel{region}", "/imagebuilder/web/latest"
                    )
                )
            ],
        )
        for region in ("us-east-1", "eu-west-1")
    ],
)
imagebuilder.ImagePipeline(
    stack,
    "Pipeline",
    recipe=recipe,
    infrastructure_configuration=infrastructure,
    distribution_configuration=distribution,
)

template = ec2.LaunchTemplate(
    stack,
    "LaunchTemplate",
    machine_image=ec2.MachineImage.from_ssm_parameter("/imagebuilder/web/latest"),
    instance_type=ec2.InstanceType("t3.micro"),
    require_imdsv2=True,
    role=iam.Role(stack, "FleetRole", assumed_by=ec2_service),
    security_group=ec2.SecurityGroup(stack, "FleetSecurityGroup", vpc=vpc),
)
autoscaling.AutoScalingGroup(
    stack,
    "Fleet",
    vpc=vpc,
    launch_template=template,
    min_capacity=3,
    max_capacity=3,
    vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC),
)
app.synth()
