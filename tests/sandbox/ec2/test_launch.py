from __future__ import annotations

import base64
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.amis import point


def instance_of(aws: Any, instance_id: str) -> dict[str, Any]:
    (reservation,) = aws("ec2").describe_instances(InstanceIds=[instance_id])["Reservations"]
    return dict(reservation["Instances"][0])


def test_an_instance_needs_an_image_that_exists(aws: Any, run_one: Any, public_ami: Any) -> None:
    for image_id in ("ami-0123456789abcdef0", public_ami("eu-west-1")):
        with pytest.raises(ClientError, match=r"InvalidAMIID\.NotFound"):
            run_one(ImageId=image_id)
    with pytest.raises(ClientError, match=r"InvalidAMIID\.Malformed"):
        run_one(ImageId="image")
    assert aws("ec2").describe_instances()["Reservations"] == []


def test_the_processor_of_image_and_instance_must_match(run_one: Any, public_ami: Any) -> None:
    arm = public_ami(parameter="/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64")

    with pytest.raises(ClientError, match="does not match the architecture 'arm64'"):
        run_one(ImageId=arm)


def test_volumes_come_from_the_image_and_from_what_the_launch_changes(aws: Any, run_one: Any) -> None:
    changed = {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 30, "Encrypted": True}}
    added = {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 5, "VolumeType": "gp3", "DeleteOnTermination": False}}

    instance_id = run_one(BlockDeviceMappings=[changed, added])
    volumes = aws("ec2").describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [instance_id]}])[
        "Volumes"
    ]

    by_device = {volume["Attachments"][0]["Device"]: volume for volume in volumes}
    root, data = by_device["/dev/xvda"], by_device["/dev/sdf"]
    assert (root["Size"], root["Encrypted"], root["VolumeType"]) == (30, True, "gp3")
    assert root["SnapshotId"].startswith("snap-")
    assert (data["Size"], data["Encrypted"], data["Iops"]) == (5, False, 3000)


def test_a_volume_cannot_be_smaller_than_its_snapshot(run_one: Any) -> None:
    with pytest.raises(ClientError, match="smaller than snapshot"):
        run_one(BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 1}}])


def test_volumes_and_interface_go_with_their_instance(aws: Any, run_one: Any) -> None:
    ec2 = aws("ec2")
    kept = {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 5, "DeleteOnTermination": False}}
    instance_id = run_one(BlockDeviceMappings=[kept])

    ec2.stop_instances(InstanceIds=[instance_id])
    stopped = instance_of(aws, instance_id)["State"]["Name"]
    ec2.start_instances(InstanceIds=[instance_id])
    started = instance_of(aws, instance_id)["State"]["Name"]
    ec2.terminate_instances(InstanceIds=[instance_id])

    assert (stopped, started, instance_of(aws, instance_id)["State"]["Name"]) == ("stopped", "running", "terminated")
    assert [volume["Size"] for volume in ec2.describe_volumes()["Volumes"]] == [5]
    assert ec2.describe_network_interfaces()["NetworkInterfaces"] == []


def test_metadata_options_are_the_requests_else_the_images(aws: Any, run_one: Any, public_ami: Any) -> None:
    ubuntu = public_ami(parameter="/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id")

    plain = instance_of(aws, run_one())["MetadataOptions"]
    asked = instance_of(aws, run_one(MetadataOptions={"HttpPutResponseHopLimit": 1}))["MetadataOptions"]
    old = instance_of(aws, run_one(ImageId=ubuntu))["MetadataOptions"]

    assert (plain["HttpTokens"], plain["HttpPutResponseHopLimit"]) == ("required", 2)
    assert (asked["HttpTokens"], asked["HttpPutResponseHopLimit"]) == ("required", 1)
    assert (old["HttpTokens"], old["HttpPutResponseHopLimit"]) == ("optional", 1)


def test_an_image_id_can_name_a_parameter_and_its_version(aws: Any, run_one: Any, own_ami: Any) -> None:
    ssm, first, second = aws("ssm"), own_ami("one"), own_ami("two")
    point(ssm, "/golden/latest", first)
    point(ssm, "/golden/latest", second)

    newest = run_one(ImageId="resolve:ssm:/golden/latest")
    older = run_one(ImageId="resolve:ssm:/golden/latest:1")

    assert instance_of(aws, newest)["ImageId"] == second
    assert instance_of(aws, older)["ImageId"] == first
    with pytest.raises(ClientError, match="Unable to find the parameter"):
        run_one(ImageId="resolve:ssm:/golden/nothing")


