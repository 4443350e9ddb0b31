"""How an AMI ends."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cdk_ami.sandbox.clock import CLOCK
from tests.support.amis import MadeAmi, make_ami

OTHER = "210987654321"
DAY = 24 * 3600


@pytest.fixture
def ami(aws: Any) -> MadeAmi:
    """An AMI whose snapshot is not encrypted."""
    return make_ami(aws("ec2"), encrypted=False)


def test_protection_with_a_cool_down_outlives_its_end_by_a_day(aws: Any, ami: MadeAmi) -> None:
    ec2 = aws("ec2")
    on = ec2.enable_image_deregistration_protection(ImageId=ami.image_id, WithCooldown=True)["Return"]
    (record,) = ec2.describe_images(ImageIds=[ami.image_id])["Images"]

    off = ec2.disable_image_deregistration_protection(ImageId=ami.image_id)["Return"]
    CLOCK.advance(DAY - 60)
    with pytest.raises(ClientError, match="protected from deregistration until") as caught:
        ec2.deregister_image(ImageId=ami.image_id)
    CLOCK.advance(120)

    assert (on, record["DeregistrationProtection"], off) == ("enabled-with-cooldown",) * 2 + ("disabled",)
    assert caught.value.response["Error"]["Code"] == "OperationNotPermitted"
    assert ec2.deregister_image(ImageId=ami.image_id)["Return"] is True


def test_protection_without_a_cool_down_ends_at_once(aws: Any, ami: MadeAmi) -> None:
    ec2 = aws("ec2")
    ec2.enable_image_deregistration_protection(ImageId=ami.image_id)
    with pytest.raises(ClientError, match="protected from deregistration"):
        ec2.deregister_image(ImageId=ami.image_id)

    ec2.disable_image_deregistration_protection(ImageId=ami.image_id)

    assert ec2.deregister_image(ImageId=ami.image_id)["Return"] is True


def test_a_deprecated_image_is_out_of_sight_of_others_and_still_launches(aws: Any, ami: MadeAmi) -> None:
    ec2, theirs = aws("ec2"), aws("ec2", account=OTHER)
    ec2.modify_image_attribute(ImageId=ami.image_id, LaunchPermission={"Add": [{"UserId": OTHER}]})
    only = {"ExecutableUsers": ["self"]}
    ec2.enable_image_deprecation(ImageId=ami.image_id, DeprecateAt=CLOCK.now() + timedelta(days=30))
    assert theirs.describe_images(**only)["Images"]

    CLOCK.advance(31 * DAY)

    assert theirs.describe_images(**only)["Images"] == []
    assert theirs.describe_images(**only, IncludeDeprecated=True)["Images"]
    assert theirs.describe_images(ImageIds=[ami.image_id])["Images"]
    assert ec2.describe_images(Owners=["self"])["Images"]
    assert theirs.run_instances(ImageId=ami.image_id, MinCount=1, MaxCount=1, InstanceType="t3.micro")["Instances"]
    ec2.disable_image_deprecation(ImageId=ami.image_id)
    assert "DeprecationTime" not in theirs.describe_images(**only)["Images"][0]


def test_a_deprecation_date_has_bounds_and_is_rounded_to_the_minute(aws: Any, ami: MadeAmi) -> None:
    ec2, now = aws("ec2"), CLOCK.now()
    for when in (now - timedelta(minutes=1), now + timedelta(days=10 * 366)):
        with pytest.raises(ClientError) as caught:
            ec2.enable_image_deprecation(ImageId=ami.image_id, DeprecateAt=when)
        assert caught.value.response["Error"]["Code"] == "InvalidParameterValue"
    ec2.disable_image_block_public_access()
    ec2.modify_image_attribute(ImageId=ami.image_id, LaunchPermission={"Add": [{"Group": "all"}]})
    with pytest.raises(ClientError, match="at the latest"):
        ec2.enable_image_deprecation(ImageId=ami.image_id, DeprecateAt=now + timedelta(days=3 * 365))

    ec2.enable_image_deprecation(ImageId=ami.image_id, DeprecateAt="2027-05-01T10:00:31Z")

    (record,) = ec2.describe_images(ImageIds=[ami.image_id])["Images"]
    assert record["DeprecationTime"] == "2027-05-01T10:01:00.000Z"


def test_a_disabled_image_is_the_owners_alone_and_shares_with_nobody(aws: Any, ami: MadeAmi) -> None:
    ec2, permission = aws("ec2"), {"LaunchPermission": {"Add": [{"UserId": OTHER}]}}
    ec2.modify_image_attribute(ImageId=ami.image_id, **permission)

    assert ec2.disable_image(ImageId=ami.image_id)["Return"] is True
    listed = ec2.describe_images(Owners=["self"])["Images"]
    (asked,) = ec2.describe_images(Owners=["self"], IncludeDisabled=True)["Images"]
    with pytest.raises(ClientError, match="is disabled"):
        ec2.modify_image_attribute(ImageId=ami.image_id, **permission)
    assert ec2.enable_image(ImageId=ami.image_id)["Return"] is True

    assert (listed, asked["State"]) == ([], "disabled")
    with pytest.raises(ClientError, match=r"InvalidAMIID\.NotFound"):
        aws("ec2", account=OTHER).describe_images(ImageIds=[ami.image_id])
    ec2.modify_image_attribute(ImageId=ami.image_id, **permission)


def test_a_snapshot_of_two_images_stays_with_the_one_that_is_left(aws: Any, ami: MadeAmi) -> None:
    ec2 = aws("ec2")
    ec2.register_image(
        Name="second",
        Architecture="x86_64",
        RootDeviceName="/dev/xvda",
        BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": ami.snapshot_id}}],
    )

    results = ec2.deregister_image(ImageId=ami.image_id, DeleteAssociatedSnapshots=True)["DeleteSnapshotResults"]

    assert results == [{"SnapshotId": ami.snapshot_id, "ReturnCode": "skipped"}]
    assert ec2.describe_snapshots(SnapshotIds=[ami.snapshot_id])["Snapshots"]


def test_only_the_owner_ends_an_image(aws: Any, ami: MadeAmi) -> None:
    theirs = aws("ec2", account=OTHER)
    aws("ec2").modify_image_attribute(ImageId=ami.image_id, LaunchPermission={"Add": [{"UserId": OTHER}]})

    for operation in (
        theirs.deregister_image,
        theirs.disable_image,
        theirs.enable_image_deregistration_protection,
        theirs.disable_image_deprecation,
    ):
        with pytest.raises(ClientError) as caught:
            operation(ImageId=ami.image_id)
        assert caught.value.response["Error"]["Code"] == "AuthFailure"
