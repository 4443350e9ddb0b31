"""Keys: Regional, and only for those whom policy or grant lets use them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from cdk_ami.sandbox.server import Sandbox
from tests.support.amis import make_ami

OWN = "123456789012"
OTHER = "210987654321"
SERVICE_ROLE = (
    "arn:aws:iam::{}:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"  # of each account
)
OPERATIONS = ["Decrypt", "GenerateDataKeyWithoutPlaintext", "CreateGrant", "DescribeKey"]


def allow(*principals: str, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": {"AWS": list(principals)}, "Action": "kms:*", "Resource": "*", **more}


def root(account: str) -> str:
    return f"arn:aws:iam::{account}:root"


@pytest.fixture
def make_key(aws: Any) -> Callable[..., str]:
    """Make a key with the statements of a policy and return its ARN."""

    def make(*statements: dict[str, Any], region: str = "us-east-1") -> str:
        policy = {"Version": "2012-10-17", "Statement": list(statements) or [allow(root(OWN))]}
        return str(aws("kms", region).create_key(Policy=json.dumps(policy))["KeyMetadata"]["Arn"])

    return make


@pytest.fixture
def shared(aws: Any) -> Callable[[str], str]:
    """Make an AMI encrypted with a key, shared with the other account in every way that EC2 has."""

    def make(key: str) -> str:
        ec2 = aws("ec2")
        volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=8, Encrypted=True, KmsKeyId=key)["VolumeId"]
        snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
        image: str = ec2.register_image(
            Name="shared",
            Architecture="x86_64",
            VirtualizationType="hvm",
            RootDeviceName="/dev/xvda",
            BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot}}],
        )["ImageId"]
        ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"UserId": OTHER}]})
        ec2.modify_snapshot_attribute(SnapshotId=snapshot, CreateVolumePermission={"Add": [{"UserId": OTHER}]})
        return image

    return make


def copied(ec2: Any, image: str, **request: Any) -> dict[str, Any]:
    copy = ec2.copy_image(SourceImageId=image, SourceRegion="us-east-1", Name="copy", **request)["ImageId"]
    return dict(ec2.describe_images(ImageIds=[copy])["Images"][0])


def launched(ec2: Any, image: str) -> dict[str, Any]:
    made = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, InstanceType="t3.micro")["Instances"][0]
    (reservation,) = ec2.describe_instances(InstanceIds=[made["InstanceId"]])["Reservations"]
    return dict(reservation["Instances"][0])


def test_a_copy_into_another_account_needs_the_key_of_the_source(aws: Any, make_key: Any, shared: Any) -> None:
    there = aws("ec2", "eu-west-1", account=OTHER)
    key = make_key()
    image = shared(key)

    denied = copied(there, image)
    policy = {"Version": "2012-10-17", "Statement": [allow(root(OWN)), allow(root(OTHER))]}
    aws("kms").put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(policy))
    done = copied(there, image)

    assert denied["State"] == "failed"
    assert "let arn:aws:iam::210987654321:root do kms:Decrypt" in denied["StateReason"]["Message"]
    assert done["State"] == "available"


def test_a_copy_under_a_key_of_another_account_needs_its_policy(aws: Any, make_key: Any) -> None:
    ec2, there = aws("ec2"), aws("ec2", account=OTHER)
    image = make_ami(there, encrypted=False).image_id
    closed, opened = make_key(), make_key(allow(root(OWN)), allow(root(OTHER)))
    assert ec2.describe_images(Owners=["self"])["Images"] == []

    def copy(name: str, key: str) -> str:
        copied = there.copy_image(
            SourceImageId=image, SourceRegion="us-east-1", Name=name, Encrypted=True, KmsKeyId=key
        )
        return str(there.describe_images(ImageIds=[copied["ImageId"]])["Images"][0]["State"])

    assert (copy("one", closed), copy("two", opened)) == ("failed", "available")


def test_an_instance_whose_key_is_closed_to_its_account_ends_before_it_begins(
    aws: Any, make_key: Any, shared: Any
) -> None:
    there, key = aws("ec2", account=OTHER), make_key()
    image = shared(key)

    ended = launched(there, image)
    aws("kms").create_grant(KeyId=key, GranteePrincipal=root(OTHER), Operations=OPERATIONS)
    running = launched(there, image)

    assert (ended["State"]["Name"], ended["StateReason"]["Code"]) == ("terminated", "Client.InternalError")
    assert ended["StateReason"]["Message"] == "Client.InternalError: Client error on launch"
    assert running["State"]["Name"] == "running"
    assert len(there.describe_volumes()["Volumes"]) == 1


def test_a_group_launches_only_when_its_service_role_is_let_in(aws: Any, make_key: Any) -> None:
    ec2, autoscaling = aws("ec2"), aws("autoscaling")
    key = make_key()
    device = {"DeviceName": "/dev/xvda", "Ebs": {"Encrypted": True, "KmsKeyId": key}}
    data = {
        "ImageId": "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
        "InstanceType": "t3.micro",
        "BlockDeviceMappings": [device],
    }
    template = ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData=data)["LaunchTemplate"]
    autoscaling.create_auto_scaling_group(
        AutoScalingGroupName="web",
        MinSize=0,
        MaxSize=2,
        DesiredCapacity=1,
        AvailabilityZones=["us-east-1a"],
        LaunchTemplate={"LaunchTemplateId": template["LaunchTemplateId"], "Version": "1"},
    )
    (before,) = autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"]
    activity = autoscaling.describe_scaling_activities(AutoScalingGroupName="web")["Activities"][0]

    aws("kms").create_grant(KeyId=key, GranteePrincipal=SERVICE_ROLE.format(OWN), Operations=OPERATIONS)
    autoscaling.set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=1)
    (after,) = autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"]

    assert before["Instances"] == []
    assert "Client.InternalError: Client error on launch" in activity["StatusMessage"]
    assert [instance["LifecycleState"] for instance in after["Instances"]] == ["InService"]


@pytest.mark.parametrize(
    ("statement", "state"),
    [
        (allow(root(OWN), Condition={"StringEquals": {"kms:ViaService": "ec2.us-east-1.amazonaws.com"}}), "available"),
        (allow(root(OWN), Condition={"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}), "failed"),
        (allow("*", Condition={"StringEquals": {"kms:CallerAccount": OWN}}), "available"),
        (allow("*", Condition={"StringLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/*"}}), "failed"),
        (allow(root(OWN), Condition={"Bool": {"kms:GrantIsForAWSResource": "true"}}), "available"),
        (allow(OWN, Action=["kms:GenerateDataKey*", "kms:CreateGrant"]), "available"),
        (allow(OWN, Action=["kms:GenerateDataKey*"]), "failed"),
        (allow(f"arn:aws:iam::{OWN}:role/builder"), "failed"),
        ({**allow(root(OWN)), "NotAction": "kms:CreateGrant", "Action": []}, "failed"),
    ],
)
def test_a_key_policy_is_weighed_as_kms_weighs_it(
    aws: Any, make_key: Any, statement: dict[str, Any], state: str
) -> None:
    ec2 = aws("ec2")
    image = make_ami(ec2, encrypted=False).image_id

    assert copied(ec2, image, Encrypted=True, KmsKeyId=make_key(statement))["State"] == state


def test_a_denial_outweighs_what_is_allowed(aws: Any, make_key: Any) -> None:
    ec2 = aws("ec2")
    image = make_ami(ec2, encrypted=False).image_id
    key = make_key(allow(root(OWN)), allow(root(OWN), Effect="Deny", Action="kms:CreateGrant"))

    denied = copied(ec2, image, Encrypted=True, KmsKeyId=key)

    assert denied["State"] == "failed"
    assert "do kms:CreateGrant" in denied["StateReason"]["Message"]


def test_a_key_for_one_role_serves_whoever_takes_that_role(aws: Any, make_key: Any, sandbox: Sandbox) -> None:
    role = f"arn:aws:iam::{OWN}:role/builder"
    key, image = make_key(allow(role)), make_ami(aws("ec2"), encrypted=False).image_id
    keys = aws("sts").assume_role(RoleArn=role, RoleSessionName="build")["Credentials"]
    builder = boto3.client(
        "ec2",
        region_name="us-east-1",
        endpoint_url=sandbox.endpoint,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )

    assert copied(builder, image, Encrypted=True, KmsKeyId=key)["State"] == "available"


def test_a_disabled_key_stops_volumes_snapshots_images_and_launches(aws: Any, run_one: Any, make_key: Any) -> None:
    ec2, kms, key = aws("ec2"), aws("kms"), make_key()
    device = {"DeviceName": "/dev/xvda", "Ebs": {"Encrypted": True, "KmsKeyId": key}}
    instance = run_one(BlockDeviceMappings=[device])
    (volume,) = ec2.describe_volumes()["Volumes"]

    kms.disable_key(KeyId=key)
    image = ec2.create_image(InstanceId=instance, Name="late")["ImageId"]
    snapshot = ec2.create_snapshot(VolumeId=volume["VolumeId"])["SnapshotId"]
    made = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1, Encrypted=True, KmsKeyId=key)["VolumeId"]
    (ended,) = ec2.describe_instances(InstanceIds=[run_one(BlockDeviceMappings=[device])])["Reservations"]

    assert ec2.describe_images(ImageIds=[image])["Images"][0]["State"] == "failed"
    (held,) = ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"]
    assert (held["State"], "Disabled" in held["StateMessage"]) == ("error", True)
    assert ec2.describe_volumes(VolumeIds=[made])["Volumes"][0]["State"] == "error"
    assert ended["Instances"][0]["StateReason"]["Code"] == "Client.InvalidKMSKey.InvalidState"


def test_encryption_by_default_reaches_what_says_nothing(aws: Any, make_key: Any) -> None:
    ec2, key = aws("ec2"), make_key()
    assert ec2.get_ebs_encryption_by_default()["EbsEncryptionByDefault"] is False
    plain = make_ami(ec2, encrypted=False)

    assert ec2.enable_ebs_encryption_by_default()["EbsEncryptionByDefault"] is True
    assert ec2.modify_ebs_default_kms_key_id(KmsKeyId=key)["KmsKeyId"] == key
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)
    restored = ec2.create_volume(AvailabilityZone="us-east-1a", SnapshotId=plain.snapshot_id)
    copy = ec2.copy_snapshot(SourceRegion="us-east-1", SourceSnapshotId=plain.snapshot_id)["SnapshotId"]

    assert (volume["Encrypted"], volume["KmsKeyId"]) == (restored["Encrypted"], restored["KmsKeyId"]) == (True, key)
    assert ec2.describe_snapshots(SnapshotIds=[copy])["Snapshots"][0]["KmsKeyId"] == key
    assert ec2.get_ebs_default_kms_key_id()["KmsKeyId"] == key
    default = aws("kms").describe_key(KeyId="alias/aws/ebs")["KeyMetadata"]["Arn"]
    assert ec2.reset_ebs_default_kms_key_id()["KmsKeyId"] == default
    assert ec2.disable_ebs_encryption_by_default()["EbsEncryptionByDefault"] is False
    assert ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["Encrypted"] is False


def test_a_default_key_must_be_one_of_the_region(aws: Any, make_key: Any) -> None:
    elsewhere = make_key(region="eu-west-1")

    with pytest.raises(ClientError, match=r"InvalidKMSKey\.InvalidState.*is in eu-west-1"):
        aws("ec2").modify_ebs_default_kms_key_id(KmsKeyId=elsewhere)


# --- keys of other accounts


def test_a_group_of_another_account_launches_by_a_grant_made_there_and_by_no_policy(
    aws: Any, make_key: Any, shared: Callable[[str], str]
) -> None:
    role = SERVICE_ROLE.format(OTHER)
    everybody = allow("*", Condition={"StringEquals": {"aws:PrincipalAccount": OTHER}})
    key = make_key(allow(root(OWN)), allow(role), everybody)
    image = shared(key)
    autoscaling, kms = aws("autoscaling", account=OTHER), aws("kms", account=OTHER)
    template = aws("ec2", account=OTHER).create_launch_template(
        LaunchTemplateName="web", LaunchTemplateData={"ImageId": image, "InstanceType": "t3.micro"}
    )["LaunchTemplate"]["LaunchTemplateId"]
    autoscaling.create_auto_scaling_group(
        AutoScalingGroupName="web",
        MinSize=0,
        MaxSize=1,
        DesiredCapacity=1,
        AvailabilityZones=["us-east-1a"],
        LaunchTemplate={"LaunchTemplateId": template, "Version": "1"},
    )

    def instances() -> list[str]:
        autoscaling.set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=1)
        (group,) = autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"]
        return [instance["LifecycleState"] for instance in group["Instances"]]

    denied = instances()
    grant = kms.create_grant(KeyId=key, GranteePrincipal=role, Operations=OPERATIONS, Name="groups")["GrantId"]

    assert denied == []
    assert instances() == ["InService"]
    again = kms.create_grant(KeyId=key, GranteePrincipal=role, Operations=OPERATIONS, Name="groups")["GrantId"]
    assert again == grant


def test_a_key_of_another_account_is_reached_where_its_policy_says_so(aws: Any, make_key: Any) -> None:
    kms, role = aws("kms", account=OTHER), SERVICE_ROLE.format(OTHER)
    to_groups = {"StringLike": {"kms:GranteePrincipal": SERVICE_ROLE.format(OTHER) + "*"}}
    key = make_key(allow(root(OWN)), allow(root(OTHER), Action="kms:CreateGrant", Condition=to_groups))

    def create(grantee: str, name: str = key) -> str:
        return str(
            kms.create_grant(
                KeyId=name, GranteePrincipal=grantee, Operations=OPERATIONS, RetiringPrincipal=root(OTHER)
            )["GrantId"]
        )

    def code(call: Callable[[], object]) -> str:
        with pytest.raises(ClientError) as caught:
            call()
        return str(caught.value.response["Error"]["Code"])

    grant = create(role)

    assert code(lambda: create(f"arn:aws:iam::{OTHER}:role/somebody")) == "AccessDeniedException"
    assert code(lambda: create(role, key.replace("us-east-1", "eu-west-1"))) == "NotFoundException"
    assert code(lambda: create(role, "alias/golden")) == "NotFoundException"
    assert code(lambda: kms.describe_key(KeyId=key)) == "AccessDeniedException"
    assert code(lambda: kms.revoke_grant(KeyId=key, GrantId=grant)) == "AccessDeniedException"
    assert code(lambda: kms.disable_key(KeyId=key)) == "NotFoundException"
    third = aws("kms", account="333333333333")
    assert code(lambda: third.retire_grant(KeyId=key, GrantId=grant)) == "AccessDeniedException"
    kms.retire_grant(KeyId=key, GrantId=grant)
    assert aws("kms").list_grants(KeyId=key)["Grants"] == []
    assert code(lambda: kms.retire_grant(KeyId=key, GrantId=grant)) == "NotFoundException"
