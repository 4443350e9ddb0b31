"""Who else may see, launch and copy an AMI or a snapshot."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.amis import MadeAmi, make_ami

OTHER = "210987654321"


@pytest.fixture
def plain(aws: Any) -> MadeAmi:
    """An AMI whose snapshot is not encrypted."""
    return make_ami(aws("ec2"), encrypted=False)


def share(aws: Any, ami: MadeAmi, **permission: str) -> None:
    aws("ec2").modify_image_attribute(ImageId=ami.image_id, LaunchPermission={"Add": [permission]})


def sees(aws: Any, ami: MadeAmi, account: str = OTHER) -> bool:
    found = aws("ec2", account=account).describe_images(Filters=[{"Name": "image-id", "Values": [ami.image_id]}])
    return bool(found["Images"])


@pytest.fixture
def organization(aws: Any) -> dict[str, str]:
    """An organization of this account's, with an account in a unit within a unit."""
    client = aws("organizations")
    arn = client.create_organization(FeatureSet="ALL")["Organization"]["Arn"]
    root = client.list_roots()["Roots"][0]["Id"]
    outer = client.create_organizational_unit(ParentId=root, Name="outer")["OrganizationalUnit"]
    inner = client.create_organizational_unit(ParentId=outer["Id"], Name="inner")["OrganizationalUnit"]
    account = client.create_account(AccountName="member", Email="m@example.com")["CreateAccountStatus"]["AccountId"]
    client.move_account(AccountId=account, SourceParentId=root, DestinationParentId=inner["Id"])
    return {"arn": arn, "outer": outer["Arn"], "inner": inner["Arn"], "account": account}


def test_an_organization_or_a_unit_shares_with_every_account_below_it(
    aws: Any, plain: MadeAmi, organization: dict[str, str]
) -> None:
    member, ec2 = organization["account"], aws("ec2")
    for permission in (
        {"OrganizationArn": organization["arn"]},
        {"OrganizationalUnitArn": organization["outer"]},
        {"OrganizationalUnitArn": organization["inner"]},
    ):
        assert not sees(aws, plain, member)
        share(aws, plain, **permission)
        assert sees(aws, plain, member)
        assert not sees(aws, plain, OTHER)
        theirs = aws("ec2", account=member)
        (mine,) = theirs.describe_images(ExecutableUsers=["self"])["Images"]
        assert mine["ImageId"] == plain.image_id
        assert theirs.run_instances(ImageId=plain.image_id, MinCount=1, MaxCount=1, InstanceType="t3.micro")
        ec2.modify_image_attribute(ImageId=plain.image_id, LaunchPermission={"Remove": [permission]})


def test_executable_users_are_those_whom_the_permissions_name(aws: Any, plain: MadeAmi) -> None:
    ec2 = aws("ec2")
    share(aws, plain, UserId=OTHER)

    named = ec2.describe_images(Owners=["self"], ExecutableUsers=[OTHER])["Images"]
    unnamed = ec2.describe_images(Owners=["self"], ExecutableUsers=["all"])["Images"]

    assert ([image["ImageId"] for image in named], unnamed) == ([plain.image_id], [])


@pytest.mark.parametrize(
    "permission",
    [
        {"UserId": "1234"},
        {"Group": "everybody"},
        {"OrganizationArn": "arn:aws:organizations::123456789012:root/r-1"},
        {"OrganizationalUnitArn": "arn:aws:organizations::123456789012:organization/o-1234567890"},
    ],
)
def test_a_permission_that_names_nobody_is_refused(aws: Any, plain: MadeAmi, permission: dict[str, str]) -> None:
    with pytest.raises(ClientError) as caught:
        share(aws, plain, **permission)

    assert caught.value.response["Error"]["Code"] == "InvalidAMIAttributeItemValue"


