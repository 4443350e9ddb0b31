from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from cdk_ami.sandbox.pace import PACE
from tests.support.amis import point

OTHER = "210987654321"


def image(aws: Any, image_id: str, region: str = "us-east-1", **options: Any) -> dict[str, Any]:
    (record,) = aws("ec2", region, **options).describe_images(ImageIds=[image_id])["Images"]
    return dict(record)


def snapshot(aws: Any, record: dict[str, Any], region: str = "us-east-1") -> dict[str, Any]:
    snapshot_id = record["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    return dict(aws("ec2", region).describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"][0])


def test_an_image_of_an_instance_knows_where_it_comes_from(aws: Any, run_one: Any, public_ami: Any) -> None:
    instance = run_one()

    made = aws("ec2").create_image(InstanceId=instance, Name="golden-1", Description="mine")["ImageId"]
    record = image(aws, made)

    assert record["State"] == "available"
    assert record["OwnerId"] == "123456789012"
    assert record["Public"] is False
    assert record["SourceInstanceId"] == instance
    assert record["SourceImageId"] == public_ami()
    assert record["SourceImageRegion"] == "us-east-1"
    assert (record["RootDeviceName"], record["Architecture"]) == ("/dev/xvda", "x86_64")
    assert record["ImdsSupport"] == "v2.0"


def test_the_snapshots_of_an_image_have_size_and_key_of_the_volumes(aws: Any, run_one: Any) -> None:
    key = aws("kms").create_key()["KeyMetadata"]["Arn"]
    mapping = {
        "DeviceName": "/dev/xvda",
        "Ebs": {"VolumeSize": 20, "VolumeType": "gp3", "Encrypted": True, "KmsKeyId": key},
    }

    instance = run_one(BlockDeviceMappings=[mapping])
    made = aws("ec2").create_image(InstanceId=instance, Name="golden-1")["ImageId"]
    record = image(aws, made)

    ebs = record["BlockDeviceMappings"][0]["Ebs"]
    assert (ebs["VolumeSize"], ebs["VolumeType"], ebs["Encrypted"]) == (20, "gp3", True)
    held = snapshot(aws, record)
    assert (held["VolumeSize"], held["Encrypted"], held["KmsKeyId"]) == (20, True, key)
    assert held["Description"] == f"Created by CreateImage({instance}) for {made}"


def test_an_image_and_its_snapshots_are_tagged_each_with_its_own(aws: Any, run_one: Any) -> None:
    tags = [
        {"ResourceType": "image", "Tags": [{"Key": "kind", "Value": "ami"}]},
        {"ResourceType": "snapshot", "Tags": [{"Key": "kind", "Value": "disk"}]},
    ]

    made = aws("ec2").create_image(InstanceId=run_one(), Name="golden-1", TagSpecifications=tags)["ImageId"]
    record = image(aws, made)

    assert record["Tags"] == [{"Key": "kind", "Value": "ami"}]
    assert snapshot(aws, record)["Tags"] == [{"Key": "kind", "Value": "disk"}]


def test_two_images_of_an_account_cannot_have_one_name(own_ami: Any) -> None:
    own_ami("golden-1")

    with pytest.raises(ClientError, match=r"InvalidAMIName\.Duplicate"):
        own_ami("golden-1")
    assert own_ami("golden-1", region="eu-west-1")


@pytest.mark.parametrize("name", ["x" * 129, "golden#1"])
def test_a_name_that_ec2_does_not_take_is_refused(aws: Any, run_one: Any, name: str) -> None:
    with pytest.raises(ClientError, match=r"InvalidAMIName\.Malformed"):
        aws("ec2").create_image(InstanceId=run_one(), Name=name)


def test_the_size_of_a_volume_cannot_change_when_an_image_is_made(aws: Any, run_one: Any) -> None:
    mapping = {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 99}}

    with pytest.raises(ClientError, match="VolumeSize of /dev/xvda cannot be changed"):
        aws("ec2").create_image(InstanceId=run_one(), Name="golden-1", BlockDeviceMappings=[mapping])


