"""Replacing the root volume of an instance that runs."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.pace import PACE
from tests.support.amis import make_ami

ARM = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64"


def root_of(ec2: Any, instance: str) -> dict[str, Any]:
    attached = [{"Name": "attachment.instance-id", "Values": [instance]}]
    (volume,) = ec2.describe_volumes(Filters=attached)["Volumes"]
    return dict(volume)


def instance_of(ec2: Any, instance: str) -> dict[str, Any]:
    (reservation,) = ec2.describe_instances(InstanceIds=[instance])["Reservations"]
    return dict(reservation["Instances"][0])


def test_an_instance_gets_the_root_volume_of_another_image_and_stays_itself(aws: Any, run_one: Any) -> None:
    ec2 = aws("ec2")
    new = make_ami(ec2, encrypted=False)
    instance = run_one(
        BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 20}}],
        TagSpecifications=[{"ResourceType": "volume", "Tags": [{"Key": "team", "Value": "web"}]}],
    )
    before, old = instance_of(ec2, instance), root_of(ec2, instance)

    task = ec2.create_replace_root_volume_task(
        InstanceId=instance,
        ImageId=new.image_id,
        DeleteReplacedRootVolume=True,
        TagSpecifications=[{"ResourceType": "replace-root-volume-task", "Tags": [{"Key": "why", "Value": "patch"}]}],
    )["ReplaceRootVolumeTask"]
    (done,) = ec2.describe_replace_root_volume_tasks(Filters=[{"Name": "instance-id", "Values": [instance]}])[
        "ReplaceRootVolumeTasks"
    ]
    after, root = instance_of(ec2, instance), root_of(ec2, instance)

    assert (task["TaskState"], done["TaskState"], done["Tags"]) == (
        "pending",
        "succeeded",
        [{"Key": "why", "Value": "patch"}],
    )
    assert (after["ImageId"], after["PrivateIpAddress"]) == (new.image_id, before["PrivateIpAddress"])
    assert (root["SnapshotId"], root["Size"], root["Tags"]) == (new.snapshot_id, 20, old["Tags"])
    assert after["BlockDeviceMappings"][0]["Ebs"]["VolumeId"] == root["VolumeId"]
    assert old["VolumeId"] not in {volume["VolumeId"] for volume in ec2.describe_volumes()["Volumes"]}


def test_a_root_volume_goes_back_to_its_launch_or_to_a_snapshot_of_it(aws: Any, run_one: Any) -> None:
    ec2, instance = aws("ec2"), run_one()
    first = root_of(ec2, instance)
    snapshot = ec2.create_snapshot(VolumeId=first["VolumeId"])["SnapshotId"]

    ec2.create_replace_root_volume_task(InstanceId=instance, SnapshotId=snapshot)
    second = root_of(ec2, instance)
    ec2.create_replace_root_volume_task(InstanceId=instance)
    third = root_of(ec2, instance)

    assert (second["SnapshotId"], third["SnapshotId"]) == (snapshot, first["SnapshotId"])
    assert {volume["VolumeId"]: volume["State"] for volume in ec2.describe_volumes()["Volumes"]} == {
        first["VolumeId"]: "available",
        second["VolumeId"]: "available",
        third["VolumeId"]: "in-use",
    }


def test_a_volume_can_be_put_in_the_place_of_the_root(aws: Any, run_one: Any) -> None:
    ec2, instance = aws("ec2"), run_one()
    zone = instance_of(ec2, instance)["Placement"]["AvailabilityZone"]
    other = "us-east-1b" if zone == "us-east-1a" else "us-east-1a"
    snapshot = make_ami(ec2, encrypted=False).snapshot_id
    near, far = (ec2.create_volume(AvailabilityZone=each, SnapshotId=snapshot)["VolumeId"] for each in (zone, other))

    ec2.create_replace_root_volume_task(InstanceId=instance, VolumeId=near)

    assert root_of(ec2, instance)["VolumeId"] == near
    with pytest.raises(ClientError, match=r"InvalidVolume\.ZoneMismatch"):
        ec2.create_replace_root_volume_task(InstanceId=instance, VolumeId=far)
    with pytest.raises(ClientError, match="IncorrectState"):
        ec2.create_replace_root_volume_task(InstanceId=instance, VolumeId=near)


def test_a_task_goes_through_its_states_by_the_clock(aws: Any, run_one: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ec2, instance = aws("ec2"), run_one()
    monkeypatch.setattr(PACE, "image", 600.0)

    task = ec2.create_replace_root_volume_task(InstanceId=instance)["ReplaceRootVolumeTask"]["ReplaceRootVolumeTaskId"]

    def shown(seconds: float) -> dict[str, Any]:
        CLOCK.advance(seconds)
        found = ec2.describe_replace_root_volume_tasks(ReplaceRootVolumeTaskIds=[task])["ReplaceRootVolumeTasks"]
        return dict(found[0])

    states = [shown(seconds) for seconds in (1, 400, 300)]
    assert [each["TaskState"] for each in states] == ["pending", "in-progress", "succeeded"]
    assert ["CompleteTime" in each for each in states] == [False, False, True]


def test_what_does_not_fit_the_instance_is_refused(aws: Any, run_one: Any, public_ami: Any) -> None:
    ec2, instance, stopped = aws("ec2"), run_one(), run_one()
    ec2.stop_instances(InstanceIds=[stopped])
    foreign = make_ami(ec2, encrypted=False)
    disabled = make_ami(ec2, version="1.0.0/2", encrypted=False).image_id
    ec2.disable_image(ImageId=disabled)

    for request, code in (
        ({"InstanceId": stopped}, "IncorrectInstanceState"),
        ({"InstanceId": instance, "ImageId": public_ami(parameter=ARM)}, "InvalidParameterValue"),
        ({"InstanceId": instance, "SnapshotId": foreign.snapshot_id}, "InvalidParameterValue"),
        ({"InstanceId": instance, "ImageId": disabled}, "InvalidAMIID.Unavailable"),
        (
            {"InstanceId": instance, "ImageId": foreign.image_id, "SnapshotId": foreign.snapshot_id},
            "InvalidParameterCombination",
        ),
    ):
        with pytest.raises(ClientError) as caught:
            ec2.create_replace_root_volume_task(**request)
        assert caught.value.response["Error"]["Code"] == code
    assert ec2.describe_replace_root_volume_tasks()["ReplaceRootVolumeTasks"] == []
    with pytest.raises(ClientError, match="does not exist"):
        ec2.describe_replace_root_volume_tasks(ReplaceRootVolumeTaskIds=["replacevol-0123456789abcdef0"])


def test_a_key_that_nobody_lets_in_fails_the_task_and_leaves_the_volume(aws: Any, run_one: Any) -> None:
    ec2, key = aws("ec2"), aws("kms").create_key()["KeyMetadata"]["Arn"]
    device = {"DeviceName": "/dev/xvda", "Ebs": {"Encrypted": True, "KmsKeyId": key}}
    source = run_one(BlockDeviceMappings=[device])
    image = ec2.create_image(InstanceId=source, Name="secret")["ImageId"]
    instance = run_one()
    before = root_of(ec2, instance)
    aws("kms").disable_key(KeyId=key)

    ec2.create_replace_root_volume_task(InstanceId=instance, ImageId=image)

    (task,) = ec2.describe_replace_root_volume_tasks()["ReplaceRootVolumeTasks"]
    assert (task["TaskState"], root_of(ec2, instance)) == ("failed", before)