def test_the_form_with_an_operation_type_does_the_same(aws: Any, plain: MadeAmi) -> None:
    ec2 = aws("ec2")
    ec2.modify_image_attribute(
        ImageId=plain.image_id, Attribute="launchPermission", OperationType="add", UserIds=[OTHER]
    )
    assert sees(aws, plain)

    ec2.modify_image_attribute(
        ImageId=plain.image_id, Attribute="launchPermission", OperationType="remove", UserIds=[OTHER]
    )

    assert not sees(aws, plain)
    with pytest.raises(ClientError, match="needs an operation type"):
        ec2.modify_image_attribute(ImageId=plain.image_id, Attribute="launchPermission", UserIds=[OTHER])


def test_an_account_gives_back_what_was_shared_with_it(aws: Any, plain: MadeAmi) -> None:
    theirs = aws("ec2", account=OTHER)
    share(aws, plain, UserId=OTHER)

    assert theirs.cancel_image_launch_permission(ImageId=plain.image_id)["Return"] is True

    assert not sees(aws, plain)
    with pytest.raises(ClientError, match=r"InvalidAMIID\.NotFound"):
        theirs.cancel_image_launch_permission(ImageId=plain.image_id)


def test_a_shared_image_can_be_copied_once_its_snapshots_are_shared_too(aws: Any, plain: MadeAmi) -> None:
    ec2, theirs = aws("ec2"), aws("ec2", "eu-west-1", account=OTHER)
    share(aws, plain, UserId=OTHER)
    request = {"SourceImageId": plain.image_id, "SourceRegion": "us-east-1", "Name": "copy"}
    with pytest.raises(ClientError, match="You do not have permission to access the storage of this ami"):
        theirs.copy_image(**request)

    ec2.modify_snapshot_attribute(
        SnapshotId=plain.snapshot_id,
        Attribute="createVolumePermission",
        OperationType="add",
        UserIds=[OTHER],
    )
    copy = theirs.copy_image(**request)["ImageId"]

    (record,) = theirs.describe_images(Owners=["self"])["Images"]
    assert (record["ImageId"], record["State"], record["OwnerId"]) == (copy, "available", OTHER)


def test_an_image_with_encrypted_snapshots_cannot_be_public(aws: Any) -> None:
    ec2 = aws("ec2")
    ec2.disable_image_block_public_access()
    encrypted = make_ami(ec2)

    with pytest.raises(ClientError, match="can't be made public"):
        share(aws, encrypted, Group="all")
    with pytest.raises(ClientError, match=r"AWS Managed CMK can't be shared"):
        share(aws, encrypted, UserId=OTHER)


def test_block_public_access_for_images_can_be_switched(aws: Any, plain: MadeAmi) -> None:
    ec2 = aws("ec2")
    ec2.disable_image_block_public_access()
    share(aws, plain, Group="all")

    ec2.enable_image_block_public_access(ImageBlockPublicAccessState="block-new-sharing")

    answer = ec2.get_image_block_public_access_state()
    assert (answer["ImageBlockPublicAccessState"], answer["ManagedBy"]) == ("block-new-sharing", "account")
    assert sees(aws, plain)  # what is public stays so
    with pytest.raises(ClientError) as caught:
        ec2.enable_image_block_public_access(ImageBlockPublicAccessState="unblocked")
    assert caught.value.response["Error"]["Code"] == "InvalidParameterValue"


def test_permissions_of_a_snapshot_are_read_changed_and_reset(aws: Any, plain: MadeAmi) -> None:
    ec2, theirs = aws("ec2"), aws("ec2", account=OTHER)
    attribute = {"SnapshotId": plain.snapshot_id, "Attribute": "createVolumePermission"}
    with pytest.raises(ClientError, match=r"InvalidSnapshot\.NotFound"):
        theirs.describe_snapshots(SnapshotIds=[plain.snapshot_id])

    ec2.modify_snapshot_attribute(**attribute, CreateVolumePermission={"Add": [{"UserId": OTHER}]})
    (seen,) = theirs.describe_snapshots(RestorableByUserIds=["self"])["Snapshots"]
    read = ec2.describe_snapshot_attribute(**attribute)["CreateVolumePermissions"]
    volume = theirs.create_volume(AvailabilityZone="us-east-1a", SnapshotId=plain.snapshot_id)
    with pytest.raises(ClientError, match="AuthFailure"):
        theirs.modify_snapshot_attribute(**attribute, CreateVolumePermission={"Add": [{"UserId": "111111111111"}]})
    ec2.reset_snapshot_attribute(**attribute)

    assert (seen["SnapshotId"], seen["OwnerId"], read) == (plain.snapshot_id, "123456789012", [{"UserId": OTHER}])
    assert (volume["Size"], volume["SnapshotId"]) == (8, plain.snapshot_id)
    assert ec2.describe_snapshot_attribute(**attribute)["CreateVolumePermissions"] == []


