"""What the emulator library has right by itself: the sandbox must not have lost it.

Each test runs twice, on the sandbox and on the library without our mends.
"""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

AL2023 = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
OTHER = "210987654321"


def code(caught: pytest.ExceptionInfo[ClientError]) -> str:
    return str(caught.value.response["Error"]["Code"])


def launch(either: Any, **request: Any) -> str:
    image = either("ssm").get_parameter(Name=AL2023)["Parameter"]["Value"]
    made = either("ec2").run_instances(ImageId=image, MinCount=1, MaxCount=1, InstanceType="t3.micro", **request)
    return str(made["Instances"][0]["InstanceId"])


def snapshot(either: Any, **request: Any) -> str:
    ec2 = either("ec2")
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=8)["VolumeId"]
    return str(ec2.create_snapshot(VolumeId=volume, **request)["SnapshotId"])


def image(either: Any, name: str = "golden", **request: Any) -> str:
    return str(either("ec2").create_image(InstanceId=launch(either), Name=name, **request)["ImageId"])


def test_an_image_of_an_instance_is_described_as_it_was_made(either: Any) -> None:
    ec2 = either("ec2")

    made = image(either, Description="mine")

    (record,) = ec2.describe_images(ImageIds=[made])["Images"]
    assert (record["Name"], record["Description"], record["State"]) == ("golden", "mine", "available")
    assert (record["OwnerId"], record["Public"], record["Architecture"]) == ("123456789012", False, "x86_64")
    assert record["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"].startswith("snap-")


def test_own_images_are_found_by_name_and_tag(either: Any) -> None:
    ec2 = either("ec2")
    tags = [{"ResourceType": "image", "Tags": [{"Key": "team", "Value": "web"}]}]
    made = image(either, "golden-1", TagSpecifications=tags)
    image(either, "silver-1")

    for name, value in (("name", "golden*"), ("tag:team", "web"), ("image-id", made)):
        found = ec2.describe_images(Owners=["self"], Filters=[{"Name": name, "Values": [value]}])["Images"]
        assert [each["ImageId"] for each in found] == [made], name


def test_a_deregistered_image_is_gone(either: Any) -> None:
    ec2, made, kept = either("ec2"), image(either), image(either, "kept")

    ec2.deregister_image(ImageId=made)

    assert [each["ImageId"] for each in ec2.describe_images(Owners=["self"])["Images"]] == [kept]


def test_a_copy_in_another_region_has_an_id_of_its_own(either: Any) -> None:
    made, there = image(either), either("ec2", "eu-west-1")

    copy = there.copy_image(SourceImageId=made, SourceRegion="us-east-1", Name="copy")["ImageId"]

    (record,) = there.describe_images(Owners=["self"])["Images"]
    assert (record["ImageId"], record["Name"], copy == made) == (copy, "copy", False)


def test_launch_permissions_are_added_read_and_removed(either: Any) -> None:
    ec2, made = either("ec2"), image(either)
    permission = [{"UserId": OTHER}]

    ec2.modify_image_attribute(ImageId=made, LaunchPermission={"Add": permission})
    added = ec2.describe_image_attribute(ImageId=made, Attribute="launchPermission")["LaunchPermissions"]
    ec2.modify_image_attribute(ImageId=made, LaunchPermission={"Remove": permission})

    assert added == permission
    assert ec2.describe_image_attribute(ImageId=made, Attribute="launchPermission")["LaunchPermissions"] == []


def test_a_permission_for_no_account_is_refused(either: Any) -> None:
    made = image(either)

    with pytest.raises(ClientError) as caught:
        either("ec2").modify_image_attribute(ImageId=made, LaunchPermission={"Add": [{"UserId": "x"}]})

    assert code(caught) == "InvalidAMIAttributeItemValue"


def test_a_disabled_image_comes_back(either: Any) -> None:
    ec2, made = either("ec2"), image(either)

    assert ec2.disable_image(ImageId=made)["Return"] is True
    (disabled,) = ec2.describe_images(ImageIds=[made])["Images"]
    assert ec2.enable_image(ImageId=made)["Return"] is True

    (enabled,) = ec2.describe_images(ImageIds=[made])["Images"]
    assert (disabled["State"], enabled["State"]) == ("disabled", "available")


def test_an_image_of_another_form_than_an_id_is_refused(either: Any) -> None:
    with pytest.raises(ClientError) as caught:
        either("ec2").describe_images(ImageIds=["golden"])

    assert code(caught) == "InvalidAMIID.Malformed"