def test_an_image_takes_as_long_as_it_is_told_to(aws: Any, own_ami: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PACE, "image", 60.0)

    made = own_ami()

    assert image(aws, made)["State"] == "pending"
    with pytest.raises(ClientError, match=r"InvalidAMIID\.Unavailable"):
        aws("ec2", "eu-west-1").copy_image(SourceImageId=made, SourceRegion="us-east-1", Name="copy")


def test_a_copy_names_its_source_and_is_encrypted_with_the_key_of_its_own_region(aws: Any, own_ami: Any) -> None:
    made = own_ami()
    key = aws("kms", "eu-west-1").create_key()["KeyMetadata"]["Arn"]

    copy = aws("ec2", "eu-west-1").copy_image(
        SourceImageId=made, SourceRegion="us-east-1", Name="golden-1", Encrypted=True, KmsKeyId=key
    )["ImageId"]
    record = image(aws, copy, "eu-west-1")

    assert copy != made
    assert record["State"] == "available"
    assert (record["SourceImageId"], record["SourceImageRegion"]) == (made, "us-east-1")
    held = snapshot(aws, record, "eu-west-1")
    assert (held["Encrypted"], held["KmsKeyId"]) == (True, key)


def test_an_encrypted_copy_without_a_key_uses_the_default_one(aws: Any, own_ami: Any) -> None:
    copy = aws("ec2", "eu-west-1").copy_image(
        SourceImageId=own_ami(), SourceRegion="us-east-1", Name="golden-1", Encrypted=True
    )["ImageId"]

    held = snapshot(aws, image(aws, copy, "eu-west-1"), "eu-west-1")
    default = aws("kms", "eu-west-1").describe_key(KeyId="alias/aws/ebs")["KeyMetadata"]
    assert held["KmsKeyId"] == default["Arn"]
    assert default["KeyManager"] == "AWS"


def test_a_copy_with_a_key_of_another_region_fails_afterwards(aws: Any, own_ami: Any) -> None:
    key = aws("kms", "us-east-1").create_key()["KeyMetadata"]["Arn"]

    copy = aws("ec2", "eu-west-1").copy_image(
        SourceImageId=own_ami(), SourceRegion="us-east-1", Name="golden-1", Encrypted=True, KmsKeyId=key
    )["ImageId"]
    record = image(aws, copy, "eu-west-1")

    assert record["State"] == "failed"
    assert "is in us-east-1, not in eu-west-1" in record["StateReason"]["Message"]


def test_a_copy_with_a_key_but_without_encryption_is_refused(aws: Any, own_ami: Any) -> None:
    key = aws("kms", "eu-west-1").create_key()["KeyMetadata"]["Arn"]

    with pytest.raises(ClientError, match="InvalidParameterDependency"):
        aws("ec2", "eu-west-1").copy_image(
            SourceImageId=own_ami(), SourceRegion="us-east-1", Name="golden-1", KmsKeyId=key
        )


def test_one_client_token_makes_one_copy(aws: Any, own_ami: Any) -> None:
    ec2 = aws("ec2", "eu-west-1")
    request = {"SourceImageId": own_ami(), "SourceRegion": "us-east-1", "Name": "golden-1", "ClientToken": "t"}

    first, second = ec2.copy_image(**request), ec2.copy_image(**request)

    assert first["ImageId"] == second["ImageId"]
    with pytest.raises(ClientError, match="IdempotentParameterMismatch"):
        ec2.copy_image(**{**request, "Name": "golden-2"})


def test_tags_are_copied_only_when_asked_for(aws: Any, own_ami: Any) -> None:
    made, ec2 = own_ami(), aws("ec2", "eu-west-1")
    aws("ec2").create_tags(Resources=[made], Tags=[{"Key": "team", "Value": "web"}])
    request = {"SourceImageId": made, "SourceRegion": "us-east-1"}

    without = ec2.copy_image(**request, Name="without")["ImageId"]
    copied = ec2.copy_image(**request, Name="copied", CopyImageTags=True)["ImageId"]

    assert image(aws, without, "eu-west-1").get("Tags", []) == []
    assert image(aws, copied, "eu-west-1")["Tags"] == [{"Key": "team", "Value": "web"}]


