"""Networks, launch templates and groups: made, refreshed, taken back and removed."""

from __future__ import annotations

import json
from collections import Counter
from threading import Thread
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cdk_ami.sandbox.pace import PACE
from tests.support.sandbox import MakeClient, wait_until
from tests.support.stacks import Stacks, resource, trust

AMI_TYPE = "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>"
AL2023 = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
AL2 = "/aws/service/ami-amazon-linux-latest/amzn2-ami-hvm-x86_64-gp2"
REFRESH = {
    "AutoScalingInstanceRefresh": {
        "Strategy": "Rolling",
        "Preferences": {"MinHealthyPercentage": 100, "MaxHealthyPercentage": 200, "InstanceWarmup": 0},
    }
}


def network(zones: int = 3) -> dict[str, Any]:
    resources = {
        "Vpc": resource("EC2::VPC", {"CidrBlock": "10.0.0.0/16", "EnableDnsHostnames": True}),
        "Gateway": resource("EC2::InternetGateway"),
        "Attachment": resource(
            "EC2::VPCGatewayAttachment", {"VpcId": {"Ref": "Vpc"}, "InternetGatewayId": {"Ref": "Gateway"}}
        ),
        "Table": resource("EC2::RouteTable", {"VpcId": {"Ref": "Vpc"}}),
        "Route": resource(
            "EC2::Route",
            {"RouteTableId": {"Ref": "Table"}, "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": {"Ref": "Gateway"}},
            DependsOn="Attachment",
        ),
    }
    for at in range(zones):
        blocks = {"Fn::Cidr": [{"Fn::GetAtt": ["Vpc", "CidrBlock"]}, zones, 8]}
        resources[f"Subnet{at}"] = resource(
            "EC2::Subnet",
            {
                "VpcId": {"Ref": "Vpc"},
                "CidrBlock": {"Fn::Select": [at, blocks]},
                "AvailabilityZone": {"Fn::Select": [at, {"Fn::GetAZs": ""}]},
                "MapPublicIpOnLaunch": True,
            },
        )
        resources[f"Association{at}"] = resource(
            "EC2::SubnetRouteTableAssociation",
            {"SubnetId": {"Ref": f"Subnet{at}"}, "RouteTableId": {"Ref": "Table"}},
        )
    return resources


def fleet(image: Any, *, user_data: str = "#!/bin/sh", desired: int = 3, policy: Any = None) -> dict[str, Any]:
    data = {
        "ImageId": image,
        "InstanceType": "t3.micro",
        "SecurityGroupIds": [{"Fn::GetAtt": ["Group", "GroupId"]}],
        "IamInstanceProfile": {"Arn": {"Fn::GetAtt": ["Profile", "Arn"]}},
        "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
        "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeType": "gp3", "Encrypted": True}}],
        "UserData": {"Fn::Base64": user_data},
        "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "web"}]}],
    }
    return {
        **network(),
        "Role": resource("IAM::Role", {"AssumeRolePolicyDocument": trust()}),
        "Profile": resource("IAM::InstanceProfile", {"Roles": [{"Ref": "Role"}]}),
        "Group": resource("EC2::SecurityGroup", {"GroupDescription": "web", "VpcId": {"Ref": "Vpc"}}),
        "Template": resource("EC2::LaunchTemplate", {"LaunchTemplateData": data}),
        "Fleet": resource(
            "AutoScaling::AutoScalingGroup",
            {
                "MinSize": "0",
                "MaxSize": "6",
                "DesiredCapacity": str(desired),
                "VPCZoneIdentifier": [{"Ref": f"Subnet{at}"} for at in range(3)],
                "LaunchTemplate": {
                    "LaunchTemplateId": {"Ref": "Template"},
                    "Version": {"Fn::GetAtt": ["Template", "LatestVersionNumber"]},
                },
                "HealthCheckType": "EC2",
                "HealthCheckGracePeriod": 60,
                "AvailabilityZoneDistribution": {"CapacityDistributionStrategy": "balanced-only"},
                "InstanceMaintenancePolicy": {"MinHealthyPercentage": 100, "MaxHealthyPercentage": 110},
                "MetricsCollection": [{"Granularity": "1Minute"}],
                "Tags": [{"Key": "Name", "Value": "web", "PropagateAtLaunch": True}],
            },
            UpdatePolicy=REFRESH if policy is None else policy,
            DependsOn=["Route"],
        ),
    }


def instances(aws: MakeClient) -> list[dict[str, Any]]:
    here = [{"Name": "instance-state-name", "Values": ["running"]}]
    reservations = aws("ec2").describe_instances(Filters=here)["Reservations"]
    return [instance for one in reservations for instance in one["Instances"]]


def public(aws: MakeClient, name: str) -> str:
    return str(aws("ssm").get_parameter(Name=name)["Parameter"]["Value"])