def test_a_dry_run_changes_nothing(either: Any) -> None:
    ec2, made = either("ec2"), image(either)

    for operation, request in (
        (ec2.deregister_image, {"ImageId": made}),
        (ec2.copy_image, {"SourceImageId": made, "SourceRegion": "us-east-1", "Name": "copy"}),
        (ec2.create_volume, {"AvailabilityZone": "us-east-1a", "Size": 1}),
    ):
        with pytest.raises(ClientError) as caught:
            operation(**request, DryRun=True)
        assert code(caught) == "DryRunOperation"
    assert len(ec2.describe_images(Owners=["self"])["Images"]) == 1


def test_a_snapshot_is_tagged_found_and_deleted(either: Any) -> None:
    ec2 = either("ec2")
    tags = [{"ResourceType": "snapshot", "Tags": [{"Key": "team", "Value": "web"}]}]
    made = snapshot(either, Description="mine", TagSpecifications=tags)

    (record,) = ec2.describe_snapshots(SnapshotIds=[made])["Snapshots"]
    by_tag = ec2.describe_snapshots(Filters=[{"Name": "tag:team", "Values": ["web"]}])["Snapshots"]
    ec2.delete_snapshot(SnapshotId=made)

    assert (record["Description"], record["VolumeSize"], record["State"]) == ("mine", 8, "completed")
    assert (record["Encrypted"], record["Progress"], record["OwnerId"]) == (False, "100%", "123456789012")
    assert [each["SnapshotId"] for each in by_tag] == [made]
    with pytest.raises(ClientError) as caught:
        ec2.describe_snapshots(SnapshotIds=[made])
    assert code(caught) == "InvalidSnapshot.NotFound"


def test_a_snapshot_of_an_image_cannot_be_deleted(either: Any) -> None:
    ec2, made = either("ec2"), image(either)
    held = ec2.describe_images(ImageIds=[made])["Images"][0]["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]

    with pytest.raises(ClientError) as caught:
        ec2.delete_snapshot(SnapshotId=held)

    assert code(caught) == "InvalidSnapshot.InUse"


def test_a_snapshot_is_shared_with_an_account(either: Any) -> None:
    ec2, made = either("ec2"), snapshot(either)
    attribute = {"SnapshotId": made, "Attribute": "createVolumePermission"}

    ec2.modify_snapshot_attribute(**attribute, OperationType="add", UserIds=[OTHER])
    added = ec2.describe_snapshot_attribute(**attribute)["CreateVolumePermissions"]
    ec2.modify_snapshot_attribute(**attribute, OperationType="remove", UserIds=[OTHER])

    assert added == [{"UserId": OTHER}]
    assert ec2.describe_snapshot_attribute(**attribute)["CreateVolumePermissions"] == []


def test_a_volume_is_attached_and_detached(either: Any) -> None:
    ec2, instance = either("ec2"), launch(either, Placement={"AvailabilityZone": "us-east-1a"})
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=3, VolumeType="gp3")
    at = {"InstanceId": instance, "VolumeId": volume["VolumeId"]}

    def state() -> str:
        return str(ec2.describe_volumes(VolumeIds=[volume["VolumeId"]])["Volumes"][0]["State"])

    ec2.attach_volume(**at, Device="/dev/sdf")
    attached = state()
    ec2.detach_volume(**at)

    assert (volume["Iops"], attached, state()) == (3000, "in-use", "available")
    ec2.delete_volume(VolumeId=volume["VolumeId"])


def test_a_volume_of_a_snapshot_has_its_size(either: Any) -> None:
    made = either("ec2").create_volume(AvailabilityZone="us-east-1a", SnapshotId=snapshot(either))

    assert made["Size"] == 8


def test_encryption_by_default_can_be_switched(either: Any) -> None:
    ec2 = either("ec2")
    before = ec2.get_ebs_encryption_by_default()["EbsEncryptionByDefault"]

    on = ec2.enable_ebs_encryption_by_default()["EbsEncryptionByDefault"]

    assert (before, on, ec2.get_ebs_encryption_by_default()["EbsEncryptionByDefault"]) == (False, True, True)
    assert ec2.disable_ebs_encryption_by_default()["EbsEncryptionByDefault"] is False


def test_an_encrypted_volume_without_a_key_has_the_default_one(either: Any) -> None:
    made = either("ec2").create_volume(AvailabilityZone="us-east-1a", Size=1, Encrypted=True)

    default = either("kms").describe_key(KeyId="alias/aws/ebs")["KeyMetadata"]["Arn"]
    assert (made["Encrypted"], made["KmsKeyId"]) == (True, default)


def test_an_instance_runs_stops_starts_and_ends(either: Any) -> None:
    ec2, instance = either("ec2"), launch(either)

    def state() -> str:
        found = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
        return str(found["State"]["Name"])

    states = [state()]
    for operation in (ec2.stop_instances, ec2.start_instances, ec2.terminate_instances):
        operation(InstanceIds=[instance])
        states.append(state())

    assert states == ["running", "stopped", "running", "terminated"]