def test_another_account_sees_an_image_when_it_may_launch_it(aws: Any, own_ami: Any) -> None:
    made, there = own_ami(), aws("ec2", account=OTHER)
    with pytest.raises(ClientError, match=r"InvalidAMIID\.NotFound"):
        there.describe_images(ImageIds=[made])

    aws("ec2").modify_image_attribute(ImageId=made, LaunchPermission={"Add": [{"UserId": OTHER}]})

    assert image(aws, made, account=OTHER)["OwnerId"] == "123456789012"
    assert there.describe_images(ExecutableUsers=["self"])["Images"][0]["ImageId"] == made
    assert there.run_instances(ImageId=made, MinCount=1, MaxCount=1, InstanceType="t3.micro")["Instances"]
    with pytest.raises(ClientError, match="AuthFailure"):
        there.modify_image_attribute(ImageId=made, LaunchPermission={"Add": [{"UserId": "111111111111"}]})


def test_an_organization_shares_with_its_accounts(aws: Any, own_ami: Any) -> None:
    organizations = aws("organizations")
    arn = organizations.create_organization(FeatureSet="ALL")["Organization"]["Arn"]
    created = organizations.create_account(Email="a@example.com", AccountName="a")["CreateAccountStatus"]
    made = own_ami()

    aws("ec2").modify_image_attribute(
        ImageId=made, OperationType="add", Attribute="launchPermission", OrganizationArns=[arn]
    )

    assert image(aws, made, account=created["AccountId"])["ImageId"] == made
    with pytest.raises(ClientError, match=r"InvalidAMIID\.NotFound"):
        aws("ec2", account=OTHER).describe_images(ImageIds=[made])


def test_an_image_under_the_default_key_cannot_be_shared(aws: Any, own_ami: Any) -> None:
    made = own_ami(BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"Encrypted": True}}])

    with pytest.raises(ClientError, match="AWS Managed CMK"):
        aws("ec2").modify_image_attribute(ImageId=made, LaunchPermission={"Add": [{"UserId": OTHER}]})


def test_nothing_becomes_public_unless_the_account_allows_it(aws: Any, own_ami: Any) -> None:
    made, ec2 = own_ami(), aws("ec2")
    everybody = {"ImageId": made, "LaunchPermission": {"Add": [{"Group": "all"}]}}
    assert ec2.get_image_block_public_access_state()["ImageBlockPublicAccessState"] == "block-new-sharing"
    with pytest.raises(ClientError, match="block public access"):
        ec2.modify_image_attribute(**everybody)

    ec2.disable_image_block_public_access()
    ec2.modify_image_attribute(**everybody)

    assert image(aws, made, account=OTHER)["Public"] is True


def test_launch_permissions_can_be_read_and_taken_back(aws: Any, own_ami: Any) -> None:
    made, ec2 = own_ami(), aws("ec2")
    ec2.modify_image_attribute(ImageId=made, LaunchPermission={"Add": [{"UserId": OTHER}]})
    read = ec2.describe_image_attribute(ImageId=made, Attribute="launchPermission")["LaunchPermissions"]

    ec2.reset_image_attribute(ImageId=made, Attribute="launchPermission")

    assert read == [{"UserId": OTHER}]
    assert ec2.describe_image_attribute(ImageId=made, Attribute="launchPermission")["LaunchPermissions"] == []


def test_snapshots_stay_unless_they_are_to_go_with_the_image(aws: Any, own_ami: Any) -> None:
    ec2, first, second = aws("ec2"), own_ami("one"), own_ami("two")
    kept = image(aws, first)["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    gone = image(aws, second)["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    with pytest.raises(ClientError, match=r"InvalidSnapshot\.InUse"):
        ec2.delete_snapshot(SnapshotId=kept)

    ec2.deregister_image(ImageId=first)
    results = ec2.deregister_image(ImageId=second, DeleteAssociatedSnapshots=True)["DeleteSnapshotResults"]

    assert results == [{"SnapshotId": gone, "ReturnCode": "success"}]
    left = [each["SnapshotId"] for each in ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]]
    assert left == [kept]
    with pytest.raises(ClientError, match=r"InvalidAMIID\.NotFound"):
        ec2.describe_images(ImageIds=[first])


