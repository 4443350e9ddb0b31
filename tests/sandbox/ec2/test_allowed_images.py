"""Allowed AMIs: what an account lets itself see and launch."""

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
def foreign(aws: Any) -> MadeAmi:
    """An AMI that the other account shares with this one."""
    theirs = aws("ec2", account=OTHER)
    ami = make_ami(theirs, image="theirs", encrypted=False)
    theirs.modify_image_attribute(ImageId=ami.image_id, LaunchPermission={"Add": [{"UserId": "123456789012"}]})
    return ami


def allow(aws: Any, *criteria: dict[str, Any], state: str = "enabled") -> None:
    ec2 = aws("ec2")
    assert ec2.replace_image_criteria_in_allowed_images_settings(ImageCriteria=list(criteria))["ReturnValue"] is True
    answer = ec2.enable_allowed_images_settings(AllowedImagesSettingsState=state)
    assert answer["AllowedImagesSettingsState"] == state


def visible(aws: Any, image_id: str) -> bool:
    found = aws("ec2").describe_images(Filters=[{"Name": "image-id", "Values": [image_id]}])
    return bool(found["Images"])


def test_what_is_not_allowed_can_neither_be_seen_nor_launched(
    aws: Any, run_one: Any, public_ami: Any, foreign: MadeAmi
) -> None:
    own = make_ami(aws("ec2"), image="own", encrypted=False)
    allow(aws, {"ImageProviders": ["amazon"]})

    assert visible(aws, public_ami())
    assert visible(aws, own.image_id)
    assert not visible(aws, foreign.image_id)
    with pytest.raises(ClientError, match=r"InvalidAMIID\.NotFound"):
        aws("ec2").describe_images(ImageIds=[foreign.image_id])
    with pytest.raises(ClientError, match=r"InvalidAMIID\.NotFound"):
        run_one(ImageId=foreign.image_id)
    assert run_one(ImageId=own.image_id)
    aws("ec2").disable_allowed_images_settings()
    assert run_one(ImageId=foreign.image_id)


def test_an_audit_tells_and_does_not_hide(aws: Any, run_one: Any, public_ami: Any, foreign: MadeAmi) -> None:
    ec2 = aws("ec2")
    assert "ImageAllowed" not in ec2.describe_images(ImageIds=[foreign.image_id])["Images"][0]
    allow(aws, {"ImageProviders": ["amazon"]}, state="audit-mode")

    images = ec2.describe_images(ImageIds=[foreign.image_id, public_ami()])["Images"]
    refused = ec2.describe_images(
        Filters=[{"Name": "image-allowed", "Values": ["false"]}, {"Name": "name", "Values": ["theirs*"]}]
    )

    assert [image["ImageAllowed"] for image in images] == [False, True]
    assert [image["ImageId"] for image in refused["Images"]] == [foreign.image_id]
    assert run_one(ImageId=foreign.image_id)


def test_settings_are_read_as_they_were_set(aws: Any) -> None:
    ec2, criterion = aws("ec2"), {"ImageProviders": [OTHER], "ImageNames": ["web-*"]}
    fresh = ec2.get_allowed_images_settings()

    allow(aws, criterion, state="audit-mode")

    read = ec2.get_allowed_images_settings()
    assert (fresh["State"], fresh["ImageCriteria"], fresh["ManagedBy"]) == ("disabled", [], "account")
    assert (read["State"], read["ImageCriteria"]) == ("audit-mode", [criterion])
    assert ec2.disable_allowed_images_settings()["AllowedImagesSettingsState"] == "disabled"
    assert ec2.get_allowed_images_settings()["ImageCriteria"] == [criterion]


@pytest.mark.parametrize(
    ("criterion", "expected"),
    [
        ({"ImageProviders": [OTHER]}, True),
        ({"ImageProviders": [OTHER], "ImageNames": ["theirs*"]}, True),
        ({"ImageProviders": [OTHER], "ImageNames": ["ours*"]}, False),
        ({"ImageProviders": ["none"]}, False),
        ({"CreationDateCondition": {"MaximumDaysSinceCreated": 10}}, True),
        ({"CreationDateCondition": {"MaximumDaysSinceCreated": 4}}, False),
        ({"ImageProviders": [OTHER], "DeprecationTimeCondition": {"MaximumDaysSinceDeprecated": 10}}, True),
        ({"ImageProviders": [OTHER], "DeprecationTimeCondition": {"MaximumDaysSinceDeprecated": 0}}, False),
        ({"ImageWatermarks": [{"WatermarkKey": f"{OTHER}:approved"}]}, True),
        ({"ImageWatermarks": [{"WatermarkKey": f"{OTHER}:approved", "SourceImageRegion": "eu-west-1"}]}, False),
        ({"ImageWatermarks": [{"WatermarkKey": f"{OTHER}:approved", "MaximumDaysSinceWatermarkCreated": 3}]}, False),
        ({"ImageWatermarks": [{"WatermarkKey": f"{OTHER}:other"}]}, False),
    ],
)
def test_each_criterion_judges_what_it_names(
    aws: Any,
    foreign: MadeAmi,
    criterion: dict[str, Any],
    expected: bool,  # noqa: FBT001 - a row of a table
) -> None:
    theirs = aws("ec2", account=OTHER)
    theirs.attach_image_watermark(ImageId=foreign.image_id, WatermarkName="approved")
    theirs.enable_image_deprecation(ImageId=foreign.image_id, DeprecateAt=CLOCK.now() + timedelta(days=1))
    CLOCK.advance(5 * DAY)

    allow(aws, criterion, state="audit-mode")

    (image,) = aws("ec2").describe_images(ImageIds=[foreign.image_id])["Images"]
    assert image["ImageAllowed"] is expected


