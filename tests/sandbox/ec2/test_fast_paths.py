"""What makes volumes and launches quicker: fast restore, rates of initialization, fast launch."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.pace import PACE
from tests.support.amis import make_ami

WINDOWS = "/aws/service/ami-windows-latest/Windows_Server-2022-English-Full-Base"


def code(caught: pytest.ExceptionInfo[ClientError]) -> str:
    return str(caught.value.response["Error"]["Code"])


def test_fast_restore_comes_and_goes_by_the_clock(aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ec2 = aws("ec2")
    snapshot = make_ami(ec2).snapshot_id
    monkeypatch.setattr(PACE, "image", 600.0)
    request = {"SourceSnapshotIds": [snapshot], "AvailabilityZones": ["us-east-1a"]}

    def states() -> list[str]:
        CLOCK.advance(601)
        found = ec2.describe_fast_snapshot_restores(Filters=[{"Name": "snapshot-id", "Values": [snapshot]}])
        return [each["State"] for each in found["FastSnapshotRestores"]]

    def restored(zone: str) -> Any:
        return ec2.create_volume(AvailabilityZone=zone, SnapshotId=snapshot).get("FastRestored")

    (began,) = ec2.enable_fast_snapshot_restores(**request)["Successful"]
    slow = restored("us-east-1a")
    up = states() + states()
    quick, elsewhere = restored("us-east-1a"), restored("us-east-1b")
    (ends,) = ec2.disable_fast_snapshot_restores(**request)["Successful"]

    assert (began["State"], up, ends["State"], states()) == (
        "enabling",
        ["optimizing", "enabled"],
        "disabling",
        ["disabled"],
    )
    assert (slow, quick, elsewhere) == (None, True, None)
    (failed,) = ec2.disable_fast_snapshot_restores(**request)["Unsuccessful"]
    assert failed["FastSnapshotRestoreStateErrors"][0]["AvailabilityZone"] == "us-east-1a"


def test_five_snapshots_of_a_region_have_fast_restore(aws: Any) -> None:
    ec2 = aws("ec2")
    snapshots = [make_ami(ec2, version=f"1.0.0/{number}").snapshot_id for number in range(6)]

    answer = ec2.enable_fast_snapshot_restores(SourceSnapshotIds=snapshots, AvailabilityZoneIds=["use1-az1"])

    assert [each["SnapshotId"] for each in answer["Successful"]] == snapshots[:5]
    (over,) = answer["Unsuccessful"]
    assert over["SnapshotId"] == snapshots[5]
    assert over["FastSnapshotRestoreStateErrors"][0]["Error"]["Code"] == "FastSnapshotRestoreLimitExceeded"


def test_fast_restore_is_asked_for_by_zones_that_exist(aws: Any) -> None:
    ec2 = aws("ec2")
    snapshot = make_ami(ec2).snapshot_id

    with pytest.raises(ClientError) as neither:
        ec2.enable_fast_snapshot_restores(SourceSnapshotIds=[snapshot])
    with pytest.raises(ClientError) as nowhere:
        ec2.enable_fast_snapshot_restores(SourceSnapshotIds=[snapshot], AvailabilityZones=["us-east-1z"])

    assert (code(neither), code(nowhere)) == ("InvalidParameterCombination", "InvalidParameterValue")


def test_a_rate_of_initialization_is_kept_and_has_bounds(aws: Any, run_one: Any) -> None:
    ec2 = aws("ec2")
    snapshot = make_ami(ec2).snapshot_id

    def device(rate: int) -> list[dict[str, Any]]:
        return [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeInitializationRate": rate}}]

    made = ec2.create_volume(AvailabilityZone="us-east-1a", SnapshotId=snapshot, VolumeInitializationRate=200)
    instance = run_one(BlockDeviceMappings=device(300))
    template = ec2.create_launch_template(
        LaunchTemplateName="web", LaunchTemplateData={"BlockDeviceMappings": device(100)}
    )["LaunchTemplate"]["LaunchTemplateId"]

    attached = [{"Name": "attachment.instance-id", "Values": [instance]}]
    (root,) = ec2.describe_volumes(Filters=attached)["Volumes"]
    (version,) = ec2.describe_launch_template_versions(LaunchTemplateId=template)["LaunchTemplateVersions"]
    assert (made["VolumeInitializationRate"], root["VolumeInitializationRate"]) == (200, 300)
    assert version["LaunchTemplateData"]["BlockDeviceMappings"][0]["Ebs"]["VolumeInitializationRate"] == 100
    for rate in (99, 301):
        with pytest.raises(ClientError, match="100 to 300 MiB/s"):
            ec2.create_volume(AvailabilityZone="us-east-1a", SnapshotId=snapshot, VolumeInitializationRate=rate)
        with pytest.raises(ClientError, match="100 to 300 MiB/s"):
            run_one(BlockDeviceMappings=device(rate))
        with pytest.raises(ClientError, match="100 to 300 MiB/s"):
            ec2.create_launch_template(
                LaunchTemplateName="other", LaunchTemplateData={"BlockDeviceMappings": device(rate)}
            )
    with pytest.raises(ClientError, match="needs a snapshot"):
        ec2.create_volume(AvailabilityZone="us-east-1a", Size=1, VolumeInitializationRate=200)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({"Size": 1, "Iops": 100}, "InvalidParameterCombination"),
        ({"Size": 1, "VolumeType": "io2"}, "MissingParameter"),
        ({"Size": 1, "Throughput": 200}, "InvalidParameterCombination"),
        ({"Size": 1, "MultiAttachEnabled": True}, "InvalidParameterCombination"),
        ({}, "MissingParameter"),
        ({"SnapshotId": "snap-0123456789abcdef0"}, "InvalidSnapshot.NotFound"),
        ({"Size": 1, "AvailabilityZone": "us-east-1z"}, "InvalidZone.NotFound"),
    ],
)
def test_a_volume_that_ec2_would_not_make_is_refused(aws: Any, request_: dict[str, Any], expected: str) -> None:
    with pytest.raises(ClientError) as caught:
        aws("ec2").create_volume(**{"AvailabilityZone": "us-east-1a", **request_})

    assert code(caught) == expected


def test_a_windows_image_can_launch_fast(aws: Any, public_ami: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ec2, image = aws("ec2"), public_ami(parameter=WINDOWS)
    monkeypatch.setattr(PACE, "image", 600.0)

    def shown() -> list[str]:
        return [each["State"] for each in ec2.describe_fast_launch_images(ImageIds=[image])["FastLaunchImages"]]

    begun = ec2.enable_fast_launch(
        ImageId=image, SnapshotConfiguration={"TargetResourceCount": 10}, MaxParallelLaunches=6
    )
    first = shown()
    CLOCK.advance(601)
    second = shown()
    ends = ec2.disable_fast_launch(ImageId=image)
    with pytest.raises(ClientError) as still:
        ec2.enable_fast_launch(ImageId=image)
    CLOCK.advance(601)

    assert (begun["State"], begun["SnapshotConfiguration"]) == ("enabling", {"TargetResourceCount": 10})
    assert (first, second, ends["State"], code(still), shown()) == (
        ["enabling"],
        ["enabled"],
        "disabling",
        "IncorrectState",
        [],
    )
    with pytest.raises(ClientError, match="has no fast launch"):
        ec2.disable_fast_launch(ImageId=image)


def test_fast_launch_is_for_windows_and_has_bounds(aws: Any, public_ami: Any) -> None:
    ec2, windows = aws("ec2"), public_ami(parameter=WINDOWS)

    with pytest.raises(ClientError, match="is no Windows AMI"):
        ec2.enable_fast_launch(ImageId=public_ami())
    with pytest.raises(ClientError, match="must be 6 or more"):
        ec2.enable_fast_launch(ImageId=windows, MaxParallelLaunches=5)
    with pytest.raises(ClientError, match=r"InvalidLaunchTemplate"):
        ec2.enable_fast_launch(ImageId=windows, LaunchTemplate={"LaunchTemplateName": "none", "Version": "1"})
    assert ec2.describe_fast_launch_images()["FastLaunchImages"] == []