PARAMETER = {"Parameters": {"Ami": {"Type": AMI_TYPE, "Default": "/imagebuilder/web/latest"}}}


def test_a_fleet_runs_its_channel_in_every_zone_and_follows_it(stacks: Stacks, aws: MakeClient) -> None:
    old, new = public(aws, AL2023), public(aws, AL2)
    aws("ssm").put_parameter(Name="/imagebuilder/web/latest", Value=old, Type="String")
    assert stacks.create("fleet", fleet({"Ref": "Ami"}), sections=PARAMETER) == "CREATE_COMPLETE"
    before = instances(aws)

    aws("ssm").put_parameter(Name="/imagebuilder/web/latest", Value=new, Type="String", Overwrite=True)
    stacks.client.update_stack(
        StackName="fleet",
        UsePreviousTemplate=True,
        Parameters=[{"ParameterKey": "Ami", "UsePreviousValue": True}],
        Capabilities=["CAPABILITY_IAM"],
    )
    status = stacks.settled("fleet")

    assert status == "UPDATE_COMPLETE", stacks.reasons("fleet")
    assert {one["ImageId"] for one in before} == {old}
    assert Counter(one["Placement"]["AvailabilityZone"][-1] for one in before) == {"a": 1, "b": 1, "c": 1}
    after = instances(aws)
    assert {one["ImageId"] for one in after} == {new}
    assert Counter(one["Placement"]["AvailabilityZone"][-1] for one in after) == {"a": 1, "b": 1, "c": 1}
    assert {one["MetadataOptions"]["HttpTokens"] for one in after} == {"required"}
    assert not {one["InstanceId"] for one in before} & {one["InstanceId"] for one in after}
    template = stacks.physical_id("fleet", "Template")
    versions = aws("ec2").describe_launch_template_versions(LaunchTemplateId=template)["LaunchTemplateVersions"]
    assert {one["VersionNumber"]: one["DefaultVersion"] for one in versions} == {1: True, 2: False}


def test_without_an_update_policy_instances_stay(stacks: Stacks, aws: MakeClient) -> None:
    image = public(aws, AL2023)
    stacks.create("fleet", fleet(image, policy={}))
    before = {one["InstanceId"] for one in instances(aws)}

    assert stacks.update("fleet", fleet(image, user_data="#!/bin/sh -e", policy={})) == "UPDATE_COMPLETE"

    assert {one["InstanceId"] for one in instances(aws)} == before


def test_a_fleet_grows_and_shrinks(stacks: Stacks, aws: MakeClient) -> None:
    image = public(aws, AL2023)
    stacks.create("fleet", fleet(image, desired=1))

    stacks.update("fleet", fleet(image, desired=5))
    grown = len(instances(aws))
    stacks.update("fleet", fleet(image, desired=2))

    assert (grown, len(instances(aws))) == (5, 2)


def test_an_image_that_is_not_there_rolls_the_fleet_back_to_the_one_it_ran(stacks: Stacks, aws: MakeClient) -> None:
    image = public(aws, AL2023)
    stacks.create("fleet", fleet(image))

    status = stacks.update("fleet", fleet("ami-00000000000000000"))

    assert status == "UPDATE_ROLLBACK_COMPLETE"
    assert {one["ImageId"] for one in instances(aws)} == {image}
    group = aws("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"][0]
    template = stacks.physical_id("fleet", "Template")
    version = aws("ec2").describe_launch_template_versions(
        LaunchTemplateId=template, Versions=[group["LaunchTemplate"]["Version"]]
    )["LaunchTemplateVersions"][0]
    assert version["LaunchTemplateData"]["ImageId"] == image


