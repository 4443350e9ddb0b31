"""Volumes: what a recipe gets, and what is refused."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_imagebuilder as imagebuilder
from aws_cdk import aws_kms as kms

from cdk_ami.errors import ConfigError, Faults
from cdk_ami.recipe.volume import Volume, check_volumes, render_volumes
from tests.support.synth import make_stack, only_resource, template_of

ROOT = {"DeleteOnTermination": True, "Encrypted": True, "VolumeType": "gp3"}


def rendered(stack: cdk.Stack, *volumes: Volume, root_device: str = "/dev/xvda") -> Any:
    imagebuilder.CfnImageRecipe(
        stack,
        "Recipe",
        name="web",
        version="1.0.x",
        parent_image="ami-0123456789abcdef0",
        block_device_mappings=render_volumes(volumes, root_device=root_device),
    )
    return only_resource(template_of(stack), "AWS::ImageBuilder::ImageRecipe")["Properties"]["BlockDeviceMappings"]


def test_without_volumes_the_root_volume_is_encrypted_gp3_of_the_sources_size() -> None:
    assert rendered(make_stack()) == [{"DeviceName": "/dev/xvda", "Ebs": ROOT}]


def test_the_root_volume_has_the_device_of_the_source() -> None:
    assert rendered(make_stack(), root_device="/dev/sda1")[0]["DeviceName"] == "/dev/sda1"


def test_every_option_of_a_volume_stands_in_the_recipe() -> None:
    stack = make_stack()
    key = kms.Key.from_key_arn(stack, "Key", "arn:aws:kms:us-east-1:123456789012:key/one")
    volume = Volume(size_gib=40, type="gp3", iops=8_000, throughput_mib=500, kms_key=key, delete_on_termination=False)

    assert rendered(stack, volume) == [
        {
            "DeviceName": "/dev/xvda",
            "Ebs": {
                "DeleteOnTermination": False,
                "Encrypted": True,
                "Iops": 8_000,
                "KmsKeyId": "arn:aws:kms:us-east-1:123456789012:key/one",
                "Throughput": 500,
                "VolumeSize": 40,
                "VolumeType": "gp3",
            },
        }
    ]


@pytest.mark.parametrize(
    "volumes",
    [
        [Volume(device="/dev/sdf", size_gib=10)],
        [Volume(device="/dev/sdf", size_gib=10), Volume()],
        [Volume(device="/dev/sdf", size_gib=10), Volume(device="/dev/xvda")],
    ],
)
def test_the_root_volume_comes_first_however_it_is_named(volumes: list[Volume]) -> None:
    assert rendered(make_stack(), *volumes) == [
        {"DeviceName": "/dev/xvda", "Ebs": ROOT},
        {"DeviceName": "/dev/sdf", "Ebs": {**ROOT, "VolumeSize": 10}},
    ]


def test_a_volume_may_stay_unencrypted_for_an_ami_that_is_sold() -> None:
    assert rendered(make_stack(), Volume(encrypted=False))[0]["Ebs"]["Encrypted"] is False


@pytest.mark.parametrize(
    ("volume", "rule", "prop", "got"),
    [
        (Volume(type="gp4"), "VolumeType", "volumes[0].type", "gp4"),
        (Volume(size_gib=0), "VolumeSize", "volumes[0].size_gib", 0),
        (Volume(type="io2", size_gib=10), "VolumeIops", "volumes[0].iops", None),
        (Volume(size_gib=10, iops=5_001), "VolumeIopsPerGib", "volumes[0].iops", 5_001),
        (Volume(type="gp2", throughput_mib=200), "VolumeThroughput", "volumes[0].throughput_mib", 200),
        (Volume(type="st1", size_gib=500), "RootVolumeType", "volumes[0].type", "st1"),
        (Volume(type="st1", size_gib=500, device="/dev/xvda"), "RootVolumeType", "volumes[0].type", "st1"),
        (Volume(device="sdf", size_gib=1), "DeviceName", "volumes[0].device", "sdf"),
        (Volume(device="/dev/sdf"), "ExtraVolumeSize", "volumes[0].size_gib", None),
        (
            Volume(encrypted=False, kms_key="arn:aws:kms:us-east-1:123456789012:key/x"),
            "VolumeKey",
            "volumes[0].kms_key",
            "kms_key",
        ),
        (Volume(kms_key="golden"), "KmsKey", "volumes[0].kms_key", "golden"),
    ],
)
def test_a_bad_volume_is_refused_naming_property_and_value(volume: Volume, rule: str, prop: str, got: object) -> None:
    faults = Faults("Shop", "Image")
    check_volumes(faults, [volume], root_device="/dev/xvda")

    with pytest.raises(ConfigError) as caught:
        faults.raise_if_any()

    assert (caught.value.where, caught.value.prop, caught.value.got) == ("Shop/Image", prop, got)
    assert [fault.rule for fault in caught.value.faults] == [f"cdk-ami::{rule}"]


def test_two_volumes_on_one_device_are_refused() -> None:
    faults = Faults("Shop", "Image")
    check_volumes(faults, [Volume(), Volume(device="/dev/sda", size_gib=1)], root_device="/dev/xvda")

    with pytest.raises(ConfigError) as caught:
        faults.raise_if_any()

    assert caught.value.prop == "volumes[1].device"
    assert caught.value.faults[0].rule == "cdk-ami::DevicesOnce"


def test_tokens_in_a_volume_are_let_through() -> None:
    faults = Faults("Shop", "Image")
    number: Any = cdk.Token.as_number({"Ref": "Size"})
    text = cdk.Token.as_string({"Ref": "Text"})

    check_volumes(
        faults,
        [Volume(size_gib=number, iops=number, throughput_mib=number), Volume(type=text, device=text, size_gib=1)],
        root_device="/dev/xvda",
    )

    assert not faults
