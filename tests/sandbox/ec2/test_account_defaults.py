"""What an account sets for all instances of a Region."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

UBUNTU = "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id"


def metadata(ec2: Any, instance: str) -> tuple[str, int]:
    (reservation,) = ec2.describe_instances(InstanceIds=[instance])["Reservations"]
    options = reservation["Instances"][0]["MetadataOptions"]
    return options["HttpTokens"], options["HttpPutResponseHopLimit"]


def test_metadata_defaults_stand_between_the_request_and_the_image(aws: Any, run_one: Any, public_ami: Any) -> None:
    ec2, ubuntu = aws("ec2"), public_ami(parameter=UBUNTU)
    fresh = ec2.get_instance_metadata_defaults()["AccountLevel"]

    assert ec2.modify_instance_metadata_defaults(HttpTokens="required", HttpPutResponseHopLimit=3)["Return"] is True
    by_default = metadata(ec2, run_one(ImageId=ubuntu))
    asked = metadata(ec2, run_one(ImageId=ubuntu, MetadataOptions={"HttpTokens": "optional"}))
    read = ec2.get_instance_metadata_defaults()["AccountLevel"]
    ec2.modify_instance_metadata_defaults(HttpTokens="no-preference", HttpPutResponseHopLimit=-1)

    assert (fresh, by_default, asked) == ({}, ("required", 3), ("optional", 3))
    assert read == {"HttpTokens": "required", "HttpPutResponseHopLimit": 3, "ManagedBy": "account"}
    assert ec2.get_instance_metadata_defaults()["AccountLevel"] == {}
    assert metadata(ec2, run_one(ImageId=ubuntu)) == ("optional", 1)


def test_tokens_that_are_enforced_stop_what_does_not_require_them(aws: Any, run_one: Any, public_ami: Any) -> None:
    ec2, ubuntu = aws("ec2"), public_ami(parameter=UBUNTU)
    ec2.modify_instance_metadata_defaults(HttpTokensEnforced="enabled")

    with pytest.raises(ClientError, match="httpTokensEnforced is enabled") as caught:
        run_one(ImageId=ubuntu)

    assert caught.value.response["Error"]["Code"] == "UnsupportedOperation"
    assert run_one(ImageId=ubuntu, MetadataOptions={"HttpTokens": "required"})
    assert run_one()


@pytest.mark.parametrize("request_", [{"HttpTokens": "never"}, {"HttpPutResponseHopLimit": 65}])
def test_a_default_that_there_is_not_is_refused(aws: Any, request_: dict[str, Any]) -> None:
    with pytest.raises(ClientError, match="InvalidParameterValue"):
        aws("ec2").modify_instance_metadata_defaults(**request_)


def test_block_devices_keep_the_size_of_their_snapshots(aws: Any) -> None:
    ec2 = aws("ec2")
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=8)["VolumeId"]
    snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]

    def register(name: str, **ebs: Any) -> str:
        device = {"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot, **ebs}}
        return str(
            ec2.register_image(
                Name=name, Architecture="x86_64", RootDeviceName="/dev/xvda", BlockDeviceMappings=[device]
            )["ImageId"]
        )

    larger = register("larger", VolumeSize=9)

    (image,) = ec2.describe_images(ImageIds=[larger])["Images"]
    assert image["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"] == 9
    for wrong in ({"VolumeSize": 7}, {"Encrypted": True}):
        with pytest.raises(ClientError, match=r"InvalidBlockDeviceMapping"):
            register("wrong", **wrong)


def test_an_image_without_a_reboot_and_without_a_data_volume(aws: Any, run_one: Any) -> None:
    ec2 = aws("ec2")
    instance = run_one(BlockDeviceMappings=[{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 5}}])
    devices = [
        {"DeviceName": "/dev/sdf", "NoDevice": ""},
        {"DeviceName": "/dev/sdg", "Ebs": {"VolumeSize": 3, "VolumeType": "gp3"}},
        {"DeviceName": "/dev/xvda", "Ebs": {"DeleteOnTermination": False}},
    ]

    made = ec2.create_image(InstanceId=instance, Name="golden", NoReboot=True, BlockDeviceMappings=devices)["ImageId"]

    (image,) = ec2.describe_images(ImageIds=[made])["Images"]
    by_device = {mapping["DeviceName"]: mapping["Ebs"] for mapping in image["BlockDeviceMappings"]}
    assert sorted(by_device) == ["/dev/sdg", "/dev/xvda"]
    assert by_device["/dev/xvda"]["DeleteOnTermination"] is False
    assert (by_device["/dev/sdg"]["VolumeSize"], by_device["/dev/sdg"]["Encrypted"]) == (3, False)
    assert run_one(ImageId=made)


def test_snapshots_of_an_instance_are_made_together(aws: Any, run_one: Any) -> None:
    ec2 = aws("ec2")
    instance = run_one(BlockDeviceMappings=[{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 5}}])

    both = ec2.create_snapshots(InstanceSpecification={"InstanceId": instance}, Description="both")["Snapshots"]
    data = ec2.create_snapshots(
        InstanceSpecification={"InstanceId": instance, "ExcludeBootVolume": True},
        TagSpecifications=[{"ResourceType": "snapshot", "Tags": [{"Key": "kind", "Value": "data"}]}],
    )["Snapshots"]

    assert sorted(each["VolumeSize"] for each in both) == [5, 8]
    assert [(each["VolumeSize"], each["Tags"]) for each in data] == [(5, [{"Key": "kind", "Value": "data"}])]


def test_snapshots_come_page_by_page_and_not_by_id_at_once(aws: Any) -> None:
    ec2 = aws("ec2")
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    made = {ec2.create_snapshot(VolumeId=volume, Description=f"{each}")["SnapshotId"] for each in range(7)}

    pages = list(ec2.get_paginator("describe_snapshots").paginate(OwnerIds=["self"], PaginationConfig={"PageSize": 5}))
    some = ec2.describe_snapshots(Filters=[{"Name": "description", "Values": ["1", "2"]}])["Snapshots"]

    assert [len(page["Snapshots"]) for page in pages] == [5, 2]
    assert {each["SnapshotId"] for page in pages for each in page["Snapshots"]} == made
    assert sorted(each["Description"] for each in some) == ["1", "2"]
    with pytest.raises(ClientError, match="InvalidParameterCombination"):
        ec2.describe_snapshots(SnapshotIds=[made.pop()], MaxResults=5)
    with pytest.raises(ClientError, match=r"InvalidSnapshotID\.Malformed"):
        ec2.describe_snapshots(SnapshotIds=["snapshot-1"])