def test_an_image_that_goes_away_during_the_refresh_rolls_the_fleet_back(
    stacks: Stacks, aws: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = public(aws, AL2023)
    one_by_one = {"Strategy": "Rolling", "Preferences": {"MinHealthyPercentage": 100, "MaxHealthyPercentage": 110}}
    policy = {"AutoScalingInstanceRefresh": one_by_one}
    stacks.create("fleet", fleet(old, policy=policy))
    new = aws("ec2").create_image(InstanceId=instances(aws)[0]["InstanceId"], Name="new")["ImageId"]
    body = json.dumps({"Resources": fleet(new, policy=policy)})
    monkeypatch.setattr(PACE, "warmup", 0.3)

    update = Thread(
        target=lambda: stacks.client.update_stack(StackName="fleet", TemplateBody=body, Capabilities=["CAPABILITY_IAM"])
    )
    update.start()
    wait_until(lambda: any(one["ImageId"] == new for one in instances(aws)), seconds=20)
    aws("ec2").deregister_image(ImageId=new)
    update.join(20)

    assert stacks.settled("fleet") == "UPDATE_ROLLBACK_COMPLETE", stacks.reasons("fleet")
    assert any("ended as Failed" in reason and new in reason for reason in stacks.reasons("fleet"))
    after = instances(aws)
    assert {one["ImageId"] for one in after} == {old}
    assert Counter(one["Placement"]["AvailabilityZone"][-1] for one in after) == {"a": 1, "b": 1, "c": 1}


def test_a_fleet_and_its_network_are_removed_whole(stacks: Stacks, aws: MakeClient) -> None:
    stacks.create("fleet", fleet(public(aws, AL2023)))
    vpc = stacks.physical_id("fleet", "Vpc")

    assert stacks.delete("fleet") == "DELETE_COMPLETE", stacks.reasons("fleet")

    assert instances(aws) == []
    assert vpc not in [one["VpcId"] for one in aws("ec2").describe_vpcs()["Vpcs"]]
    assert aws("ec2").describe_launch_templates()["LaunchTemplates"] == []
    assert aws("iam").list_instance_profiles()["InstanceProfiles"] == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"UpdatePolicy": {"AutoScalingReplacingUpdate": {"WillReplace": True}}},
            "UpdatePolicy/AutoScalingReplacing",
        ),
        ({"UpdatePolicy": {"AutoScalingInstanceRefresh": {}}}, "required key [Strategy] not found"),
        ({"CreationPolicy": {"ResourceSignal": {"Count": 1}}}, "does not support creation policies"),
    ],
)
def test_policies_beyond_the_sandbox_are_refused(stacks: Stacks, change: dict[str, Any], words: str) -> None:
    resources = fleet("ami-00000000000000000")
    resources["Fleet"].update(change)

    with pytest.raises(ClientError) as caught:
        stacks.create("fleet", resources)

    assert "Fleet (AWS::AutoScaling::AutoScalingGroup)" in str(caught.value)
    assert words in str(caught.value)


def test_a_version_that_is_not_numbered_fails_the_group(stacks: Stacks, aws: MakeClient) -> None:
    resources = fleet(public(aws, AL2023))
    resources["Fleet"]["Properties"]["LaunchTemplate"]["Version"] = "$Latest"

    assert stacks.create("fleet", resources) == "ROLLBACK_COMPLETE"
    assert any("LaunchTemplate/Version: must be a number" in reason for reason in stacks.reasons("fleet"))


def test_an_instance_is_launched_from_a_template_and_replaced_for_another_image(
    stacks: Stacks, aws: MakeClient
) -> None:
    def one(image: str, kind: str = "t3.micro") -> dict[str, Any]:
        return {
            "Vpc": resource("EC2::VPC", {"CidrBlock": "10.0.0.0/16"}),
            "Subnet": resource("EC2::Subnet", {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.0.0.0/24"}),
            "Instance": resource(
                "EC2::Instance",
                {
                    "ImageId": image,
                    "InstanceType": kind,
                    "SubnetId": {"Ref": "Subnet"},
                    "Tags": [{"Key": "Name", "Value": "one"}],
                },
            ),
        }

    old, new = public(aws, AL2023), public(aws, AL2)
    stacks.create("single", one(old))
    first = stacks.physical_id("single", "Instance")
    stacks.update("single", one(old, "t3.small"))
    resized = stacks.physical_id("single", "Instance")
    stacks.update("single", one(new, "t3.small"))

    assert first == resized != stacks.physical_id("single", "Instance")
    running = instances(aws)
    assert [(instance["ImageId"], instance["InstanceType"]) for instance in running] == [(new, "t3.small")]


def test_rules_of_security_groups_come_and_go(stacks: Stacks, aws: MakeClient) -> None:
    def group(port: int, **rules: Any) -> dict[str, Any]:
        inner = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "CidrIp": "10.0.0.0/8"}
        return {
            "Vpc": resource("EC2::VPC", {"CidrBlock": "10.0.0.0/16"}),
            "Group": resource(
                "EC2::SecurityGroup",
                {"GroupDescription": "g", "VpcId": {"Ref": "Vpc"}, "SecurityGroupIngress": [inner], **rules},
            ),
            "Out": resource(
                "EC2::SecurityGroupEgress",
                {
                    "GroupId": {"Ref": "Group"},
                    "IpProtocol": "tcp",
                    "FromPort": 25,
                    "ToPort": 25,
                    "CidrIp": "10.0.0.1/32",
                },
            ),
        }

    web = [{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIp": "0.0.0.0/0"}]
    stacks.create("rules", group(22))
    stacks.update("rules", group(80, SecurityGroupEgress=web))

    found = aws("ec2").describe_security_groups(GroupIds=[stacks.physical_id("rules", "Group")])["SecurityGroups"][0]
    assert [rule["FromPort"] for rule in found["IpPermissions"]] == [80]
    assert sorted(rule.get("FromPort", 0) for rule in found["IpPermissionsEgress"]) == [25, 443]
    assert stacks.delete("rules") == "DELETE_COMPLETE"