def test_block_public_access_for_snapshots_refuses_or_hides(aws: Any, plain: MadeAmi) -> None:
    ec2, theirs = aws("ec2"), aws("ec2", account=OTHER)
    everybody = {"SnapshotId": plain.snapshot_id, "CreateVolumePermission": {"Add": [{"Group": "all"}]}}
    assert ec2.get_snapshot_block_public_access_state()["State"] == "unblocked"
    ec2.modify_snapshot_attribute(**everybody)
    assert theirs.describe_snapshots(SnapshotIds=[plain.snapshot_id])["Snapshots"]

    assert ec2.enable_snapshot_block_public_access(State="block-new-sharing")["State"] == "block-new-sharing"
    still = theirs.describe_snapshots(SnapshotIds=[plain.snapshot_id])["Snapshots"]
    with pytest.raises(ClientError, match="block public access for snapshots"):
        ec2.modify_snapshot_attribute(**everybody)
    ec2.enable_snapshot_block_public_access(State="block-all-sharing")
    with pytest.raises(ClientError, match=r"InvalidSnapshot\.NotFound"):
        theirs.describe_snapshots(SnapshotIds=[plain.snapshot_id])
    with pytest.raises(ClientError, match="InvalidParameterValue"):
        ec2.enable_snapshot_block_public_access(State="unblocked")
    ec2.disable_snapshot_block_public_access()

    assert still
    assert theirs.describe_snapshots(SnapshotIds=[plain.snapshot_id])["Snapshots"]


def test_an_encrypted_snapshot_is_shared_only_under_a_key_that_can_be(aws: Any) -> None:
    ec2, key = aws("ec2"), aws("kms").create_key()["KeyMetadata"]["Arn"]
    default = make_ami(ec2, version="1.0.0/1").snapshot_id
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=8, Encrypted=True, KmsKeyId=key)["VolumeId"]
    own = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    grant = {"CreateVolumePermission": {"Add": [{"UserId": OTHER}]}}

    with pytest.raises(ClientError, match="EBS default key"):
        ec2.modify_snapshot_attribute(SnapshotId=default, **grant)
    with pytest.raises(ClientError, match="can't be made public"):
        ec2.modify_snapshot_attribute(SnapshotId=own, CreateVolumePermission={"Add": [{"Group": "all"}]})
    ec2.modify_snapshot_attribute(SnapshotId=own, **grant)

    assert aws("ec2", account=OTHER).describe_snapshots(SnapshotIds=[own])["Snapshots"]


def test_attributes_are_read_one_by_one(aws: Any, plain: MadeAmi) -> None:
    ec2 = aws("ec2")
    ec2.modify_image_attribute(ImageId=plain.image_id, Description={"Value": "mine"})
    ec2.modify_image_attribute(ImageId=plain.image_id, Attribute="imdsSupport", Value="v2.0")

    def read(attribute: str) -> Any:
        return ec2.describe_image_attribute(ImageId=plain.image_id, Attribute=attribute)

    assert read("description")["Description"] == {"Value": "mine"}
    assert read("imdsSupport")["ImdsSupport"] == {"Value": "v2.0"}
    assert read("deregistrationProtection")["DeregistrationProtection"] == {"Value": "disabled"}
    assert read("productCodes")["ProductCodes"] == []
    with pytest.raises(ClientError, match="AuthFailure"):
        read("blockDeviceMapping")
    with pytest.raises(ClientError, match="cannot be modified"):
        ec2.modify_image_attribute(ImageId=plain.image_id, Attribute="kernel", Value="aki-1")
