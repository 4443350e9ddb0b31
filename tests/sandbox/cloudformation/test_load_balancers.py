"""Load balancers of the sandbox, and what stands at an instance: volumes and interfaces of their own."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cdk_ami.sandbox.server import Sandbox
from tests.sandbox.cloudformation.test_fleets import AL2023, fleet, public
from tests.support.control import ask
from tests.support.sandbox import MakeClient, wait_until
from tests.support.stacks import Stacks, resource


def served_fleet(image: str, *, path: str = "/") -> dict[str, Any]:
    """Return a fleet behind a load balancer."""
    resources = fleet(image)
    resources["Balancer"] = resource(
        "ElasticLoadBalancingV2::LoadBalancer",
        {
            "Type": "application",
            "Scheme": "internet-facing",
            "SecurityGroups": [{"Fn::GetAtt": ["Group", "GroupId"]}],
            "Subnets": [{"Ref": f"Subnet{at}"} for at in range(3)],
            "LoadBalancerAttributes": [{"Key": "deletion_protection.enabled", "Value": "false"}],
        },
        DependsOn=["Route"],
    )
    resources["Targets"] = resource(
        "ElasticLoadBalancingV2::TargetGroup",
        {
            "Port": 80,
            "Protocol": "HTTP",
            "TargetType": "instance",
            "VpcId": {"Ref": "Vpc"},
            "HealthCheckPath": path,
            "TargetGroupAttributes": [{"Key": "deregistration_delay.timeout_seconds", "Value": "30"}],
        },
    )
    resources["Listener"] = resource(
        "ElasticLoadBalancingV2::Listener",
        {
            "Port": 80,
            "Protocol": "HTTP",
            "LoadBalancerArn": {"Ref": "Balancer"},
            "DefaultActions": [{"Type": "forward", "TargetGroupArn": {"Ref": "Targets"}}],
        },
    )
    resources["Fleet"]["Properties"] |= {"HealthCheckType": "EC2,ELB", "TargetGroupARNs": [{"Ref": "Targets"}]}
    resources["Fleet"]["Properties"]["HealthCheckGracePeriod"] = 0
    return resources


def health(aws: MakeClient, targets: str) -> Counter[str]:
    found = aws("elbv2").describe_target_health(TargetGroupArn=targets)["TargetHealthDescriptions"]
    return Counter(one["TargetHealth"]["State"] for one in found)


def test_an_instance_that_its_load_balancer_calls_unhealthy_is_replaced_and_the_stack_is_removed_whole(
    stacks: Stacks, aws: MakeClient, sandbox: Sandbox
) -> None:
    image = public(aws, AL2023)
    assert stacks.create("web", served_fleet(image)) == "CREATE_COMPLETE", stacks.reasons("web")
    targets, group = stacks.physical_id("web", "Targets"), stacks.physical_id("web", "Fleet")
    (before,) = aws("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[group])["AutoScalingGroups"]
    sick = before["Instances"][0]["InstanceId"]

    healthy = health(aws, targets)
    aws("autoscaling").suspend_processes(AutoScalingGroupName=group, ScalingProcesses=["ReplaceUnhealthy"])
    ask(sandbox, "autoscaling/health", instance=sick, check="ELB")
    failing = health(aws, targets)
    aws("autoscaling").resume_processes(AutoScalingGroupName=group, ScalingProcesses=["ReplaceUnhealthy"])
    wait_until(lambda: health(aws, targets) == {"healthy": 3}, seconds=20)

    assert (healthy, failing) == ({"healthy": 3}, {"healthy": 2, "unhealthy": 1})
    (after,) = aws("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[group])["AutoScalingGroups"]
    assert sick not in [one["InstanceId"] for one in after["Instances"]]
    assert stacks.update("web", served_fleet(image, path="/health")) == "UPDATE_COMPLETE", stacks.reasons("web")
    (found,) = aws("elbv2").describe_target_groups(TargetGroupArns=[targets])["TargetGroups"]
    assert found["HealthCheckPath"] == "/health"
    assert stacks.delete("web") == "DELETE_COMPLETE", stacks.reasons("web")
    assert aws("elbv2").describe_load_balancers()["LoadBalancers"] == []
    assert aws("elbv2").describe_target_groups()["TargetGroups"] == []


def test_targets_of_no_load_balancer_are_unused(stacks: Stacks, aws: MakeClient) -> None:
    resources = served_fleet(public(aws, AL2023))
    del resources["Listener"]
    stacks.create("web", resources)

    assert health(aws, stacks.physical_id("web", "Targets")) == {"unused": 3}


def test_what_a_listener_does_beyond_the_sandbox_is_refused_by_name(stacks: Stacks, aws: MakeClient) -> None:
    listener = served_fleet(public(aws, AL2023))["Listener"]
    listener["Properties"] |= {"LoadBalancerArn": "arn", "DefaultActions": [{"Type": "authenticate-oidc", "Order": 1}]}

    with pytest.raises(ClientError, match=r"Listener .*DefaultActions/0/Type: the sandbox does not support"):
        stacks.create("web", {"Listener": listener})


def server(image: str, *, description: str = "first", ami: str | None = None) -> dict[str, Any]:
    """Return an instance with an interface and a volume of their own."""
    zone = {"Fn::GetAtt": ["Subnet", "AvailabilityZone"]}
    return {
        "Vpc": resource("EC2::VPC", {"CidrBlock": "10.0.0.0/16"}),
        "Subnet": resource("EC2::Subnet", {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.0.0.0/24"}),
        "Group": resource("EC2::SecurityGroup", {"GroupDescription": "db", "VpcId": {"Ref": "Vpc"}}),
        "Interface": resource(
            "EC2::NetworkInterface",
            {
                "SubnetId": {"Ref": "Subnet"},
                "PrivateIpAddress": "10.0.0.10",
                "GroupSet": [{"Fn::GetAtt": ["Group", "GroupId"]}],
                "Description": description,
                "Tags": [{"Key": "Name", "Value": "db"}],
            },
        ),
        "Server": resource(
            "EC2::Instance",
            {
                "ImageId": ami or image,
                "InstanceType": "t3.micro",
                "NetworkInterfaces": [{"DeviceIndex": "0", "NetworkInterfaceId": {"Ref": "Interface"}}],
            },
        ),
        "Data": resource(
            "EC2::Volume",
            {"AvailabilityZone": zone, "Size": 20, "VolumeType": "gp3", "Encrypted": True},
            DeletionPolicy="Retain",
        ),
        "Attachment": resource(
            "EC2::VolumeAttachment",
            {"Device": "/dev/sdf", "InstanceId": {"Ref": "Server"}, "VolumeId": {"Ref": "Data"}},
        ),
    }


def test_a_server_keeps_its_address_and_its_volume_outlives_the_stack(stacks: Stacks, aws: MakeClient) -> None:
    image = public(aws, AL2023)
    assert stacks.create("db", server(image)) == "CREATE_COMPLETE", stacks.reasons("db")
    volume, instance = stacks.physical_id("db", "Data"), stacks.physical_id("db", "Server")
    assert stacks.update("db", server(image, description="second")) == "UPDATE_COMPLETE", stacks.reasons("db")

    (found,) = aws("ec2").describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"]
    assert found["PrivateIpAddress"] == "10.0.0.10"
    assert {one["DeviceName"] for one in found["BlockDeviceMappings"]} >= {"/dev/sdf"}
    (interface,) = aws("ec2").describe_network_interfaces(NetworkInterfaceIds=[stacks.physical_id("db", "Interface")])[
        "NetworkInterfaces"
    ]
    assert interface["Description"] == "second"
    assert stacks.delete("db") == "DELETE_COMPLETE", stacks.reasons("db")
    assert aws("ec2").describe_volumes(VolumeIds=[volume])["Volumes"][0]["State"] == "available"


def test_a_volume_that_is_attached_already_fails_its_second_attachment(stacks: Stacks, aws: MakeClient) -> None:
    resources = server(public(aws, AL2023))
    resources["Again"] = resource(
        "EC2::VolumeAttachment",
        {"Device": "/dev/sdg", "InstanceId": {"Ref": "Server"}, "VolumeId": {"Ref": "Data"}},
        DependsOn="Attachment",
    )

    assert stacks.create("db", resources) == "ROLLBACK_COMPLETE"
    assert any("is already attached to an instance" in reason for reason in stacks.reasons("db"))