def test_one_client_token_launches_once(aws: Any, run_one: Any) -> None:
    first, second = run_one(ClientToken="t"), run_one(ClientToken="t")

    assert first == second
    assert len(aws("ec2").describe_instances()["Reservations"]) == 1
    with pytest.raises(ClientError, match="IdempotentParameterMismatch"):
        run_one(ClientToken="t", EbsOptimized=True)


def test_a_launch_template_sets_what_the_request_leaves_out(aws: Any, public_ami: Any) -> None:
    ec2, iam = aws("ec2"), aws("iam")
    iam.create_instance_profile(InstanceProfileName="web")
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    group = ec2.create_security_group(GroupName="web", Description="web", VpcId=vpc)["GroupId"]
    script = base64.b64encode(b"#!/bin/sh").decode()
    data = {
        "ImageId": "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
        "InstanceType": "t3.small",
        "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
        "BlockDeviceMappings": [
            {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 12, "VolumeType": "gp3", "Encrypted": True}}
        ],
        "IamInstanceProfile": {"Name": "web"},
        "SecurityGroupIds": [group],
        "UserData": script,
        "TagSpecifications": [
            {"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "web"}, {"Key": "team", "Value": "a"}]},
            {"ResourceType": "volume", "Tags": [{"Key": "Name", "Value": "web"}]},
        ],
    }
    ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData=data)

    launched = ec2.run_instances(
        LaunchTemplate={"LaunchTemplateName": "web"},
        MinCount=1,
        MaxCount=1,
        TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "team", "Value": "b"}]}],
    )["Instances"][0]
    record = instance_of(aws, launched["InstanceId"])

    assert (record["ImageId"], record["InstanceType"]) == (public_ami(), "t3.small")
    assert record["MetadataOptions"]["HttpTokens"] == "required"
    assert record["MetadataOptions"]["HttpPutResponseHopLimit"] == 1
    assert record["IamInstanceProfile"]["Arn"].endswith("instance-profile/web")
    assert [each["GroupId"] for each in record["SecurityGroups"]] == [group]
    tags = {tag["Key"]: tag["Value"] for tag in record["Tags"]}
    assert (tags["Name"], tags["team"], tags["aws:ec2launchtemplate:version"]) == ("web", "b", "1")
    (volume,) = ec2.describe_volumes()["Volumes"]
    assert (volume["Size"], volume["Encrypted"], volume["Tags"]) == (12, True, [{"Key": "Name", "Value": "web"}])
    attribute = ec2.describe_instance_attribute(InstanceId=record["InstanceId"], Attribute="userData")
    assert attribute["UserData"]["Value"] == script


def test_a_network_interface_of_a_template_carries_groups_and_subnet(aws: Any, public_ami: Any) -> None:
    ec2 = aws("ec2")
    subnet = ec2.describe_subnets()["Subnets"][1]
    group = ec2.create_security_group(GroupName="web", Description="web", VpcId=subnet["VpcId"])["GroupId"]
    interface = {
        "DeviceIndex": 0,
        "SubnetId": subnet["SubnetId"],
        "Groups": [group],
        "AssociatePublicIpAddress": False,
    }
    data = {"ImageId": public_ami(), "InstanceType": "t3.micro", "NetworkInterfaces": [interface]}
    template = ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData=data)["LaunchTemplate"]

    launched = ec2.run_instances(
        LaunchTemplate={"LaunchTemplateId": template["LaunchTemplateId"], "Version": "$Latest"}, MinCount=1, MaxCount=1
    )["Instances"][0]
    record = instance_of(aws, launched["InstanceId"])

    assert (record["SubnetId"], record["Placement"]["AvailabilityZone"]) == (
        subnet["SubnetId"],
        subnet["AvailabilityZone"],
    )
    assert [each["GroupId"] for each in record["SecurityGroups"]] == [group]
    assert "PublicIpAddress" not in record