@pytest.mark.parametrize(
    ("criteria", "code"),
    [
        ([{"ImageProviders": ["amazon"]}] * 11, "InvalidParameterValue"),
        ([{"ImageProviders": ["google"]}], "InvalidParameterValue"),
        ([{"ImageProviders": ["none", "amazon"]}], "InvalidParameterValue"),
        ([{"ImageProviders": [str(10**11 + number) for number in range(201)]}], "InvalidParameterValue"),
        ([{"ImageNames": ["name#"]}], "InvalidParameterValue"),
        ([{"MarketplaceProductCodes": ["abc"]}], "UnsupportedOperation"),
    ],
)
def test_criteria_that_ec2_or_the_sandbox_cannot_take_are_refused(
    aws: Any, criteria: list[dict[str, Any]], code: str
) -> None:
    with pytest.raises(ClientError) as caught:
        aws("ec2").replace_image_criteria_in_allowed_images_settings(ImageCriteria=criteria)

    assert caught.value.response["Error"]["Code"] == code
    assert aws("ec2").get_allowed_images_settings()["ImageCriteria"] == []


def test_the_images_of_instances_are_told_with_what_they_are_now(aws: Any, run_one: Any, foreign: MadeAmi) -> None:
    ec2 = aws("ec2")
    instance = run_one(ImageId=foreign.image_id)
    run_one()
    allow(aws, {"ImageProviders": ["amazon"]})

    (record,) = ec2.describe_instance_image_metadata(Filters=[{"Name": "image-allowed", "Values": ["false"]}])[
        "InstanceImageMetadata"
    ]

    seen = record["ImageMetadata"]
    assert (record["InstanceId"], record["State"]["Name"]) == (instance, "running")
    assert (seen["ImageId"], seen["OwnerId"], seen["ImageAllowed"], seen["IsPublic"]) == (
        foreign.image_id,
        OTHER,
        False,
        False,
    )
    with pytest.raises(ClientError, match="InvalidInstanceID"):
        ec2.describe_instance_image_metadata(InstanceIds=["i-0123456789abcdef0"])


def test_a_watermark_goes_into_what_is_made_of_an_image(aws: Any, run_one: Any) -> None:
    ec2, there = aws("ec2"), aws("ec2", "eu-west-1")
    source = make_ami(ec2, encrypted=False).image_id

    key = ec2.attach_image_watermark(ImageId=source, WatermarkName="approved")["WatermarkKey"]
    copy = there.copy_image(SourceImageId=source, SourceRegion="us-east-1", Name="copy")["ImageId"]
    made = ec2.create_image(InstanceId=run_one(ImageId=source), Name="made")["ImageId"]
    assert ec2.detach_image_watermark(ImageId=source, WatermarkKey=key)["Return"] is True
    assert ec2.detach_image_watermark(ImageId=source, WatermarkKey=key)["Return"] is True

    assert key == "123456789012:approved"
    assert "ImageWatermarks" not in ec2.describe_images(ImageIds=[source])["Images"][0]
    for client, image in ((there, copy), (ec2, made)):
        (mark,) = client.describe_images(ImageIds=[image])["Images"][0]["ImageWatermarks"]
        assert (mark["WatermarkKey"], mark["SourceImageId"], mark["SourceImageRegion"]) == (key, source, "us-east-1")


def test_a_watermarked_image_is_never_public_and_a_public_one_never_watermarked(aws: Any) -> None:
    ec2 = aws("ec2")
    ec2.disable_image_block_public_access()
    marked, public = (make_ami(ec2, version=f"1.0.0/{each}", encrypted=False).image_id for each in (1, 2))
    everybody = {"LaunchPermission": {"Add": [{"Group": "all"}]}}
    ec2.attach_image_watermark(ImageId=marked, WatermarkName="approved")
    ec2.modify_image_attribute(ImageId=public, **everybody)

    with pytest.raises(ClientError, match="carries a watermark"):
        ec2.modify_image_attribute(ImageId=marked, **everybody)
    with pytest.raises(ClientError, match="is public"):
        ec2.attach_image_watermark(ImageId=public, WatermarkName="approved")
    with pytest.raises(ClientError, match="InvalidParameterValue"):
        ec2.attach_image_watermark(ImageId=marked, WatermarkName="approved#1")
