"""What a fleet renders."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_autoscaling as autoscaling
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns

from cdk_ami.distribution.channel import ImageChannel, Tracking
from cdk_ami.fleet.group import ZoneBalance
from cdk_ami.fleet.image_fleet import ImageFleet
from cdk_ami.recipe.volume import Volume
from cdk_ami.source.platform import Architecture, Platform
from tests.fleet.network import ZONES, network, subnet
from tests.support.synth import make_app, make_stack, only_resource, resources_of, template_of

WEB = ImageChannel.from_name("web")
GROUP, TEMPLATE = "AWS::AutoScaling::AutoScalingGroup", "AWS::EC2::LaunchTemplate"


def launch_data(stack: cdk.Stack) -> dict[str, Any]:
    data: dict[str, Any] = only_resource(template_of(stack), TEMPLATE)["Properties"]["LaunchTemplateData"]
    return data


def group_of(stack: cdk.Stack) -> dict[str, Any]:
    return only_resource(template_of(stack), GROUP)


def warnings(fleet: ImageFleet) -> list[str]:
    return [str(entry.data) for entry in fleet.node.metadata if "warn" in entry.type]


@pytest.fixture(scope="module")
def plain() -> dict[str, Any]:
    """The template of a fleet with every option left at its default."""
    stack = make_stack()
    ImageFleet(stack, "Fleet", image=WEB.machine_image(), vpc=network(stack))
    return template_of(stack)


def test_a_fleet_is_a_group_over_all_zones_that_runs_a_numbered_version(plain: dict[str, Any]) -> None:
    [(template_id, _)] = resources_of(plain, TEMPLATE).items()

    group = only_resource(plain, GROUP)

    assert group["Properties"] == {
        "MinSize": "3",
        "MaxSize": "3",
        "VPCZoneIdentifier": [subnet(0), subnet(1), subnet(2)],
        "LaunchTemplate": {
            "LaunchTemplateId": {"Ref": template_id},
            "Version": {"Fn::GetAtt": [template_id, "LatestVersionNumber"]},
        },
        "AvailabilityZoneDistribution": {"CapacityDistributionStrategy": "balanced-best-effort"},
        "InstanceMaintenancePolicy": {"MinHealthyPercentage": 100, "MaxHealthyPercentage": 110},
        "HealthCheckType": "EC2",
        "HealthCheckGracePeriod": 60,
        "DefaultInstanceWarmup": 60,
    }


def test_another_ami_is_rolled_out_by_an_instance_refresh_of_the_stacks_update(plain: dict[str, Any]) -> None:
    group = only_resource(plain, GROUP)

    assert group["UpdatePolicy"] == {
        "AutoScalingInstanceRefresh": {
            "Strategy": "Rolling",
            "Preferences": {"MinHealthyPercentage": 100, "MaxHealthyPercentage": 110, "SkipMatching": True},
        },
        "AutoScalingScheduledAction": {"IgnoreUnmodifiedGroupSizeProperties": True},
    }


def test_instances_require_the_second_metadata_service_one_hop_away(plain: dict[str, Any]) -> None:
    data = only_resource(plain, TEMPLATE)["Properties"]["LaunchTemplateData"]

    assert data["MetadataOptions"] == {
        "HttpEndpoint": "enabled",
        "HttpTokens": "required",
        "HttpPutResponseHopLimit": 1,
    }


def test_the_launch_template_holds_what_was_not_asked_for_at_its_plainest(plain: dict[str, Any]) -> None:
    data = only_resource(plain, TEMPLATE)["Properties"]["LaunchTemplateData"]

    name = [{"Key": "Name", "Value": "S/Fleet"}]
    assert data["ImageId"] == {"Ref": "ChannelWebLatest8476C7F7"}
    assert data["InstanceType"] == "t3.micro"
    assert data["Monitoring"] == {"Enabled": False}
    assert data["TagSpecifications"] == [
        {"ResourceType": "instance", "Tags": name},
        {"ResourceType": "volume", "Tags": name},
    ]
    assert not {"UserData", "BlockDeviceMappings", "KeyName", "DisableApiTermination"} & set(data)


def test_nothing_comes_in_through_the_fleets_own_security_group(plain: dict[str, Any]) -> None:
    group = only_resource(plain, "AWS::EC2::SecurityGroup")["Properties"]

    assert "SecurityGroupIngress" not in group
    assert group["VpcId"] == "vpc-0123456789abcdef0"


def test_the_default_role_is_for_ec2_and_holds_sessions_and_metrics_only(plain: dict[str, Any]) -> None:
    role = only_resource(plain, "AWS::IAM::Role")["Properties"]

    [trust] = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "ec2.amazonaws.com"}
    assert "ManagedPolicyArns" not in role
    [policy] = role["Policies"]
    assert [statement["Sid"] for statement in policy["PolicyDocument"]["Statement"]] == [
        "Sessions",
        "Metrics",
        "Dimensions",
    ]


def test_chosen_zones_are_used_in_their_order() -> None:
    stack = make_stack()

    fleet = ImageFleet(
        stack, "Fleet", image=WEB.machine_image(), vpc=network(stack), zones=["us-east-1c", "us-east-1a"]
    )

    group = group_of(stack)["Properties"]
    assert group["VPCZoneIdentifier"] == [subnet(2), subnet(0)]
    assert (group["MinSize"], group["MaxSize"]) == ("2", "2")
    assert fleet.zones == ("us-east-1c", "us-east-1a")
    assert fleet.expected_instances == {"us-east-1c": 1, "us-east-1a": 1}


def test_sizes_are_rendered_as_given() -> None:
    stack = make_stack()

    fleet = ImageFleet(
        stack, "Fleet", image=WEB.machine_image(), vpc=network(stack), min_size=2, desired_size=4, max_size=9
    )

    group = group_of(stack)["Properties"]
    assert (group["MinSize"], group["DesiredCapacity"], group["MaxSize"]) == ("2", "4", "9")
    assert fleet.expected_instances == {"us-east-1a": 2, "us-east-1b": 1, "us-east-1c": 1}


def test_fewer_instances_than_zones_is_a_warning() -> None:
    stack = make_stack()

    fleet = ImageFleet(stack, "Fleet", image=WEB.machine_image(), vpc=network(stack), desired_size=2)

    [warning] = warnings(fleet)
    assert "2 instances leave some of 3 zones empty" in warning
    assert "cdk-ami::FewerInstancesThanZones" in warning


def test_one_instance_in_each_zone_is_no_warning() -> None:
    stack = make_stack()

    fleet = ImageFleet(stack, "Fleet", image=WEB.machine_image(), vpc=network(stack))

    assert warnings(fleet) == []


def test_resolved_at_launch_no_deployment_replaces_instances() -> None:
    stack = make_stack()

    ImageFleet(stack, "Fleet", image=WEB.machine_image(tracking=Tracking.AT_LAUNCH), vpc=network(stack))

    assert launch_data(stack)["ImageId"] == "resolve:ssm:/imagebuilder/web/latest"
    assert "AutoScalingInstanceRefresh" not in group_of(stack)["UpdatePolicy"]


def test_an_image_that_the_cdk_resolves_at_launch_is_known_as_such() -> None:
    stack = make_stack()
    image = ec2.MachineImage.resolve_ssm_parameter_at_launch("/imagebuilder/web/latest")

    ImageFleet(stack, "Fleet", image=image, vpc=network(stack), instance_type="t3.micro")

    assert "AutoScalingInstanceRefresh" not in group_of(stack)["UpdatePolicy"]


def test_any_machine_image_of_the_cdk_will_do_with_an_instance_type() -> None:
    stack = make_stack()

    ImageFleet(
        stack,
        "Fleet",
        image=ec2.MachineImage.generic_linux({"us-east-1": "ami-0123456789abcdef0"}),
        vpc=network(stack),
        instance_type=ec2.InstanceType.of(ec2.InstanceClass.M7G, ec2.InstanceSize.LARGE),
    )

    assert launch_data(stack)["ImageId"] == "ami-0123456789abcdef0"
    assert launch_data(stack)["InstanceType"] == "m7g.large"


def test_an_arm_image_gets_an_arm_instance() -> None:
    stack = make_stack()

    ImageFleet(stack, "Fleet", image=WEB.machine_image(architecture=Architecture.ARM64), vpc=network(stack))

    assert launch_data(stack)["InstanceType"] == "t4g.micro"


def test_a_root_device_that_is_known_gets_an_encrypted_gp3_volume() -> None:
    stack = make_stack()

    ImageFleet(stack, "Fleet", image=WEB.machine_image(platform=Platform.WINDOWS), vpc=network(stack))

    assert launch_data(stack)["BlockDeviceMappings"] == [
        {"DeviceName": "/dev/sda1", "Ebs": {"Encrypted": True, "VolumeType": "gp3", "DeleteOnTermination": True}}
    ]


def test_volumes_have_size_speed_key_and_fate() -> None:
    stack = make_stack()
    key = kms.Key.from_key_arn(
        stack, "Key", "arn:aws:kms:us-east-1:123456789012:key/11112222-3333-4444-5555-666677778888"
    )

    ImageFleet(
        stack,
        "Fleet",
        image=WEB.machine_image(root_device="/dev/xvda"),
        vpc=network(stack),
        volumes=[
            Volume(size_gib=50, iops=4_000, throughput_mib=250, kms_key=key),
            Volume(device="/dev/sdf", size_gib=100, type="io2", iops=500, delete_on_termination=False),
        ],
    )

    assert launch_data(stack)["BlockDeviceMappings"] == [
        {
            "DeviceName": "/dev/xvda",
            "Ebs": {
                "Encrypted": True,
                "VolumeType": "gp3",
                "VolumeSize": 50,
                "Iops": 4_000,
                "Throughput": 250,
                "KmsKeyId": "arn:aws:kms:us-east-1:123456789012:key/11112222-3333-4444-5555-666677778888",
                "DeleteOnTermination": True,
            },
        },
        {
            "DeviceName": "/dev/sdf",
            "Ebs": {
                "Encrypted": True,
                "VolumeType": "io2",
                "VolumeSize": 100,
                "Iops": 500,
                "DeleteOnTermination": False,
            },
        },
    ]


def test_the_other_options_of_a_launch_reach_the_template() -> None:
    stack = make_stack()

    ImageFleet(
        stack,
        "Fleet",
        image=WEB.machine_image(),
        vpc=network(stack),
        containers=True,
        detailed_monitoring=True,
        user_data="#!/bin/sh\nhostname",
        tags={"Name": "web", "Team": "shop"},
    )

    data = launch_data(stack)
    assert data["MetadataOptions"]["HttpPutResponseHopLimit"] == 2
    assert data["Monitoring"] == {"Enabled": True}
    assert data["UserData"] == {"Fn::Base64": "#!/bin/sh\nhostname"}
    tags = [{"Key": "Name", "Value": "web"}, {"Key": "Team", "Value": "shop"}]
    assert [specification["Tags"] for specification in data["TagSpecifications"]] == [tags, tags]


def test_user_data_of_the_cdk_is_rendered() -> None:
    stack = make_stack()
    script = ec2.UserData.for_linux()
    script.add_commands("hostname")

    ImageFleet(stack, "Fleet", image=WEB.machine_image(), vpc=network(stack), user_data=script)

    assert launch_data(stack)["UserData"] == {"Fn::Base64": "#!/bin/bash\nhostname"}


def test_the_options_of_the_group_reach_the_template() -> None:
    stack = make_stack()
    topic = sns.Topic.from_topic_arn(stack, "Topic", "arn:aws:sns:us-east-1:123456789012:fleet")

    ImageFleet(
        stack,
        "Fleet",
        image=WEB.machine_image(),
        vpc=network(stack),
        zone_balance=ZoneBalance.ONLY,
        min_healthy_percent=50,
        max_healthy_percent=100,
        warmup=cdk.Duration.minutes(3),
        health_check_grace=cdk.Duration.minutes(5),
        notifications=topic,
    )

    group = group_of(stack)
    properties = group["Properties"]
    assert properties["AvailabilityZoneDistribution"] == {"CapacityDistributionStrategy": "balanced-only"}
    assert properties["InstanceMaintenancePolicy"] == {"MinHealthyPercentage": 50, "MaxHealthyPercentage": 100}
    assert (properties["DefaultInstanceWarmup"], properties["HealthCheckGracePeriod"]) == (180, 300)
    assert properties["NotificationConfigurations"] == [
        {
            "TopicARN": "arn:aws:sns:us-east-1:123456789012:fleet",
            "NotificationTypes": [
                "autoscaling:EC2_INSTANCE_LAUNCH",
                "autoscaling:EC2_INSTANCE_LAUNCH_ERROR",
                "autoscaling:EC2_INSTANCE_TERMINATE",
                "autoscaling:EC2_INSTANCE_TERMINATE_ERROR",
            ],
        }
    ]
    preferences = group["UpdatePolicy"]["AutoScalingInstanceRefresh"]["Preferences"]
    assert (preferences["MinHealthyPercentage"], preferences["MaxHealthyPercentage"]) == (50, 100)


def test_the_cdks_own_scaling_works_on_the_group() -> None:
    stack = make_stack()
    fleet = ImageFleet(stack, "Fleet", image=WEB.machine_image(), vpc=network(stack), max_size=9)

    fleet.auto_scaling_group.scale_on_cpu_utilization("Cpu", target_utilization_percent=60)

    policy = only_resource(template_of(stack), "AWS::AutoScaling::ScalingPolicy")["Properties"]
    assert policy["AutoScalingGroupName"] == {"Ref": "Fleet30813DF3"}
    assert fleet.auto_scaling_group is fleet.auto_scaling_group


def test_a_fleet_of_another_stack_is_imported_by_its_name() -> None:
    stack = make_stack()

    group = ImageFleet.from_auto_scaling_group_name(stack, "Other", "web-servers")

    assert group.auto_scaling_group_name == "web-servers"
    autoscaling.ScheduledAction(
        stack, "Night", auto_scaling_group=group, schedule=autoscaling.Schedule.expression("0 22 * * *"), min_capacity=0
    )
    action = only_resource(template_of(stack), "AWS::AutoScaling::ScheduledAction")["Properties"]
    assert action["AutoScalingGroupName"] == "web-servers"


def test_the_first_instance_waits_for_the_routes_of_a_network_in_the_same_stack() -> None:
    stack = make_stack()
    vpc = ec2.Vpc(
        stack,
        "Vpc",
        availability_zones=["us-east-1a"],
        nat_gateways=0,
        subnet_configuration=[ec2.SubnetConfiguration(name="Public", subnet_type=ec2.SubnetType.PUBLIC)],
    )

    ImageFleet(stack, "Fleet", image=WEB.machine_image(), vpc=vpc)

    assert "VpcPublicSubnet1DefaultRoute3DA9E72A" in group_of(stack)["DependsOn"]


def test_the_kind_of_subnet_is_chosen_as_with_the_cdk() -> None:
    stack = make_stack()
    vpc = ec2.Vpc(stack, "Vpc", availability_zones=["us-east-1a", "us-east-1b"], nat_gateways=1)

    ImageFleet(
        stack,
        "Fleet",
        image=WEB.machine_image(),
        vpc=vpc,
        zones=["us-east-1b"],
        subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC),
    )

    [found] = group_of(stack)["Properties"]["VPCZoneIdentifier"]
    assert found["Ref"].startswith("VpcPublicSubnet2")


def test_a_vpc_that_is_still_to_be_looked_up_refuses_no_zone() -> None:
    stack = make_stack()
    vpc = ec2.Vpc.from_lookup(stack, "Vpc", vpc_id="vpc-0123456789abcdef0")

    fleet = ImageFleet(stack, "Fleet", image=WEB.machine_image(), vpc=vpc, zones=["us-east-1f"])

    assert fleet.zones == ("us-east-1f",)


def test_a_stack_for_any_region_uses_the_zones_that_the_deployment_finds() -> None:
    stack = make_stack(region=None, account=None)
    vpc = ec2.Vpc(stack, "Vpc", max_azs=2, nat_gateways=0)

    fleet = ImageFleet(stack, "Fleet", image=WEB.machine_image(), vpc=vpc)

    subnets = [stack.resolve(subnet.subnet_id) for subnet in vpc.isolated_subnets]
    assert group_of(stack)["Properties"]["VPCZoneIdentifier"] == subnets
    assert stack.resolve(list(fleet.zones)) == [
        {"Fn::Select": [position, {"Fn::GetAZs": ""}]} for position in range(len(subnets))
    ]


def test_tokens_are_let_through_wherever_a_value_is_taken() -> None:
    stack = make_stack()
    unknown, number = cdk.Token.as_string(cdk.Fn.ref("Any")), int(cdk.Token.as_number(cdk.Fn.ref("Any")))

    ImageFleet(
        stack,
        "Fleet",
        image=WEB.machine_image(root_device=unknown),
        vpc=network(stack),
        instance_type=unknown,
        min_size=number,
        max_size=number,
        desired_size=number,
        volumes=[Volume(size_gib=number, iops=number, throughput_mib=number)],
        user_data=unknown,
        tags={"Team": unknown},
    )

    group = group_of(stack)["Properties"]
    assert group["MinSize"] == group["MaxSize"] == group["DesiredCapacity"] == {"Ref": "Any"}


def test_the_same_fleet_renders_the_same_template_twice() -> None:
    def template() -> dict[str, Any]:
        stack = make_stack()
        ImageFleet(stack, "Fleet", image=WEB.machine_image(), vpc=network(stack), tags={"b": "1", "a": "2"})
        return template_of(stack)

    assert template() == template()


def test_logical_ids_do_not_depend_on_zones_or_image() -> None:
    app = make_app()
    ids = []
    for name, zones, channel in (("One", ZONES, WEB), ("Two", ZONES[:1], ImageChannel.from_name("db", "stable"))):
        stack = make_stack(name, app=app)
        ImageFleet(stack, "Fleet", image=channel.machine_image(), vpc=network(stack), zones=zones)
        ids.append(list(template_of(stack)["Resources"]))

    assert ids[0] == ids[1]
    assert "Fleet30813DF3" in ids[0]
