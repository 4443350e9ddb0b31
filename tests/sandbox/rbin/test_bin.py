"""What the Recycle Bin keeps, for how long, and how it comes back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cdk_ami.sandbox.clock import CLOCK
from tests.support.amis import MadeAmi, make_ami

DAY = 24 * 3600


@pytest.fixture
def keep(aws: Any) -> Callable[..., str]:
    """Make a rule that keeps AMIs or snapshots for some days."""

    def make(kind: str = "EC2_IMAGE", days: int = 7, **options: Any) -> str:
        period = {"RetentionPeriodValue": days, "RetentionPeriodUnit": "DAYS"}
        rule = aws("rbin").create_rule(ResourceType=kind, RetentionPeriod=period, **options)
        return str(rule["Identifier"])

    return make


@pytest.fixture
def ami(aws: Any) -> MadeAmi:
    """An AMI with one snapshot."""
    return make_ami(aws("ec2"))


def test_a_deregistered_image_waits_in_the_bin_and_comes_back_as_it_was(aws: Any, keep: Any, ami: MadeAmi) -> None:
    ec2 = aws("ec2")
    (before,) = ec2.describe_images(ImageIds=[ami.image_id])["Images"]
    keep(days=7)

    ec2.deregister_image(ImageId=ami.image_id)
    (held,) = ec2.list_images_in_recycle_bin()["Images"]
    with pytest.raises(ClientError, match=r"InvalidAMIID\.NotFound"):
        ec2.describe_images(ImageIds=[ami.image_id])
    assert ec2.restore_image_from_recycle_bin(ImageId=ami.image_id)["Return"] is True

    assert (held["ImageId"], held["Name"]) == (ami.image_id, before["Name"])
    assert (held["RecycleBinExitTime"] - held["RecycleBinEnterTime"]).days == 7
    assert ec2.describe_images(ImageIds=[ami.image_id])["Images"] == [before]
    assert ec2.list_images_in_recycle_bin()["Images"] == []


def test_what_nobody_restores_in_time_is_gone(aws: Any, keep: Any, ami: MadeAmi) -> None:
    ec2 = aws("ec2")
    keep(days=2)
    ec2.deregister_image(ImageId=ami.image_id)

    CLOCK.advance(2 * DAY + 1)

    assert ec2.list_images_in_recycle_bin()["Images"] == []
    with pytest.raises(ClientError, match=r"InvalidAMIID\.NotFound"):
        ec2.restore_image_from_recycle_bin(ImageId=ami.image_id)
    assert ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [ami.image_id]}])["Tags"] == []


def test_snapshots_that_go_with_their_image_are_kept_by_their_own_rule(aws: Any, keep: Any, ami: MadeAmi) -> None:
    ec2 = aws("ec2")
    keep("EC2_IMAGE")
    keep("EBS_SNAPSHOT")

    results = ec2.deregister_image(ImageId=ami.image_id, DeleteAssociatedSnapshots=True)["DeleteSnapshotResults"]
    (held,) = ec2.list_snapshots_in_recycle_bin(SnapshotIds=[ami.snapshot_id])["Snapshots"]
    with pytest.raises(ClientError, match=f"Restore the snapshots {ami.snapshot_id}"):
        ec2.restore_image_from_recycle_bin(ImageId=ami.image_id)
    restored = ec2.restore_snapshot_from_recycle_bin(SnapshotId=ami.snapshot_id)
    ec2.restore_image_from_recycle_bin(ImageId=ami.image_id)

    assert results == [{"SnapshotId": ami.snapshot_id, "ReturnCode": "success"}]
    assert held["SnapshotId"] == ami.snapshot_id
    assert (restored["SnapshotId"], restored["State"], restored["VolumeSize"]) == (ami.snapshot_id, "completed", 8)
    assert ec2.describe_images(ImageIds=[ami.image_id])["Images"][0]["State"] == "available"


def test_tags_choose_what_is_kept_and_what_is_passed_by(aws: Any, keep: Any) -> None:
    ec2 = aws("ec2")
    first, second = make_ami(ec2, version="1.0.0/1"), make_ami(ec2, version="1.0.0/2")
    ec2.create_tags(Resources=[first.image_id], Tags=[{"Key": "team", "Value": "web"}])
    tag = [{"ResourceTagKey": "team", "ResourceTagValue": "web"}]
    rule = keep(ResourceTags=tag)

    for image in (first, second):
        ec2.deregister_image(ImageId=image.image_id)
    by_tag = [image["ImageId"] for image in ec2.list_images_in_recycle_bin()["Images"]]
    ec2.restore_image_from_recycle_bin(ImageId=first.image_id)
    aws("rbin").delete_rule(Identifier=rule)
    keep(ExcludeResourceTags=tag)
    ec2.deregister_image(ImageId=first.image_id)

    assert by_tag == [first.image_id]
    assert ec2.list_images_in_recycle_bin()["Images"] == []


def test_the_longest_of_several_rules_holds_even_after_it_is_deleted(aws: Any, keep: Any, ami: MadeAmi) -> None:
    ec2 = aws("ec2")
    keep(days=1)
    longest = keep(days=9)

    ec2.deregister_image(ImageId=ami.image_id)
    aws("rbin").delete_rule(Identifier=longest)
    CLOCK.advance(8 * DAY)

    assert [image["ImageId"] for image in ec2.list_images_in_recycle_bin()["Images"]] == [ami.image_id]


def test_a_name_that_was_given_away_meanwhile_keeps_an_image_in_the_bin(aws: Any, keep: Any, ami: MadeAmi) -> None:
    ec2 = aws("ec2")
    keep()
    ec2.deregister_image(ImageId=ami.image_id)
    make_ami(ec2)

    with pytest.raises(ClientError, match=r"InvalidAMIName\.Duplicate"):
        ec2.restore_image_from_recycle_bin(ImageId=ami.image_id)


def test_a_deleted_snapshot_without_a_rule_is_gone(aws: Any, keep: Any, ami: MadeAmi) -> None:
    ec2 = aws("ec2")
    keep("EC2_IMAGE")
    ec2.deregister_image(ImageId=ami.image_id)

    ec2.delete_snapshot(SnapshotId=ami.snapshot_id)

    assert ec2.list_snapshots_in_recycle_bin()["Snapshots"] == []
    with pytest.raises(ClientError, match=rf"InvalidSnapshot\.NotFound.*{ami.snapshot_id} of .* are gone"):
        ec2.restore_image_from_recycle_bin(ImageId=ami.image_id)