def test_versions_of_a_template_are_numbered_and_one_is_the_default(either: Any) -> None:
    ec2 = either("ec2")
    ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData={"InstanceType": "t3.micro"})

    ec2.create_launch_template_version(LaunchTemplateName="web", LaunchTemplateData={"InstanceType": "t3.small"})
    ec2.modify_launch_template(LaunchTemplateName="web", DefaultVersion="2")

    (template,) = ec2.describe_launch_templates(LaunchTemplateNames=["web"])["LaunchTemplates"]
    versions = ec2.describe_launch_template_versions(LaunchTemplateName="web", Versions=["$Default"])
    assert (template["LatestVersionNumber"], template["DefaultVersionNumber"]) == (2, 2)
    assert [each["VersionNumber"] for each in versions["LaunchTemplateVersions"]] == [2]
    assert versions["LaunchTemplateVersions"][0]["LaunchTemplateData"]["InstanceType"] == "t3.small"


def test_tags_are_put_on_images_and_snapshots_and_taken_off(either: Any) -> None:
    ec2, made = either("ec2"), image(either)
    tag = [{"Key": "team", "Value": "web"}]

    ec2.create_tags(Resources=[made], Tags=tag)
    (held,) = ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [made]}])["Tags"]
    ec2.delete_tags(Resources=[made], Tags=tag)

    assert (held["Key"], held["Value"], held["ResourceType"]) == ("team", "web", "image")
    assert ec2.describe_images(ImageIds=[made])["Images"][0].get("Tags", []) == []


def test_a_parameter_has_versions_and_a_history(either: Any) -> None:
    ssm = either("ssm")
    first = ssm.put_parameter(Name="/a/b", Value="1", Type="String")["Version"]
    second = ssm.put_parameter(Name="/a/b", Value="2", Type="String", Overwrite=True)["Version"]

    newest, older = (ssm.get_parameter(Name=name)["Parameter"]["Value"] for name in ("/a/b", "/a/b:1"))
    history = [each["Value"] for each in ssm.get_parameter_history(Name="/a/b")["Parameters"]]

    assert (first, second, newest, older, history) == (1, 2, "2", "1", ["1", "2"])


def test_a_parameter_is_not_overwritten_unasked_nor_found_when_there_is_none(either: Any) -> None:
    ssm = either("ssm")
    ssm.put_parameter(Name="/a/b", Value="1", Type="String")

    with pytest.raises(ClientError) as taken:
        ssm.put_parameter(Name="/a/b", Value="2", Type="String")
    with pytest.raises(ClientError) as missing:
        ssm.get_parameter(Name="/a/c")

    assert (code(taken), code(missing)) == ("ParameterAlreadyExists", "ParameterNotFound")
    assert ssm.get_parameters(Names=["/a/b", "/a/c"])["InvalidParameters"] == ["/a/c"]


def test_parameters_are_found_by_path(either: Any) -> None:
    ssm = either("ssm")
    for name in ("/web/latest", "/web/eu/latest", "/db/latest"):
        ssm.put_parameter(Name=name, Value=name, Type="String")

    near = ssm.get_parameters_by_path(Path="/web")["Parameters"]
    every = ssm.get_parameters_by_path(Path="/web", Recursive=True)["Parameters"]

    assert [each["Name"] for each in near] == ["/web/latest"]
    assert sorted(each["Name"] for each in every) == ["/web/eu/latest", "/web/latest"]


def test_a_label_follows_its_version(either: Any) -> None:
    ssm = either("ssm")
    for value in ("1", "2"):
        ssm.put_parameter(Name="/a/b", Value=value, Type="String", Overwrite=True)

    ssm.label_parameter_version(Name="/a/b", ParameterVersion=1, Labels=["good"])

    assert ssm.get_parameter(Name="/a/b:good")["Parameter"]["Value"] == "1"


def test_deleted_parameters_are_gone(either: Any) -> None:
    ssm = either("ssm")
    for name in ("/a", "/b"):
        ssm.put_parameter(Name=name, Value="1", Type="String")

    ssm.delete_parameter(Name="/a")
    answer = ssm.delete_parameters(Names=["/a", "/b"])

    assert (answer["DeletedParameters"], answer["InvalidParameters"]) == (["/b"], ["/a"])


def test_amazon_publishes_its_images_as_parameters(either: Any) -> None:
    parameter = either("ssm").get_parameter(Name=AL2023)["Parameter"]

    (record,) = either("ec2").describe_images(ImageIds=[parameter["Value"]])["Images"]
    assert (record["Architecture"], record["Public"]) == ("x86_64", True)