def test_a_version_keeps_what_its_source_has_and_the_request_leaves_out(aws: Any, public_ami: Any) -> None:
    ec2 = aws("ec2")
    data = {"ImageId": public_ami(), "InstanceType": "t3.micro"}
    ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData=data)

    merged = ec2.create_launch_template_version(
        LaunchTemplateName="web", SourceVersion="1", LaunchTemplateData={"InstanceType": "t3.large"}
    )["LaunchTemplateVersion"]
    alone = ec2.create_launch_template_version(
        LaunchTemplateName="web", LaunchTemplateData={"InstanceType": "t3.large"}
    )["LaunchTemplateVersion"]

    assert (merged["VersionNumber"], merged["DefaultVersion"]) == (2, False)
    assert merged["LaunchTemplateData"] == {"ImageId": public_ami(), "InstanceType": "t3.large"}
    assert alone["LaunchTemplateData"] == {"InstanceType": "t3.large"}


def test_versions_are_found_by_number_latest_and_default(aws: Any) -> None:
    ec2 = aws("ec2")
    ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData={"InstanceType": "t3.micro"})
    for size in ("small", "large"):
        ec2.create_launch_template_version(LaunchTemplateName="web", LaunchTemplateData={"InstanceType": f"t3.{size}"})
    ec2.modify_launch_template(LaunchTemplateName="web", DefaultVersion="2")

    def types(*versions: str) -> list[str]:
        answer = ec2.describe_launch_template_versions(LaunchTemplateName="web", Versions=list(versions))
        return [each["LaunchTemplateData"]["InstanceType"] for each in answer["LaunchTemplateVersions"]]

    assert types("1", "$Default", "$Latest") == ["t3.micro", "t3.small", "t3.large"]
    ec2.delete_launch_template_versions(LaunchTemplateName="web", Versions=["1"])
    assert types() == ["t3.small", "t3.large"]
    with pytest.raises(ClientError, match="VersionNotFound"):
        types("1")


@pytest.mark.parametrize(
    ("request_part", "code"),
    [
        ({"SubnetId": "subnet-0123456789abcdef0"}, "InvalidSubnetID.NotFound"),
        ({"SecurityGroupIds": ["sg-0123456789abcdef0"]}, "InvalidGroup.NotFound"),
        ({"KeyName": "none"}, "InvalidKeyPair.NotFound"),
        ({"IamInstanceProfile": {"Name": "none"}}, "InvalidParameterValue"),
        ({"LaunchTemplate": {"LaunchTemplateName": "none"}}, "InvalidLaunchTemplateName.NotFoundException"),
        ({"Placement": {"AvailabilityZone": "eu-west-1a"}}, "InvalidParameterValue"),
    ],
)
def test_what_a_launch_names_must_exist(run_one: Any, request_part: dict[str, Any], code: str) -> None:
    with pytest.raises(ClientError, match=code):
        run_one(**request_part)


@pytest.mark.parametrize(("region", "letters"), [("us-east-1", "abcdef"), ("eu-west-1", "abc")])
def test_zones_are_those_of_the_region(aws: Any, region: str, letters: str) -> None:
    zones = aws("ec2", region).describe_availability_zones()["AvailabilityZones"]

    assert [zone["ZoneName"] for zone in zones] == [f"{region}{letter}" for letter in letters]


def test_what_the_sandbox_does_not_offer_is_refused_by_name_at_once(aws: Any) -> None:
    with pytest.raises(ClientError, match="does not offer the operation CreateStoreImageTask of ec2") as caught:
        aws("ec2").create_store_image_task(ImageId="ami-0123456789abcdef0", Bucket="images")

    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_templates_are_listed_whole_and_missing_ones_are_named(aws: Any) -> None:
    ec2 = aws("ec2")
    for number in range(20):
        ec2.create_launch_template(LaunchTemplateName=f"web-{number}", LaunchTemplateData={"InstanceType": "t3.micro"})

    assert len(ec2.describe_launch_templates()["LaunchTemplates"]) == 20
    with pytest.raises(ClientError, match=r"InvalidLaunchTemplateId\.NotFound"):
        ec2.describe_launch_templates(LaunchTemplateIds=["lt-0123456789abcdef0"])
