"""What zonal instances keep: one template with all of it, and the function that replaces roots."""

from __future__ import annotations

from typing import Any

import pytest
from aws_cdk import aws_kms as kms

from cdk_ami import CpuOptions, ImageChannel, Replacement, Volume, ZonalInstances
from cdk_ami.checks import zonal as rules
from cdk_ami.runtime import replace_root
from cdk_ami.sandbox.server import Sandbox
from tests.fleet.network import network, subnet
from tests.support.control import ask
from tests.support.sandbox import MakeClient
from tests.support.synth import get_att, make_stack, resources_of, template_of

KEY = "arn:aws:kms:us-east-1:123456789012:key/11112222-3333-4444-5555-666677778888"
AL2023 = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
AL2 = "/aws/service/ami-amazon-linux-latest/amzn2-ami-hvm-x86_64-gp2"
WEB = ImageChannel.from_name("web")


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    """Two kept servers with data, fixed addresses and own interfaces, and one more with none of its own."""
    stack = make_stack()
    vpc = network(stack)
    key = kms.Key.from_key_arn(stack, "Key", KEY)
    ZonalInstances(
        stack,
        "Db",
        image=WEB.machine_image(root_device="/dev/xvda"),
        vpc=vpc,
        zones=["us-east-1a", "us-east-1b"],
        instance_type="t3.small",
        replacement=Replacement.ROOT_VOLUME,
        volumes=[Volume(size_gib=20, kms_key=key)],
        data_volumes=[
            Volume(device="/dev/sdf", size_gib=100, iops=4_000, throughput_mib=250, kms_key=key),
            Volume(device="/dev/sdg", size_gib=500, type="st1"),
        ],
        private_addresses={"us-east-1a": ["10.0.0.10"]},
        own_interfaces=True,
    )
    ZonalInstances(
        stack,
        "Plain",
        image=WEB.machine_image(root_device="/dev/xvda"),
        vpc=vpc,
        zones=["us-east-1c"],
        replacement=Replacement.ROOT_VOLUME,
        private_addresses={"us-east-1c": ["10.0.2.10"]},
        cpu=CpuOptions(core_count=1, threads_per_core=1),
    )
    return template_of(stack)


def of(template: dict[str, Any], construct: str, kind: str) -> dict[str, dict[str, Any]]:
    return {name: one for name, one in resources_of(template, kind).items() if name.startswith(construct)}


def test_data_volumes_stand_in_the_zone_of_their_instance_encrypted_and_outlive_everything(
    template: dict[str, Any],
) -> None:
    volumes = of(template, "Db", "AWS::EC2::Volume")
    attachments = of(template, "Db", "AWS::EC2::VolumeAttachment")

    assert {(one["DeletionPolicy"], one["UpdateReplacePolicy"]) for one in volumes.values()} == {("Retain", "Retain")}
    assert [name[:-8] for name in volumes] == ["DbVolumeA1Sdf", "DbVolumeA1Sdg", "DbVolumeB1Sdf", "DbVolumeB1Sdg"]
    first, second, *_ = [one["Properties"] for one in volumes.values()]
    assert first == {
        "AvailabilityZone": "us-east-1a",
        "Encrypted": True,
        "Iops": 4_000,
        "KmsKeyId": KEY,
        "Size": 100,
        "Tags": [{"Key": "Name", "Value": "S/Db/A1 /dev/sdf"}],
        "Throughput": 250,
        "VolumeType": "gp3",
    }
    assert (second["VolumeType"], second["Encrypted"]) == ("st1", True)
    a1, b1 = of(template, "Db", "AWS::EC2::Instance")
    assert [one["Properties"]["InstanceId"]["Ref"] for one in attachments.values()] == [a1, a1, b1, b1]
    assert [one["Properties"]["Device"] for one in attachments.values()] == ["/dev/sdf", "/dev/sdg"] * 2


def test_an_instance_with_an_interface_of_its_own_has_address_and_groups_there(template: dict[str, Any]) -> None:
    interfaces = of(template, "Db", "AWS::EC2::NetworkInterface")
    (group,) = of(template, "Db", "AWS::EC2::SecurityGroup")
    (profile,) = of(template, "Db", "AWS::IAM::InstanceProfile")
    (launched,) = of(template, "Db", "AWS::EC2::LaunchTemplate").items()

    a1, b1 = [one["Properties"] for one in interfaces.values()]
    assert a1 == {
        "Description": "Of S/Db/A1",
        "GroupSet": [get_att(group, "GroupId")],
        "PrivateIpAddress": "10.0.0.10",
        "SubnetId": subnet(0),
        "Tags": [{"Key": "Name", "Value": "S/Db/A1"}],
    }
    assert "PrivateIpAddress" not in b1
    instance = next(iter(of(template, "Db", "AWS::EC2::Instance").values()))["Properties"]
    assert instance == {
        "IamInstanceProfile": {"Ref": profile},
        "InstanceType": "t3.small",
        "LaunchTemplate": {
            "LaunchTemplateId": {"Ref": launched[0]},
            "Version": get_att(launched[0], "DefaultVersionNumber"),
        },
        "NetworkInterfaces": [{"DeviceIndex": "0", "NetworkInterfaceId": {"Ref": next(iter(interfaces))}}],
        "Tags": [{"Key": "Name", "Value": "S/Db/A1"}],
    }
    assert "SecurityGroupIds" not in launched[1]["Properties"]["LaunchTemplateData"]