def test_a_protected_image_cannot_be_deregistered(aws: Any, own_ami: Any) -> None:
    made, ec2 = own_ami(), aws("ec2")
    ec2.enable_image_deregistration_protection(ImageId=made)
    with pytest.raises(ClientError, match="protected from deregistration"):
        ec2.deregister_image(ImageId=made)

    ec2.disable_image_deregistration_protection(ImageId=made)
    ec2.deregister_image(ImageId=made)

    assert ec2.describe_images(Owners=["self"])["Images"] == []


def test_a_disabled_image_cannot_be_launched_and_loses_its_permissions(aws: Any, own_ami: Any, run_one: Any) -> None:
    made, ec2 = own_ami(), aws("ec2")
    ec2.modify_image_attribute(ImageId=made, LaunchPermission={"Add": [{"UserId": OTHER}]})

    ec2.disable_image(ImageId=made)

    with pytest.raises(ClientError, match=r"InvalidAMIID\.Unavailable"):
        run_one(ImageId=made)
    assert ec2.describe_images(Owners=["self"])["Images"] == []
    ec2.enable_image(ImageId=made)
    assert ec2.describe_image_attribute(ImageId=made, Attribute="launchPermission")["LaunchPermissions"] == []


def test_a_deprecation_date_is_shown_and_must_lie_ahead(aws: Any, own_ami: Any) -> None:
    made, ec2 = own_ami(), aws("ec2")

    ec2.enable_image_deprecation(ImageId=made, DeprecateAt="2027-05-01T10:00:00Z")

    assert image(aws, made)["DeprecationTime"] == "2027-05-01T10:00:00.000Z"
    with pytest.raises(ClientError, match="must be in the future"):
        ec2.enable_image_deprecation(ImageId=made, DeprecateAt="2020-05-01T10:00:00Z")


def test_an_image_is_registered_from_a_snapshot(aws: Any, own_ami: Any) -> None:
    ec2, made = aws("ec2"), own_ami()
    snapshot_id = image(aws, made)["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]

    registered = ec2.register_image(
        Name="from-snapshot",
        Architecture="x86_64",
        RootDeviceName="/dev/xvda",
        VirtualizationType="hvm",
        BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot_id}}],
    )["ImageId"]

    assert image(aws, registered)["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"] == snapshot_id
    with pytest.raises(ClientError, match=r"InvalidSnapshot\.NotFound"):
        ec2.register_image(
            Name="from-nothing",
            RootDeviceName="/dev/xvda",
            BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": "snap-0123456789abcdef0"}}],
        )


def test_references_name_instances_templates_and_parameters(aws: Any, own_ami: Any, run_one: Any) -> None:
    made, ec2 = own_ami(), aws("ec2")
    instance = run_one(ImageId=made)
    template = ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData={"ImageId": made})
    point(aws("ssm"), "/golden/latest", made)

    found = ec2.describe_image_references(ImageIds=[made], IncludeAllResourceTypes=True)["ImageReferences"]

    assert [(each["ResourceType"], each["Arn"].rpartition("/")[2]) for each in found] == [
        ("ec2:Instance", instance),
        ("ec2:LaunchTemplate", template["LaunchTemplate"]["LaunchTemplateId"]),
        ("ssm:Parameter", "latest"),
    ]


def test_the_ancestry_of_a_copy_leads_to_the_vendor(aws: Any, own_ami: Any, public_ami: Any) -> None:
    made = own_ami()
    copy = aws("ec2", "eu-west-1").copy_image(SourceImageId=made, SourceRegion="us-east-1", Name="copy")["ImageId"]

    entries = aws("ec2", "eu-west-1").get_image_ancestry(ImageId=copy)["ImageAncestryEntries"]

    assert [entry["ImageId"] for entry in entries] == [copy, made, public_ami()]


def test_a_copied_snapshot_stays_encrypted_under_a_key_of_its_own_region(aws: Any, own_ami: Any) -> None:
    made = own_ami(BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"Encrypted": True}}])
    source = image(aws, made)["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    there = aws("ec2", "eu-west-1")

    copied = there.copy_snapshot(SourceRegion="us-east-1", SourceSnapshotId=source)["SnapshotId"]

    (record,) = there.describe_snapshots(SnapshotIds=[copied])["Snapshots"]
    assert record["Encrypted"] is True
    assert record["KmsKeyId"].startswith("arn:aws:kms:eu-west-1:")
