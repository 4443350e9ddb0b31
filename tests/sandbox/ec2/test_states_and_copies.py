"""How long AMIs and snapshots take, and how many copies fit at once."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.pace import PACE
from tests.support.amis import make_ami


def state(ec2: Any, image_id: str) -> str:
    return str(ec2.describe_images(ImageIds=[image_id])["Images"][0]["State"])


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """An AMI and a snapshot take 100 minutes."""
    monkeypatch.setattr(PACE, "image", 6000.0)


@pytest.mark.usefixtures("slow")
def test_an_image_and_its_snapshots_are_pending_until_the_clock_says_otherwise(aws: Any, own_ami: Any) -> None:
    ec2, made = aws("ec2"), own_ami()
    (snapshot,) = ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]
    CLOCK.advance(3000)
    (half,) = ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]
    waiting = state(ec2, made)
    CLOCK.advance(3001)
    (done,) = ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]

    assert (snapshot["State"], waiting, state(ec2, made)) == ("pending", "pending", "available")
    assert 45 <= int(half["Progress"].removesuffix("%")) <= 55
    assert (done["State"], done["Progress"]) == ("completed", "100%")
    assert done["CompletionTime"] > done["StartTime"]


@pytest.mark.usefixtures("slow")
def test_a_wrong_key_shows_when_the_copy_should_be_there(aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    there, key = aws("ec2", "eu-west-1"), aws("kms", "us-east-1").create_key()["KeyMetadata"]["Arn"]
    with monkeypatch.context() as quick:
        quick.setattr(PACE, "image", 0.0)
        source = make_ami(aws("ec2")).image_id

    copy = there.copy_image(SourceImageId=source, SourceRegion="us-east-1", Name="copy", Encrypted=True, KmsKeyId=key)[
        "ImageId"
    ]
    before = state(there, copy)
    CLOCK.advance(6001)
    (failed,) = there.describe_images(Owners=["self"], Filters=[{"Name": "state", "Values": ["failed"]}])["Images"]

    assert before == "pending"
    assert (failed["ImageId"], failed["StateReason"]["Code"]) == (copy, "Client.CopyFailed")


def test_a_copy_in_a_time_that_was_asked_for_is_there_by_then(aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    source, there = make_ami(aws("ec2")).image_id, aws("ec2", "eu-west-1")
    monkeypatch.setattr(PACE, "image", 6000.0)

    copy = there.copy_image(
        SourceImageId=source, SourceRegion="us-east-1", Name="copy", SnapshotCopyCompletionDurationMinutes=15
    )["ImageId"]
    (snapshot,) = there.describe_snapshots(OwnerIds=["self"])["Snapshots"]
    before = state(there, copy)
    CLOCK.advance(15 * 60 + 1)

    assert (snapshot["TransferType"], snapshot["CompletionDurationMinutes"]) == ("time-based", 15)
    assert (before, state(there, copy)) == ("pending", "available")


@pytest.mark.parametrize("minutes", [10, 48 * 60 + 15])
def test_a_time_that_ec2_does_not_offer_is_refused(aws: Any, minutes: int) -> None:
    source, there = make_ami(aws("ec2")), aws("ec2", "eu-west-1")

    with pytest.raises(ClientError, match="multiple of 15 minutes"):
        there.copy_image(
            SourceImageId=source.image_id,
            SourceRegion="us-east-1",
            Name="copy",
            SnapshotCopyCompletionDurationMinutes=minutes,
        )
    with pytest.raises(ClientError, match="multiple of 15 minutes"):
        there.copy_snapshot(
            SourceSnapshotId=source.snapshot_id, SourceRegion="us-east-1", CompletionDurationMinutes=minutes
        )


def test_twenty_snapshot_copies_fit_into_a_region_at_once(aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    source, there = make_ami(aws("ec2")), aws("ec2", "eu-west-1")
    monkeypatch.setattr(PACE, "image", 6000.0)
    for number in range(10):
        there.copy_image(SourceImageId=source.image_id, SourceRegion="us-east-1", Name=f"copy {number}")
        there.copy_snapshot(SourceSnapshotId=source.snapshot_id, SourceRegion="us-east-1")

    with pytest.raises(ClientError) as one_more_image:
        there.copy_image(SourceImageId=source.image_id, SourceRegion="us-east-1", Name="one more")
    with pytest.raises(ClientError) as one_more_snapshot:
        there.copy_snapshot(SourceSnapshotId=source.snapshot_id, SourceRegion="us-east-1")
    elsewhere = aws("ec2", "eu-central-1").copy_image(
        SourceImageId=source.image_id, SourceRegion="us-east-1", Name="elsewhere"
    )
    CLOCK.advance(6001)
    later = there.copy_image(SourceImageId=source.image_id, SourceRegion="us-east-1", Name="one more")

    for refused in (one_more_image, one_more_snapshot):
        assert refused.value.response["Error"]["Code"] == "ResourceLimitExceeded"
    assert elsewhere["ImageId"] != later["ImageId"]


def test_a_copy_comes_from_a_region_that_exists_and_stays_on_earth(aws: Any) -> None:
    source = make_ami(aws("ec2")).image_id

    with pytest.raises(ClientError, match="it is no Region from here"):
        aws("ec2").copy_image(SourceImageId=source, SourceRegion="moon-east-1", Name="copy")
    with pytest.raises(ClientError, match="no Outposts"):
        aws("ec2").copy_image(
            SourceImageId=source,
            SourceRegion="us-east-1",
            Name="copy",
            DestinationOutpostArn="arn:aws:outposts:us-east-1:123456789012:outpost/op-1",
        )


def test_a_token_counts_in_every_operation_that_has_one(aws: Any) -> None:
    ec2 = aws("ec2")
    request = {"AvailabilityZone": "us-east-1a", "Size": 8, "ClientToken": "volume"}
    template = {"LaunchTemplateName": "web", "LaunchTemplateData": {"InstanceType": "t3.micro"}, "ClientToken": "lt"}

    volumes = [ec2.create_volume(**request)["VolumeId"] for _ in range(2)]
    templates = [ec2.create_launch_template(**template)["LaunchTemplate"]["LaunchTemplateId"] for _ in range(2)]

    assert len(set(volumes)) == len(set(templates)) == 1
    for operation, changed in (
        (ec2.create_volume, {**request, "Size": 9}),
        (ec2.create_launch_template, {**template, "LaunchTemplateName": "other"}),
    ):
        with pytest.raises(ClientError) as caught:
            operation(**changed)
        assert caught.value.response["Error"]["Code"] == "IdempotentParameterMismatch"


def test_a_refused_request_does_not_use_its_token_up(aws: Any) -> None:
    ec2 = aws("ec2")
    request = {"SourceRegion": "us-east-1", "Name": "copy", "ClientToken": "t"}
    with pytest.raises(ClientError, match=r"InvalidAMIID\.NotFound"):
        ec2.copy_image(SourceImageId="ami-0123456789abcdef0", **request)

    assert ec2.copy_image(SourceImageId=make_ami(ec2).image_id, **request)["ImageId"]


def test_images_are_selected_by_every_part_of_them(aws: Any) -> None:
    ec2 = aws("ec2")
    one, other = make_ami(ec2, image="web"), make_ami(ec2, image="db")
    filters = {
        "name": "web*",
        "block-device-mapping.snapshot-id": one.snapshot_id,
        "tag:Ec2ImageBuilderArn": one.image_arn,
        "image-id": one.image_id,
    }

    for name, value in filters.items():
        found = ec2.describe_images(Owners=["self"], Filters=[{"Name": name, "Values": ["nothing", value]}])["Images"]
        assert [image["ImageId"] for image in found] == [one.image_id], name
    both = ec2.describe_images(
        Owners=["self"],
        Filters=[{"Name": "tag-key", "Values": ["CreatedBy"]}, {"Name": "is-public", "Values": ["false"]}],
    )
    assert {image["ImageId"] for image in both["Images"]} == {one.image_id, other.image_id}
    with pytest.raises(ClientError, match="The filter 'colour' is invalid"):
        ec2.describe_images(Filters=[{"Name": "colour", "Values": ["red"]}])


def test_images_come_page_by_page(aws: Any) -> None:
    ec2 = aws("ec2")
    made = {make_ami(ec2, version=f"1.0.0/{number}").image_id for number in range(5)}

    pages = list(ec2.get_paginator("describe_images").paginate(Owners=["self"], PaginationConfig={"PageSize": 2}))

    assert [len(page["Images"]) for page in pages] == [2, 2, 1]
    assert {image["ImageId"] for page in pages for image in page["Images"]} == made
    with pytest.raises(ClientError, match="pagination token"):
        ec2.describe_images(NextToken="nonsense")


def test_owners_are_named_by_number_or_by_alias(aws: Any, public_ami: Any) -> None:
    ec2, mine = aws("ec2"), make_ami(aws("ec2")).image_id

    own = ec2.describe_images(Owners=["self"])["Images"]
    amazon = ec2.describe_images(Owners=["amazon"])["Images"]
    canonical = ec2.describe_images(Owners=["099720109477"])["Images"]

    assert [image["ImageId"] for image in own] == [mine]
    assert public_ami() in {image["ImageId"] for image in amazon}
    assert canonical
    assert all(image["OwnerId"] == "099720109477" for image in canonical)