def test_a_fixed_address_alone_stands_at_the_instance(template: dict[str, Any]) -> None:
    (instance,) = of(template, "Plain", "AWS::EC2::Instance").values()
    (group,) = of(template, "Plain", "AWS::EC2::SecurityGroup")
    (launched,) = of(template, "Plain", "AWS::EC2::LaunchTemplate").values()

    found = instance["Properties"]
    assert (found["PrivateIpAddress"], found["SubnetId"]) == ("10.0.2.10", subnet(2))
    assert found["SecurityGroupIds"] == [get_att(group, "GroupId")]
    assert launched["Properties"]["LaunchTemplateData"]["CpuOptions"] == {"CoreCount": 1, "ThreadsPerCore": 1}


def test_roots_are_replaced_one_after_the_other_by_whoever_may_replace_these_and_no_others(
    template: dict[str, Any],
) -> None:
    roots = of(template, "Db", "Custom::RootVolume")
    instances = list(of(template, "Db", "AWS::EC2::Instance"))
    (policy,) = [name for name in of(template, "Db", "AWS::IAM::Policy") if "ReplacerPolicy" in name]

    first, second = roots.values()
    assert [one["Properties"]["InstanceId"]["Ref"] for one in (first, second)] == instances
    assert {one["Properties"]["ImageId"]["Ref"] for one in (first, second)} == {"ChannelWebLatest8476C7F7"}
    assert policy in first["DependsOn"]
    assert next(iter(roots)) in second["DependsOn"]
    statements = template["Resources"][policy]["Properties"]["PolicyDocument"]["Statement"]
    replace, note, _ = statements
    assert (replace["Action"], note["Action"]) == ("ec2:CreateReplaceRootVolumeTask", "ec2:CreateTags")
    assert [arn["Fn::Join"][1][-1] for arn in note["Resource"]] == [{"Ref": name} for name in instances]
    (role,) = [name for name in of(template, "Db", "AWS::IAM::Role") if "Replacer" in name]
    grants = [
        statement
        for one in of(template, "Db", "AWS::IAM::Policy").values()
        if {"Ref": role} in one["Properties"]["Roles"]
        for statement in one["Properties"]["PolicyDocument"]["Statement"]
    ]
    assert [one["Resource"] for one in grants if "kms:CreateGrant" in one["Action"]] == [KEY]


def test_a_channel_that_replaces_instances_with_their_disks_is_a_warning() -> None:
    stack = make_stack()
    vpc = network(stack)

    followed = ZonalInstances(stack, "Followed", image=WEB.machine_image(), vpc=vpc, zones=["us-east-1a"])
    pinned = WEB.pinned({"us-east-1": "ami-0123456789abcdef0"})
    held = ZonalInstances(stack, "Held", image=pinned, vpc=vpc, zones=["us-east-1a"])

    (warning,) = [str(entry.data) for entry in followed.node.metadata if "warn" in entry.type]
    assert "cdk-ami::InstancesFollowChannel" in warning
    assert [entry for entry in held.node.metadata if "warn" in entry.type] == []


@pytest.mark.parametrize(
    ("addresses", "at", "got"),
    [
        ({"us-east-1d": ["10.0.0.10"]}, "['us-east-1d']", "us-east-1d"),
        ({"us-east-1a": []}, "['us-east-1a']", []),
        ({"us-east-1a": ["10.0.0.300"]}, "['us-east-1a'][0]", "10.0.0.300"),
        ({"us-east-1a": ["::1"]}, "['us-east-1a'][0]", "::1"),
    ],
)
def test_addresses_that_nobody_can_have_are_told_with_their_place(
    addresses: dict[str, list[str]], at: str, got: object
) -> None:
    (problem,) = rules.private_addresses(addresses, ["us-east-1a", "us-east-1b"], 1)

    assert (problem.at, problem.got) == (at, got)


class Failing:
    """An EC2 client whose replacements are said to end otherwise than well."""

    def __init__(self, client: Any, *, task: str = "succeeded", status: str = "ok") -> None:
        self._client, self._task, self._status = client, task, status

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def describe_replace_root_volume_tasks(self, **_: Any) -> Any:
        return {"ReplaceRootVolumeTasks": [{"TaskState": self._task}]}

    def describe_instance_status(self, **_: Any) -> Any:
        return {"InstanceStatuses": [{"InstanceStatus": {"Status": self._status}}]}


def test_a_root_is_replaced_once_noted_and_its_failures_are_told(aws: MakeClient, sandbox: Sandbox) -> None:
    ec2, ssm = aws("ec2"), aws("ssm")
    old, new = (ssm.get_parameter(Name=name)["Parameter"]["Value"] for name in (AL2023, AL2))
    (made,) = ec2.run_instances(ImageId=old, MinCount=1, MaxCount=1, InstanceType="t3.micro")["Instances"]
    instance = made["InstanceId"]
    slept: list[float] = []

    done = [
        replace_root.run_image(ec2, instance, image, token=token, sleep=slept.append)
        for image, token in ((old, "a"), (new, "b"), (new, "b"), (new, "c"))
    ]

    assert done == [False, True, False, False]
    assert replace_root.current(ec2, instance) == new
    tags = ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [instance]}])["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {replace_root.TAG: new}
    for client, image, words in (
        (Failing(ec2, task="failed"), old, "is failed"),
        (Failing(ec2, task="in-progress"), new, "is in-progress"),
        (Failing(ec2, status="impaired"), old, "does not pass its status checks"),
    ):
        ask(sandbox, "clock", advance=60)
        with pytest.raises(RuntimeError, match=words):
            replace_root.run_image(client, instance, image, token=words, sleep=slept.append)
    assert sum(slept) == 2 * replace_root.SECONDS
