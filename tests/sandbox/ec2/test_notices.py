"""What EventBridge hears of AMIs and snapshots."""

from __future__ import annotations

from typing import Any

import pytest

from cdk_ami.sandbox.pace import PACE
from tests.support.amis import make_ami
from tests.support.happenings import Happenings


def states(it: Happenings) -> list[tuple[str, str, str]]:
    """Return Region, id and state of every AMI that was told of."""
    told = it.log("EC2 AMI State Change")
    assert all(event["resources"][0].endswith(f"::image/{event['detail']['ImageId']}") for event in told)
    return [(event["region"], event["detail"]["ImageId"], event["detail"]["State"]) for event in told]


def test_an_image_is_told_of_from_its_first_day_to_its_last(aws: Any, it: Happenings) -> None:
    ec2, home = aws("ec2"), "us-east-1"
    image = make_ami(ec2).image_id

    for operation in (ec2.disable_image, ec2.disable_image, ec2.enable_image, ec2.deregister_image):
        operation(ImageId=image)

    assert states(it) == [(home, image, state) for state in ("available", "disabled", "available", "deregistered")]


def test_a_copy_is_told_of_when_it_is_there_or_has_failed(
    aws: Any, it: Happenings, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, there = make_ami(aws("ec2")), aws("ec2", "eu-west-1")
    key = aws("kms").create_key()["KeyMetadata"]["Arn"]
    monkeypatch.setattr(PACE, "image", 600.0)
    request = {"SourceImageId": source.image_id, "SourceRegion": "us-east-1"}

    good = there.copy_image(**request, Name="good")["ImageId"]
    bad = there.copy_image(**request, Name="bad", Encrypted=True, KmsKeyId=key)["ImageId"]
    before = states(it)
    it.advance(601)

    assert before == [("us-east-1", source.image_id, "available")]
    assert sorted(states(it)[1:]) == sorted([("eu-west-1", good, "available"), ("eu-west-1", bad, "failed")])
    failed = it.log("EC2 AMI State Change")[-1]["detail"]
    assert (failed["ImageId"], "is in us-east-1, not in eu-west-1" in failed["ErrorMessage"]) == (bad, True)


def test_a_snapshot_is_told_of_with_what_it_was_made_by(aws: Any, it: Happenings) -> None:
    ec2 = aws("ec2")
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    made = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]

    copied = ec2.copy_snapshot(SourceRegion="us-east-1", SourceSnapshotId=made)["SnapshotId"]

    first, second = (event["detail"] for event in it.log("EBS Snapshot Notification"))
    assert (first["event"], first["result"], first["source"]) == (
        "createSnapshot",
        "succeeded",
        f"arn:aws:ec2::us-east-1:volume/{volume}",
    )
    assert (second["event"], second["snapshot_id"].rpartition("/")[2]) == ("copySnapshot", copied)
